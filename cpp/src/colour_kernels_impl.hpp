// Groups of distinct colours: keys, boxes, nearest pivots and members nearest to a mean.
// Included by tile_kernels_impl.hpp.
#include "cell_colours_impl.hpp"
#include "tile_assign_impl.hpp"
#include "tile_medoids_impl.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

// --- levels ------------------------------------------------------------------------------------------

template <std::size_t Steps>
static void level_labels_of(const std::uint8_t* data, std::size_t n, const LevelSteps& steps,
                            std::int32_t* labels) {
    Lanes below[Steps], rise[Steps];
    for (std::size_t s = 0; s < Steps; ++s) {
        below[s] = all(s < steps.n ? steps.level[s] - 1 : 255);
        rise[s] = all(s < steps.n ? steps.rise[s] : 0);
    }
    const Lanes first = all(steps.first);
    std::size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        const Lanes level = load_bytes(data + i);
        Lanes label = first;
        for (std::size_t s = 0; s < Steps; ++s) label = add(label, both(greater(level, below[s]), rise[s]));
        store(labels + i, label);
    }
    for (; i < n; ++i) {
        labels[i] = steps.first;
        for (std::size_t s = 0; s < steps.n; ++s) labels[i] += data[i] >= steps.level[s] ? steps.rise[s] : 0;
    }
}

static void level_labels(const std::uint8_t* data, std::size_t n, const LevelSteps& steps,
                         std::int32_t* labels) {
    if (steps.n <= 2)
        level_labels_of<2>(data, n, steps, labels);
    else if (steps.n <= 4)
        level_labels_of<4>(data, n, steps, labels);
    else
        level_labels_of<LevelSteps::kMost>(data, n, steps, labels);
}

// --- moments -----------------------------------------------------------------------------------------

static void colour_moments(const std::uint8_t* rgb, std::size_t n, std::int64_t* out) {
    constexpr std::size_t kSums = 9, kRun = 32768;  // words whose products of levels fit a lane
    const Lanes low = all(0xFFFF), second = all(1 << 16);
    std::size_t i = 0;
    while (i + kLanes <= n) {
        Lanes sums[kSums];
        for (Lanes& sum : sums) sum = all(0);
        for (std::size_t word = 0; word < kRun && i + kLanes <= n; ++word, i += kLanes) {
            Lanes a, b;
            load_rgb(rgb + 3 * i, a, b);
            b = both(b, low);
            const Lanes r = both(a, low), high_r = shift_left(a, 16), high_b = shift_left(b, 16);
            const Lanes found[kSums] = {r,
                                        dot(a, second),
                                        b,
                                        dot(r, r),
                                        dot(a, high_r),
                                        dot(a, b),
                                        dot(subtract_pairs(a, r), a),
                                        dot(a, high_b),
                                        dot(b, b)};
            for (std::size_t s = 0; s < kSums; ++s) sums[s] = add(sums[s], found[s]);
        }
        for (std::size_t s = 0; s < kSums; ++s) out[s] += wide_sum(sums[s]);
    }
    for (; i < n; ++i) {
        const std::int64_t r = rgb[3 * i], g = rgb[3 * i + 1], b = rgb[3 * i + 2];
        const std::int64_t found[kSums] = {r, g, b, r * r, r * g, r * b, g * g, g * b, b * b};
        for (std::size_t s = 0; s < kSums; ++s) out[s] += found[s];
    }
}

// --- sums --------------------------------------------------------------------------------------------

// Groups of so few pixels can be summed in 32 bits: counts are halves of pairs, and 32767 times 7000 of lab
// fits a lane.
static constexpr std::int64_t kLightGroup = 32767;
static constexpr std::int64_t kHeldPixels = 300000;  // and so can several, times 7000

static inline void load_colours(const GroupedColours& colours, std::size_t i, Lanes& a, Lanes& b) {
    a = load(colours.a + i);
    b = load(colours.b + i);
}

// Pixels and feature sums of colours in lanes.
struct WeightedSums {
    Lanes s[4];

