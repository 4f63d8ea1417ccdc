// From bodies to cells: the outline and the nucleus of each. The Python package documents the rules.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "fastpgs/reach.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::outlines {

// Medians over the cells of a field, each weighing as much as its nucleus is large; 0 where there is none.
struct Typical {
    double depth;  // of the nucleus
    double edge;   // steepness of depth along the outline, levels a pixel
};

struct Rules {
    double radius;                                            // typical radius of a nucleus, pixels
    double edge, closing, smooth, lobe, contrast, skin, rim;  // of a nucleus
    double vague;                                             // spreads: an outline less clear is doubted
    double opening, vacuole;                                  // of a cell: pixels, and pixels of area
    double outline;                                           // share of its inscribed radius to smooth by
    double solid;                                             // solidity from which on an outline is compact
    shapes::TongueRules tongue;                               // of a cell that is not outlined already
    double faintest;                                          // of the typical depth: no cell
    double pale, blurred;                                     // of depth and edge: no cell if below both
    std::optional<Typical> typical;                           // not that of the field itself
    std::vector<double> reaches;
};

struct Field {
    std::ptrdiff_t rows, cols;
    const shapes::Parts& bodies;   // runs in raster order
    const shapes::Bits& nuclei;    // rough
    const reach::Away& away;       // distance from the nucleus in nuclear radii
    const std::int16_t* depth;     // rises from background to nucleus (stain.hpp)
    const std::uint8_t* features;  // three a pixel
};

// A cell reaches no farther beyond the box of its body, pixels.
constexpr std::ptrdiff_t MARGIN = 2;

// One cell.
struct Drawn {
    shapes::Box box;  // that what follows is of
    shapes::Bits cell, nucleus;
    double inner;  // median depth of the nucleus
    double edge;   // how steeply depth rises at the outline; a nan where hardly any of it lies free
};

// The cells 1..n of a field. Where two overlap, the later one lies above.
struct Drawing {
    std::vector<Drawn> cells;
    Typical typical;

    // Into planes of so many columns, which are 0 before.
    void write(shapes::Bits Drawn::* part, std::ptrdiff_t cols, std::int32_t* out) const;

    // Whether the cells' boxes have no pixel in common. Then each is as it was drawn:
    bool apart() const;
    // runs of the cells, and of what is nucleus within them, in raster order.
    std::vector<shapes::Run> runs() const;
    std::vector<shapes::Run> nuclear_runs() const;
};

// Outline and nucleus of each body.
Drawing draw(const Field& field, const Rules& rules);

}  // namespace fastpgs::outlines
