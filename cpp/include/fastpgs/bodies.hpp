// Touching cells: convex bodies by the peaks of the distance, and bodies that are one cell after all.
#pragma once

#include <cstdint>
#include <vector>

#include "fastpgs/shapes.hpp"

namespace fastpgs::bodies {

// Numbers of bodies at the peaks of the distance to the outside, given by its squares, an image of rows x
// cols: single pixels of the parts of a region, in raster order. Two peaks of a part are one body unless the
// distance drops between them below `neck` times the lower one.
std::vector<shapes::Run> markers(const std::int32_t* squares, const shapes::Parts& parts, std::ptrdiff_t rows,
                                 std::ptrdiff_t cols, double neck);

struct MergeRules {
    double vacuole;        // holes of at most this many pixels count as part of a union
    double most;           // with more pixels of nucleus a union is one cell only if as good as convex
    double nearly_convex;  // solidity that is as good as convex
    double contact;  // bodies that touch along less of the smaller's width must be as good as convex, too
};

// Rejoin touching bodies, runs in raster order, as long as a union is solid enough for its share of nucleus
// and for the line along which they touch. `squares`: of the distances to the outside, which tell widths.
void merge(shapes::Parts& bodies, const shapes::Bits& nuclei, const std::int32_t* squares,
           const MergeRules& rules);

struct SplitRules {
    double neck;
    double least;  // pixels of nucleus: bodies with fewer are left out before they are rejoined,
    MergeRules merging;
    double smallest;  // and those with less than this share of the typical body's after
};

// Tells touching cells apart: bodies with enough nucleus, from which the whole region is flooded; their runs,
// in raster order. `typical_body`: pixels of nucleus of a typical body, measured if negative.
shapes::Parts split(const shapes::Bits& region, const shapes::Bits& nuclei, const SplitRules& rules,
                    double& typical_body);

}  // namespace fastpgs::bodies
