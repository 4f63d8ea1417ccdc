// CIELAB of 8-bit colours (lab.hpp), compiled once for each instruction set and chosen with the other
// kernels.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastpgs {

struct LabTables {
    // What each level of red, green and blue adds to X, Y and Z in 1/32768, and 0.
    const std::int32_t (*channels)[256][4];
    // Of 0 … 65535: f(t) times 32000 in the upper half, the L* that Y of this value has in the lower.
    const std::int32_t* f;
};

// Fill one[i] and other[i] with (L*, a*) and (b*, 1) of n colours.
struct LabKernels {
    // Of bytes of RGB (n, 3).
    void (*bytes)(const LabTables&, const std::uint8_t* rgb, std::size_t n, std::int32_t* one,
                  std::int32_t* other);
    // Of pairs (red, green) and (blue, …).
    void (*pairs)(const LabTables&, const std::int32_t* a, const std::int32_t* b, std::size_t n,
                  std::int32_t* one, std::int32_t* other);
};

}  // namespace fastpgs
