// Sums of pixels by group. Of few groups each is summed in vectors, which look at all pixels. Of many,
// neighbours are often of one group, whose sums would wait for one another: they are added to in turns,
// several sums a word.
#include <algorithm>
#include <functional>
#include <vector>

#include "fastpgs/crew.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/plane_kernels.hpp"
#include "fastpgs/stain.hpp"

namespace fastpgs::stain {

namespace {

constexpr std::size_t TURNS = 4;
constexpr std::ptrdiff_t RUN = 8192;  // pixels whose sums fit their share of a word
constexpr int LEVELS = 21;            // bits for the sum of a feature
constexpr std::int64_t LOW = 32768;   // makes scores positive

struct Sums {
    std::uint64_t colours = 0, rest = 0;  // three features; pixels and score
};

// Of the pixels first..last.
std::vector<std::int64_t> sums_of(const std::int32_t* groups, std::int32_t n, const std::int16_t* score,
                                  Picture features, std::ptrdiff_t first, std::ptrdiff_t last) {
    const auto number = static_cast<std::size_t>(n) + 1;
    std::vector<std::int64_t> out(5 * number, 0);
    if (n <= plane_kernels().few_groups) {
        plane_kernels().group_sums({groups + first, score + first, features.rgb + 3 * first,
                                    static_cast<std::size_t>(last - first), n, out.data()});
        return out;
    }
    std::vector<Sums> turns(TURNS * number);
    for (std::ptrdiff_t begin = first; begin < last; begin += RUN) {
        poll();
        const std::ptrdiff_t end = std::min(last, begin + RUN);
        const std::uint8_t* p = features.rgb + 3 * begin;
        for (std::ptrdiff_t i = begin; i < end; ++i, p += 3) {
            Sums& own =
                turns[TURNS * static_cast<std::size_t>(groups[i]) + static_cast<std::size_t>(i) % TURNS];
            own.colours += static_cast<std::uint64_t>(p[0]) | static_cast<std::uint64_t>(p[1]) << LEVELS |
                           static_cast<std::uint64_t>(p[2]) << 2 * LEVELS;
            own.rest += std::uint64_t{1} << 32 | static_cast<std::uint64_t>(score[i] + LOW);
        }
        for (std::size_t i = 0; i < turns.size(); ++i) {
            std::int64_t* sum = out.data() + 5 * (i / TURNS);
            const auto pixels = static_cast<std::int64_t>(turns[i].rest >> 32);
            sum[0] += pixels;
            sum[1] += static_cast<std::int64_t>(turns[i].rest & 0xFFFFFFFFU) - LOW * pixels;
            for (int feature = 0; feature < 3; ++feature)
                sum[2 + feature] += static_cast<std::int64_t>(turns[i].colours >> feature * LEVELS &
                                                              ((std::uint64_t{1} << LEVELS) - 1));
            turns[i] = {};
        }
    }
    return out;
}

}  // namespace

std::vector<std::int64_t> group_sums(const std::int32_t* groups, std::int32_t n, const std::int16_t* score,
                                     Picture features) {
    std::vector<std::int64_t> out(5 * (static_cast<std::size_t>(n) + 1), 0);
    const auto of_pixels = [&](std::ptrdiff_t first, std::ptrdiff_t last) {
        return sums_of(groups, n, score, features, first, last);
    };
    for (const auto& sums : collect(features.size(), RUN, of_pixels))
        std::transform(out.begin(), out.end(), sums.begin(), out.begin(), std::plus<>());
    return out;
}

}  // namespace fastpgs::stain