    void clear() {
        for (Lanes& sum : s) sum = all(0);
    }
    void count(Lanes a, Lanes b, Lanes counts) {
        s[0] = add(s[0], counts);
        s[1] = add(s[1], dot(a, counts));
        s[2] = add(s[2], dot(a, shift_left(counts, 16)));
        s[3] = add(s[3], dot(b, counts));
    }
    void move_to(WeightedSums& other, WeightedSums& from) const {
        for (std::size_t w = 0; w < 4; ++w) {
            other.s[w] = add(other.s[w], s[w]);
            from.s[w] = subtract(from.s[w], s[w]);
        }
    }
    void flush(std::int64_t* out) {
        for (std::size_t w = 0; w < 4; ++w) out[w] += wide_sum(s[w]);
        clear();
    }
};

// The same of one colour in 64 bits.
static inline void count_wide(std::int32_t a, std::int32_t b, std::int64_t pixels, std::int64_t* out) {
    out[0] += pixels;
    out[1] += pixels * low_of(a);
    out[2] += pixels * high_of(a);
    out[3] += pixels * low_of(b);
}

static void group_summary(const GroupedColours& colours, std::size_t n, const TileBoxes& boxes) {
    for (std::size_t g = 0; g < n; ++g) {
        const std::size_t begin = colours.starts[g], end = colours.starts[g + 1];
        Lanes a, b;
        load_colours(colours, begin, a, b);
        Lanes low_a = a, low_b = b, high_a = a, high_b = b;
        WeightedSums sums;
        sums.clear();
        Lanes heavy = all(0);
        for (std::size_t i = begin; i < end; i += kLanes) {
            load_colours(colours, i, a, b);
            low_a = least_pairs(low_a, a);
            high_a = most_pairs(high_a, a);
            low_b = least_pairs(low_b, b);
            high_b = most_pairs(high_b, b);
            const Lanes counts = load_counts(colours.counts + i);
            heavy = either(heavy, counts);
            sums.count(a, b, counts);
        }
        boxes.low_a[g] = least_of_pairs(low_a);
        boxes.high_a[g] = most_of_pairs(high_a);
        boxes.low_b[g] = least_of_pairs(low_b);
        boxes.high_b[g] = most_of_pairs(high_b);
        std::int64_t* out = boxes.wide_sums + 4 * g;
        // At most 64 colours a group: where none counts more than 511 pixels, the group is light.
        if (bits(equal(both(heavy, all(~511)), all(0))) == (1U << kLanes) - 1U) {
            sums_of(sums.s, out);
            continue;
        }
        for (std::size_t w = 0; w < 4; ++w) out[w] = 0;
        for (std::size_t i = begin; i < end; i += kLanes) {
            std::int32_t words_a[kLanes], words_b[kLanes];
            load_colours(colours, i, a, b);
            store(words_a, a);
            store(words_b, b);
            for (std::size_t l = 0; l < kLanes; ++l)
                count_wide(words_a[l], words_b[l], colours.counts[i + l], out);
        }
    }
}

// --- nearest pivots ----------------------------------------------------------------------------------

template <bool Rgb>
static inline void assign_two(const GroupAssignArgs& args, std::size_t g, const PivotLanes<Rgb>& p,
                              const PivotLanes<Rgb>& q, WeightedSums* sums) {
    const Lanes a_way = subtract_pairs(q.a, p.a), b_way = subtract_pairs(q.b, p.b);
    const Lanes square = subtract(p.square, q.square);  // of RGB: 64 times, less a number below 64
    WeightedSums found;
    found.clear();
    for (std::size_t i = args.colours.starts[g]; i < args.colours.starts[g + 1]; i += kLanes) {
        Lanes a, b;
        load_colours(args.colours, i, a, b);
        const Lanes other = greater(square, add(dot(a, a_way), dot(b, b_way)));
        store(args.owners + i, where(other, all(q.number), all(p.number)));
        found.count(a, b, both(load_counts(args.colours.counts + i), other));
    }
    found.move_to(sums[q.number], sums[p.number]);
}

