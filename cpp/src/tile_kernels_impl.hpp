// Bodies of the tile kernels, included by one translation unit an instruction set, which defines
// FASTPGS_PATH and includes its lanes. As in kernels_impl.hpp, no inline function of the standard library.
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

static inline std::int64_t wide_sum(Lanes a) {
    std::int32_t lanes[kLanes];
    store(lanes, a);
    std::int64_t total = 0;
    for (std::size_t l = 0; l < kLanes; ++l) total += lanes[l];
    return total;
}

// --- boxes -------------------------------------------------------------------------------------------

template <bool Rgb>
static void summary_of(const TilePixels& pixels, std::size_t begin, std::size_t end, const TileBoxes& boxes,
                       std::int64_t* square) {
    const std::size_t words = pixels.tile / kLanes;
    const Lanes first = all(1), second = all(1 << 16);
    Lanes squares = all(0);
    std::size_t held = 0;
    for (std::size_t t = begin; t < end; ++t) {
        std::size_t i = t * pixels.tile;
        Lanes a, b;
        load_pixels<Rgb>(pixels, i, a, b);
        Lanes low_a = a, low_b = b, high_a = a, high_b = b;
        Lanes s0 = Rgb ? a : dot(a, first), s1 = Rgb ? b : dot(a, second), s2 = dot(b, first);
        squares = add(squares, add(dot(a, a), dot(b, b)));
        for (std::size_t w = 1; w < words; ++w) {
            i += kLanes;
            load_pixels<Rgb>(pixels, i, a, b);
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
        if (Rgb) {
            const std::int32_t sum_a = sum_of_pairs(s0);
            boxes.sums[0][t] = low_of(sum_a);
            boxes.sums[1][t] = high_of(sum_a);
            boxes.sums[2][t] = low_of(sum_of_pairs(s1));
        } else {
            boxes.sums[0][t] = sum_of(s0);
            boxes.sums[1][t] = sum_of(s1);
            boxes.sums[2][t] = sum_of(s2);
        }
    }
    *square += wide_sum(squares);
}

static void summary(const TilePixels& pixels, std::size_t begin, std::size_t end, const TileBoxes& boxes,
                    std::int64_t* square) {
    if (pixels.rgb != nullptr)
        summary_of<true>(pixels, begin, end, boxes, square);
    else
        summary_of<false>(pixels, begin, end, boxes, square);
}

// --- owners ------------------------------------------------------------------------------------------

// Over a box of middle c and extent e, score_own - score_j is at most its value at c + sum |own - j| e.
static void owners(const TileBoxes& boxes, std::size_t begin, std::size_t end, const std::int32_t* pivots,
                   std::size_t k, std::uint8_t* out) {
    Lanes score[kOwnedPivots];
    for (std::size_t t = begin; t < end; t += kLanes) {
        const Lanes low_a = load(boxes.low_a + t), high_a = load(boxes.high_a + t);
        const Lanes low_b = load(boxes.low_b + t), high_b = load(boxes.high_b + t);
        const Lanes twice_a = add_pairs(low_a, high_a), twice_b = add_pairs(low_b, high_b);
        const Lanes extent_a = subtract_pairs(high_a, low_a), extent_b = subtract_pairs(high_b, low_b);
        Lanes best = all(0), own = all(0);
        for (std::size_t j = 0; j < k; ++j) {
            const std::int32_t* p = pivots + 3 * j;
            const Lanes twice =
                add(dot(twice_a, all(pair_of(p[0], p[1]))), dot(twice_b, all(pair_of(p[2], 0))));
            score[j] = subtract(all(p[0] * p[0] + p[1] * p[1] + p[2] * p[2]), twice);
            if (j == 0) {
                best = score[0];
                continue;
            }
            own = where(greater(best, score[j]), all(static_cast<std::int32_t>(j)), own);
            best = least(best, score[j]);
        }
        Lanes straddles = all(0);
        for (std::size_t j = 0; j < k; ++j) {
            const Lanes mine = equal(own, all(static_cast<std::int32_t>(j)));
            if (bits(mine) == 0) continue;
            const std::int32_t* p = pivots + 3 * j;
            for (std::size_t l = 0; l < k; ++l) {
                if (l == j) continue;
                const std::int32_t* q = pivots + 3 * l;
                std::int32_t away[3];
                for (std::size_t a = 0; a < 3; ++a) away[a] = p[a] > q[a] ? p[a] - q[a] : q[a] - p[a];
                const Lanes reach = add(dot(extent_a, all(pair_of(away[0], away[1]))),
                                        dot(extent_b, all(pair_of(away[2], 0))));
                const Lanes apart = greater(score[l], add(score[j], reach));
                straddles = either(straddles, both(mine, equal(apart, all(0))));
            }
        }
        std::int32_t lanes[kLanes];
        store(lanes, either(own, both(straddles, all(kTileStraddles))));
        const std::size_t n = end - t < kLanes ? end - t : kLanes;
        for (std::size_t l = 0; l < n; ++l) out[t + l] = static_cast<std::uint8_t>(lanes[l]);
    }
}

// --- nearest pivots ----------------------------------------------------------------------------------

// Pivots as pairs. RGB scores are taken times 64, with the pivot's number below: the least of such words
// is the least score and, among equal ones, the lowest number.
template <bool Rgb>
struct PivotLanes {
    Lanes a, b, square;
    std::int32_t number = 0;

    void set(const std::int32_t* p, std::size_t j) {
        const std::int32_t by = Rgb ? -128 : -2;
        const std::int32_t norm = p[0] * p[0] + p[1] * p[1] + p[2] * p[2];
        number = static_cast<std::int32_t>(j);
        a = all(pair_of(by * p[0], by * p[1]));
        b = all(pair_of(by * p[2], 0));
        square = all(Rgb ? 64 * norm + number : norm);
    }
    Lanes score(Lanes x, Lanes y) const { return add(add(dot(x, a), dot(y, b)), square); }
};

template <bool Rgb>
static inline Lanes nearest_pivot(const PivotLanes<Rgb>* pivots, std::size_t k, Lanes a, Lanes b) {
    Lanes best = pivots[0].score(a, b);
    if (Rgb) {
        for (std::size_t j = 1; j < k; ++j) best = least(best, pivots[j].score(a, b));
        return both(best, all(63));
    }
    Lanes label = all(0);
    for (std::size_t j = 1; j < k; ++j) {
        const Lanes score = pivots[j].score(a, b);
        label = where(greater(best, score), all(pivots[j].number), label);
        best = least(best, score);
    }
    return label;
}

// Sums of the members of one cluster in lanes, and from there in 64 bits.
template <bool Rgb>
struct MemberSums {
    Lanes s[4];

    void clear() {
        for (Lanes& sum : s) sum = all(0);
    }
    void add_members(Lanes a, Lanes b, Lanes members) {
        a = both(a, members);
        b = both(b, members);
        if (Rgb) {  // halves: x0, x1; x2, count
            s[0] = add_pairs(s[0], a);
            s[1] = add_pairs(s[1], b);
        } else {
            const Lanes first = all(1), second = all(1 << 16);
            s[0] = add(s[0], dot(a, first));
            s[1] = add(s[1], dot(a, second));
            s[2] = add(s[2], dot(b, first));
            s[3] = subtract(s[3], members);
        }
    }
    void flush(std::int64_t* out) {  // members, x0, x1, x2
        if (Rgb) {
            const Lanes first = all(1), second = all(1 << 16);
            out[0] += sum_of(dot(s[1], second));
            out[1] += sum_of(dot(s[0], first));
            out[2] += sum_of(dot(s[0], second));
            out[3] += sum_of(dot(s[1], first));
        } else {
            out[0] += sum_of(s[3]);
            for (std::size_t a = 0; a < 3; ++a) out[1 + a] += wide_sum(s[a]);
        }
        clear();
    }
};

template <bool Rgb, int K>
static void assign_few(const TileAssignArgs& args) {
    PivotLanes<Rgb> pivots[K];
    MemberSums<Rgb> sums[K];
    for (std::size_t j = 0; j < K; ++j) {
        pivots[j].set(args.pivots + 3 * j, j);
        sums[j].clear();
    }
    std::size_t held = 0;
    for (std::size_t t = 0; t < args.n; ++t) {
        const std::size_t begin = args.tiles[t] * args.pixels.tile;
        for (std::size_t i = begin; i < begin + args.pixels.tile; i += kLanes) {
            Lanes a, b;
            load_pixels<Rgb>(args.pixels, i, a, b);
            const Lanes label = nearest_pivot<Rgb>(pivots, K, a, b);
            store(args.labels + i, label);
            for (int j = 0; j + 1 < K; ++j) sums[j].add_members(a, b, equal(label, all(j)));
        }
        held += args.pixels.tile / kLanes;
        if (held < kFlush && t + 1 < args.n) continue;  // at most 64 + 16 words of at most 255
        held = 0;
        for (std::size_t j = 0; j + 1 < K; ++j) sums[j].flush(args.sums + 4 * j);
    }
}

template <bool Rgb>
static void assign_many(const TileAssignArgs& args) {
    PivotLanes<Rgb> pivots[kTilePivots];
    for (std::size_t j = 0; j < args.k; ++j) pivots[j].set(args.pivots + 3 * j, j);
    std::int32_t words_a[kLanes], words_b[kLanes];
    for (std::size_t t = 0; t < args.n; ++t) {
        const std::size_t begin = args.tiles[t] * args.pixels.tile;
        for (std::size_t i = begin; i < begin + args.pixels.tile; i += kLanes) {
            Lanes a, b;
            load_pixels<Rgb>(args.pixels, i, a, b);
            store(args.labels + i, nearest_pivot<Rgb>(pivots, args.k, a, b));
            store(words_a, a);
            store(words_b, b);
            for (std::size_t l = 0; l < kLanes; ++l) {
                std::int64_t* sums = args.sums + 4 * args.labels[i + l];
                sums[0] += 1;
                sums[1] += low_of(words_a[l]);
                sums[2] += high_of(words_a[l]);
                sums[3] += low_of(words_b[l]);
            }
        }
    }
    for (std::size_t s = 0; s < 4; ++s) args.sums[4 * (args.k - 1) + s] = 0;  // as the contract says
}

template <bool Rgb>
static void assign_of(const TileAssignArgs& args) {
    switch (args.k) {
        case 2:
            return assign_few<Rgb, 2>(args);
        case 3:
            return assign_few<Rgb, 3>(args);
        case 4:
            return assign_few<Rgb, 4>(args);
        case 5:
            return assign_few<Rgb, 5>(args);
        case 6:
            return assign_few<Rgb, 6>(args);
        case 7:
            return assign_few<Rgb, 7>(args);
        case 8:
            return assign_few<Rgb, 8>(args);
        default:
            return assign_many<Rgb>(args);
    }
}

static void assign(const TileAssignArgs& args) {
    if (args.pixels.rgb != nullptr)
        assign_of<true>(args);
    else
        assign_of<false>(args);
}

// --- medoids -----------------------------------------------------------------------------------------

// Rounding moves the mean by at most sqrt(3) / 2, so the member nearest to the mean is within sqrt(3) of the
// nearest to the rounded mean: (sqrt(D) + sqrt(3))^2 <= D + 4 (floor(sqrt(D)) + 1) + 4.
static std::int32_t reach_of(std::int32_t least2) {
    if (least2 == 0 || least2 >= kFar) return least2 == 0 ? 8 : least2;
    std::int64_t root = 1;
    while (root * root <= least2) root *= 2;
    for (std::int64_t next = (root + least2 / root) / 2; next < root; next = (root + least2 / root) / 2)
        root = next;
    return least2 + 4 * static_cast<std::int32_t>(root + 1) + 4;
}

struct Target {
    Lanes a, b;
    int shift;

    explicit Target(const TileNearArgs& args)
        : a(all(pair_of(args.mean[0], args.mean[1]))),
          b(all(pair_of(args.mean[2], 1 << args.shift))),
          shift(args.shift) {}

    Lanes distance2(Lanes x, Lanes y) const {
        const Lanes da = subtract_pairs(shift_pairs(x, shift), a);
        const Lanes db = subtract_pairs(shift_pairs(y, shift), b);
        return add(dot(da, da), dot(db, db));
    }
    // Squared distance to boxes.
    Lanes outside2(const TileBoxes& boxes, std::size_t t) const {
        const Lanes none = all(0);
        const Lanes da =
            most_pairs(none, most_pairs(subtract_pairs(shift_pairs(load(boxes.low_a + t), shift), a),
                                        subtract_pairs(a, shift_pairs(load(boxes.high_a + t), shift))));
        const Lanes db =
            most_pairs(none, most_pairs(subtract_pairs(shift_pairs(load(boxes.low_b + t), shift), b),
                                        subtract_pairs(b, shift_pairs(load(boxes.high_b + t), shift))));
        return add(dot(da, da), dot(db, db));
    }
};

// Distances of the pixels i … of a tile; far for those of other clusters.
template <bool Rgb>
static inline Lanes member_distance2(const TileNearArgs& args, const Target& target, bool owned,
                                     std::size_t i, Lanes& a, Lanes& b) {
    load_pixels<Rgb>(args.pixels, i, a, b);
    const Lanes d2 = target.distance2(a, b);
    return owned ? d2 : where(equal(load(args.labels + i), all(args.cluster)), d2, all(kFar));
}

template <bool Rgb>
static void near_of(TileNearArgs& args) {
    const Target target(args);
    std::int32_t reach = reach_of(args.least);
    args.n_near = 0;
    for (std::size_t t = 0; t < args.n; t += kLanes) {
        unsigned close = bits(greater(target.outside2(args.boxes, t), all(reach))) ^ ((1U << kLanes) - 1U);
        if (args.n - t < kLanes) close &= (1U << (args.n - t)) - 1U;
        for (std::size_t tile = t; close != 0; close >>= 1, ++tile) {
            if ((close & 1U) == 0) continue;
            const bool owned = args.owners[tile] == args.cluster;
            if (!owned && args.owners[tile] != kTileStraddles) continue;
            const std::size_t begin = tile * args.pixels.tile;
            Lanes d2 = all(kFar), a, b;
            for (std::size_t i = begin; i < begin + args.pixels.tile; i += kLanes)
                d2 = least(d2, member_distance2<Rgb>(args, target, owned, i, a, b));
            const std::int32_t nearest = least_of(d2);
            if (nearest > reach || nearest == kFar) continue;
            args.near[args.n_near] = static_cast<std::uint32_t>(tile);
            args.near_least[args.n_near++] = nearest;
            if (nearest < args.least) {
                args.least = nearest;
                reach = reach_of(nearest);
            }
        }
    }
}

static void near(TileNearArgs& args) {
    if (args.pixels.rgb != nullptr)
        near_of<true>(args);
    else
        near_of<false>(args);
}

template <bool Rgb>
static void pick_of(TilePickArgs& args) {
    const TileNearArgs& near_args = *args.near;
    const Target target(near_args);
    const std::int32_t reach = reach_of(near_args.least);
    std::int32_t best_a = 0, best_b = 0;
    args.pixel = -1;
    for (std::size_t s = 0; s < near_args.n_near; ++s) {
        if (near_args.near_least[s] > reach) continue;
        const std::size_t begin = near_args.near[s] * near_args.pixels.tile;
        const bool owned = near_args.owners[near_args.near[s]] == near_args.cluster;
        for (std::size_t i = begin; i < begin + near_args.pixels.tile; i += kLanes) {
            Lanes a, b;
            const Lanes d2 = member_distance2<Rgb>(near_args, target, owned, i, a, b);
            Lanes close = equal(greater(d2, all(reach)), all(0));
            if (args.pixel >= 0)  // the same features again can be no earlier
                close = both(close, equal(both(equal(a, all(best_a)), equal(b, all(best_b))), all(0)));
            unsigned left = bits(close);
            if (left == 0) continue;
            std::int32_t words_a[kLanes], words_b[kLanes];
            store(words_a, a);
            store(words_b, b);
            for (std::size_t l = 0; left != 0; left >>= 1, ++l) {
                if ((left & 1U) == 0) continue;
                const std::int64_t x0 = low_of(words_a[l]), x1 = high_of(words_a[l]), x2 = low_of(words_b[l]);
                const std::int64_t key = args.members * (x0 * x0 + x1 * x1 + x2 * x2) -
                                         2 * (x0 * args.sums[0] + x1 * args.sums[1] + x2 * args.sums[2]);
                if (args.pixel >= 0 && key >= args.key) continue;
                args.key = key;
                args.pixel = static_cast<std::int64_t>(i + l);
                best_a = words_a[l];
                best_b = words_b[l];
            }
        }
    }
}

static void pick(TilePickArgs& args) {
    if (args.near->pixels.rgb != nullptr)
        pick_of<true>(args);
    else
        pick_of<false>(args);
}

// --- labels within a limit ---------------------------------------------------------------------------

template <bool Rgb>
static void limit_of(const TileLimitArgs& args) {
    PivotLanes<false> pivots[kTilePivots];
    for (std::size_t j = 0; j < args.k; ++j) pivots[j].set(args.pivots + 3 * j, j);
    // The 1 beside x2 counts in |x|^2.
    const Lanes limit = all(args.limit + 1);
    for (std::size_t t = args.begin; t < args.end; ++t) {
        const bool owned = args.owners[t] != kTileStraddles;
        const PivotLanes<false>* mine = owned ? pivots + args.owners[t] : pivots;
        const std::size_t k = owned ? 1 : args.k;
        for (std::size_t i = t * args.pixels.tile; i < (t + 1) * args.pixels.tile; i += kLanes) {
            Lanes a, b;
            load_pixels<Rgb>(args.pixels, i, a, b);
            Lanes best = mine->score(a, b), label = all(mine->number);
            for (std::size_t j = 1; j < k; ++j) {
                const Lanes score = pivots[j].score(a, b);
                label = where(greater(best, score), all(pivots[j].number), label);
                best = least(best, score);
            }
            const Lanes d2 = add(best, add(dot(a, a), dot(b, b)));
            store(args.labels + i, both(add(label, all(1)), equal(greater(d2, limit), all(0))));
        }
    }
}

static void limit(const TileLimitArgs& args) {
    if (args.pixels.rgb != nullptr)
        limit_of<true>(args);
    else
        limit_of<false>(args);
}

extern const TileKernels tile_table;
const TileKernels tile_table = {&summary, &owners, &assign, &near, &pick, &limit};

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
