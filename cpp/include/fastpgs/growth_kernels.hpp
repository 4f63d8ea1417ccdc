// The inner loops of growing (growing.cpp) over 8-bit colours and lab, compiled once for each instruction set
// and chosen with the other kernels.
//
// What holds of a pivot and a pixel is a bit; of 64 pixels in raster order, a word.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastpgs {

inline constexpr std::size_t kWordPixels = 64;

// Which pixels are within a limit of each pivot.
struct GrowthMarkArgs {
    const std::uint8_t* rgb;    // (n, 3), or null
    const std::int32_t *a, *b;  // otherwise: pairs of features (tile_kernels.hpp)
    std::size_t n;
    const std::int32_t* pivots;  // (k, 3)
    std::size_t k;
    std::int32_t limit;    // squared distance
    std::uint64_t* words;  // out: words of the first pivot; bits beyond n are 0
    std::size_t stride;    // words from pivot to pivot
};

// Clears labels of pivots that did not reach their pixel.
struct GrowthKeepArgs {
    const std::uint64_t* reached;  // words of the first pivot
    std::size_t stride;            // as above
    std::size_t k;
    std::size_t n;
    std::int32_t* labels;  // in, out: 1 … k or 0
    std::uint64_t* open;   // out: pixels that lost theirs, or had none, and that another pivot reached
};

struct GrowthKernels {
    void (*mark)(const GrowthMarkArgs&);
    void (*keep)(const GrowthKeepArgs&);
};

}  // namespace fastpgs