template <bool Rgb>
static inline void assign_several(const GroupAssignArgs& args, std::size_t g, const PivotLanes<Rgb>* pivots,
                                  std::size_t first, std::uint32_t others, WeightedSums* sums) {
    const std::size_t begin = args.colours.starts[g], end = args.colours.starts[g + 1];
    for (std::size_t i = begin; i < end; i += kLanes) {
        Lanes a, b;
        load_colours(args.colours, i, a, b);
        const Lanes owner = nearest_among<Rgb>(pivots, first, others, a, b);
        store(args.owners + i, owner);
        const Lanes counts = load_counts(args.colours.counts + i);
        for (std::uint32_t left = others; left != 0; left &= left - 1) {
            const std::size_t j = lowest_bit(left);
            const Lanes members = equal(owner, all(static_cast<std::int32_t>(j)));
            WeightedSums found;
            found.clear();
            found.count(a, b, both(counts, members));
            found.move_to(sums[j], sums[first]);
        }
    }
}

// Groups of many pixels, or where any pivot may be nearest.
template <bool Rgb>
static void assign_wide(const GroupAssignArgs& args, std::size_t g, const PivotLanes<Rgb>* pivots) {
    const std::size_t begin = args.colours.starts[g], end = args.colours.starts[g + 1];
    for (std::size_t i = begin; i < end; i += kLanes) {
        Lanes a, b;
        load_colours(args.colours, i, a, b);
        store(args.owners + i, nearest_of_all<Rgb>(pivots, args.k, a, b));
        std::int32_t words_a[kLanes], words_b[kLanes];
        store(words_a, a);
        store(words_b, b);
        for (std::size_t l = 0; l < kLanes; ++l)
            count_wide(words_a[l], words_b[l], args.colours.counts[i + l],
                       args.sums + 4 * args.owners[i + l]);
    }
}

// The first candidate of a group gets the group's sums; members of the others are taken from it.
template <bool Rgb>
static void group_assign_of(const GroupAssignArgs& in) {
    const GroupAssignArgs args = in;  // stored lanes do not change it
    PivotLanes<Rgb> pivots[kTilePivots];
    WeightedSums sums[kOwnedPivots];
    for (std::size_t j = 0; j < args.k; ++j) pivots[j].set(args.pivots + 3 * j, j);
    const std::size_t owning = args.k <= kOwnedPivots ? args.k : 0;
    for (std::size_t j = 0; j < owning; ++j) sums[j].clear();
    std::int64_t held = 0;
    for (std::size_t s = 0; s < args.n; ++s) {
        const std::size_t g = args.groups[s];
        const std::uint32_t mask = args.masks[g];
        const std::int64_t* own = args.group_sums + 4 * g;
        if (mask == kAnyPivot || own[0] > kLightGroup) {
            assign_wide<Rgb>(args, g, pivots);
            continue;
        }
        if (held + own[0] > kHeldPixels) {
            held = 0;
            for (std::size_t j = 0; j < owning; ++j) sums[j].flush(args.sums + 4 * j);
        }
        held += own[0];
        const std::size_t first = lowest_bit(mask);
        for (std::size_t a = 0; a < 4; ++a) args.sums[4 * first + a] += own[a];
        const std::uint32_t others = mask & (mask - 1);
        if ((others & (others - 1)) == 0)
            assign_two<Rgb>(args, g, pivots[first], pivots[lowest_bit(others)], sums);
        else
            assign_several<Rgb>(args, g, pivots, first, others, sums);
    }
    for (std::size_t j = 0; j < owning; ++j) sums[j].flush(args.sums + 4 * j);
}

static void group_assign(const GroupAssignArgs& args) {
    if (args.colours.bytes)
        group_assign_of<true>(args);
    else
        group_assign_of<false>(args);
}

// --- scores with a margin ----------------------------------------------------------------------------

