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

// Grows from `pivots` ((k, dims) coordinates, mapped; integers as doubles) at raster indices `raster`.
// Writes one label a pixel (1 … k of the nearest pivot that reached it, ties to the lower; 0 where none did)
// and, if `clusters` is not null, k masks. Allocates a distance and a mark a pixel.
void grow(const ImageView& image, const MaskView& mask, const FeatureSpace& space, const Params& params,
          const std::vector<double>& pivots, const std::vector<std::int64_t>& raster, int threads,
          std::int32_t* labels, std::uint8_t* clusters);

}  // namespace fastpgs
