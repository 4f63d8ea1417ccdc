// Coordinates of pixels that change hands, straight from an image of three channels into the sums of
// clusters.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fastpgs/features.hpp"

namespace fastpgs {

struct MovedPixels {
    const std::uint32_t* pixels;  // raster indices, n
    const std::int32_t* before;   // their clusters, from 1
    const std::int32_t* now;
    std::size_t n;
    double round;    // added and subtracted, it rounds to the grain of sums
    double* lost;    // in, out: (k, dims + 1), members, then coordinate sums of those that left
    double* gained;  // the same of those that came
};

using MovePixels = void (*)(const ImageView&, const FeatureSpace&, const MovedPixels&);

// Null where coordinates are not the three channels, with positions or without, each times a weight.
MovePixels move_pixels_of(const ImageView& image, const FeatureSpace& space);

}  // namespace fastpgs
