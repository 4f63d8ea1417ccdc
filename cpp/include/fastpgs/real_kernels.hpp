// The inner loops over tiles of real points, compiled once for each instruction set and chosen with the
// other kernels. As there, every path gives the same bits: no fused multiply-add, and only exact sums.
//
// A tile is a run of 16 neighbouring points, whose coordinates lie in planes of doubles: colours of 16 bits,
// real colours, and any features after a linear map or with positions. The last tile is filled up.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fastpgs/swap_kernels.hpp"

namespace fastpgs {

inline constexpr std::size_t kRealTile = 16;
inline constexpr std::size_t kRealPivots = 32;  // at most: one bit each
inline constexpr std::size_t kRealDims = 64;    // at most
inline constexpr std::size_t kRealMargin = 8;   // tiles that may be read beyond the last

struct RealPoints {
    const double* const* z;  // dims planes
    std::size_t dims;
    double round;  // added and subtracted, it rounds to the grain of sums; 0: integers
};

// Bounding boxes of tiles, as middle and half extent, and sums of their rounded coordinates: planes of tiles.
struct RealBoxes {
    double* const* centre;
    double* const* half;
    double* const* sums;
};

// The pivots that may be nearest to a point of a tile: bit j for pivot j. One bit: the tile is its own.
struct RealCandidatesArgs {
    RealBoxes boxes;
    std::size_t begin, end;  // tiles
    std::size_t dims;
    const double* pivots;  // (k, dims)
    std::size_t k;
    std::uint32_t* candidates;  // out
};

struct RealAssignArgs {
    RealPoints points;
    RealBoxes boxes;
    const std::uint32_t* tiles;  // those to look at
    std::size_t n;
    const std::uint32_t* candidates;  // of every tile
    const double* pivots;             // (k, dims)
    std::size_t k;
    std::uint8_t* labels;  // out, a point: nearest pivot, ties to the lower
    double* sums;          // in, out: (k, dims + 1): members, then coordinate sums
};

// Tiles that may hold the member of a cluster nearest to `target`.
struct RealNearArgs {
    RealPoints points;
    RealBoxes boxes;
    std::size_t tiles;
    const std::uint32_t* candidates;  // null: every point is a member
    const std::uint8_t* labels;       // of points of tiles with several candidates
    std::uint32_t cluster;
    const double* target;  // (dims,)
    double slack, more;    // what is within least * slack + more may be nearest
    double least;          // in, out: squared distance of the nearest member, or a bound of it
    std::uint32_t* near;   // out: tiles
    double* near_least;    // out: the least squared distance in each
    std::size_t n_near;    // out
};

struct RealNearestArgs {
    RealPoints points;
    std::size_t begin, end;           // tiles
    const std::uint32_t* candidates;  //
    const double* pivots;             // (k, dims)
    double limit;                     // squared distance
    double round;                     // as for sums, for squared distances
};

// Members within a limit of each pivot, whichever is nearest.
struct RealWithinArgs {
    RealPoints points;
    std::size_t begin, end;  // tiles
    const double* pivots;    // (k, dims)
    std::size_t k;
    double limit;
    double* sums;  // in, out: (k, dims + 1)
};

struct RealKernels {
    // Least and greatest coordinates of tiles [begin, end) into planes of tiles.
    void (*extents)(const RealPoints&, std::size_t begin, std::size_t end, double* const* low,
                    double* const* high);
    void (*sums)(const RealPoints&, std::size_t begin, std::size_t end, double* const* sums);
    void (*candidates)(const RealCandidatesArgs&);
    void (*assign)(const RealAssignArgs&);
    void (*near)(RealNearArgs&);
    // Labels 1 … k within the limit, 0 beyond it.
    void (*limit)(const RealNearestArgs&, std::uint8_t* labels);
    // Sum of the rounded squared distances of each tile.
    void (*objective)(const RealNearestArgs&, double* tiles);
    void (*within)(const RealWithinArgs&);
    SwapKernels swaps;
};

const RealKernels& real_kernels();

}  // namespace fastpgs
