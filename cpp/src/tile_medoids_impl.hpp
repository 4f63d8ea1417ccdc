// The members of a cluster nearest to its mean.
// Included by tile_kernels_impl.hpp.
#pragma once

#include "tile_assign_impl.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

// --- medoids -----------------------------------------------------------------------------------------

// Rounding moves the mean by at most sqrt(3) / 2, so the member nearest to the mean is within sqrt(3) of the
// nearest to the rounded mean: (sqrt(D) + sqrt(3))^2 <= D + 4 (floor(sqrt(D)) + 1) + 4.
static std::int32_t reach_of(std::int32_t least2) {
    if (least2 == 0 || least2 >= kFar) return least2 == 0 ? 8 : least2;
    return least2 + 4 * (floor_root(least2) + 1) + 4;
}

struct Target {
    Lanes a, b;
    int shift;

    template <class Args>
    explicit Target(const Args& args)
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

// Which pixels of tiles that straddle are members of the cluster.
template <bool Rgb>
struct Members {
    PivotLanes<Rgb> pivots[kTilePivots];
    std::size_t k;
    Lanes cluster;

    explicit Members(const TileNearArgs& args) : k(args.k), cluster(all(args.cluster)) {
        for (std::size_t j = 0; j < k; ++j) pivots[j].set(args.pivots + 3 * j, j);
    }
    Lanes among(std::uint32_t mask, Lanes a, Lanes b) const {
        if (mask == kAnyPivot) return equal(nearest_of_all<Rgb>(pivots, k, a, b), cluster);
        return equal(nearest_among<Rgb>(pivots, lowest_bit(mask), mask & (mask - 1), a, b), cluster);
    }
};

// Squared distances of pixels i …; far for those beyond reach and those of other clusters.
template <bool Rgb>
static inline Lanes member_distance2(const TileNearArgs& args, const Target& target,
                                     const Members<Rgb>& members, std::uint32_t mask, Lanes reach,
                                     std::size_t i, Lanes& a, Lanes& b) {
    load_pixels<Rgb>(args.pixels, i, a, b);
    const Lanes d2 = target.distance2(a, b);
    const Lanes beyond = greater(d2, reach);
    if ((mask & (mask - 1)) == 0) return where(beyond, all(kFar), d2);
    if (bits(beyond) == (1U << kLanes) - 1U) return all(kFar);
    return where(beyond, all(kFar), where(members.among(mask, a, b), d2, all(kFar)));
}

// The least squared distance that a few tiles from everywhere hold: most others are then out of reach when
// their turn comes.
template <bool Blocks>
static void near_few(TileNearArgs& args) {
    const Target target(args);
    const Members<false> members(args);
    const std::uint32_t mine = 1U << (args.cluster & 31);
    for (std::size_t t = 0; t + kLanes <= args.n; t += 16 * kLanes) {
        const Lanes reach = all(reach_of(args.least));
        for (unsigned close = ~bits(greater(target.outside2(args.boxes, t), reach)) & ((1U << kLanes) - 1U);
             close != 0; close &= close - 1) {
            const std::size_t tile = t + lowest_bit(close);
            const std::uint32_t mask = args.masks[tile];
            if ((mask & mine) == 0) continue;
            const TilePlace<Blocks> place(args.pixels, tile);
            Lanes d2 = all(kFar), a, b;
            for (std::size_t w = 0; w < place.words; ++w)
                d2 = least(d2,
                           member_distance2<false>(args, target, members, mask, reach, place.word(w), a, b));
            const std::int32_t nearest = least_of(d2);
            args.least = nearest < args.least ? nearest : args.least;
        }
    }
}

template <bool Rgb, bool Blocks>
static void near_of(TileNearArgs& args) {
    const Target target(args);
    const Members<Rgb> members(args);
    std::int32_t reach = reach_of(args.least);
    const std::uint32_t mine = 1U << (args.cluster & 31);
    const Lanes ideal_a = all(args.ideal_a), ideal_b = all(args.ideal_b);
    args.n_near = 0;
    bool done = false;  // nothing nearer is left; of blocks beside each other each may hold the first
    std::size_t end = args.n;
    for (std::size_t t = 0; t < end; t += kLanes) {
        unsigned close = bits(greater(target.outside2(args.boxes, t), all(reach))) ^ ((1U << kLanes) - 1U);
        if (end - t < kLanes) close &= (1U << (end - t)) - 1U;
        for (; close != 0; close &= close - 1) {
            const std::size_t tile = t + lowest_bit(close);
            const std::uint32_t mask = args.masks[tile];
            if ((mask & mine) == 0) continue;
            const TilePlace<Blocks> place(args.pixels, tile);
            Lanes d2 = all(kFar), ideal = all(0), a, b;
            for (std::size_t w = 0; w < place.words; ++w) {
                const Lanes one =
                    member_distance2<Rgb>(args, target, members, mask, all(reach), place.word(w), a, b);
                d2 = least(d2, one);
                if (Rgb)
                    ideal = either(ideal,
                                   both(both(equal(a, ideal_a), equal(b, ideal_b)), greater(all(kFar), one)));
            }
            const std::int32_t nearest = least_of(d2);
            if (nearest == kFar) continue;
            if (Rgb && bits(ideal) != 0 && !done) {  // one of the nearest there can be
                done = true;
                args.n_near = 0;
                args.least = reach = nearest;
                const std::size_t across = args.pixels.across;
                end = across > 0 ? (tile / across + 1) * across : tile + 1;
                if (end <= t + kLanes) close &= (1U << (end - t)) - 1U;
            }
            if (done && bits(ideal) == 0) continue;
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
    by_layout(args.pixels, [&](auto rgb, auto blocks) {
        if (!rgb.value) near_few<blocks.value>(args);
        near_of<rgb.value, blocks.value>(args);
    });
}

template <bool Rgb, bool Blocks>
static void pick_of(TilePickArgs& args) {
    const TileNearArgs& near_args = *args.near;
    const Target target(near_args);
    const Members<Rgb> members(near_args);
    const std::int32_t reach = reach_of(near_args.least);
    std::int32_t best_a = 0, best_b = 0;
    args.pixel = -1;
    for (std::size_t s = 0; s < near_args.n_near; ++s) {
        if (near_args.near_least[s] > reach) continue;
        const TilePlace<Blocks> place(near_args.pixels, near_args.near[s]);
        const std::uint32_t mask = near_args.masks[near_args.near[s]];
        bool later = args.pixel >= 0 && args.pixel < static_cast<std::int64_t>(place.first);
        for (std::size_t w = 0; w < place.words; ++w) {
            Lanes a, b;
            const Lanes d2 =
                member_distance2<Rgb>(near_args, target, members, mask, all(reach), place.word(w), a, b);
            Lanes close = greater(all(kFar), d2);
            if (later)  // the same features again are no earlier
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
                const auto pixel = static_cast<std::int64_t>(place.word(w) + l);
                if (args.pixel >= 0 && (key > args.key || (key == args.key && pixel > args.pixel))) continue;
                args.key = key;
                args.pixel = pixel;
                later = true;
                best_a = words_a[l];
                best_b = words_b[l];
            }
        }
    }
}

static void pick(TilePickArgs& args) {
    by_layout(args.near->pixels, [&](auto rgb, auto blocks) { pick_of<rgb.value, blocks.value>(args); });
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
