// The inner loops over points on a coarse grid (coarse_grid.hpp), compiled once for each instruction set and
// chosen with the other kernels.
//
// A coordinate is an int16, two coordinates are a pair of one word, and one multiply-add of pairs gives two
// products of an inner product. What the grid cannot tell apart is left to the caller.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastpgs {

inline constexpr std::size_t kCoarseTile = 32;    // points a tile
inline constexpr std::size_t kCoarsePivots = 32;  // at most: one bit each
inline constexpr std::size_t kCoarseWords = 32;   // at most: of a point
inline constexpr std::size_t kCoarseMargin = 8;   // tiles that may be read and written beyond the last

// Places of the points of those tiles that have been laid.
struct CoarsePoints {
    const std::int32_t* words;   // (slots, n_words, kCoarseTile)
    const std::uint32_t* slots;  // of every tile
    std::size_t n_words;

    const std::int32_t* tile(std::size_t t) const { return words + slots[t] * n_words * kCoarseTile; }
};

// Bounding boxes of tiles: planes of words.
struct CoarseBoxes {
    std::int32_t* const* low;
    std::int32_t* const* high;
};

// Tiles of a colour image whose levels fit 16 bits: blocks of 4 rows and 8 columns.
struct LevelBoxesArgs {
    const void* pixels;  // the first of the image, of three channels
    bool wide;           // of 16 bits, which become less by 2^15; else of 8
    std::size_t width;   // of the image
    std::size_t across;  // blocks beside each other
    std::size_t begin, end;
    CoarseBoxes boxes;                    // out: of levels, as pairs (red, green) and (blue, 1)
    double* const* sums;                  // out: planes of tiles
    std::int32_t least_a, least_b;        // in, out: of all, as pairs
    std::int32_t greatest_a, greatest_b;  //
};

// score_j(x) = constant_j - x . way_j orders pivots as their squared distances do, up to the margin.
struct CoarseScores {
    const std::int32_t* ways;       // (k, words)
    const std::int32_t* constants;  // k
    std::int32_t margin;
    std::size_t k;
};

// Masks: bit j is set where pivot j may be nearest to a point of the tile.
struct CoarseCandidatesArgs {
    CoarseBoxes boxes;
    std::size_t n_words;
    std::size_t begin, end;  // tiles
    CoarseScores scores;
    const std::uint32_t* before;  // masks for other pivots
    std::uint32_t* masks;         // out
    std::int32_t* nearest;        // out: the pivot nearest to the middle of the box, from 1
    // Out: lists with room for all tiles and kCoarseMargin more.
    std::uint32_t* changed;  // tiles whose mask is another one now
    std::size_t n_changed;
    std::uint32_t* straddling;  // tiles of several pivots
    std::size_t n_straddling;
};

struct CoarseAssignArgs {
    CoarsePoints points;
    CoarseScores scores;
    const std::uint32_t* masks;
    const std::uint32_t* tiles;  // those to look at
    std::size_t n;
    std::size_t n_ahead;   // of a longer list: memory of further ones is asked for
    std::int32_t* labels;  // in, out, a point: its pivot from 1
    // Out: lists with room for all points of the tiles and kCoarseMargin more.
    std::uint32_t* changed;   // points whose label is another one now
    std::int32_t* before;     // their labels before
    std::size_t n_changed;    // out
    std::uint32_t* doubtful;  // points whose label is left to the caller
    std::size_t n_doubtful;   // out
    std::int32_t* gaps;       // out, a listed tile: the least by which the score of a second pivot is greater
};

// Tiles with members that may be nearest to a target.
struct CoarseNearArgs {
    CoarsePoints points;
    CoarseBoxes boxes;
    std::size_t tiles;
    const std::uint32_t* masks;  // null: every point is a member
    const std::int32_t* labels;  // of points of tiles with several candidates
    std::int32_t cluster;
    const std::int32_t* target;  // words
    std::int32_t error;          // the nearest point is no further on the grid than the nearest there + error
    std::int32_t reach;          // in, out: squared distance within which the nearest lies
    std::uint32_t* near;         // out: tiles
    std::int32_t* near_least;    // out: the least squared distance in each
    std::size_t n_near;          // out
    // Lays tiles that are looked at, where they have not been.
    void (*lay)(const void* layer, const std::uint32_t* tiles, std::size_t n);
    const void* layer;
};

struct CoarseKernels {
    void (*level_boxes)(LevelBoxesArgs&);
    void (*boxes)(const CoarsePoints&, std::size_t begin, std::size_t end, const CoarseBoxes&);
    void (*candidates)(CoarseCandidatesArgs&);
    void (*assign)(CoarseAssignArgs&);
    void (*near)(CoarseNearArgs&);
    // Bit i is set where point i of a tile is a member within reach.
    std::uint32_t (*within)(const CoarseNearArgs&, std::size_t tile);
};

}  // namespace fastpgs
