// Where pivots are chosen: what a segmentation needs to know of the pixels of one image.
//
//      tiles     8-bit colours and lab as blocks or runs of neighbouring pixels (tiles.cpp)
//      groups    distinct 8-bit colours in groups of neighbours (colour_groups.cpp): lab, many pivots
//      mapped    the same after a linear map (mapped_groups.cpp)
//      colours   distinct 8-bit colours and grey levels as points (colours.cpp)
//      real      other colours, linear maps, positions: the same (real_tiles.cpp)
//      pixels    anything else: every pixel as a point
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "fastpgs/features.hpp"
#include "fastpgs/palette.hpp"
#include "fastpgs/params.hpp"
#include "fastpgs/pivots.hpp"
#include "fastpgs/views.hpp"

namespace fastpgs {

// All that a source is made from; it must outlive the source.
struct Task {
    const ImageView& image;
    const MaskView& mask;
    const FeatureSpace& space;
    const Params& params;
    int threads;
    bool exact;                  // integer coordinates under the plain squared distance
    std::int32_t* labels;        // the caller's; sources may write to it before they label
    Counted* counted = nullptr;  // where colours have been counted: they are labelled, and no pixels
};

// What is known once every pixel has its nearest pivot.
struct Assigned {
    double inertia = 0.0;             // Eq. 3, in internal units; may be 0 where it is not wanted
    std::vector<std::uint8_t> empty;  // k flags
};

template <class T>
class Source {
  public:
    virtual ~Source() = default;

    // Moves pivots until they stay or max_iter is reached. Raster indices may become -1.
    virtual Iterated iterate(Pivots<T>& pivots) = 0;

    // Gives every pixel to the nearest of pivots (k, dims), ties to the lower.
    virtual Assigned assign(const std::vector<T>& pivots, bool want_inertia) = 0;

    // Writes labels by the pivots last assigned: 1 … k, or 0 beyond the threshold and outside the mask.
    virtual void write_labels() = 0;

    // Raster index of pivot j of `pivots`, which iterate() left.
    virtual std::int64_t locate(const Pivots<T>& pivots, std::size_t j) const = 0;
};

template <class T>
std::unique_ptr<Source<T>> make_pixels(const Task& task);

// Null where the image has too many colours for its size, or is not of bytes.
template <class T>
std::unique_ptr<Source<T>> make_colours(const Task& task);

// Null where the image is not of 8-bit colours, or has too many for its size, or there are too many pivots.
std::unique_ptr<Source<std::int32_t>> make_colour_groups(const Task& task);

// The same of 8-bit colours after a linear map; null without one, too.
std::unique_ptr<Source<double>> make_mapped_groups(const Task& task);

// Null where tiles do not serve.
std::unique_ptr<Source<std::int32_t>> make_tiles(const Task& task);

// Null where there are too many pivots, or too few pixels.
std::unique_ptr<Source<double>> make_real_tiles(const Task& task);

}  // namespace fastpgs
