// Bodies of the tile kernels, included by one translation unit an instruction set, which defines
// FASTPGS_PATH and includes its lanes. As in kernels_impl.hpp, no inline function of the standard library.
#include <cmath>

#include "fastpgs/tile_kernels.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

static constexpr std::size_t kFlush = 64;  // words of lanes after which short sums are emptied
static constexpr std::int32_t kFar = 0x3FFFFFFF;

static inline std::int32_t pair_of(std::int32_t low, std::int32_t high) {
    return static_cast<std::int32_t>((static_cast<std::uint32_t>(low) & 0xFFFFU) |
                                     static_cast<std::uint32_t>(high) << 16);
}
static inline std::int32_t low_of(std::int32_t a) {
    return static_cast<std::int16_t>(static_cast<std::uint32_t>(a) & 0xFFFFU);
}
static inline std::int32_t high_of(std::int32_t a) {
    return static_cast<std::int16_t>(static_cast<std::uint32_t>(a) >> 16);
}

template <bool Rgb>
static inline void load_pixels(const TilePixels& pixels, std::size_t i, Lanes& a, Lanes& b) {
    if (Rgb) {
        load_rgb(pixels.rgb + 3 * i, a, b);
    } else {
        a = load(pixels.a + i);
        b = load(pixels.b + i);
    }
}

// Where a tile's words of pixels are: those of blocks in rows of eight pixels.
template <bool Blocks>
struct TilePlace {
    static constexpr std::size_t kWords = 8 / kLanes;  // of a row
    std::size_t words, first, step;

    TilePlace(const TilePixels& pixels, std::size_t t)
        : words(pixels.tile / kLanes), first(t * pixels.tile), step(8) {
        if (!Blocks) return;
        const auto tile = static_cast<std::uint32_t>(t), across = static_cast<std::uint32_t>(pixels.across);
        step = pixels.width;
        first = tile / across * (pixels.tile / 8) * pixels.width + tile % across * 8;
    }
    std::size_t word(std::size_t w) const {
        return Blocks ? first + w / kWords * step + w % kWords * kLanes : first + w * kLanes;
    }
};

template <bool Value>
struct Flag {
    static constexpr bool value = Value;
};

// Calls body with whether pixels are bytes of RGB, and whether tiles are blocks.
template <class Body>
static inline void by_layout(const TilePixels& pixels, Body body) {
    if (pixels.rgb != nullptr && pixels.across > 0)
        body(Flag<true>{}, Flag<true>{});
    else if (pixels.rgb != nullptr)
        body(Flag<true>{}, Flag<false>{});
    else if (pixels.across > 0)
        body(Flag<false>{}, Flag<true>{});
    else
        body(Flag<false>{}, Flag<false>{});
}

// floor(sqrt(value)): the root of a double is rounded right, and no such integer's is rounded up to a whole.
static std::int32_t floor_root(std::int32_t value) {
    return static_cast<std::int32_t>(::sqrt(static_cast<double>(value)));
}

static inline std::int64_t wide_sum(Lanes a) {
    std::int32_t lanes[kLanes];
    store(lanes, a);
    std::int64_t total = 0;
    for (std::size_t l = 0; l < kLanes; ++l) total += lanes[l];
    return total;
}

// --- boxes -------------------------------------------------------------------------------------------

