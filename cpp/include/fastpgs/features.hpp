// From pixels to feature vectors (SPEC of the method: Eq. 1 and the feature spaces of fastpgs.segment).
// lab is CIELAB in fixed point (lab.hpp).
#pragma once

#include <cstddef>
#include <cstdint>

#include "fastpgs/params.hpp"
#include "fastpgs/views.hpp"

namespace fastpgs {

inline constexpr std::size_t kMaxDims = 64;

// The feature space of one image.
struct FeatureSpace {
    Features kind = Features::lab;
    bool positions = false;           // (row, col) appended
    bool integer = true;              // every feature is an integer
    std::size_t dims = 3;             // positions counted in
    const double* extents = nullptr;  // least values of the channels, then greatest, where they are known
    const double* map = nullptr;      // row-major lower-triangular (dims, dims), owned by the Params; or none
};

FeatureSpace feature_space(const ImageView& image, const Params& params);

// Whether each coordinate is one feature times a weight above zero, or no map.
bool only_scales(const FeatureSpace& space);

// Whether integer features fit 16 bits and their squared distances 31, three at most: 8-bit colours and lab.
bool is_narrow(const ImageView& image, const FeatureSpace& space);

// Fills out[a][i] with coordinate a of pixel begin + i, for end - begin pixels. Integers come unmapped and
// need space.integer; reals are mapped. Thread-safe, do not allocate.
void read_features(const ImageView& image, const FeatureSpace& space, std::size_t begin, std::size_t end,
                   std::int32_t* const* out);
void read_features(const ImageView& image, const FeatureSpace& space, std::size_t begin, std::size_t end,
                   double* const* out);

// The same as read_features for a list of raster indices.
void gather_features(const ImageView& image, const FeatureSpace& space, const std::int64_t* pixels,
                     std::size_t n, std::int32_t* const* out);
void gather_features(const ImageView& image, const FeatureSpace& space, const std::int64_t* pixels,
                     std::size_t n, double* const* out);

// Least and greatest value of each channel; no number where a channel holds one that is not finite.
void channel_extents(const ImageView& image, double* low, double* high);

// Least and greatest coordinates over the whole image; false where they would take the features themselves.
bool feature_extents(const ImageView& image, const FeatureSpace& space, double* low, double* high);

// Rec. 709 luma: of levels of 8 or 16 bits, rounded to a level; of reals.
inline std::uint32_t luma_of(std::uint32_t r, std::uint32_t g, std::uint32_t b) {
    return (13926U * r + 46885U * g + 4725U * b + 32768U) >> 16;
}
inline double luma_of(double r, double g, double b) { return (0.2125 * r + 0.7154 * g) + 0.0721 * b; }

// Rec. 709 luma of a pixel in the image's own units, by which pivots are ordered; the sum of the channels
// where there are not three.
double luma(const ImageView& image, std::size_t pixel);

}  // namespace fastpgs
