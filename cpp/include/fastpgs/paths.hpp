// Outlines as SVG paths, as short as can be: for pages that show thousands of cells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fastpgs::paths {

// Closed rings of points x, y, one after the other. Ring i is points rings[i] to rings[i + 1], the last of
// which is the first again; cell i has the rings cells[i] to cells[i + 1].
struct Rings {
    const float* points;
    const std::int64_t* rings;
    const std::int64_t* cells;
    std::size_t n;  // cells
};

// A path a cell, in half units after scaling by scale (n): of each ring every k-th point, so that `most`
// remain or nearly twice as many, those left out that scaling moved onto the one before, and the ring if less
// than three are left.
std::vector<std::string> draw(const Rings& rings, const double* scale, std::int64_t most);

}  // namespace fastpgs::paths
