#include "fastpgs/stained_colours.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "fastpgs/groups.hpp"
#include "fastpgs/plane_kernels.hpp"
#include "fastpgs/stain.hpp"

namespace fastpgs::stain {

StainedColours::StainedColours(const GroupedColours& colours, std::size_t n, int offset, bool grey)
    : scores_(n), strength_(n) {
    told_ = plane_kernels().stain_colours(
        {colours.a, colours.b, colours.counts, n, offset, grey, scores_.data(), strength_.data()});
}

std::vector<std::int64_t> StainedColours::group_sums(const Counted& counted) const {
    const Palette& palette = *counted.palette;
    const auto& [groups, colours] = counted.labels;
    const std::size_t k = counted.sums.size() / 4;
    std::vector<std::int64_t> out(5 * (k + 1), 0);
    for (std::size_t j = 0; j < k; ++j) {
        const std::int64_t* sums = counted.sums.data() + 4 * j;
        out[5 * (j + 1)] = sums[0];
        std::copy_n(sums + 1, 3, out.data() + 5 * (j + 1) + 2);
    }
    for (std::size_t g = 0; g < palette.groups(); ++g) {
        const std::size_t begin = palette.starts()[g], end = palette.starts()[g + 1];
        if (groups[g] == kStraddles)
            for (std::size_t i = begin; i < end; ++i) out[5U * colours[i] + 1] += scores_[i];
        else  // fewer pixels than 2^18 have no sum beyond 32 bits
            out[5U * groups[g] + 1] +=
                std::accumulate(scores_.data() + begin, scores_.data() + end, std::int32_t{0});
    }
    return out;
}

float StainedColours::median_strength(const Counted& counted, std::uint8_t group) const {
    const Palette& palette = *counted.palette;
    const auto& [groups, colours] = counted.labels;
    const std::uint32_t* counts = palette.counts();
    std::vector<float> values;
    std::vector<std::uint32_t> times;
    values.reserve(palette.size());
    times.reserve(palette.size());
    for (std::size_t g = 0; g < palette.groups(); ++g) {
        const std::size_t begin = palette.starts()[g], end = palette.starts()[g + 1];
        if (groups[g] == group) {
            values.insert(values.end(), strength_.data() + begin, strength_.data() + end);
            times.insert(times.end(), counts + begin, counts + end);
        } else if (groups[g] == kStraddles) {
            for (std::size_t i = begin; i < end; ++i) {
                if (colours[i] != group) continue;
                values.push_back(strength_[i]);
                times.push_back(counts[i]);
            }
        }
    }
    return median(values, times);
}

}  // namespace fastpgs::stain
