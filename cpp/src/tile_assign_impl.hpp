// Nearest pivots of the pixels of straddling tiles, and labels within a limit.
// Included by tile_kernels_impl.hpp.
#pragma once

namespace fastpgs {
namespace FASTPGS_PATH {

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

// Numbers of the nearest pivots among the first of a set and the others of it.
template <bool Rgb>
static inline Lanes nearest_among(const PivotLanes<Rgb>* pivots, std::size_t first, std::uint32_t others,
                                  Lanes a, Lanes b) {
    Lanes best = pivots[first].score(a, b), label = all(pivots[first].number);
    for (std::uint32_t left = others; left != 0; left &= left - 1) {
        const PivotLanes<Rgb>& pivot = pivots[lowest_bit(left)];
        const Lanes score = pivot.score(a, b);
        if (!Rgb) label = where(greater(best, score), all(pivot.number), label);
        best = least(best, score);
    }
    return Rgb ? both(best, all(63)) : label;
}

// The same among all.
template <bool Rgb>
static inline Lanes nearest_of_all(const PivotLanes<Rgb>* pivots, std::size_t k, Lanes a, Lanes b) {
    Lanes best = pivots[0].score(a, b), label = all(0);
    for (std::size_t j = 1; j < k; ++j) {
        const Lanes score = pivots[j].score(a, b);
        if (!Rgb) label = where(greater(best, score), all(pivots[j].number), label);
        best = least(best, score);
    }
    return Rgb ? both(best, all(63)) : label;
}

// Sums of the members of one cluster in lanes, and from there in 64 bits.
template <bool Rgb>
struct MemberSums {
    Lanes s[4];

