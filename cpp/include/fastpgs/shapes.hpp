// Shapes of binary images: components, holes, discs, distances, hulls.
//
// A mask is rows x cols bytes, row-major, without gaps; 0 is outside, anything else inside. Results are 0
// or 1. The work is done on bits (bits.hpp): what takes several steps packs once and stays there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "fastpgs/bits.hpp"
#include "fastpgs/block.hpp"

namespace fastpgs::shapes {

using Bytes = std::vector<std::uint8_t>;

struct Box {  // half-open
    std::ptrdiff_t top = 0, left = 0, bottom = 0, right = 0;
    std::ptrdiff_t rows() const { return bottom - top; }
    std::ptrdiff_t cols() const { return right - left; }
    // With so much more on each side where the picture has it.
    Box wider(std::ptrdiff_t margin, std::ptrdiff_t all_rows, std::ptrdiff_t all_cols) const {
        return {std::max<std::ptrdiff_t>(top - margin, 0), std::max<std::ptrdiff_t>(left - margin, 0),
                std::min(bottom + margin, all_rows), std::min(right + margin, all_cols)};
    }
};

// The boxes of the parts 0..n, of which 0 has none; and that of all. One without pixels ends at 0.
std::vector<Box> boxes_of(const Parts& parts);
Box box_of(const Parts& parts);

struct Mask {
    const std::uint8_t* data;
    std::ptrdiff_t rows, cols;
    std::ptrdiff_t size() const { return rows * cols; }
};

inline Bits pack(Mask mask) { return pack(mask.data, mask.rows, mask.cols, mask.cols); }

// 4-connected components, 1..n in raster order of their first pixels; returns n.
std::int32_t label(Mask mask, std::int32_t* parts);
void write_labels(const Parts& parts, std::ptrdiff_t rows, std::ptrdiff_t cols, std::int32_t* out);
// The runs of each label but 0, in raster order.
Parts runs_of(const std::int32_t* labels, std::ptrdiff_t rows, std::ptrdiff_t cols);
// Those within a run, whose first pixel's label comes first.
void append_runs(const std::int32_t* labels, const Run& of, std::vector<Run>& runs);

// The area-weighted median: half of all area lies in smaller parts, so specks weigh nothing. 0 of none.
double typical_area(std::vector<std::int64_t> areas);

// Fill holes of at most `largest` pixels; a hole does not touch the frame.
Bits fill_holes(const Bits& bits, double largest);
void fill_holes(Mask mask, double largest, std::uint8_t* out);

// The components that hold a pixel of `seed`.
Bits touching(const Bits& bits, const Bits& seed);
void touching(Mask mask, const std::uint8_t* seed, std::uint8_t* out);

// The components that touch the frame.
Bits touching_frame(const Bits& bits);

// The components that hold a pixel of `seed` and none of `beyond`, do not touch the frame, and are at least
// as solid as `least`.
Bits parts_alone(const Bits& bits, const Bits& seed, const Bits& beyond, double least);

// The pixels with none outside the mask within `radius`; the frame does not count as outside.
Bits erode_disc(const Bits& bits, double radius);
Bits open_disc(const Bits& bits, double radius);
Bits close_disc(const Bits& bits, double radius);
void erode_disc(Mask mask, double radius, std::uint8_t* out);
void open_disc(Mask mask, double radius, std::uint8_t* out);
void close_disc(Mask mask, double radius, std::uint8_t* out);

// The greatest distance of a pixel to the outside, and one that is as far; 0 where there is none.
struct Inscribed {
    double radius = 0.0;
    std::ptrdiff_t row = 0, col = 0;
};

// What an opening with a disc of `core` inscribed radii takes from a shape are its outgrowths. One longer
// than `length` inscribed radii, and than `neck` times the pixels by which it holds, is a tongue.
struct TongueRules {
    double core = 0, length = 0, neck = 0;
};

// The mask, whose inscribed disc is known, without its tongues; those that hold a pixel of `kept` stay.
Bits cut_tongues(const Bits& bits, const Bits& kept, const TongueRules& rules, const Inscribed& disc);
void cut_tongues(Mask mask, const std::uint8_t* kept, const TongueRules& rules, std::uint8_t* out);

// Area of the convex hull of the pixels, each a unit square.
double hull_area(const Bits& bits);

// Area over the area of the hull, at most 1; 0 for an empty mask.
double solidity(const Bits& bits);

// The nearest pixels outside a mask, column by column, from which distances of single pixels are found.
class Outside {
  public:
    explicit Outside(const Bits& inside);
    // Of the rows and columns of a box alone, beyond which nobody looks.
    Outside(const Bits& inside, const Box& box);

    // Rows from each pixel of a row to the nearest pixel outside in its column.
    const std::int32_t* row(std::ptrdiff_t r) const {
        return g_.data() + (r - box_.top) * stride_ - box_.left;
    }

    const Box& box() const { return box_; }

    // Squared distance to the nearest pixel outside; in time proportional to that distance.
    std::int64_t square(std::ptrdiff_t r, std::ptrdiff_t c) const;

  private:
    static constexpr std::ptrdiff_t kLine = 16;  // numbers in a line of cache, in which threads do not meet

    void look(const Bits& outside, std::ptrdiff_t first, std::ptrdiff_t last);

    std::ptrdiff_t longer_;  // side of the mask
    Box box_;
    std::ptrdiff_t stride_;
    Block<std::int32_t> g_;
};

// Exact Euclidean distance of each pixel of the mask to the nearest pixel outside; the frame does not count
// as outside, and where there is no outside at all the distance is the longer side.
void distance(const Bits& inside, double* out);

// The same, and the raster index of a nearest pixel outside (-1 where there is none).
void nearest(const Bits& inside, double* out, std::ptrdiff_t* index);

// Squared distances are whole numbers. Those along rows and columns count up to half of this, so what is
// 32,768 pixels away is as far as anything.
inline constexpr std::int32_t kFarthest = std::numeric_limits<std::int32_t>::max();

// The squared distance of each pixel of the mask to the nearest pixel outside, as above.
void squares(const Bits& inside, std::int32_t* out);

// Of every pixel the squared distance to the nearest part of a mask; returns which part that is, stretch by
// stretch of each row, in raster order. There must be a part.
std::vector<Run> nearest_parts(const Bits& bits, const Parts& parts, std::int32_t* squares);

// The inscribed disc of a mask, and of each of its components 0..n, of which 0 has none.
Inscribed inscribed(const Bits& inside);
std::vector<Inscribed> inscribed(const Bits& inside, const Parts& parts);
// Which of the parts that are asked for have an inscribed radius of at least `radius`.
Bytes as_wide(const Bits& inside, const Parts& parts, const Bytes& asked, double radius);

// Watershed by flooding from markers (> 0) over the mask, 4-connected, in order of level, then of age. Marks
// are spread in place; markers outside the mask are erased.
void flood(Mask mask, const double* levels, std::int32_t* markers);

// The same, from the greatest distance to the outside down, given by its squares in a picture `cols` pixels
// wide. Markers are runs within a mask's components, in raster order, and so is what grows from them.
Parts flood_from_within(const Parts& parts, const std::vector<Run>& markers, const std::int32_t* squares,
                        std::ptrdiff_t cols);

}  // namespace fastpgs::shapes
