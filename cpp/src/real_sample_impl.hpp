// A sample of points whose coordinates are doubles (sample_kernels.hpp).
// Included by real_kernels_impl.hpp.
#include "nearest_rows_impl.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

static void reals_nearest(NearestRowsArgs<double>& args) { nearest_rows<Reals, kReals>(args, kInfinite); }

template <bool Scaled, std::size_t Dims>
static inline Reals key_of(const CentralArgs& args, std::size_t i) {
    const std::size_t dims = Dims > 0 ? Dims : args.dims;
    Reals key = all(0.0);
    for (std::size_t a = 0; a < dims; ++a) {
        const Reals x = load(args.z[a] + i), shift = all(args.shift[a]);
        const Reals way = subtract(Scaled ? multiply(all(args.scale), x) : x, shift);
        key = add(key, multiply(Scaled ? x : way, way));
    }
    return key;
}

template <bool Scaled, std::size_t Dims>
static std::size_t central_of(const CentralArgs& args) {
    const Reals cluster = all(args.cluster);
    Reals nearest = all(kInfinite), first = all(0.0);  // points below 2^53
    Reals number = all(0.0);
    double numbers[kReals], keys[kReals];
    for (std::size_t l = 0; l < kReals; ++l) numbers[l] = static_cast<double>(l);
    number = load(numbers);
    for (std::size_t i = 0; i < args.n; i += kReals) {
        const Reals key =
            where(equal(load(args.owners + i), cluster), key_of<Scaled, Dims>(args, i), all(kInfinite));
        const Reals closer = less(key, nearest);
        first = where(closer, number, first);
        nearest = least(key, nearest);
        number = add(number, all(static_cast<double>(kReals)));
    }
    store(numbers, first);
    store(keys, nearest);
    double best = kInfinite, found = static_cast<double>(args.n);
    for (std::size_t l = 0; l < kReals; ++l) {
        if (!(keys[l] < best || (keys[l] == best && keys[l] < kInfinite && numbers[l] < found))) continue;
        best = keys[l];
        found = numbers[l];
    }
    return static_cast<std::size_t>(found);
}

template <std::size_t Dims>
static std::size_t central_by(const CentralArgs& args) {
    return args.scale == 0.0 ? central_of<false, Dims>(args) : central_of<true, Dims>(args);
}

static std::size_t reals_central(const CentralArgs& args) {
    switch (args.dims) {
        case 1:
            return central_by<1>(args);
        case 3:
            return central_by<3>(args);
        default:
            return central_by<0>(args);
    }
}

template <std::size_t Dims, bool Before>
static void away_of(const AwayArgs& args) {
    for (std::size_t i = 0; i < args.n; i += kReals) {
        const Reals d2 = distance2<Dims>(args.z, args.dims, i, args.target);
        store(args.out + i, Before ? least(d2, load(args.before + i)) : d2);
    }
}

template <std::size_t Dims>
static void away_by(const AwayArgs& args) {
    return args.before != nullptr ? away_of<Dims, true>(args) : away_of<Dims, false>(args);
}

static void reals_away(const AwayArgs& args) {
    switch (args.dims) {
        case 1:
            return away_by<1>(args);
        case 3:
            return away_by<3>(args);
        default:
            return away_by<0>(args);
    }
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
