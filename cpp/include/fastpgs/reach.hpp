// How far the pixels of an image lie from its nuclei, and how large those are.
#pragma once

#include <cstdint>
#include <vector>

#include "fastpgs/shapes.hpp"

namespace fastpgs::reach {

// Radii of the nuclei 1..n in pixels; entry 0 is 0.
struct Radii {
    std::vector<double> part;  // of each connected part
    std::vector<double>
        whole;  // of the lobed nucleus it belongs to: lobes lie within one and a half of their radii
};

// Distance of each pixel to the nearest nucleus, and its number (1..n in raster order); there must be a
// nucleus.
Radii measure(shapes::Mask nuclei, double* distance, std::int32_t* own);

}  // namespace fastpgs::reach