template <bool Rgb, bool Blocks>
static void summary_of(const TilePixels& pixels, std::size_t begin, std::size_t end, const TileBoxes& boxes,
                       std::int64_t* square) {
    const std::size_t words = pixels.tile / kLanes;
    const Lanes first = all(1), second = all(1 << 16);
    Lanes squares = all(0);
    std::size_t held = 0;
    for (std::size_t t = begin; t < end; ++t) {
        const TilePlace<Blocks> place(pixels, t);
        Lanes a, b;
        load_pixels<Rgb>(pixels, place.first, a, b);
        Lanes low_a = a, low_b = b, high_a = a, high_b = b;
        Lanes s0 = Rgb ? a : dot(a, first), s1 = Rgb ? b : dot(a, second), s2 = dot(b, first);
        squares = add(squares, add(dot(a, a), dot(b, b)));
        for (std::size_t w = 1; w < words; ++w) {
            load_pixels<Rgb>(pixels, place.word(w), a, b);
            low_a = least_pairs(low_a, a);
            high_a = most_pairs(high_a, a);
            low_b = least_pairs(low_b, b);
            high_b = most_pairs(high_b, b);
            if (Rgb) {  // 64 * 255 fits a half
                s0 = add_pairs(s0, a);
                s1 = add_pairs(s1, b);
            } else {
                s0 = add(s0, dot(a, first));
                s1 = add(s1, dot(a, second));
                s2 = add(s2, dot(b, first));
            }
            squares = add(squares, add(dot(a, a), dot(b, b)));
            if (++held >= 6) {  // 8 * 2^27 fits a lane
                *square += wide_sum(squares);
                squares = all(0);
                held = 0;
            }
        }
        if (++held >= 6) {
            *square += wide_sum(squares);
            squares = all(0);
            held = 0;
        }
        boxes.low_a[t] = least_of_pairs(low_a);
        boxes.high_a[t] = most_of_pairs(high_a);
        boxes.low_b[t] = least_of_pairs(low_b);
        boxes.high_b[t] = most_of_pairs(high_b);
        std::int32_t* sums = boxes.sums + 4 * t;
        sums[0] = static_cast<std::int32_t>(pixels.tile);
        if (Rgb) {
            const std::int32_t sum_a = sum_of_pairs(s0);
            sums[1] = low_of(sum_a);
            sums[2] = high_of(sum_a);
            sums[3] = low_of(sum_of_pairs(s1));
        } else {
            sums[1] = sum_of(s0);
            sums[2] = sum_of(s1);
            sums[3] = sum_of(s2);
        }
    }
    *square += wide_sum(squares);
}

static void summary(const TilePixels& pixels, std::size_t begin, std::size_t end, const TileBoxes& boxes,
                    std::int64_t* square) {
    by_layout(pixels, [&](auto rgb, auto blocks) {
        summary_of<rgb.value, blocks.value>(pixels, begin, end, boxes, square);
    });
}

// --- candidates --------------------------------------------------------------------------------------

static inline std::size_t lowest_bit(std::uint32_t mask) {
#if defined(__GNUC__)
    return static_cast<std::size_t>(__builtin_ctz(mask));
#else
    std::size_t bit = 0;
    while ((mask >> bit & 1U) == 0) ++bit;
    return bit;
#endif
}

struct CandidateLanes {
    Lanes a, b, square;

    void set(const std::int32_t* p, const std::int32_t* other) {
        a = all(pair_of(p[0], p[1]));
        b = all(pair_of(p[2], 0));
        square = all(other != nullptr ? *other : p[0] * p[0] + p[1] * p[1] + p[2] * p[2]);
    }
};

// A tile's sums leave the pivot that owned it and join the one that owns it now.
static void change_owner(const TileCandidatesArgs& args, std::size_t t, std::uint32_t before,
                         std::uint32_t now) {
    std::int64_t sums[4];
    for (std::size_t a = 0; a < 4; ++a)
        sums[a] = args.boxes.sums != nullptr ? args.boxes.sums[4 * t + a] : args.boxes.wide_sums[4 * t + a];
    if (before != 0 && (before & (before - 1)) == 0) {
        std::int64_t* from = args.owned + 4 * lowest_bit(before);
        for (std::size_t a = 0; a < 4; ++a) from[a] -= sums[a];
    }
    if ((now & (now - 1)) == 0) {
        std::int64_t* to = args.owned + 4 * lowest_bit(now);
        for (std::size_t a = 0; a < 4; ++a) to[a] += sums[a];
    }
}