static void group_scores(GroupScoresArgs& out) {
    const GroupScoresArgs args = out;  // stored lanes do not change it
    struct {
        Lanes a, b, square;
    } pivots[kOwnedPivots];
    for (std::size_t j = 0; j < args.k; ++j) {
        const std::int32_t* p = args.pivots + 3 * j;
        pivots[j] = {all(pair_of(-2 * p[0], -2 * p[1])), all(pair_of(-2 * p[2], 0)), all(args.squares[j])};
    }
    const Lanes margin = all(args.margin);
    std::size_t n_found = 0;
    for (std::size_t s = 0; s < args.n; ++s) {
        const std::size_t g = args.groups[s];
        const std::uint32_t mask = args.masks[g];
        const std::size_t first = lowest_bit(mask);
        for (std::size_t i = args.colours.starts[g]; i < args.colours.starts[g + 1]; i += kLanes) {
            Lanes a, b;
            load_colours(args.colours, i, a, b);
            const auto score = [&](std::size_t j) {
                return add(add(dot(a, pivots[j].a), dot(b, pivots[j].b)), pivots[j].square);
            };
            Lanes best = score(first), owner = all(static_cast<std::int32_t>(first)), close = all(0);
            for (std::uint32_t left = mask & (mask - 1); left != 0; left &= left - 1) {
                const std::size_t j = lowest_bit(left);
                const Lanes other = score(j), closer = greater(best, other);
                const Lanes apart = where(closer, subtract(best, other), subtract(other, best));
                // Of close ones, a third that is closer by more than the margin leaves no doubt.
                close = either(where(both(closer, greater(apart, margin)), all(0), close),
                               greater(margin, apart));
                owner = where(closer, all(static_cast<std::int32_t>(j)), owner);
                best = least(best, other);
            }
            owner = where(close, all(-1), owner);
            const unsigned changed = ~bits(equal(owner, load(args.owners + i))) & ((1U << kLanes) - 1U);
            if (changed == 0) continue;
            append_lanes(args.found_owners + n_found, owner, changed);
            n_found += append(args.found + n_found, static_cast<std::int32_t>(i), changed);
        }
    }
    out.n_found = n_found;
}

// --- medoids -----------------------------------------------------------------------------------------

static void group_near(GroupNearArgs& args) {
    const Target target(args);
    const Lanes cluster = all(args.cluster);
    const std::uint32_t mine = 1U << (args.cluster & 31);
    std::int32_t reach = reach_of(args.least);
    std::size_t found = 0;
    for (std::size_t t = 0; t < args.n; t += kLanes) {
        unsigned close = bits(greater(target.outside2(args.boxes, t), all(reach))) ^ ((1U << kLanes) - 1U);
        if (args.n - t < kLanes) close &= (1U << (args.n - t)) - 1U;
        for (; close != 0; close &= close - 1) {
            const std::size_t g = t + lowest_bit(close);
            const std::uint32_t mask = args.masks[g];
            if ((mask & mine) == 0) continue;
            const bool whole = (mask & (mask - 1)) == 0;
            Lanes d2 = all(kFar), a, b;
            for (std::size_t i = args.colours.starts[g]; i < args.colours.starts[g + 1]; i += kLanes) {
                load_colours(args.colours, i, a, b);
                const Lanes one = target.distance2(a, b);
                d2 = least(d2, whole ? one : where(equal(load(args.owners + i), cluster), one, all(kFar)));
            }
            const std::int32_t nearest = least_of(d2);
            if (nearest > reach) continue;
            args.near[found] = static_cast<std::uint32_t>(g);
            args.near_least[found++] = nearest;
            if (nearest < args.least) {
                args.least = nearest;
                reach = reach_of(nearest);
            }
        }
    }
    // Those found early may be out of reach now.
    args.n_near = 0;
    for (std::size_t s = 0; s < found; ++s) {
        if (args.near_least[s] > reach) continue;
        args.near[args.n_near++] = args.near[s];
    }
}

// Which members of a near group may be the nearest.
static std::uint64_t group_within(const GroupNearArgs& args, std::size_t g) {
    const Target target(args);
    const Lanes cluster = all(args.cluster), reach = all(reach_of(args.least));
    const std::uint32_t mask = args.masks[g];
    const bool whole = (mask & (mask - 1)) == 0;
    const std::size_t begin = args.colours.starts[g], end = args.colours.starts[g + 1];
    std::uint64_t within = 0;
    for (std::size_t i = begin; i < end; i += kLanes) {
        Lanes a, b;
        load_colours(args.colours, i, a, b);
        unsigned some = ~bits(greater(target.distance2(a, b), reach)) & ((1U << kLanes) - 1U);
        if (!whole) some &= bits(equal(load(args.owners + i), cluster));
        within |= std::uint64_t{some} << (i - begin);
    }
    return within;
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
