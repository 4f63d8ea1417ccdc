// The inner loops over real points, compiled once for each instruction set and chosen with the other
// kernels. As there, every path gives the same bits: no fused multiply-add, and only exact sums.
//
// A tile is a run of neighbouring points, whose coordinates lie in planes of doubles: colours of 16 bits,
// real colours, and any features after a linear map or with positions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fastpgs/coarse_kernels.hpp"
#include "fastpgs/sample_kernels.hpp"
#include "fastpgs/views.hpp"

namespace fastpgs {

// A few tiles of points.
struct RealPoints {
    const double* const* z;  // dims planes
    std::size_t dims;
    std::size_t tiles;
    double round;  // added and subtracted, it rounds to the grain of sums; 0: integers
};

// Pixels of three channels, whose coordinates are one product each; their row and column follow,
// where positions have a weight. Tiles are blocks of 4 rows and 8 columns.
struct ChannelPoints {
    const void* pixels;  // the first of the image
    PixelType type;
    std::size_t width;   // of the image
    std::size_t across;  // blocks beside each other
    double factor[5];
    bool positions;
};

// From boxes of levels (coarse_kernels.hpp) to boxes on the grid.
struct PlaceBoxesArgs {
    CoarseBoxes boxes;  // in, out: two words
    std::size_t begin, end;
    double bias;  // levels are so much greater
    const double* middle;
    double per_step;
};

inline constexpr std::size_t kChannelRun = 32;  // tiles at once, at most

// Boxes on the grid and sums of tiles of such pixels, of their channels.
struct ChannelBoxArgs {
    ChannelPoints points;
    std::size_t begin, end;
    double round;  // as of RealPoints
    const double* middle;
    double per_step;
    CoarseBoxes boxes;       // out: two words; what the grid does not reach is at its edge
    double* const* sums;     // out: planes of tiles
    double low[3], high[3];  // in, out: of all
    double lost;             // in, out: no longer 0 where a value was not finite
};

// Listed tiles of such pixels.
struct ChannelPlaceArgs {
    ChannelPoints points;
    const std::uint32_t* tiles;
    const std::uint32_t* slots;  // where their places go
    std::size_t n;
    const double* middle;
    double per_step;
    std::int32_t* words;  // out: (slots, words, kCoarseTile)
};

// Values that may be levels over `top`.
struct LevelsArgs {
    const void* values;
    bool wide;  // doubles; floats else
    std::size_t n;
    double top, tolerance;
    void* levels;  // out: bytes where top is 255, else words
};

struct RealNearestArgs {
    RealPoints points;
    const std::uint32_t* masks;  // pivots that may be nearest to a point of a tile: bit j for pivot j
    const double* pivots;        // (k, dims)
    double limit;                // squared distance
    double round;                // as for sums, for squared distances
};

// Members within a limit of each pivot, whichever is nearest.
struct RealWithinArgs {
    RealPoints points;
    const double* pivots;  // (k, dims)
    std::size_t k;
    double limit;
    double* sums;  // in, out: (k, dims + 1)
};

inline constexpr std::size_t kRealsMargin = 8;  // boxes that may be read beyond the last

// Boxes of which some pivot may own points, and whose squared distance to a point is at most a limit.
struct NearBoxesArgs {
    const double* const* low;  // dims planes of n + kRealsMargin
    const double* const* high;
    std::size_t n, dims;
    const double* point;
    double limit;
    const std::uint32_t* masks;
    std::uint32_t mine;   // the pivot's bit
    std::uint32_t* near;  // out
    double* far;          // out, of these: that distance, or a little less
    std::size_t n_near;   // out
};

struct RealKernels {
    // Widens low and high (dims) by the coordinates.
    void (*extents)(const RealPoints&, double* low, double* high);
    // Sums of the rounded coordinates of each tile: planes of tiles.
    void (*sums)(const RealPoints&, double* const* sums);
    // Places on a grid (coarse_grid.hpp): words of pairs, (tiles, words, kCoarseTile).
    void (*places)(const RealPoints&, const double* middle, double per_step, std::int32_t* words);
    void (*place_boxes)(const PlaceBoxesArgs&);
    // The same straight from an image.
    void (*box_channels)(ChannelBoxArgs&);
    void (*place_channels)(const ChannelPlaceArgs&);
    // Labels 1 … k within the limit, 0 beyond it.
    void (*limit)(const RealNearestArgs&, std::uint8_t* labels);
    // Sum of the rounded squared distances of each tile.
    void (*objective)(const RealNearestArgs&, double* tiles);
    void (*within)(const RealWithinArgs&);
    void (*near_boxes)(NearBoxesArgs&);
    // Whether all values in [0, 1] are levels over `top`, within a tolerance; if so, the levels.
    bool (*levels)(const LevelsArgs&);
    RealSampleKernels sample;
};

const RealKernels& real_kernels();

}  // namespace fastpgs
