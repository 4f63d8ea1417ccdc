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

static void words_nearest(NearestRowsArgs<std::int32_t>& args) {
    nearest_rows<Lanes, kLanes>(args, std::int32_t{0x7FFFFFFF});
}

static void words_near(WordNearArgs& out) {
    const WordNearArgs args = out;
    const Target target(args);
    const Lanes cluster = all(args.cluster);
    Lanes nearest = all(kFar);
    for (std::size_t i = 0; i < args.n; i += kLanes) {
        const Lanes d2 = where(equal(load(args.owners + i), cluster),
                               target.distance2(load(args.a + i), load(args.b + i)), all(kFar));
        store(args.away + i, d2);
        nearest = least(nearest, d2);
    }
    const std::int32_t reach = reach_of(least_of(nearest));
    const Lanes beyond = all(reach < kFar ? reach + 1 : kFar);
    std::size_t n_near = 0;
    for (std::size_t i = 0; i < args.n; i += kSampleStep) {
        Lanes any = greater(beyond, load(args.away + i));
        for (std::size_t at = i + kLanes; at < i + kSampleStep; at += kLanes)
            any = either(any, greater(beyond, load(args.away + at)));
        if (bits(any) == 0) continue;
        for (std::size_t at = i; at < i + kSampleStep; at += kLanes)
            n_near += append(args.near + n_near, static_cast<std::int32_t>(at),
                             bits(greater(beyond, load(args.away + at))));
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

// Four distances fit a lane; many are added up as two halves of it.
static void words_sums(const std::int32_t* values, std::size_t n, std::int64_t* runs) {
    constexpr std::size_t kAtOnce = 4;
    const Lanes low_half = all(0xFFFF), high_half = all(1 << 16);
    for (std::size_t begin = 0; begin < n; begin += kSampleRun) {
        const std::size_t end = begin + kSampleRun < n ? begin + kSampleRun : n;
        Lanes low = all(0), high = all(0);
        for (std::size_t i = begin; i < end; i += kAtOnce * kLanes) {
            Lanes some = load(values + i);
            for (std::size_t v = 1; v < kAtOnce; ++v) some = add(some, load(values + i + v * kLanes));
            low = add(low, both(some, low_half));
            high = add(high, dot(some, high_half));
        }
        runs[begin / kSampleRun] = wide_sum(low) + 65536 * wide_sum(high);
    }
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
