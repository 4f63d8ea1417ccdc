// Bodies of the kernels over tiles of real points, included by one translation unit an instruction set,
// which defines FASTPGS_PATH and includes its reals. No inline function of the standard library, as in
// kernels_impl.hpp.
#include <cmath>

#include "fastpgs/real_kernels.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

static constexpr std::size_t kWords = kRealTile / kReals;  // of a tile
static constexpr double kBeyond = 1.7e308;                 // any squared distance is less
static constexpr double kInfinite = HUGE_VAL;

static inline std::size_t lowest_bit(std::uint32_t mask) {
#if defined(__GNUC__)
    return static_cast<std::size_t>(__builtin_ctz(mask));
#else
    std::size_t bit = 0;
    while ((mask >> bit & 1U) == 0) ++bit;
    return bit;
#endif
}

static inline Reals rounded(Reals a, Reals round) { return subtract(add(a, round), round); }

// Squared distance of points i … to one pivot, coordinates added from first to last.
template <std::size_t Dims>
static inline Reals distance2(const double* const* z, std::size_t dims, std::size_t i, const double* p) {
    const std::size_t count = Dims > 0 ? Dims : dims;
    Reals d = subtract(load(z[0] + i), all(p[0]));
    Reals total = multiply(d, d);
    for (std::size_t a = 1; a < count; ++a) {
        d = subtract(load(z[a] + i), all(p[a]));
        total = add(total, multiply(d, d));
    }
    return total;
}

static void extents(const RealPoints& points, std::size_t begin, std::size_t end, double* const* low,
                    double* const* high) {
    for (std::size_t a = 0; a < points.dims; ++a) {
        const double* plane = points.z[a];
        double *to_low = low[a], *to_high = high[a];
        for (std::size_t t = begin; t < end; ++t) {
            const double* p = plane + t * kRealTile;
            Reals from = load(p), to = from;
            for (std::size_t w = 1; w < kWords; ++w) {
                const Reals x = load(p + w * kReals);
                from = least(from, x);
                to = most(to, x);
            }
            to_low[t] = least_of(from);
            to_high[t] = most_of(to);
        }
    }
}

static void sums(const RealPoints& points, std::size_t begin, std::size_t end, double* const* out) {
    const Reals round = all(points.round);
    for (std::size_t a = 0; a < points.dims; ++a) {
        const double* plane = points.z[a];
        double* to = out[a];
        for (std::size_t t = begin; t < end; ++t) {
            const double* p = plane + t * kRealTile;
            Reals total = rounded(load(p), round);
            for (std::size_t w = 1; w < kWords; ++w) total = add(total, rounded(load(p + w * kReals), round));
            to[t] = sum_of(total);
        }
    }
}

// --- candidates --------------------------------------------------------------------------------------

// Over a box, d2(x, own) - d2(x, j) is at most its value at the middle + 2 sum |own - j| half. The margin,
// far above rounding, leaves ties and near-ties to the comparison of points.
template <std::size_t Dims>
static void candidates_of(const RealCandidatesArgs& args) {
    const std::size_t dims = Dims > 0 ? Dims : args.dims, k = args.k;
    Reals d2[kRealPivots], own[Dims > 0 ? Dims : kRealDims];
    for (std::size_t t = args.begin; t < args.end; t += kReals) {
        Reals best = d2[0] = distance2<Dims>(args.boxes.centre, dims, t, args.pivots);
        for (std::size_t a = 0; a < dims; ++a) own[a] = all(args.pivots[a]);
        for (std::size_t j = 1; j < k; ++j) {
            const double* q = args.pivots + j * dims;
            d2[j] = distance2<Dims>(args.boxes.centre, dims, t, q);
            const Reals closer = less(d2[j], best);
            for (std::size_t a = 0; a < dims; ++a) own[a] = where(closer, all(q[a]), own[a]);
            best = where(closer, d2[j], best);
        }
        std::uint32_t mask[kReals];
        for (std::size_t l = 0; l < kReals; ++l) mask[l] = 0;
        for (std::size_t j = 0; j < k; ++j) {
            const double* q = args.pivots + j * dims;
            Reals reach = all(0.0);
            for (std::size_t a = 0; a < dims; ++a)
                reach = add(reach,
                            multiply(magnitude(subtract(own[a], all(q[a]))), load(args.boxes.half[a] + t)));
            const unsigned near = ~bits(less(add(best, add(reach, reach)), multiply(d2[j], all(1.0 - 1e-9))));
            for (std::size_t l = 0; l < kReals; ++l) mask[l] |= (near >> l & 1U) << j;
        }
        const std::size_t n = args.end - t < kReals ? args.end - t : kReals;
        for (std::size_t l = 0; l < n; ++l) args.candidates[t + l] = mask[l];
    }
}

