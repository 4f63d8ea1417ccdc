// Touching cells: convex bodies by the peaks of the distance, and bodies that are one cell after all.
#pragma once

#include <cstdint>

#include "fastpgs/shapes.hpp"

namespace fastpgs::bodies {

// Numbers of bodies at the peaks of `distance`, an image of rows x cols, within the parts of a region; 0
// elsewhere. Two peaks of a part are one body unless the distance drops between them below `neck` times the
// lower one.
void markers(const double* distance, const shapes::Parts& parts, std::ptrdiff_t rows, std::ptrdiff_t cols,
             double neck, std::int32_t* out);

struct MergeRules {
    double vacuole;        // holes of at most this many pixels count as part of a union
    double most;           // with more pixels of nucleus a union is one cell only if as good as convex
    double nearly_convex;  // solidity that is as good as convex
};

// Rejoin touching bodies, in place, as long as a union is solid enough for its share of nucleus.
void merge(std::int32_t* bodies, const shapes::Bits& nuclei, const MergeRules& rules);

struct SplitRules {
    double neck;
    double least;  // pixels of nucleus: bodies with fewer are left out before they are rejoined,
    MergeRules merging;
    double smallest;  // and those with less than this share of the typical body's after
};

// Tells touching cells apart: bodies with enough nucleus, from which the whole region is flooded.
// Numbers 1..n into `bodies`; returns n. `typical_body`: pixels of nucleus of a typical body, measured if
// negative.
std::int32_t split(const shapes::Bits& region, const shapes::Bits& nuclei, const SplitRules& rules,
                   double& typical_body, std::int32_t* bodies);

}  // namespace fastpgs::bodies
