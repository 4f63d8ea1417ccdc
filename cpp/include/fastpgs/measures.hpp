// Sums over the pixels of cells, from which the table of measurements is made.
#pragma once

#include <cstdint>
#include <vector>

#include "fastpgs/shapes.hpp"

namespace fastpgs::measures {

// Of one cell. Sums run in raster order, so that they round as NumPy's bincount does.
struct Cell {
    std::int64_t top, left, bottom, right;  // bounding box, half-open
    std::int64_t area, nucleus_area;
    std::int64_t rows, cols;                     // sums of positions
    double rows_rows, cols_cols, rows_cols;      // sums of products of deviations from the centroid
    double perimeter;                            // by steps between border pixels
    std::int64_t colour[3], nucleus_colour[3];   // sums of levels
    double green_green;                          // of the nucleus: squared deviations from its mean
    std::int64_t green_steps, green_neighbours;  // absolute differences between neighbours, and their number
};

// Cells 1..n of `labels`; nuclei carry the same numbers and lie inside.
std::vector<Cell> measure(const std::int32_t* labels, const std::int32_t* nuclei, const std::uint8_t* rgb,
                          std::ptrdiff_t rows, std::ptrdiff_t cols, std::int32_t n);

}  // namespace fastpgs::measures
