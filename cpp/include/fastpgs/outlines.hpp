// From bodies to cells: the outline and the nucleus of each. The Python package documents the rules.
#pragma once

#include <cstdint>

#include "fastpgs/shapes.hpp"

namespace fastpgs::outlines {

struct Rules {
    double radius;                                            // typical radius of a nucleus, pixels
    double edge, closing, smooth, lobe, contrast, skin, rim;  // of a nucleus
    double opening, vacuole;                                  // of a cell: pixels, and pixels of area
    double outline;                                           // share of its inscribed radius to smooth by
    double solid;                                             // solidity from which on an outline is compact
    shapes::TongueRules tongue;                               // of a cell that is not outlined already
    double faintest;                                          // of the typical depth of a nucleus
    double typical_depth = -1;                                // negative: that of the field's own nuclei
    std::vector<double> reaches;
};

struct Field {
    std::ptrdiff_t rows, cols;
    const std::int32_t* bodies;    // 1..n, 0: none
    const std::uint8_t* nuclei;    // rough
    const double* reach;           // distance from the nucleus in nuclear radii
    const std::int16_t* depth;     // rises from background to nucleus
    const std::uint8_t* features;  // three a pixel
};

// The nucleus of one cell, grown within thresholds of its own, first of depth, then of the colour that tells
// it from the cell's own cytoplasm; out is rows x cols of `cell`.
void nucleus_of(const std::int16_t* depth, const std::uint8_t* features, shapes::Mask cell,
                const std::uint8_t* rough, double around, const Rules& rules, std::uint8_t* out);

// Outline and nucleus of bodies 1..n into `labels` and `nuclei` (zero before), numbered anew; returns how
// many.
std::int32_t draw(const Field& field, std::int32_t n, const Rules& rules, std::int32_t* labels,
                  std::int32_t* nuclei);

}  // namespace fastpgs::outlines
