// Outlines of labelled cells as polygons.
#pragma once

#include <cstdint>
#include <vector>

#include "fastpgs/shapes.hpp"

namespace fastpgs::rings {

struct Point {
    float x, y;  // pixel (row, col) covers [col, col + 1] x [row, row + 1]
};
using Ring = std::vector<Point>;  // closed: the first point is also the last

// Outer outlines of the pixels of a label within a box of an image of `cols` columns, the largest first. They
// run half-way between neighbours in and out, as marching squares do (Lorensen & Cline 1987,
// doi:10.1145/37402.37422) with pixels that touch by a corner kept apart; points within straight runs are
// left out, and so are outlines of holes.
std::vector<Ring> outer(const std::int32_t* labels, std::ptrdiff_t cols, shapes::Box box, std::int32_t label);

}  // namespace fastpgs::rings
