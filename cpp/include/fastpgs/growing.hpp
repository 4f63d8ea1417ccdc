// Cluster growing (steps 6-11, Eqs. 6-7).
//
// With no connectivity a pivot reaches every pixel within T of it, anywhere. With connectivity 1 or 2 it
// reaches those that a path of such pixels joins to the pivot's own pixel:
//
//        . x .          x x x
//        x p x          x p x
//        . x .          x x x
//      4-neighbours   8-neighbours
//
// The fixed point of Eq. 7 is that flood: no pixel outside may join.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastpgs/features.hpp"
#include "fastpgs/params.hpp"
#include "fastpgs/views.hpp"

namespace fastpgs {

// Grows from `pivots` ((k, dims) coordinates, mapped) at raster indices `raster`. `labels` come as those of
// the nearest pivot (1 … k; 0 beyond the threshold and outside the mask) and leave as those of the nearest
// pivot that reached the pixel, ties to the lower. Fills `clusters`, if not null, with k masks. Allocates two
// bits a pixel and pivot.
template <class T>
void grow(const ImageView& image, const MaskView& mask, const FeatureSpace& space, const Params& params,
          const std::vector<T>& pivots, const std::vector<std::int64_t>& raster, int threads,
          std::int32_t* labels, std::uint8_t* clusters);

}  // namespace fastpgs
