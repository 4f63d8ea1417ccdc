// What is measured of cells, and the sums over pixels that it is made from.
#pragma once

#include <cstdint>
#include <vector>

#include "fastpgs/shapes.hpp"

namespace fastpgs::measures {

// Of one cell. Sums run in raster order, so that they round as NumPy's bincount does.
struct Cell {
    std::int64_t top, left, bottom, right;  // bounding box, half-open
    std::int64_t area, nucleus_area;
    std::int64_t rows, cols;  // sums of positions
    // Colours and shapes may be measured at the same time: lines of cache apart.
    alignas(64) std::int64_t colour[3];  // sums of levels
    std::int64_t nucleus_colour[3];
    double green_green;                          // of the nucleus: squared deviations from its mean
    std::int64_t green_steps, green_neighbours;  // absolute differences between neighbours, and their number
    alignas(64) double rows_rows;                // sums of products of deviations from the centroid
    double cols_cols, rows_cols;
    double perimeter;  // by steps between border pixels
    double solidity, nucleus_solidity;
    std::int64_t nucleus_parts;  // lobes apart from one another

    // Means, of a cell or nucleus without pixels 0.
    double centroid_row() const { return mean(static_cast<double>(rows), area); }
    double centroid_col() const { return mean(static_cast<double>(cols), area); }
    static double mean(double sum, std::int64_t number) {
        return sum / static_cast<double>(number > 0 ? number : 1);
    }
};

// Axes and eccentricity of the ellipse with the same second moments as a cell.
struct Ellipse {
    double major, minor, eccentricity;
};
Ellipse ellipse_of(const Cell& cell);

// Runs of cells, and of what is nucleus within them, in raster order, with the cells' numbers.
struct Runs {
    std::vector<shapes::Run> cells, nuclei;
};
// Of labels that lie within a box, and nuclei that carry the same numbers.
Runs runs_of(const std::int32_t* labels, const std::int32_t* nuclei, std::ptrdiff_t cols,
             const shapes::Box& within);

struct Picture {
    const std::int32_t* nuclei;  // their numbers, rows x cols
    const std::uint8_t* rgb;
    std::ptrdiff_t rows, cols;
};

// All cells 1..n.
std::vector<Cell> measure(const Runs& runs, const Picture& picture);

// Their boxes, areas and sums of positions alone; all else is 0.
std::vector<Cell> locate(const Runs& runs, std::ptrdiff_t rows, std::ptrdiff_t cols);

}  // namespace fastpgs::measures
