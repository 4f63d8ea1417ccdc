// The inner loops over tiles, compiled once for each instruction set and chosen with the other kernels.
//
// A tile is a block of neighbouring pixels, or a run of them. A pixel's three features are int16 and lie in
// two words as pairs, (x0, x1) and (x2, 1), so that one multiply-add of pairs gives two products of an inner
// product:
//
//      |x - p|^2 = |x|^2 + |p|^2 - 2 x.p        score = |p|^2 - 2 x.p
//
// Everything is an integer below 2^31 (8-bit colours; CIELAB in 1/64), so every path gives the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fastpgs/coarse_kernels.hpp"
#include "fastpgs/colour_kernels.hpp"
#include "fastpgs/growth_kernels.hpp"
#include "fastpgs/lab_kernels.hpp"
#include "fastpgs/sample_kernels.hpp"
#include "fastpgs/tile_boxes.hpp"

namespace fastpgs {

// Pixels: bytes of RGB (n, 3), or two words of pairs.
struct TilePixels {
    const std::uint8_t* rgb = nullptr;
    const std::int32_t* a = nullptr;
    const std::int32_t* b = nullptr;
    std::size_t tile = 16;   // pixels a tile, a multiple of 16, at most 64
    std::size_t across = 0;  // tiles are blocks of 8 columns, so many beside each other; 0: runs
    std::size_t width = 0;   // of the image, where they are blocks
};

inline constexpr std::size_t kOwnedPivots = 16;  // where there are more pivots, tiles have no candidates
inline constexpr std::size_t kTilePivots = 64;   // at most

// A mask of a tile tells which pivots may be nearest to a pixel of it: bit j for pivot j. One bit: the tile
// is that pivot's own. With more than kOwnedPivots all bits are set: any may be.
inline constexpr std::uint32_t kAnyPivot = 0xFFFFFFFFU;

struct TileCandidatesArgs {
    TileBoxes boxes;
    std::size_t begin, end;       // tiles
    const std::int32_t* pivots;   // (k, 3)
    const std::int32_t* squares;  // (k,) in place of |p|^2, or null
    std::int32_t margin;          // scores that are so close may be of either order
    std::size_t k;                // at most kOwnedPivots
    std::uint32_t* masks;         // in, out: of every tile; 0 at first
    std::int64_t* owned;          // in, out: (k, 4): their pixels, then feature sums; or null
    std::uint32_t* straddling;    // out: tiles of several candidates; kTileMargin more are written
    std::size_t n_straddling;     // out
};

struct TileAssignArgs {
    TilePixels pixels;
    TileBoxes boxes;
    const std::uint32_t* masks;
    const std::uint32_t* tiles;  // those to look at
    std::size_t n;
    const std::int32_t* pivots;  // (k, 3)
    std::size_t k;
    std::int32_t* labels;  // out, a pixel: nearest pivot from 1, ties to the lower; or null
    std::int64_t* sums;    // in, out: (k, 4): members, then feature sums
};

// The members of cluster j nearest to its mean, by their distance to the rounded mean.
struct TileNearArgs {
    TilePixels pixels;
    TileBoxes boxes;
    std::size_t n;
    const std::uint32_t* masks;
    const std::int32_t* pivots;  // (k, 3), of the masks
    std::size_t k;
    std::int32_t cluster;
    std::int32_t mean[3];           // times 2^shift, rounded
    int shift;                      // features are multiplied by 2^shift
    std::int32_t ideal_a, ideal_b;  // RGB: the colour that no other can be nearer than, as words; or -1
    std::int32_t least;             // in, out: squared distance of the nearest member, or a bound of it
    std::uint32_t* near;            // out: tiles that may hold the nearest member
    std::int32_t* near_least;       // out: the least squared distance in each
    std::size_t n_near;             // out
};

// Of the members in near tiles that may be nearest, the first in raster order of the least key n |x|^2 - 2
// x.S.
struct TilePickArgs {
    const TileNearArgs* near;
    std::int64_t members;
    std::int64_t sums[3];
    std::int64_t pixel;  // out: -1 if none
    std::int64_t key;    // out
};

// Labels 1 … k within a limit of squared distance, 0 beyond it.
struct TileLimitArgs {
    TilePixels pixels;
    std::size_t begin, end;  // tiles
    const std::uint32_t* masks;
    const std::int32_t* pivots;
    std::size_t k;
    std::int32_t limit;
    std::int32_t* labels;  // out
};

struct TileKernels {
    // Fills boxes [begin, end) and adds the sum of |x|^2 + 1 of their pixels to `square`.
    void (*summary)(const TilePixels&, std::size_t begin, std::size_t end, const TileBoxes&,
                    std::int64_t* square);
    void (*candidates)(TileCandidatesArgs&);
    void (*assign)(const TileAssignArgs&);
    void (*near)(TileNearArgs&);
    void (*pick)(TilePickArgs&);
    void (*limit)(const TileLimitArgs&);
    CoarseKernels coarse;
    ColourKernels colours;
    WordSampleKernels sample;
    GrowthKernels growth;
    LabKernels lab;
};

const TileKernels& tile_kernels();

}  // namespace fastpgs
