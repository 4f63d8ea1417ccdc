// Outlines of labelled cells as polygons.
#pragma once

#include <cstdint>
#include <vector>

#include "fastpgs/shapes.hpp"

namespace fastpgs::rings {

struct Cell {
    std::int32_t label;
    shapes::Box box;  // that holds its pixels
};

struct Point {
    float x, y;  // pixel (row, col) covers [col, col + 1] x [row, row + 1]
};

// Rings one after the other, each closed: its first point is also its last.
struct Outlines {
    std::vector<Point> points;
    std::vector<std::int64_t> rings{0};  // where each begins in the points, and the end of the last
    std::vector<std::int64_t> cells{0};  // where each cell begins in the rings, and the end of the last
};

// Outer outlines of the pixels of each cell's label within its box, of an image of `cols` columns; of a cell
// the largest first, of the same size the one that begins first in raster order. They run half-way between
// neighbours in and out, as marching squares do (Lorensen & Cline 1987, doi:10.1145/37402.37422) with pixels
// that touch by a corner kept apart; points within straight runs are left out, and so are outlines of holes.
Outlines outer(const std::int32_t* labels, std::ptrdiff_t cols, const std::vector<Cell>& cells);

}  // namespace fastpgs::rings
