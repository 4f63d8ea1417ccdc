// Which pixels of an 8-bit three-channel image lie nearest to a pivot of a nucleus (Eq. 4 of the paper).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "fastpgs/bits.hpp"
#include "fastpgs/stain.hpp"

namespace fastpgs::nuclear {

using Colours = std::vector<std::array<std::uint8_t, 3>>;

// 1 where the nearest of the nuclear pivots is nearer than the nearest of the others, or less than `lenient`
// times as far, in squared distance; 0 elsewhere. Where there are no others all pixels are, without nuclear
// ones none.
void nearest(stain::Picture features, const Colours& nuclei, const Colours& others, float lenient,
             std::uint8_t* out);

// The pixels whose nearest pivot, of several as near the first, is one of those that are flagged, at most 64.
shapes::Bits nearest_flagged(stain::Picture features, const Colours& pivots,
                             const std::vector<std::uint8_t>& flags);

}  // namespace fastpgs::nuclear
