// Points on a coarse grid: see coarse_kernels.hpp.
// Included by tile_kernels_impl.hpp.

namespace fastpgs {
namespace FASTPGS_PATH {

static constexpr std::int32_t kNowhere = 0x7FFFFFFF;
static constexpr unsigned kEveryLane = (1U << kLanes) - 1U;

// Of words that are known to be Words, or any number of them.
template <std::size_t Words>
struct Coarse {
    static constexpr std::size_t kMost = Words > 0 ? Words : kCoarseWords;
    Lanes w[kMost];

    static std::size_t count(std::size_t n_words) { return Words > 0 ? Words : n_words; }

    // Points of a tile from its i-th on.
    static Coarse at(const std::int32_t* tile, std::size_t n_words, std::size_t i) {
        Coarse out;
        std::size_t a = 0;
        do {  // there is one
            out.w[a] = load(tile + a * kCoarseTile + i);
        } while (++a < count(n_words));
        return out;
    }
    Lanes score(const CoarseScores& scores, std::size_t n_words, std::size_t j) const {
        const std::int32_t* way = scores.ways + j * count(n_words);
        Lanes total = dot(w[0], all(way[0]));
        for (std::size_t a = 1; a < count(n_words); ++a) total = add(total, dot(w[a], all(way[a])));
        return subtract(all(scores.constants[j]), total);
    }
    Lanes distance2(const std::int32_t* target, std::size_t n_words) const {
        Lanes total = all(0);
        for (std::size_t a = 0; a < count(n_words); ++a) {
            const Lanes d = subtract_pairs(w[a], all(target[a]));
            total = add(total, dot(d, d));
        }
        return total;
    }
};

template <class T>
static void level_boxes_of(LevelBoxesArgs& out) {
    constexpr std::size_t kColumns = 8, kTileRows = kCoarseTile / kColumns;
    constexpr double kBias = sizeof(T) > 1 ? 32768.0 * static_cast<double>(kCoarseTile) : 0.0;
    const LevelBoxesArgs args = out;  // what is stored does not change it
    const Lanes one = all(pair_of(1, 0)), other = all(pair_of(0, 1));
    Lanes least_a = all(args.least_a), least_b = all(args.least_b);
    Lanes greatest_a = all(args.greatest_a), greatest_b = all(args.greatest_b);
    for (std::size_t t = args.begin; t < args.end; ++t) {
        const std::size_t first = t / args.across * kTileRows * args.width + t % args.across * kColumns;
        const T* p = static_cast<const T*>(args.pixels) + 3 * first;
        Lanes low_a, low_b, a, b, sums[3];
        load_rgb(p, low_a, low_b);
        Lanes high_a = low_a, high_b = low_b;
        for (Lanes& sum : sums) sum = all(0);
        for (std::size_t row = 0; row < kTileRows; ++row, p += 3 * args.width) {
            for (std::size_t i = 0; i < kColumns; i += kLanes) {
                load_rgb(p + 3 * i, a, b);
                low_a = least_pairs(low_a, a);
                high_a = most_pairs(high_a, a);
                low_b = least_pairs(low_b, b);
                high_b = most_pairs(high_b, b);
                sums[0] = add(sums[0], dot(a, one));
                sums[1] = add(sums[1], dot(a, other));
                sums[2] = add(sums[2], dot(b, one));
            }
        }
        least_a = least_pairs(least_a, low_a);
        least_b = least_pairs(least_b, low_b);
        greatest_a = most_pairs(greatest_a, high_a);
        greatest_b = most_pairs(greatest_b, high_b);
        args.boxes.low[0][t] = least_of_pairs(low_a);
        args.boxes.low[1][t] = least_of_pairs(low_b);
        args.boxes.high[0][t] = most_of_pairs(high_a);
        args.boxes.high[1][t] = most_of_pairs(high_b);
        for (std::size_t c = 0; c < 3; ++c) args.sums[c][t] = static_cast<double>(sum_of(sums[c])) + kBias;
    }
    out.least_a = least_of_pairs(least_a);
    out.least_b = least_of_pairs(least_b);
    out.greatest_a = most_of_pairs(greatest_a);
    out.greatest_b = most_of_pairs(greatest_b);
}

static void level_boxes(LevelBoxesArgs& args) {
    return args.wide ? level_boxes_of<std::uint16_t>(args) : level_boxes_of<std::uint8_t>(args);
}

static void coarse_boxes(const CoarsePoints& points, std::size_t begin, std::size_t end,
                         const CoarseBoxes& boxes) {
    for (std::size_t t = begin; t < end; ++t) {
        const std::int32_t* p = points.tile(t);
        for (std::size_t a = 0; a < points.n_words; ++a, p += kCoarseTile) {
            Lanes low = load(p), high = low;
            for (std::size_t i = kLanes; i < kCoarseTile; i += kLanes) {
                const Lanes x = load(p + i);
                low = least_pairs(low, x);
                high = most_pairs(high, x);
            }
            boxes.low[a][t] = least_of_pairs(low);
            boxes.high[a][t] = most_of_pairs(high);
        }
    }
}

// Twice the scores of a box are at most those of its middle + |own - j| times its extent apart from there.
template <std::size_t Words>
static void coarse_candidates_of(CoarseCandidatesArgs& out) {
    auto args = out;  // stored lanes do not change it
    args.n_changed = args.n_straddling = 0;
    using Box = Coarse<Words>;
    const std::size_t words = Box::count(args.n_words), k = args.scores.k;
    const CoarseScores& scores = args.scores;
    const Lanes margin = all(2 * scores.margin);
    for (std::size_t t = args.begin; t < args.end; t += kLanes) {
        Box twice, extent;
        std::size_t filled = 0;
        do {  // there is a word
            const Lanes low = load(args.boxes.low[filled] + t), high = load(args.boxes.high[filled] + t);
            twice.w[filled] = add_pairs(low, high);
            extent.w[filled] = subtract_pairs(high, low);
        } while (++filled < words);
        Lanes score[kCoarsePivots], own[Box::kMost];
        Lanes best = score[0] = add(twice.score(scores, words, 0), all(scores.constants[0]));
        Lanes nearest = all(1);
        for (std::size_t a = 0; a < words; ++a) own[a] = all(scores.ways[a]);
        for (std::size_t j = 1; j < k; ++j) {
            score[j] = add(twice.score(scores, words, j), all(scores.constants[j]));
            const Lanes closer = greater(best, score[j]);
            nearest = where(closer, all(static_cast<std::int32_t>(j + 1)), nearest);
            for (std::size_t a = 0; a < words; ++a)
                own[a] = where(closer, all(scores.ways[j * words + a]), own[a]);
            best = least(best, score[j]);
        }
        const Lanes bound = add(best, margin);
        Lanes mask = all(0);
        for (std::size_t j = 0; j < k; ++j) {
            Lanes reach = all(0);
            for (std::size_t a = 0; a < words; ++a)
                reach =
                    add(reach, dot(extent.w[a],
                                   magnitude_pairs(subtract_pairs(own[a], all(scores.ways[j * words + a])))));
            const Lanes apart = greater(score[j], add(bound, reach));
            mask = either(mask, where(apart, all(0), all(static_cast<std::int32_t>(1U << j))));
        }
        store(reinterpret_cast<std::int32_t*>(args.masks + t), mask);
        store(args.nearest + t, nearest);
        const unsigned valid = args.end - t < kLanes ? (1U << (args.end - t)) - 1U : kEveryLane;
        const Lanes before = load(reinterpret_cast<const std::int32_t*>(args.before + t));
        const unsigned other = (bits(equal(mask, before)) ^ kEveryLane) & valid;
        const unsigned several = (bits(equal(both(mask, add(mask, all(-1))), all(0))) ^ kEveryLane) & valid;
        const auto first = static_cast<std::int32_t>(t);
        args.n_changed += append(args.changed + args.n_changed, first, other);
        args.n_straddling += append(args.straddling + args.n_straddling, first, several);
    }
    out.n_changed = args.n_changed;
    out.n_straddling = args.n_straddling;
}

// Tiles that straddle lie apart: their memory is asked for some tiles ahead.
static constexpr std::size_t kAhead = 4;

static inline void fetch(const std::int32_t* p, std::size_t n) {
#if defined(__GNUC__)
    for (std::size_t i = 0; i < n; i += 16) __builtin_prefetch(p + i);
#else
    (void)p;
    (void)n;
#endif
}

// Points that one pivot's words serve.
static constexpr std::size_t kCoarseBlock = 4 * kLanes;

// Labels of some points of a tile, which of them are in doubt, and by how much the next pivot is further.
struct CoarseNearest {
    Lanes label[4], doubtful[4], gap;
};

template <std::size_t Words>
static inline CoarseNearest coarse_nearest(const CoarseAssignArgs& args, const std::int32_t* tile,
                                           std::size_t at, std::uint32_t mask) {
    const std::size_t words = args.points.n_words;
    const CoarseScores& scores = args.scores;
    const std::size_t first = lowest_bit(mask);
    CoarseNearest out;
    Lanes best[4], second[4];
    for (std::size_t w = 0; w < 4; ++w) {
        best[w] = Coarse<Words>::at(tile, words, at + w * kLanes).score(scores, words, first);
        second[w] = all(kNowhere);
        out.label[w] = all(static_cast<std::int32_t>(first + 1));
    }
    for (std::uint32_t left = mask & (mask - 1); left != 0; left &= left - 1) {
        const std::size_t j = lowest_bit(left);
        const Lanes number = all(static_cast<std::int32_t>(j + 1));
        for (std::size_t w = 0; w < 4; ++w) {
            const Lanes score = Coarse<Words>::at(tile, words, at + w * kLanes).score(scores, words, j);
            const Lanes closer = greater(best[w], score);
            second[w] = least(second[w], where(closer, best[w], score));
            out.label[w] = where(closer, number, out.label[w]);
            best[w] = least(best[w], score);
        }
    }
    const Lanes margin = all(scores.margin + 1);
    out.gap = all(kNowhere);
    for (std::size_t w = 0; w < 4; ++w) {
        const Lanes gap = subtract(second[w], best[w]);
        out.doubtful[w] = greater(margin, gap);
        out.gap = least(out.gap, gap);
    }
    return out;
}

template <std::size_t Words>
static void coarse_assign_of(CoarseAssignArgs& out) {
    auto args = out;  // stored lanes do not change it
    args.n_changed = args.n_doubtful = 0;
    for (std::size_t s = 0; s < args.n; ++s) {
        if (s + kAhead < args.n_ahead) {
            const std::size_t ahead = args.tiles[s + kAhead];
            fetch(args.points.tile(ahead), Coarse<Words>::count(args.points.n_words) * kCoarseTile);
            fetch(args.labels + ahead * kCoarseTile, kCoarseTile);
        }
        const std::size_t tile = args.tiles[s];
        Lanes gap = all(kNowhere);
        for (std::size_t at = 0; at < kCoarseTile; at += kCoarseBlock) {
            const CoarseNearest found =
                coarse_nearest<Words>(args, args.points.tile(tile), at, args.masks[tile]);
            gap = least(gap, found.gap);
            std::int32_t* labels = args.labels + tile * kCoarseTile + at;
            Lanes touched = all(0);
            for (std::size_t w = 0; w < 4; ++w) {
                const Lanes same = equal(found.label[w], load(labels + w * kLanes));
                touched = either(touched, either(found.doubtful[w], equal(same, all(0))));
            }
            if (bits(touched) == 0) continue;
            for (std::size_t w = 0; w < 4; ++w) {
                const auto point = static_cast<std::int32_t>(tile * kCoarseTile + at + w * kLanes);
                const Lanes old = load(labels + w * kLanes);
                const unsigned unsure = bits(found.doubtful[w]);
                const unsigned other = (bits(equal(found.label[w], old)) ^ kEveryLane) & ~unsure;
                store(labels + w * kLanes, where(found.doubtful[w], old, found.label[w]));
                append_lanes(args.before + args.n_changed, old, other);
                args.n_changed += append(args.changed + args.n_changed, point, other);
                args.n_doubtful += append(args.doubtful + args.n_doubtful, point, unsure);
            }
        }
        args.gaps[s] = least_of(gap);
    }
    out.n_changed = args.n_changed;
    out.n_doubtful = args.n_doubtful;
}

// The least distance that counts, from the least on the grid.
static std::int32_t coarse_reach(std::int32_t least2, std::int32_t error) {
    return least2 + 2 * error * (floor_root(least2) + 1) + error * error;
}

template <std::size_t Words>
static inline Lanes coarse_member(const CoarseNearArgs& args, bool whole, std::size_t tile, std::size_t i) {
    const std::size_t words = args.points.n_words;
    const Lanes d2 = Coarse<Words>::at(args.points.tile(tile), words, i).distance2(args.target, words);
    if (whole) return d2;
    const Lanes label = load(args.labels + tile * kCoarseTile + i);
    return where(equal(label, all(args.cluster + 1)), d2, all(kNowhere));
}

static inline bool is_whole(const CoarseNearArgs& args, std::size_t tile) {
    return args.masks == nullptr || (args.masks[tile] & (args.masks[tile] - 1)) == 0;
}

// Of kLanes tiles, those that may hold members and whose box lies within reach.
template <std::size_t Words>
static inline unsigned coarse_close(const CoarseNearArgs& args, std::size_t t) {
    const Lanes none = all(0);
    unsigned mine = kEveryLane;
    if (args.masks != nullptr) {
        const Lanes bit = all(static_cast<std::int32_t>(1U << args.cluster));
        const Lanes masks = load(reinterpret_cast<const std::int32_t*>(args.masks + t));
        mine = bits(equal(both(masks, bit), bit));
        if (mine == 0) return 0;
    }
    Lanes outside = none;
    for (std::size_t a = 0; a < Coarse<Words>::count(args.points.n_words); ++a) {
        const Lanes target = all(args.target[a]);
        const Lanes away = most_pairs(none, most_pairs(subtract_pairs(load(args.boxes.low[a] + t), target),
                                                       subtract_pairs(target, load(args.boxes.high[a] + t))));
        outside = add(outside, dot(away, away));
    }
    const unsigned close = (bits(greater(outside, all(args.reach))) ^ kEveryLane) & mine;
    return args.tiles - t < kLanes ? close & ((1U << (args.tiles - t)) - 1U) : close;
}

// Lists those of n tiles that have a member within reach, which shrinks to what the nearest leaves.
template <std::size_t Words>
static void coarse_look(CoarseNearArgs& args, const std::uint32_t* tiles, std::size_t n) {
    args.lay(args.layer, tiles, n);
    for (std::size_t s = 0; s < n; ++s) {
        if (s + kAhead < n) {
            const std::size_t ahead = tiles[s + kAhead];
            fetch(args.points.tile(ahead), Coarse<Words>::count(args.points.n_words) * kCoarseTile);
            if (!is_whole(args, ahead)) fetch(args.labels + ahead * kCoarseTile, kCoarseTile);
        }
        const std::size_t tile = tiles[s];
        const bool whole = is_whole(args, tile);
        Lanes d2 = all(kNowhere);
        for (std::size_t i = 0; i < kCoarseTile; i += kLanes)
            d2 = least(d2, coarse_member<Words>(args, whole, tile, i));
        const std::int32_t nearest = least_of(d2);
        if (nearest > args.reach || nearest == kNowhere) continue;
        args.near[args.n_near] = static_cast<std::uint32_t>(tile);
        args.near_least[args.n_near++] = nearest;
        const std::int32_t reach = coarse_reach(nearest, args.error);
        args.reach = reach < args.reach ? reach : args.reach;
    }
}

template <std::size_t Words>
static void coarse_near_of(CoarseNearArgs& args) {
    constexpr std::size_t kFew = 32 * kLanes, kHeld = 64;
    std::uint32_t held[kHeld + 2 * kLanes];  // tiles to look at
    // A few tiles from everywhere first, so that most others are out of reach when their turn comes.
    for (std::size_t stride = kFew; stride != 0; stride = stride == kFew ? kLanes : 0) {
        args.n_near = 0;
        std::size_t n = 0;
        for (std::size_t t = 0; t < args.tiles; t += stride) {
            n += append(held + n, static_cast<std::int32_t>(t), coarse_close<Words>(args, t));
            if (n < kHeld && t + stride < args.tiles) continue;
            coarse_look<Words>(args, held, n);
            n = 0;
        }
    }
}

template <std::size_t Words>
static std::uint32_t coarse_within_of(const CoarseNearArgs& args, std::size_t tile) {
    const bool whole = is_whole(args, tile);
    std::uint32_t out = 0;
    for (std::size_t i = 0; i < kCoarseTile; i += kLanes) {
        const Lanes d2 = coarse_member<Words>(args, whole, tile, i);
        const unsigned beyond = bits(either(greater(d2, all(args.reach)), equal(d2, all(kNowhere))));
        out |= (beyond ^ kEveryLane) << i;
    }
    return out;
}

#define FASTPGS_BY_WORDS(words, call) \
    switch (words) {                  \
        case 1:                       \
            return call(1);           \
        case 2:                       \
            return call(2);           \
        case 3:                       \
            return call(3);           \
        default:                      \
            return call(0);           \
    }
#define FASTPGS_CALL(W) coarse_candidates_of<W>(args)
static void coarse_candidates(CoarseCandidatesArgs& args){FASTPGS_BY_WORDS(args.n_words, FASTPGS_CALL)}
#undef FASTPGS_CALL
#define FASTPGS_CALL(W) coarse_assign_of<W>(args)
static void coarse_assign(CoarseAssignArgs& args){FASTPGS_BY_WORDS(args.points.n_words, FASTPGS_CALL)}
#undef FASTPGS_CALL
#define FASTPGS_CALL(W) coarse_near_of<W>(args)
static void coarse_near(CoarseNearArgs& args){FASTPGS_BY_WORDS(args.points.n_words, FASTPGS_CALL)}
#undef FASTPGS_CALL
#define FASTPGS_CALL(W) coarse_within_of<W>(args, tile)
static std::uint32_t coarse_within(const CoarseNearArgs& args, std::size_t tile) {
    FASTPGS_BY_WORDS(args.points.n_words, FASTPGS_CALL)
}
#undef FASTPGS_CALL
#undef FASTPGS_BY_WORDS

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
