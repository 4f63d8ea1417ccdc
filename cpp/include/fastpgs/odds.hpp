// How likely each pixel is cytoplasm and no red cell: a colour model's odds, and what distance says besides.
#pragma once

#include <cstdint>

#include "fastpgs/bits.hpp"
#include "fastpgs/reach.hpp"
#include "fastpgs/redness.hpp"
#include "fastpgs/stain.hpp"

namespace fastpgs::odds {

// Odds of each pixel's colour (logits, at most `most` in magnitude), averaged over size x size pixels; `size`
// is odd, and what lies beyond the frame mirrors what lies before it, the edge pixel twice.
void by_colour(stain::Picture features, const redness::Model& model, double most, int size, double* out);

// The pixels of a mask where odds and the distance from the nucleus, which is neutral at `even`, speak for a
// red cell together.
shapes::Bits against(const double* odds, const reach::Away& away, double even, const shapes::Bits& among);

}  // namespace fastpgs::odds
