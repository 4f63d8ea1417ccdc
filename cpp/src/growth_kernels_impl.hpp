// Growing: see growth_kernels.hpp.
// Included by tile_kernels_impl.hpp.
#pragma once

namespace fastpgs {
namespace FASTPGS_PATH {

static inline std::uint64_t first_bits(std::size_t n) {
    return n < kWordPixels ? (std::uint64_t{1} << n) - 1 : ~std::uint64_t{0};
}

// Pixels of one word, the last ones repeated where there are fewer.
struct WordPixelsOf {
    static constexpr std::size_t kSteps = kWordPixels / kLanes;
    Lanes a[kSteps], b[kSteps];

    void read(const GrowthMarkArgs& args, std::size_t begin, std::size_t n) {
        if (n == kWordPixels) {
            for (std::size_t s = 0; s < kSteps; ++s) {
                const std::size_t i = begin + s * kLanes;
                if (args.rgb != nullptr) {
                    load_rgb(args.rgb + 3 * i, a[s], b[s]);
                } else {
                    a[s] = load(args.a + i);
                    b[s] = load(args.b + i);
                }
            }
            return;
        }
        std::int32_t some_a[kWordPixels], some_b[kWordPixels];
        for (std::size_t i = 0; i < kWordPixels; ++i) {
            const std::size_t from = begin + (i < n ? i : n - 1);
            if (args.rgb != nullptr) {
                const std::uint8_t* p = args.rgb + 3 * from;
                some_a[i] = pair_of(p[0], p[1]);
                some_b[i] = pair_of(p[2], 1);
            } else {
                some_a[i] = args.a[from];
                some_b[i] = args.b[from];
            }
        }
        for (std::size_t s = 0; s < kSteps; ++s) {
            a[s] = load(some_a + s * kLanes);
            b[s] = load(some_b + s * kLanes);
        }
    }
};

static void growth_mark(const GrowthMarkArgs& args) {
    const Lanes limit = all(args.limit);
    WordPixelsOf pixels;
    for (std::size_t begin = 0; begin < args.n; begin += kWordPixels) {
        const std::size_t n = args.n - begin < kWordPixels ? args.n - begin : kWordPixels;
        pixels.read(args, begin, n);
        for (std::size_t j = 0; j < args.k; ++j) {
            const std::int32_t* p = args.pivots + 3 * j;
            const Lanes a = all(pair_of(p[0], p[1])), b = all(pair_of(p[2], 1));
            std::uint64_t beyond = 0;
            for (std::size_t s = 0; s < WordPixelsOf::kSteps; ++s) {
                const Lanes one = subtract_pairs(pixels.a[s], a), other = subtract_pairs(pixels.b[s], b);
                const Lanes d2 = add(dot(one, one), dot(other, other));
                beyond |= std::uint64_t{bits(greater(d2, limit))} << s * kLanes;
            }
            args.words[j * args.stride + begin / kWordPixels] = ~beyond & first_bits(n);
        }
    }
}

static void growth_keep(const GrowthKeepArgs& args) {
    std::int32_t bit_of[kLanes];
    for (std::size_t l = 0; l < kLanes; ++l) bit_of[l] = static_cast<std::int32_t>(1U << l);
    const Lanes own_bit = load(bit_of);
    for (std::size_t begin = 0; begin < args.n; begin += kWordPixels) {
        const std::size_t n = args.n - begin < kWordPixels ? args.n - begin : kWordPixels;
        const std::uint64_t* reached = args.reached + begin / kWordPixels;
        std::int32_t* labels = args.labels + begin;
        std::uint64_t any = 0, stays = 0;
        for (std::size_t j = 0; j < args.k; ++j) any |= reached[j * args.stride];
        std::size_t i = 0;
        for (; i + kLanes <= n; i += kLanes) {
            const Lanes label = load(labels + i);
            Lanes kept = all(0);
            for (std::size_t j = 0; any != 0 && j < args.k; ++j) {
                const std::uint64_t word = reached[j * args.stride];
                if (args.k > kLanes && word == 0) continue;
                const Lanes bit = both(all(static_cast<std::int32_t>(word >> i & 255U)), own_bit);
                const Lanes mine = equal(label, all(static_cast<std::int32_t>(j + 1)));
                kept = either(kept, both(mine, equal(bit, own_bit)));
            }
            store(labels + i, both(label, kept));
            stays |= std::uint64_t{bits(kept)} << i;
        }
        for (; i < n; ++i) {
            const auto j = static_cast<std::size_t>(labels[i] - 1);
            if (labels[i] != 0 && (reached[j * args.stride] >> i & 1U) != 0)
                stays |= std::uint64_t{1} << i;
            else
                labels[i] = 0;
        }
        args.open[begin / kWordPixels] = any & ~stays;
    }
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