// --- nearest pivots ----------------------------------------------------------------------------------

template <std::size_t Dims>
static inline void nearest_in_tile(const RealPoints& points, std::size_t tile, std::uint32_t mask,
                                   const double* pivots, Reals* best, Reals* label) {
    const std::size_t dims = Dims > 0 ? Dims : points.dims, begin = tile * kRealTile;
    const std::size_t first = lowest_bit(mask);
    for (std::size_t w = 0; w < kWords; ++w) {
        best[w] = distance2<Dims>(points.z, dims, begin + w * kReals, pivots + first * dims);
        label[w] = all(static_cast<double>(first));
    }
    mask &= mask - 1;
    while (mask != 0) {
        const std::size_t j = lowest_bit(mask);
        mask &= mask - 1;
        for (std::size_t w = 0; w < kWords; ++w) {
            const Reals d2 = distance2<Dims>(points.z, dims, begin + w * kReals, pivots + j * dims);
            const Reals closer = less(d2, best[w]);
            label[w] = where(closer, all(static_cast<double>(j)), label[w]);
            best[w] = where(closer, d2, best[w]);
        }
    }
}

// Members of the last candidate are what the others leave of the tile.
template <std::size_t Dims>
static void assign_of(const RealAssignArgs& args) {
    const RealPoints& points = args.points;
    const std::size_t dims = Dims > 0 ? Dims : points.dims;
    const Reals round = all(points.round);
    for (std::size_t s = 0; s < args.n; ++s) {
        const std::size_t tile = args.tiles[s], begin = tile * kRealTile;
        std::uint32_t left = args.candidates[tile];
        Reals best[kWords], label[kWords];
        nearest_in_tile<Dims>(points, tile, left, args.pivots, best, label);
        store_labels(args.labels + begin, label);
        std::size_t last = lowest_bit(left);
        for (std::uint32_t rest = left & (left - 1); rest != 0; rest &= rest - 1) last = lowest_bit(rest);
        double* to_last = args.sums + last * (dims + 1);
        to_last[0] += static_cast<double>(kRealTile);
        for (std::size_t a = 0; a < dims; ++a) to_last[1 + a] += args.boxes.sums[a][tile];
        for (;;) {
            const std::size_t j = lowest_bit(left);
            left &= left - 1;
            if (left == 0) break;
            Reals members[kWords];
            unsigned any = 0;
            Reals count = all(0.0);
            for (std::size_t w = 0; w < kWords; ++w) {
                members[w] = equal(label[w], all(static_cast<double>(j)));
                any |= bits(members[w]);
                count = add(count, both(members[w], all(1.0)));
            }
            if (any == 0) continue;
            double* to = args.sums + j * (dims + 1);
            const double found = sum_of(count);
            to[0] += found;
            to_last[0] -= found;
            for (std::size_t a = 0; a < dims; ++a) {
                Reals total = all(0.0);
                for (std::size_t w = 0; w < kWords; ++w)
                    total =
                        add(total, both(members[w], rounded(load(points.z[a] + begin + w * kReals), round)));
                const double sum = sum_of(total);
                to[1 + a] += sum;
                to_last[1 + a] -= sum;
            }
        }
    }
}

template <std::size_t Dims>
static void limit_of(const RealNearestArgs& args, std::uint8_t* labels) {
    const Reals limit = all(args.limit), none = all(0.0), one = all(1.0);
    for (std::size_t tile = args.begin; tile < args.end; ++tile) {
        Reals best[kWords], label[kWords];
        nearest_in_tile<Dims>(args.points, tile, args.candidates[tile], args.pivots, best, label);
        for (std::size_t w = 0; w < kWords; ++w)
            label[w] = where(less(limit, best[w]), none, add(label[w], one));
        store_labels(labels + tile * kRealTile, label);
    }
}

template <std::size_t Dims>
static void objective_of(const RealNearestArgs& args, double* tiles) {
    const Reals round = all(args.round);
    for (std::size_t tile = args.begin; tile < args.end; ++tile) {
        Reals best[kWords], label[kWords];
        nearest_in_tile<Dims>(args.points, tile, args.candidates[tile], args.pivots, best, label);
        Reals total = rounded(best[0], round);
        for (std::size_t w = 1; w < kWords; ++w) total = add(total, rounded(best[w], round));
        tiles[tile] = sum_of(total);
    }
}