// Over a box of middle c and extent e, score_own - score_j is at most its value at c + |own - j| e.
template <std::size_t K>
static inline Lanes masks_of(const TileBoxes& boxes, std::size_t t, const CandidateLanes* pivots,
                             std::size_t k, Lanes margin) {
    const std::size_t count = K > 0 ? K : k;
    const Lanes low_a = load(boxes.low_a + t), high_a = load(boxes.high_a + t);
    const Lanes low_b = load(boxes.low_b + t), high_b = load(boxes.high_b + t);
    const Lanes twice_a = add_pairs(low_a, high_a), twice_b = add_pairs(low_b, high_b);
    const Lanes extent_a = subtract_pairs(high_a, low_a), extent_b = subtract_pairs(high_b, low_b);
    Lanes score[K > 0 ? K : kOwnedPivots];
    for (std::size_t j = 0; j < count; ++j)
        score[j] = subtract(pivots[j].square, add(dot(twice_a, pivots[j].a), dot(twice_b, pivots[j].b)));
    Lanes best = score[0], own_a = pivots[0].a, own_b = pivots[0].b;
    for (std::size_t j = 1; j < count; ++j) {
        const Lanes closer = greater(best, score[j]);
        own_a = where(closer, pivots[j].a, own_a);
        own_b = where(closer, pivots[j].b, own_b);
        best = least(best, score[j]);
    }
    best = add(best, margin);
    Lanes apart = all(0);
    for (std::size_t j = 0; j < count; ++j) {
        const Lanes reach = add(dot(extent_a, magnitude_pairs(subtract_pairs(own_a, pivots[j].a))),
                                dot(extent_b, magnitude_pairs(subtract_pairs(own_b, pivots[j].b))));
        const Lanes bit = all(static_cast<std::int32_t>(1U << j));
        apart = either(apart, both(bit, greater(score[j], add(best, reach))));
    }
    return subtract(all(static_cast<std::int32_t>((1U << count) - 1U)), apart);
}

template <std::size_t K>
static void candidates_of(TileCandidatesArgs& args) {
    CandidateLanes pivots[K > 0 ? K : kOwnedPivots];
    for (std::size_t j = 0; j < args.k; ++j)
        pivots[j].set(args.pivots + 3 * j, args.squares != nullptr ? args.squares + j : nullptr);
    std::size_t n_straddling = 0;
    for (std::size_t t = args.begin; t < args.end; t += kLanes) {
        const Lanes mask = masks_of<K>(args.boxes, t, pivots, args.k, all(args.margin));
        const std::size_t n = args.end - t < kLanes ? args.end - t : kLanes;
        const unsigned valid = (1U << n) - 1U;
        std::uint32_t* masks = args.masks + t;
        unsigned changed = ~bits(equal(mask, load(reinterpret_cast<const std::int32_t*>(masks)))) & valid;
        if (changed != 0) {
            std::int32_t now[kLanes];
            store(now, mask);
            for (; changed != 0; changed &= changed - 1) {
                const std::size_t l = lowest_bit(changed);
                if (args.owned != nullptr)
                    change_owner(args, t + l, masks[l], static_cast<std::uint32_t>(now[l]));
                masks[l] = static_cast<std::uint32_t>(now[l]);
            }
        }
        const unsigned several = ~bits(equal(both(mask, add(mask, all(-1))), all(0))) & valid;
        n_straddling += append(args.straddling + n_straddling, static_cast<std::int32_t>(t), several);
    }
    args.n_straddling = n_straddling;
}

static void candidates(TileCandidatesArgs& args) {
    switch (args.k) {
        case 2:
            return candidates_of<2>(args);
        case 3:
            return candidates_of<3>(args);
        case 4:
            return candidates_of<4>(args);
        default:
            return candidates_of<0>(args);
    }
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs

#include "coarse_kernels_impl.hpp"
#include "colour_kernels_impl.hpp"
#include "growth_kernels_impl.hpp"
#include "lab_impl.hpp"
#include "tile_assign_impl.hpp"
#include "tile_medoids_impl.hpp"
#include "word_sample_impl.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

extern const TileKernels tile_table;
const TileKernels tile_table = {
    &summary,
    &candidates,
    &assign,
    &near,
    &pick,
    &limit,
    {&level_boxes, &coarse_boxes, &coarse_candidates, &coarse_assign, &coarse_near, &coarse_within},
    {&colour_moments, &colour_keys, &group_keys, &places_below, &find_place, &cell_colours, &level_labels,
     &group_summary, &group_assign, &group_near, &group_within, &group_scores},
    {&words_away, &words_trials, &words_nearest, &words_near, &words_miss, &words_sums},
    {&growth_mark, &growth_keep},
    {&lab_of_bytes, &lab_of_pairs}};

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
