// How far the pixels of an image lie from its nuclei, and how large those are.
#pragma once

#include <cstdint>
#include <vector>

#include "fastpgs/shapes.hpp"

namespace fastpgs::reach {

struct Rules {
    // Look for lobes among the next neighbours and theirs only: in a window of a crowded slide, chains of
    // neighbours end where the window does.
    bool near = false;
    double halo = 0.0;  // in radii of the nearest part
};

// Radii of the nuclei 1..n in pixels; entry 0 is 0.
struct Radii {
    std::vector<double> part;  // of each connected part
    std::vector<double>
        whole;  // of the lobed nucleus it belongs to: lobes lie within one and a half of their radii
};

// `away`: how far each pixel lies from the nearest nucleus, in radii of the whole of it (at least 1 pixel);
// `halo`: the pixels nearer than that many radii of the part. There must be a nucleus.
Radii measure(const shapes::Bits& nuclei, const Rules& rules, double* away, shapes::Bits& halo);

}  // namespace fastpgs::reach
