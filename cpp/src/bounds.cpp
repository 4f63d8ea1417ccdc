#include "fastpgs/bounds.hpp"

#include <array>

#include "fastpgs/features.hpp"

namespace fastpgs {

void check_bounds(const ImageView& image, const Params& params) {
    if (!params.bounds) return;
    std::array<double, kMaxDims> low, high;
    channel_extents(image, low.data(), high.data());
    for (std::size_t c = 0; c < image.channels; ++c)
        if (!(low[c] >= (*params.bounds)[0] && high[c] <= (*params.bounds)[1])) throw Beyond();
}

}  // namespace fastpgs
