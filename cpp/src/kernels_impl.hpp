// Bodies of the kernels, included by one translation unit an instruction set, which defines FASTPGS_PATH.
// They are plain loops that compilers turn into vectors. Nothing here may call an inline function of the
// standard library: the linker could keep the copy that was compiled for the widest instruction set.
#include "fastpgs/kernels.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

// The integer as wide as a coordinate: labels of that width keep the loops in whole vectors.
template <class T>
struct Lane;
template <>
struct Lane<std::int32_t> {
    using type = std::int32_t;
};
template <>
struct Lane<double> {
    using type = std::int64_t;
};

template <class T, int Dims>
static inline T distance2(const T* const* z, std::size_t i, std::size_t dims, const T* p) {
    const std::size_t count = Dims > 0 ? static_cast<std::size_t>(Dims) : dims;
    T d = z[0][i] - p[0];
    T total = d * d;
    for (std::size_t a = 1; a < count; ++a) {
        d = z[a][i] - p[a];
        total += d * d;
    }
    return total;
}

template <class T, int Dims>
static void assign_dims(const AssignArgs<T>& args) {
    using L = typename Lane<T>::type;
    const std::size_t n = args.n;
    const std::size_t dims = Dims > 0 ? static_cast<std::size_t>(Dims) : args.dims;
    const T* const* z = args.z;
    alignas(64) T best[kChunk];
    alignas(64) L label[kChunk];
    for (std::size_t i = 0; i < n; ++i) {
        best[i] = distance2<T, Dims>(z, i, dims, args.pivots);
        label[i] = 0;
    }
    for (std::size_t j = 1; j < args.k; ++j) {
        const T* p = args.pivots + j * dims;
        const L lane = static_cast<L>(j);
        for (std::size_t i = 0; i < n; ++i) {
            const T d = distance2<T, Dims>(z, i, dims, p);
            label[i] = d < best[i] ? lane : label[i];
            best[i] = d < best[i] ? d : best[i];
        }
    }
    for (std::size_t i = 0; i < n; ++i) args.labels[i] = static_cast<std::uint8_t>(label[i]);
    if (args.d2 != nullptr) {
        for (std::size_t i = 0; i < n; ++i) args.d2[i] = static_cast<double>(best[i]);
    }
    const std::size_t whole = n / 8 * 8;
    if (args.objective != nullptr) {
        const double round = args.objective_round;
        double part[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        const auto value = [&](std::size_t i) {
            const double d = (static_cast<double>(best[i]) + round) - round;
            return args.weight != nullptr ? args.weight[i] * d : d;
        };
        for (std::size_t i = 0; i < whole; i += 8)
            for (std::size_t l = 0; l < 8; ++l) part[l] += value(i + l);
        double total = 0.0;
        for (std::size_t i = whole; i < n; ++i) total += value(i);
        for (std::size_t l = 0; l < 8; ++l) total += part[l];
        *args.objective = total;
    }
    if (args.sums == nullptr) return;
    alignas(64) double weight[kChunk];
    for (std::size_t j = 0; j < args.k; ++j) {
        const L lane = static_cast<L>(j);
        double* sums = args.sums + j * (dims + 1);
        double lanes[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        if (args.weight != nullptr) {
            for (std::size_t i = 0; i < n; ++i) weight[i] = label[i] == lane ? args.weight[i] : 0.0;
        } else {
            for (std::size_t i = 0; i < n; ++i) weight[i] = label[i] == lane ? 1.0 : 0.0;
        }
        for (std::size_t i = 0; i < whole; i += 8)
            for (std::size_t l = 0; l < 8; ++l) lanes[l] += weight[i + l];
        for (std::size_t i = whole; i < n; ++i) lanes[0] += weight[i];
        for (std::size_t l = 0; l < 8; ++l) sums[0] += lanes[l];
        for (std::size_t a = 0; a < dims; ++a) {
            const T* plane = z[a];
            double part[8] = {0, 0, 0, 0, 0, 0, 0, 0};
            const double round = args.round;
            for (std::size_t i = 0; i < whole; i += 8)
                for (std::size_t l = 0; l < 8; ++l)
                    part[l] += weight[i + l] * ((static_cast<double>(plane[i + l]) + round) - round);
            for (std::size_t i = whole; i < n; ++i)
                part[0] += weight[i] * ((static_cast<double>(plane[i]) + round) - round);
            for (std::size_t l = 0; l < 8; ++l) sums[1 + a] += part[l];
        }
    }
}

template <class T, int Dims>
static void nearest_dims(const NearestArgs<T>& args) {
    using L = typename Lane<T>::type;
    const std::size_t n = args.n;
    const std::size_t dims = Dims > 0 ? static_cast<std::size_t>(Dims) : args.dims;
    alignas(64) L label[kChunk];
    for (std::size_t i = 0; i < n; ++i) label[i] = args.labels[i];
    for (std::size_t j = 0; j < args.k; ++j) {
        const double* mean = args.means + j * dims;
        const L lane = static_cast<L>(j);
        double least[8];
        for (double& value : least) value = args.least[j];
        const std::size_t whole = n / 8 * 8;
        for (std::size_t i = 0; i < n; ++i) {
            double total = 0.0;
            for (std::size_t a = 0; a < dims; ++a) {
                const double d = static_cast<double>(args.z[a][i]) - mean[a];
                total += d * d;
            }
            const std::size_t l = i < whole ? i % 8 : 0;
            least[l] = (label[i] == lane) & (total < least[l]) ? total : least[l];
        }
        for (const double value : least) args.least[j] = value < args.least[j] ? value : args.least[j];
    }
}

template <class T, bool Weighted>
static void summary_of(const SummaryArgs<T>& args) {
    const std::size_t n = args.end - args.begin, whole = n / 8 * 8;
    const double round = args.round;
    const auto weight_of = [&](std::size_t i) { return Weighted ? args.weight[args.begin + i] : 1.0; };
    double lanes[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (std::size_t i = 0; i < whole; i += 8)
        for (std::size_t l = 0; l < 8; ++l) lanes[l] += weight_of(i + l);
    double total = 0.0;
    for (std::size_t i = whole; i < n; ++i) total += weight_of(i);
    for (std::size_t l = 0; l < 8; ++l) total += lanes[l];
    args.sums[0] = total;
    for (std::size_t a = 0; a < args.dims; ++a) {
        const T* plane = args.z[a] + args.begin;
        T low[8], high[8];
        double part[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        for (std::size_t l = 0; l < 8; ++l) low[l] = high[l] = plane[0];
        for (std::size_t i = 0; i < whole; i += 8)
            for (std::size_t l = 0; l < 8; ++l) {
                const T x = plane[i + l];
                low[l] = x < low[l] ? x : low[l];
                high[l] = x > high[l] ? x : high[l];
                part[l] += weight_of(i + l) * ((static_cast<double>(x) + round) - round);
            }
        double sum = 0.0;
        T least = low[0], most = high[0];
        for (std::size_t l = 1; l < 8; ++l) {
            least = low[l] < least ? low[l] : least;
            most = high[l] > most ? high[l] : most;
        }
        for (std::size_t i = whole; i < n; ++i) {
            const T x = plane[i];
            least = x < least ? x : least;
            most = x > most ? x : most;
            sum += weight_of(i) * ((static_cast<double>(x) + round) - round);
        }
        for (std::size_t l = 0; l < 8; ++l) sum += part[l];
        args.sums[1 + a] = sum;
        args.centre[a] = 0.5 * (static_cast<double>(least) + static_cast<double>(most));
        args.half[a] = 0.5 * (static_cast<double>(most) - static_cast<double>(least));
    }
}

template <class T>
static void summary_any(const SummaryArgs<T>& args) {
    args.weight != nullptr ? summary_of<T, true>(args) : summary_of<T, false>(args);
}

// Over a box, d2(x, own) - d2(x, j) is at most its value at the centre + 2 sum |own - j| half. The margin,
// far above rounding, leaves ties and near-ties to the comparison of points.
static void owners_any(const OwnersArgs& args) {
    const std::size_t n = args.n, dims = args.dims, k = args.k;
    alignas(64) double d2[kVectorPivots][kChunk];
    alignas(64) double best[kChunk];
    alignas(64) std::int64_t own[kChunk];
    for (std::size_t j = 0; j < k; ++j) {
        const double* p = args.pivots + j * dims;
        double* out = d2[j];
        for (std::size_t i = 0; i < n; ++i) {
            const double d = args.centre[0][i] - p[0];
            out[i] = d * d;
        }
        for (std::size_t a = 1; a < dims; ++a)
            for (std::size_t i = 0; i < n; ++i) {
                const double d = args.centre[a][i] - p[a];
                out[i] += d * d;
            }
    }
    for (std::size_t i = 0; i < n; ++i) {
        best[i] = d2[0][i];
        own[i] = 0;
    }
    for (std::size_t j = 1; j < k; ++j) {
        const auto lane = static_cast<std::int64_t>(j);
        for (std::size_t i = 0; i < n; ++i) {
            own[i] = d2[j][i] < best[i] ? lane : own[i];
            best[i] = d2[j][i] < best[i] ? d2[j][i] : best[i];
        }
    }
    alignas(64) double reach[kChunk];
    for (std::size_t j = 0; j < k; ++j) {
        const auto lane = static_cast<std::int64_t>(j);
        for (std::size_t l = 0; l < k; ++l) {
            if (l == j) continue;
            for (std::size_t i = 0; i < n; ++i) reach[i] = 0.0;
            for (std::size_t a = 0; a < dims; ++a) {
                const double d = args.pivots[j * dims + a] - args.pivots[l * dims + a];
                const double twice = d < 0.0 ? -2.0 * d : 2.0 * d;
                for (std::size_t i = 0; i < n; ++i) reach[i] += twice * args.half[a][i];
            }
            // 255 absorbs: once a box straddles it matches no pivot's lane any more.
            for (std::size_t i = 0; i < n; ++i)
                own[i] = (own[i] == lane) & !(best[i] + reach[i] < d2[l][i] * (1.0 - 1e-9)) ? 255 : own[i];
        }
    }
    for (std::size_t i = 0; i < n; ++i) args.owners[i] = static_cast<std::uint8_t>(own[i]);
}

template <class T>
static void assign_any(const AssignArgs<T>& args) {
    switch (args.dims) {
        case 1:
            return assign_dims<T, 1>(args);
        case 2:
            return assign_dims<T, 2>(args);
        case 3:
            return assign_dims<T, 3>(args);
        case 5:
            return assign_dims<T, 5>(args);
        default:
            return assign_dims<T, 0>(args);
    }
}

template <class T>
static void nearest_any(const NearestArgs<T>& args) {
    switch (args.dims) {
        case 1:
            return nearest_dims<T, 1>(args);
        case 2:
            return nearest_dims<T, 2>(args);
        case 3:
            return nearest_dims<T, 3>(args);
        case 5:
            return nearest_dims<T, 5>(args);
        default:
            return nearest_dims<T, 0>(args);
    }
}

static double multiply_any(const MultiplyArgs& args) {
    const std::size_t whole = args.n / 8 * 8;
    const auto sum = [&](auto value) {
        double part[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        for (std::size_t i = 0; i < whole; i += 8)
            for (std::size_t l = 0; l < 8; ++l) part[l] += value(i + l);
        for (std::size_t i = whole; i < args.n; ++i) part[0] += value(i);
        double total = 0.0;
        for (std::size_t l = 0; l < 8; ++l) total += part[l];
        return total;
    };
    for (std::size_t a = 0; a < args.dims; ++a) {
        const double* plane = args.z[a];
        args.products[a] = sum([&](std::size_t i) { return plane[i] * args.by[i]; });
    }
    return sum([&](std::size_t i) { return args.by[i]; });
}

template <class T, int Dims>
static void mark_dims(const MarkArgs<T>& args) {
    using L = typename Lane<T>::type;
    const std::size_t dims = Dims > 0 ? static_cast<std::size_t>(Dims) : args.dims;
    // Integers are below 2^30.
    const T limit = static_cast<T>(sizeof(T) == 4 && args.limit > 0x1.0p30 ? 0x1.0p30 : args.limit);
    alignas(64) L bits[kChunk];
    for (std::size_t begin = 0; begin < args.n; begin += kChunk) {
        const std::size_t n = args.n - begin < kChunk ? args.n - begin : kChunk;
        for (std::size_t i = 0; i < n; ++i) bits[i] = 0;
        for (std::size_t j = 0; j < args.k; ++j) {
            const T* p = args.pivots + j * dims;
            const L bit = static_cast<L>(1) << j;
            for (std::size_t i = 0; i < n; ++i)
                bits[i] |= distance2<T, Dims>(args.z, begin + i, dims, p) <= limit ? bit : L{0};
        }
        for (std::size_t i = 0; i < n; ++i) args.bits[begin + i] = static_cast<std::uint8_t>(bits[i]);
    }
}

template <class T>
static void mark_any(const MarkArgs<T>& args) {
    switch (args.dims) {
        case 1:
            return mark_dims<T, 1>(args);
        case 3:
            return mark_dims<T, 3>(args);
        case 5:
            return mark_dims<T, 5>(args);
        default:
            return mark_dims<T, 0>(args);
    }
}

extern const Kernels table;
const Kernels table = {FASTPGS_PATH_NAME,
                       &summary_any<std::int32_t>,
                       &summary_any<double>,
                       &owners_any,
                       &assign_any<std::int32_t>,
                       &assign_any<double>,
                       &nearest_any<std::int32_t>,
                       &nearest_any<double>,
                       &multiply_any,
                       &mark_any<std::int32_t>,
                       &mark_any<double>};

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
