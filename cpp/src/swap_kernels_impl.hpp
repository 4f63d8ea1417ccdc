// What the search for a start does with its few points (swaps.cpp).
// Included by real_kernels_impl.hpp.

namespace fastpgs {
namespace FASTPGS_PATH {

// Owners are numbers of clusters as doubles, so that they lie in lanes beside what they belong to.

static double two_nearest(const TwoNearestArgs& args) {
    constexpr std::size_t kAtOnce = 4;  // vectors
    const std::size_t whole = args.n / (kAtOnce * kReals) * (kAtOnce * kReals);
    Reals sum = all(0.0);
    for (std::size_t i = 0; i < whole; i += kAtOnce * kReals) {
        Reals nearest[kAtOnce], second[kAtOnce], owner[kAtOnce], number = all(0.0);
        for (std::size_t v = 0; v < kAtOnce; ++v) {
            nearest[v] = load(args.d2[0] + i + v * kReals);
            second[v] = all(kInfinite);
            owner[v] = number;
        }
        for (std::size_t j = 1; j < args.k; ++j) {
            const double* row = args.d2[j] + i;
            number = add(number, all(1.0));
            for (std::size_t v = 0; v < kAtOnce; ++v) {
                const Reals d2 = load(row + v * kReals);
                const Reals closer = less(d2, nearest[v]);
                second[v] = least(where(closer, nearest[v], d2), second[v]);
                owner[v] = where(closer, number, owner[v]);
                nearest[v] = least(d2, nearest[v]);
            }
        }
        for (std::size_t v = 0; v < kAtOnce; ++v) {
            store(args.nearest + i + v * kReals, nearest[v]);
            store(args.second + i + v * kReals, second[v]);
            store(args.owners + i + v * kReals, owner[v]);
            sum = add(sum, nearest[v]);
        }
    }
    double total = sum_of(sum);
    for (std::size_t i = whole; i < args.n; ++i) {
        double nearest = args.d2[0][i], second = kInfinite;
        std::size_t owner = 0;
        for (std::size_t j = 1; j < args.k; ++j) {
            const double d2 = args.d2[j][i], other = d2 < nearest ? nearest : d2;
            second = other < second ? other : second;
            owner = d2 < nearest ? j : owner;
            nearest = d2 < nearest ? d2 : nearest;
        }
        args.nearest[i] = nearest;
        args.second[i] = second;
        args.owners[i] = static_cast<double>(owner);
        total += nearest;
    }
    return total;
}

// Keys of lanes and of one point: the same operations.
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
    const std::size_t whole = args.n / kReals * kReals;
    const Reals cluster = all(args.cluster);
    Reals nearest = all(kInfinite), first = all(0.0);  // points below 2^53
    Reals number = all(0.0);
    double numbers[kReals], keys[kReals];
    for (std::size_t l = 0; l < kReals; ++l) numbers[l] = static_cast<double>(l);
    number = load(numbers);
    for (std::size_t i = 0; i < whole; i += kReals) {
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
    for (std::size_t i = whole; i < args.n; ++i) {
        if (args.owners[i] != args.cluster) continue;
        double key = 0.0;
        for (std::size_t a = 0; a < args.dims; ++a) {
            const double x = args.z[a][i];
            const double way = (Scaled ? args.scale * x : x) - args.shift[a];
            key += (Scaled ? x : way) * way;
        }
        if (!(key < best)) continue;
        best = key;
        found = static_cast<double>(i);
    }
    return static_cast<std::size_t>(found);
}

template <std::size_t Dims>
static std::size_t central_by(const CentralArgs& args) {
    return args.scale == 0.0 ? central_of<false, Dims>(args) : central_of<true, Dims>(args);
}

static std::size_t central(const CentralArgs& args) {
    switch (args.dims) {
        case 1:
            return central_by<1>(args);
        case 3:
            return central_by<3>(args);
        default:
            return central_by<0>(args);
    }
}

static double away_from(const AwayArgs& args, std::size_t i) {
    double total = 0.0;
    for (std::size_t a = 0; a < args.dims; ++a) {
        const double d = args.z[a][i] - args.target[a];
        total += d * d;
    }
    return total;
}

template <std::size_t Dims>
static void away_of(const AwayArgs& args) {
    const std::size_t whole = args.n / kReals * kReals;
    for (std::size_t i = 0; i < whole; i += kReals)
        store(args.out + i, distance2<Dims>(args.z, args.dims, i, args.target));
    for (std::size_t i = whole; i < args.n; ++i) args.out[i] = away_from(args, i);
}

template <std::size_t Dims>
static double closer_of(const AwayArgs& args, const double* before) {
    constexpr std::size_t kAtOnce = 4;  // vectors
    const std::size_t whole = args.n / (kAtOnce * kReals) * (kAtOnce * kReals);
    Reals sums[kAtOnce];
    for (Reals& sum : sums) sum = all(0.0);
    for (std::size_t i = 0; i < whole; i += kAtOnce * kReals) {
        for (std::size_t v = 0; v < kAtOnce; ++v) {
            const std::size_t at = i + v * kReals;
            const Reals d2 = least(distance2<Dims>(args.z, args.dims, at, args.target), load(before + at));
            store(args.out + at, d2);
            sums[v] = add(sums[v], d2);
        }
    }
    double total = sum_of(add(add(sums[0], sums[1]), add(sums[2], sums[3])));
    for (std::size_t i = whole; i < args.n; ++i) {
        const double d2 = away_from(args, i);
        args.out[i] = d2 < before[i] ? d2 : before[i];
        total += args.out[i];
    }
    return total;
}

static double closer(const AwayArgs& args, const double* before) {
    switch (args.dims) {
        case 1:
            return closer_of<1>(args, before);
        case 3:
            return closer_of<3>(args, before);
        default:
            return closer_of<0>(args, before);
    }
}

static void away(const AwayArgs& args) {
    switch (args.dims) {
        case 1:
            return away_of<1>(args);
        case 3:
            return away_of<3>(args);
        default:
            return away_of<0>(args);
    }
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
