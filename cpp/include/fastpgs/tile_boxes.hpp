// Bounding boxes of tiles of pixels or of groups of colours, for the kernels of both.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastpgs {

inline constexpr std::size_t kTileMargin = 8;  // boxes that may be read beyond the last

// Boxes as pairs of 16 bits, and sums (n, 4): pixels, then feature sums. Those of groups need 64 bits.
struct TileBoxes {
    std::int32_t *low_a, *low_b, *high_a, *high_b;
    std::int32_t* sums;
    std::int64_t* wide_sums;  // where sums is null
};

}  // namespace fastpgs