template <std::size_t Dims>
static void within_of(const RealWithinArgs& args) {
    const RealPoints& points = args.points;
    const std::size_t dims = Dims > 0 ? Dims : points.dims;
    const Reals round = all(points.round), limit = all(args.limit);
    for (std::size_t i = args.begin * kRealTile; i < args.end * kRealTile; i += kReals) {
        for (std::size_t j = 0; j < args.k; ++j) {
            const Reals beyond = less(limit, distance2<Dims>(points.z, dims, i, args.pivots + j * dims));
            if (bits(beyond) == (1U << kReals) - 1U) continue;
            double* to = args.sums + j * (dims + 1);
            to[0] += sum_of(where(beyond, all(0.0), all(1.0)));
            for (std::size_t a = 0; a < dims; ++a)
                to[1 + a] += sum_of(where(beyond, all(0.0), rounded(load(points.z[a] + i), round)));
        }
    }
}

// --- medoids -----------------------------------------------------------------------------------------

template <std::size_t Dims>
static void near_of(RealNearArgs& args) {
    const RealPoints& points = args.points;
    const std::size_t dims = Dims > 0 ? Dims : points.dims;
    const std::uint32_t mine = 1U << args.cluster;
    const Reals cluster = all(static_cast<double>(args.cluster));
    double reach = args.least * args.slack + args.more;
    args.n_near = 0;
    for (std::size_t t = 0; t < args.tiles; t += kReals) {
        Reals outside = all(0.0);
        for (std::size_t a = 0; a < dims; ++a) {
            const Reals away = most(
                all(0.0), subtract(magnitude(subtract(all(args.target[a]), load(args.boxes.centre[a] + t))),
                                   load(args.boxes.half[a] + t)));
            outside = add(outside, multiply(away, away));
        }
        unsigned close = ~bits(less(all(reach), multiply(outside, all(1.0 - 1e-9)))) & ((1U << kReals) - 1U);
        for (std::size_t tile = t; close != 0 && tile < args.tiles; close >>= 1, ++tile) {
            if ((close & 1U) == 0) continue;
            const std::uint32_t mask = args.candidates == nullptr ? mine : args.candidates[tile];
            if ((mask & mine) == 0) continue;
            const std::size_t begin = tile * kRealTile;
            Reals nearest = all(kBeyond);
            for (std::size_t i = begin; i < begin + kRealTile; i += kReals) {
                Reals d2 = distance2<Dims>(points.z, dims, i, args.target);
                if (mask != mine) d2 = where(equal(load_labels(args.labels + i), cluster), d2, all(kBeyond));
                nearest = least(nearest, d2);
            }
            const double found = least_of(nearest);
            if (found > reach || found == kBeyond) continue;
            args.near[args.n_near] = static_cast<std::uint32_t>(tile);
            args.near_least[args.n_near++] = found;
            if (found < args.least) {
                args.least = found;
                reach = found * args.slack + args.more;
            }
        }
    }
}

// --- by number of dimensions -------------------------------------------------------------------------

#define FASTPGS_BY_DIMS(dims, call) \
    switch (dims) {                 \
        case 1:                     \
            return call(1);         \
        case 2:                     \
            return call(2);         \
        case 3:                     \
            return call(3);         \
        case 5:                     \
            return call(5);         \
        default:                    \
            return call(0);         \
    }
#define FASTPGS_CALL(D) candidates_of<D>(args)
static void candidates(const RealCandidatesArgs& args){FASTPGS_BY_DIMS(args.dims, FASTPGS_CALL)}
#undef FASTPGS_CALL
#define FASTPGS_CALL(D) assign_of<D>(args)
static void assign(const RealAssignArgs& args){FASTPGS_BY_DIMS(args.points.dims, FASTPGS_CALL)}
#undef FASTPGS_CALL
#define FASTPGS_CALL(D) near_of<D>(args)
static void near(RealNearArgs& args){FASTPGS_BY_DIMS(args.points.dims, FASTPGS_CALL)}
#undef FASTPGS_CALL
#define FASTPGS_CALL(D) limit_of<D>(args, labels)
static void limit(const RealNearestArgs& args,
                  std::uint8_t* labels){FASTPGS_BY_DIMS(args.points.dims, FASTPGS_CALL)}
#undef FASTPGS_CALL
#define FASTPGS_CALL(D) objective_of<D>(args, tiles)
static void objective(const RealNearestArgs& args,
                      double* tiles){FASTPGS_BY_DIMS(args.points.dims, FASTPGS_CALL)}
#undef FASTPGS_CALL
#define FASTPGS_CALL(D) within_of<D>(args)
static void within(const RealWithinArgs& args) {
    FASTPGS_BY_DIMS(args.points.dims, FASTPGS_CALL)
}
#undef FASTPGS_CALL
#undef FASTPGS_BY_DIMS

}  // namespace FASTPGS_PATH
}  // namespace fastpgs

#include "swap_kernels_impl.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

extern const RealKernels real_table;
const RealKernels real_table = {&extents,   &sums,   &candidates,
                                &assign,    &near,   &limit,
                                &objective, &within, {&away, &two_nearest, &members, &central}};

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
