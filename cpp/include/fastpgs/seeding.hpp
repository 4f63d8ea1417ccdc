// Where pivots start (step 1): greedy k-medoids++ (Arthur, Vassilvitskii, SODA 2007) over at most 4096 pixels
// drawn one from each of as many equal runs, then swaps (swaps.hpp); or k random pixels, no two of the same
// features.
#pragma once

#include <cstdint>
#include <vector>

#include "fastpgs/features.hpp"
#include "fastpgs/params.hpp"
#include "fastpgs/views.hpp"

namespace fastpgs {

// Raster indices of params.k starting pivots for start number `start`; fewer than k where the image has no
// more distinct feature vectors. `exact` spaces compare integers, others mapped reals.
std::vector<std::int64_t> seed_pivots(const ImageView& image, const MaskView& mask, const FeatureSpace& space,
                                      const Params& params, bool exact, int start);

// Number of distinct feature vectors among the pixels that take part, counted up to `enough`.
int count_distinct(const ImageView& image, const MaskView& mask, const FeatureSpace& space, int enough);

}  // namespace fastpgs