    void clear() {
        for (Lanes& sum : s) sum = all(0);
    }
    // Adds sums of pairs over at most kBlockWords words and takes them from another cluster.
    void move(Lanes a, Lanes b, MemberSums& from) {
        if (Rgb) {  // halves: x0, x1; x2, count
            const Lanes found[2] = {a, b};
            for (std::size_t w = 0; w < 2; ++w) {
                s[w] = add_pairs(s[w], found[w]);
                from.s[w] = subtract_pairs(from.s[w], found[w]);
            }
        } else {
            const Lanes first = all(1), second = all(1 << 16);
            const Lanes found[4] = {dot(b, second), dot(a, first), dot(a, second), dot(b, first)};
            for (std::size_t w = 0; w < 4; ++w) {
                s[w] = add(s[w], found[w]);
                from.s[w] = subtract(from.s[w], found[w]);
            }
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
            for (std::size_t a = 0; a < 4; ++a) out[a] += wide_sum(s[a]);
        }
        clear();
    }
};

// Words whose pairs may be added in halves: 4 * 7000 of lab fits.
static constexpr std::size_t kBlockWords = 4;

// Others: the candidates but the first; One: there is one of them.
template <bool Store, bool One, bool Rgb, bool Blocks>
static inline void assign_tile(const TileAssignArgs& args, TilePlace<Blocks> place,
                               const PivotLanes<Rgb>* pivots, std::size_t first, std::uint32_t others,
                               MemberSums<Rgb>* sums) {
    const PivotLanes<Rgb>&p = pivots[first], &q = pivots[lowest_bit(others)];
    const Lanes a_way = subtract_pairs(q.a, p.a), b_way = subtract_pairs(q.b, p.b);
    const Lanes square = subtract(p.square, q.square);  // of RGB: 64 times, less a number below 64
    for (std::size_t word = 0; word < place.words; word += kBlockWords) {
        Lanes a[kBlockWords], b[kBlockWords], label[kBlockWords];  // One: a mask in place of a label
        for (std::size_t w = 0; w < kBlockWords; ++w) {
            const std::size_t pixel = place.word(word + w);
            load_pixels<Rgb>(args.pixels, pixel, a[w], b[w]);
            label[w] = One ? greater(square, add(dot(a[w], a_way), dot(b[w], b_way)))
                           : nearest_among<Rgb>(pivots, first, others, a[w], b[w]);
            if (Store)
                store(args.labels + pixel,
                      One ? where(label[w], all(q.number + 1), all(p.number + 1)) : add(label[w], all(1)));
        }
        for (std::uint32_t left = others; left != 0; left &= left - 1) {
            const std::size_t j = lowest_bit(left);
            const Lanes number = all(static_cast<std::int32_t>(j));
            Lanes found_a = all(0), found_b = all(0);
            for (std::size_t w = 0; w < kBlockWords; ++w) {
                const Lanes members = One ? label[w] : equal(label[w], number);
                found_a = add_pairs(found_a, both(a[w], members));
                found_b = add_pairs(found_b, both(b[w], members));
            }
            sums[j].move(found_a, found_b, sums[first]);
        }
    }
}

// The first candidate of a tile gets the tile's sums; members of the others are taken from it.
template <bool Rgb, bool Blocks, bool Store>
static void assign_few(const TileAssignArgs& args) {
    PivotLanes<Rgb> pivots[kOwnedPivots];
    MemberSums<Rgb> sums[kOwnedPivots];
    for (std::size_t j = 0; j < args.k; ++j) {
        pivots[j].set(args.pivots + 3 * j, j);
        sums[j].clear();
    }
    std::size_t held = 0;
    for (std::size_t s = 0; s < args.n; ++s) {
        const std::size_t tile = args.tiles[s];
        const TilePlace<Blocks> place(args.pixels, tile);
        const std::uint32_t mask = args.masks[tile];
        const std::size_t first = lowest_bit(mask);
        for (std::size_t a = 0; a < 4; ++a) args.sums[4 * first + a] += args.boxes.sums[4 * tile + a];
        const std::uint32_t others = mask & (mask - 1);
        if ((others & (others - 1)) == 0)
            assign_tile<Store, true>(args, place, pivots, first, others, sums);
        else
            assign_tile<Store, false>(args, place, pivots, first, others, sums);
        held += args.pixels.tile / kLanes;
        if (held < kFlush && s + 1 < args.n) continue;  // at most 64 + 16 words of at most 255
        held = 0;
        for (std::size_t j = 0; j < args.k; ++j) sums[j].flush(args.sums + 4 * j);
    }
}

template <bool Rgb, bool Blocks>
static void assign_many(const TileAssignArgs& args) {
    PivotLanes<Rgb> pivots[kTilePivots];
    for (std::size_t j = 0; j < args.k; ++j) pivots[j].set(args.pivots + 3 * j, j);
    std::int32_t words_a[kLanes], words_b[kLanes];
    for (std::size_t t = 0; t < args.n; ++t) {
        const TilePlace<Blocks> place(args.pixels, args.tiles[t]);
        for (std::size_t w = 0; w < place.words; ++w) {
            Lanes a, b;
            load_pixels<Rgb>(args.pixels, place.word(w), a, b);
            const Lanes label = nearest_of_all<Rgb>(pivots, args.k, a, b);
            std::int32_t labels[kLanes];
            store(labels, label);
            if (args.labels != nullptr) store(args.labels + place.word(w), add(label, all(1)));
            store(words_a, a);
            store(words_b, b);
            for (std::size_t l = 0; l < kLanes; ++l) {
                std::int64_t* sums = args.sums + 4 * labels[l];
                sums[0] += 1;
                sums[1] += low_of(words_a[l]);
                sums[2] += high_of(words_a[l]);
                sums[3] += low_of(words_b[l]);
            }
        }
    }
}

template <bool Rgb, bool Blocks>
static void assign_of(const TileAssignArgs& args) {
    if (args.k > kOwnedPivots)
        assign_many<Rgb, Blocks>(args);
    else if (args.labels != nullptr)
        assign_few<Rgb, Blocks, true>(args);
    else
        assign_few<Rgb, Blocks, false>(args);
}

static void assign(const TileAssignArgs& args) {
    by_layout(args.pixels, [&](auto rgb, auto blocks) { assign_of<rgb.value, blocks.value>(args); });
}

// --- labels within a limit ---------------------------------------------------------------------------

template <bool Rgb, bool Blocks>
static void limit_of(const TileLimitArgs& args) {
    PivotLanes<false> pivots[kTilePivots];
    for (std::size_t j = 0; j < args.k; ++j) pivots[j].set(args.pivots + 3 * j, j);
    // The 1 beside x2 counts in |x|^2.
    const Lanes limit = all(args.limit + 1);
    for (std::size_t t = args.begin; t < args.end; ++t) {
        const bool owned = (args.masks[t] & (args.masks[t] - 1)) == 0;
        const PivotLanes<false>* mine = owned ? pivots + lowest_bit(args.masks[t]) : pivots;
        const std::size_t k = owned ? 1 : args.k;
        const TilePlace<Blocks> place(args.pixels, t);
        for (std::size_t w = 0; w < place.words; ++w) {
            Lanes a, b;
            load_pixels<Rgb>(args.pixels, place.word(w), a, b);
            Lanes best = mine->score(a, b), label = all(mine->number);
            for (std::size_t j = 1; j < k; ++j) {
                const Lanes score = pivots[j].score(a, b);
                label = where(greater(best, score), all(pivots[j].number), label);
                best = least(best, score);
            }
            const Lanes d2 = add(best, add(dot(a, a), dot(b, b)));
            store(args.labels + place.word(w), both(add(label, all(1)), equal(greater(d2, limit), all(0))));
        }
    }
}

static void limit(const TileLimitArgs& args) {
    by_layout(args.pixels, [&](auto rgb, auto blocks) { limit_of<rgb.value, blocks.value>(args); });
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
