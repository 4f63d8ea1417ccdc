// The inner loops over distinct colours (palette.hpp), compiled once for each instruction set and chosen with
// the other kernels.
//
// Colours lie in groups of neighbours, [starts[g], starts[g + 1]); the length of each is a multiple of
// kGroupStep, so that lanes never see two. A colour's features are pairs, as a pixel's in a tile are.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fastpgs/tile_boxes.hpp"

namespace fastpgs {

inline constexpr std::size_t kGroupStep = 8;

// Features and pixels of each colour.
struct GroupedColours {
    const std::int32_t* a = nullptr;  // (x0, x1)
    const std::int32_t* b = nullptr;  // (x2, 1)
    bool bytes = false;               // features are levels of 8 bits
    const std::uint32_t* counts = nullptr;
    const std::uint32_t* starts = nullptr;  // (groups + 1)
};

// The colours of a cell (colour_counts.hpp) by their counters, in groups (palette.hpp).
struct CellColoursArgs {
    const std::uint8_t* counters;     // of the places of the cell, or null
    const std::uint32_t* sums;        // then these
    std::int32_t corner_a, corner_b;  // the cell's least colour
    // Out, with room for kMost.
    std::int32_t* a;
    std::int32_t* b;
    std::uint32_t* counts;
    struct {
        std::size_t cube, end;  // eighths of the cell
        std::size_t start;      // among the colours
    } groups[8];
    std::size_t n_groups;
    std::size_t n;  // colours, filled up

    static constexpr std::size_t kMost = 512 + 9 * kGroupStep;
};

struct GroupAssignArgs {
    GroupedColours colours;
    const std::int64_t* group_sums;
    const std::uint32_t* masks;   // a group: which pivots may be nearest
    const std::uint32_t* groups;  // those to look at
    std::size_t n;
    const std::int32_t* pivots;  // (k, 3)
    std::size_t k;
    std::int32_t* owners;  // out, a colour of these groups: nearest pivot, ties to the lower
    std::int64_t* sums;    // in, out: (k, 4): members, then feature sums
};

// Groups that may hold the member of cluster j nearest to its mean, by distances to the rounded mean.
struct GroupNearArgs {
    GroupedColours colours;
    TileBoxes boxes;
    std::size_t n;
    const std::uint32_t* masks;
    const std::int32_t* owners;  // of colours in groups of several candidates
    std::int32_t cluster;
    std::int32_t mean[3];      // times 2^shift, rounded
    int shift;                 // features are multiplied by 2^shift
    std::int32_t least;        // in, out: squared distance of the nearest member, or a bound of it
    std::uint32_t* near;       // out
    std::int32_t* near_least;  // out: the least squared distance in each
    std::size_t n_near;        // out: groups whose least distance may be the nearest's
};

// Scores C_j - 2 x . P_j that stand for distances after a linear map, but for a margin: colours that another
// pivot owns than before, or that scores cannot tell.
struct GroupScoresArgs {
    GroupedColours colours;
    const std::uint32_t* masks;   // a group: which pivots may be nearest
    const std::uint32_t* groups;  // those to look at
    std::size_t n;
    const std::int32_t* pivots;   // (k, 3): P
    const std::int32_t* squares;  // (k,): C
    std::int32_t margin;
    std::size_t k;               // at most kOwnedPivots
    const std::int32_t* owners;  // of colours, as they were
    std::uint32_t* found;        // out: colours; kGroupStep more are written
    std::int32_t* found_owners;  // out: their pivots, or -1; kGroupStep more are written
    std::size_t n_found;         // out
};

// Labels of grey levels that change at few of them: a level has the first label, and what each step at or
// below it adds.
struct LevelSteps {
    static constexpr std::size_t kMost = 8;
    std::int32_t first = 0;
    std::size_t n = 0;
    std::int32_t level[kMost] = {};
    std::int32_t rise[kMost] = {};
};

struct ColourKernels {
    // Sums of r, g, b, rr, rg, rb, gg, gb, bb over n pixels, added to `out`.
    void (*moments)(const std::uint8_t* rgb, std::size_t n, std::int64_t* out);
    // Cells and places of n pixels, as colour_counts.hpp defines them; of colours that lie in whole groups.
    void (*keys)(const std::uint8_t* rgb, std::size_t n, std::int32_t* out);
    void (*group_keys)(const GroupedColours&, std::size_t begin, std::size_t end, std::int32_t* out);
    // Which of n places, whole steps of kGroupStep, are less than a bound; kGroupStep more are written.
    std::size_t (*below)(const std::int32_t* places, std::size_t n, std::int32_t bound, std::uint32_t* out);
    std::size_t (*find)(const std::int32_t* places, std::size_t n, std::int32_t place);  // the first, or n
    void (*cell)(CellColoursArgs&);
    // Labels of n levels.
    void (*levels)(const std::uint8_t* data, std::size_t n, const LevelSteps&, std::int32_t* labels);
    void (*summary)(const GroupedColours&, std::size_t n, const TileBoxes&);
    void (*assign)(const GroupAssignArgs&);
    void (*near)(GroupNearArgs&);
    // Colours of a group that `near` found, at most 64: those that may be the member nearest to the mean.
    std::uint64_t (*within)(const GroupNearArgs&, std::size_t group);
    void (*scores)(GroupScoresArgs&);
};

}  // namespace fastpgs
