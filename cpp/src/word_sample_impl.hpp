// A sample of points that are words of pairs (sample_kernels.hpp).
// Included by tile_kernels_impl.hpp.
#include "tile_medoids_impl.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

static inline Lanes less(Lanes a, Lanes b) { return greater(b, a); }

}  // namespace FASTPGS_PATH
}  // namespace fastpgs

#include "nearest_rows_impl.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

// Arguments are taken by value where lanes are stored, which might change them otherwise.
template <bool Before>
static void words_away_of(WordAwayArgs args) {
    const Lanes to_a = all(args.target_a), to_b = all(args.target_b);
    for (std::size_t i = 0; i < args.n; i += kLanes) {
        const Lanes a = subtract_pairs(load(args.a + i), to_a), b = subtract_pairs(load(args.b + i), to_b);
        const Lanes d2 = add(dot(a, a), dot(b, b));
        store(args.out + i, Before ? least(d2, load(args.before + i)) : d2);
    }
}

static void words_away(const WordAwayArgs& args) {
    if (args.before != nullptr)
        words_away_of<true>(args);
    else
        words_away_of<false>(args);
}

// Four distances fit a lane; many are added up as two halves of it.
struct HalfSums {
    static constexpr std::size_t kAtOnce = 4;
    Lanes low = all(0), high = all(0);

    void add_four(Lanes some) {
        low = add(low, both(some, all(0xFFFF)));
        high = add(high, dot(some, all(1 << 16)));
    }
    std::int64_t total() const { return wide_sum(low) + 65536 * wide_sum(high); }
};

static void words_sums(const std::int32_t* values, std::size_t n, std::int64_t* runs) {
    for (std::size_t begin = 0; begin < n; begin += kSampleRun) {
        const std::size_t end = begin + kSampleRun < n ? begin + kSampleRun : n;
        HalfSums sums;
        for (std::size_t i = begin; i < end; i += HalfSums::kAtOnce * kLanes) {
            Lanes some = load(values + i);
            for (std::size_t v = 1; v < HalfSums::kAtOnce; ++v)
                some = add(some, load(values + i + v * kLanes));
            sums.add_four(some);
        }
        runs[begin / kSampleRun] = sums.total();
    }
}

// Points are read once for all targets.
template <std::size_t Targets>
static void words_trials_of(WordTrialArgs& out) {
    const WordTrialArgs args = out;
    Lanes to_a[Targets], to_b[Targets];
    for (std::size_t t = 0; t < Targets; ++t) {
        to_a[t] = all(args.target_a[t]);
        to_b[t] = all(args.target_b[t]);
    }
    HalfSums sums[Targets];
    for (std::size_t i = 0; i < args.n; i += HalfSums::kAtOnce * kLanes) {
        Lanes some[Targets];
        for (Lanes& sum : some) sum = all(0);
        for (std::size_t at = i; at < i + HalfSums::kAtOnce * kLanes; at += kLanes) {
            const Lanes x = load(args.a + at), y = load(args.b + at), before = load(args.before + at);
            for (std::size_t t = 0; t < Targets; ++t) {
                const Lanes a = subtract_pairs(x, to_a[t]), b = subtract_pairs(y, to_b[t]);
                some[t] = add(some[t], least(add(dot(a, a), dot(b, b)), before));
            }
        }
        for (std::size_t t = 0; t < Targets; ++t) sums[t].add_four(some[t]);
    }
    for (std::size_t t = 0; t < Targets; ++t) out.sums[t] += sums[t].total();
}

static void words_trials(WordTrialArgs& args) {
    switch (args.n_targets) {
        case 1:
            return words_trials_of<1>(args);
        case 2:
            return words_trials_of<2>(args);
        case 3:
            return words_trials_of<3>(args);
        default:
            return words_trials_of<WordTrialArgs::kTargets>(args);
    }
}

static void words_nearest(NearestRowsArgs<std::int32_t>& args) {
    nearest_rows<Lanes, kLanes>(args, std::int32_t{0x7FFFFFFF});
}

static void words_near(WordNearArgs& out) {
    const WordNearArgs args = out;
    std::int32_t ends[WordNearArgs::kClusters];
    for (std::size_t j = 0; j < WordNearArgs::kClusters; ++j)
        ends[j] = args.least[j] < 0 ? 0 : reach_of(args.least[j]) + 1;
    const Eight mean_a(args.mean_a), mean_b(args.mean_b), end(ends);
    const Lanes first = all(args.first), below = all(-1), above = all(WordNearArgs::kClusters);
    std::size_t n_near = 0;
    for (std::size_t i = 0; i < args.n; i += kLanes) {
        const Lanes cluster = subtract(load(args.owners + i), first);
        const Lanes a = subtract_pairs(shift_pairs(load(args.a + i), args.shift), mean_a.at(cluster));
        const Lanes b = subtract_pairs(shift_pairs(load(args.b + i), args.shift), mean_b.at(cluster));
        const Lanes close = greater(end.at(cluster), add(dot(a, a), dot(b, b)));
        const Lanes among = both(greater(cluster, below), greater(above, cluster));
        n_near += append(args.near + n_near, static_cast<std::int32_t>(i), bits(both(close, among)));
    }
    out.n_near = n_near;
}

static void words_miss(const WordMissArgs& in) {
    const WordMissArgs args = in;
    for (std::size_t i = 0; i < args.n; i += kLanes) {
        const Lanes drawn = load(args.drawn + i);
        store(args.out + i,
              subtract(least(load(args.second + i), drawn), least(load(args.nearest + i), drawn)));
    }
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
