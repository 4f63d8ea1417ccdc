// Bodies of the kernels over planes, included by one translation unit an instruction set, which defines
// FASTPGS_PATH and includes its doubles. Plain loops, each of few widths, that compilers turn into vectors.
// As in kernels_impl.hpp, no inline function of the standard library.
#include <cmath>

#include "fastpgs/plane_kernels.hpp"
#include "stain_kernels_impl.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

constexpr std::size_t kRun = 256;

// Calls visit(first, n, red, green, blue) for short runs of triples, split.
template <class Visit>
static inline void each_split(const std::uint8_t* triples, std::size_t n, Visit visit) {
    std::int16_t red[kRun], green[kRun], blue[kRun];
    for (std::size_t first = 0; first < n; first += kRun) {
        const std::size_t own = n - first < kRun ? n - first : kRun;
        split_channels(triples + 3 * first, own, red, green, blue);
        visit(first, own, red, green, blue);
    }
}

template <class Real>
static void linear(const LinearArgs<Real>& args) {
    const Real wr = args.weights[0], wg = args.weights[1], wb = args.weights[2];
    const Real bias = args.bias, most = args.most;
    Real* out = args.out;
    each_split(args.triples, args.n,
               [=](std::size_t first, std::size_t n, const std::int16_t* red, const std::int16_t* green,
                   const std::int16_t* blue) {
                   for (std::size_t i = 0; i < n; ++i) {
                       Real value = wr * static_cast<Real>(red[i]) + wg * static_cast<Real>(green[i]) +
                                    wb * static_cast<Real>(blue[i]) + bias;
                       value = value < -most ? -most : value;
                       out[first + i] = most < value ? most : value;
                   }
               });
}

static void quadratic(const QuadraticArgs& args) {
    const double cr = args.centre[0], cg = args.centre[1], cb = args.centre[2];
    const double rr = args.spread[0][0], rg = args.spread[0][1], rb = args.spread[0][2];
    const double gr = args.spread[1][0], gg = args.spread[1][1], gb = args.spread[1][2];
    const double br = args.spread[2][0], bg = args.spread[2][1], bb = args.spread[2][2];
    double* out = args.out;
    each_split(args.triples, args.n,
               [=](std::size_t first, std::size_t n, const std::int16_t* red, const std::int16_t* green,
                   const std::int16_t* blue) {
                   for (std::size_t i = 0; i < n; ++i) {
                       const double r = static_cast<double>(red[i]) - cr;
                       const double g = static_cast<double>(green[i]) - cg;
                       const double b = static_cast<double>(blue[i]) - cb;
                       out[first + i] = r * (rr * r + rg * g + rb * b) + g * (gr * r + gg * g + gb * b) +
                                        b * (br * r + bg * g + bb * b);
                   }
               });
}

template <std::size_t Number, class Real>
static void sum_few(const SumLinesArgs<Real>& args) {
    const Real* lines[Number];
    for (std::size_t l = 0; l < Number; ++l) lines[l] = args.lines[l];
    const Real divisor = args.divisor;
    const std::size_t n = args.n;
    Real* __restrict out = args.out;
    for (std::size_t i = 0; i < n; ++i) {
        Real sum = 0;
        for (std::size_t l = 0; l < Number; ++l) sum += lines[l][i];
        out[i] = divisor == Real{1} ? sum : sum / divisor;
    }
}

template <class Real>
static void sum_lines(const SumLinesArgs<Real>& args) {
    if (args.number == 3) return sum_few<3>(args);
    if (args.number == 5) return sum_few<5>(args);
    const Real divisor = args.divisor;
    const std::size_t n = args.n;
    Real* __restrict out = args.out;
    for (std::size_t i = 0; i < n; ++i) out[i] = 0;
    for (std::size_t l = 0; l < args.number; ++l) {
        const Real* line = args.lines[l];
        for (std::size_t i = 0; i < n; ++i) out[i] += line[i];
    }
    for (std::size_t i = 0; i < n; ++i) out[i] /= divisor;
}

static void roots(const RootsArgs& args) {
    const std::int32_t* squares = args.squares;
    const std::size_t n = args.n;
    const double divisor = args.divisor;
    double* __restrict out = args.out;
    if (divisor == 1.0)
        for (std::size_t i = 0; i < n; ++i) out[i] = ::sqrt(static_cast<double>(squares[i]));
    else
        for (std::size_t i = 0; i < n; ++i) out[i] = ::sqrt(static_cast<double>(squares[i])) / divisor;
}

// Words of what several(i) tells of so many values from i on, a bit each, and one(i) of a single one.
template <std::size_t Step, class Several, class One>
static inline void fill_words(std::size_t n, std::uint64_t* words, Several several, One one) {
    for (std::size_t begin = 0; begin < n; begin += 64) {
        const std::size_t end = n - begin < 64 ? n : begin + 64;
        std::uint64_t word = 0;
        std::size_t i = begin;
        for (; i + Step <= end; i += Step) word |= static_cast<std::uint64_t>(several(i)) << (i - begin);
        for (; i < end; ++i) word |= static_cast<std::uint64_t>(one(i)) << (i - begin);
        words[begin / 64] = word;
    }
}

static void corners(const CornersArgs& args) {
    const std::int32_t* numbers = args.numbers;
    const Reals two = all(2.0);
    const auto square = [](const std::int32_t* p) {
        const Reals own = widen(p);
        return multiply(own, own);
    };
    fill_words<kReals>(
        args.n, args.words,
        [=](std::size_t i) {
            const Reals own = square(numbers + i),
                        beside = add(square(numbers + i - 1), square(numbers + i + 1));
            return bits(less(add(own, own), add(beside, two)));
        },
        [=](std::size_t i) {
            const auto one = [=](std::size_t at) {
                return static_cast<double>(numbers[at]) * static_cast<double>(numbers[at]);
            };
            return one(i) + one(i) < one(i - 1) + one(i + 1) + 2.0;
        });
}

// The least of sites[i] + squares[i] for i from `first` to `last`, and perhaps a few behind.
static inline std::int32_t least_sum(const std::int32_t* sites, const std::int32_t* squares,
                                     std::ptrdiff_t first, std::ptrdiff_t last) {
    constexpr auto kStep = static_cast<std::ptrdiff_t>(kLanes);
    Lanes best = add(load(sites + first), load(squares + first));
    for (std::ptrdiff_t i = first + kStep; i <= last; i += kStep)
        best = least(best, add(load(sites + i), load(squares + i)));
    return least_of(best);
}

static void nearest_sites(const NearestSitesArgs& args) {
    constexpr auto kStep = static_cast<std::ptrdiff_t>(kLanes);
    constexpr std::int32_t kNothing = 1 << 30;
    const std::int32_t *rows = args.rows, *squares = args.squares, none = args.none;
    const auto n = static_cast<std::ptrdiff_t>(args.n);
    const std::int32_t factor = 1 << args.bits;
    std::int32_t* __restrict sites = args.room;
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        const std::int32_t own = rows[i] < none ? rows[i] : 0;
        const std::int32_t key = own * own * factor + static_cast<std::int32_t>(i);
        sites[i] = rows[i] < none ? key : kNothing;
    }
    for (std::ptrdiff_t i = n; i < n + kStep; ++i) sites[i] = kNothing;
    // Nearest columns never go back from one pixel to the next.
    std::int32_t* column = args.room + n + kStep;
    const std::ptrdiff_t begin = args.begin, end = args.end, blocks = (end - begin + kStep - 1) / kStep;
    const auto find = [=](std::ptrdiff_t block, std::ptrdiff_t first, std::ptrdiff_t last) {
        const std::ptrdiff_t at = block < blocks ? begin + block * kStep : end - 1;
        column[block] = least_sum(sites, squares - at, first, last) & (factor - 1);
    };
    find(0, 0, n - 1);
    find(blocks, 0, n - 1);
    std::ptrdiff_t step = 1;
    while (step < blocks) step *= 2;
    for (; step > 1; step /= 2)
        for (std::ptrdiff_t block = step / 2; block < blocks; block += step) {
            const std::ptrdiff_t next = block + step / 2;
            find(block, column[block - step / 2], column[next < blocks ? next : blocks]);
        }
    for (std::ptrdiff_t block = 0; block < blocks; ++block) {
        const std::int32_t* of = squares + begin + block * kStep;
        Lanes best = all(kNothing);
        for (std::ptrdiff_t i = column[block], last = column[block + 1]; i <= last; ++i)
            best = least(best, add(all(sites[i]), load(of - i)));
        store(args.out + block * kStep, best);
    }
    const std::int32_t* keys = args.out;
    std::int32_t* __restrict least_squares = args.squares_out;
    const int shift = args.bits;
    for (std::ptrdiff_t i = 0; i < end - begin; ++i) least_squares[i] = keys[i] >> shift;
}

static void nearer(const NearerArgs& args) {
    const std::int32_t* beside = args.beside;
    std::int32_t* __restrict own = args.own;
    for (std::size_t i = 0; i < args.n; ++i) own[i] = beside[i] + 1 < own[i] ? beside[i] + 1 : own[i];
}

static std::int64_t population(const std::uint64_t* words, std::size_t n) {
    std::int64_t number = 0;
    for (std::size_t i = 0; i < n; ++i) {
#if defined(__GNUC__)
        number += __builtin_popcountll(words[i]);
#else
        for (std::uint64_t word = words[i]; word != 0; word &= word - 1) ++number;
#endif
    }
    return number;
}

static void at_most_i32(const AtMostArgs& args) {
    const std::int32_t *values = args.values, *limits = args.limits;
    constexpr unsigned kAll = (1U << kLanes) - 1;
    fill_words<kLanes>(
        args.n, args.words,
        [=](std::size_t i) { return bits(greater(load(values + i), load(limits + i))) ^ kAll; },
        [=](std::size_t i) { return values[i] <= limits[i]; });
}

static void members(const MembersArgs& args) {
    const std::int32_t *values = args.values, *of = args.of;
    const std::size_t number = args.number;
    fill_words<kLanes>(
        args.n, args.words,
        [=](std::size_t i) {
            const Lanes own = load(values + i);
            Lanes found = all(0);
            for (std::size_t m = 0; m < number; ++m) found = either(found, equal(own, all(of[m])));
            return bits(found);
        },
        [=](std::size_t i) {
            for (std::size_t m = 0; m < number; ++m)
                if (values[i] == of[m]) return true;
            return false;
        });
}

// What is least where a pivot P is nearest to x, |P|^2 - 2 x . P, times kMost and with the pivot's number, so
// that no two are the same: below 2^25.
struct PivotKey {
    std::int32_t a, b, of_square;  // factors of (r, g) and (b, 1), and what is added

    PivotKey() = default;
    PivotKey(const std::uint8_t* p, std::size_t number) {
        constexpr auto kMost = static_cast<std::int32_t>(NearestChosenArgs::kMost);
        const std::int32_t r = p[0], g = p[1], other = p[2];
        a = (-2 * kMost * r & 0xFFFF) | -2 * kMost * g * 0x10000;
        b = -2 * kMost * other & 0xFFFF;
        of_square = kMost * (r * r + g * g + other * other) + static_cast<std::int32_t>(number);
    }
    Lanes of(Lanes rg, Lanes b1) const { return add(add(dot(rg, all(a)), dot(b1, all(b))), all(of_square)); }
};

static void nearest_chosen(const NearestChosenArgs& args) {
    PivotKey keys[NearestChosenArgs::kMost];
    std::size_t n_chosen = 0, k = 0;
    for (std::size_t j = 0; j < args.k; ++j)
        if (args.chosen[j] != 0) keys[k++] = PivotKey(args.pivots + 3 * j, j);
    n_chosen = k;
    for (std::size_t j = 0; j < args.k; ++j)
        if (args.chosen[j] == 0) keys[k++] = PivotKey(args.pivots + 3 * j, j);
    constexpr std::size_t kTwo = 2 * kLanes;  // at once, beside one another
    const auto flags_of = [&keys, n_chosen, k](const std::uint8_t* p) {
        Lanes rg[2], b1[2], inner[2], outer[2];
        for (std::size_t half = 0; half < 2; ++half) {
            load_rgb(p + half * 3 * kLanes, rg[half], b1[half]);
            inner[half] = outer[half] = all(1 << 30);
        }
        for (std::size_t j = 0; j < n_chosen; ++j)
            for (std::size_t half = 0; half < 2; ++half)
                inner[half] = least(inner[half], keys[j].of(rg[half], b1[half]));
        for (std::size_t j = n_chosen; j < k; ++j)
            for (std::size_t half = 0; half < 2; ++half)
                outer[half] = least(outer[half], keys[j].of(rg[half], b1[half]));
        return bits(greater(outer[0], inner[0])) | bits(greater(outer[1], inner[1])) << kLanes;
    };
    for (std::size_t i = 0; i < args.n; i += 64) args.words[i / 64] = 0;
    for (std::size_t i = 0; i < args.n; i += kTwo) {
        const std::uint8_t* own = args.triples + 3 * i;
        std::uint8_t last[3 * kTwo] = {};
        const std::size_t left = args.n - i;
        for (std::size_t at = 0; left < kTwo && at < 3 * left; ++at) last[at] = own[at];
        std::uint64_t flags = flags_of(left < kTwo ? last : own);
        if (left < kTwo) flags &= (std::uint64_t{1} << left) - 1;
        args.words[i / 64] |= flags << i % 64;
    }
}

static void above_f64(const LimitArgs<double>& args) {
    const double *values = args.values, limit = args.limit;
    const Reals limits = all(limit);
    fill_words<kReals>(
        args.n, args.words, [=](std::size_t i) { return bits(less(limits, load(values + i))); },
        [=](std::size_t i) { return limit < values[i]; });
}

static void against(const AgainstArgs& args) {
    const float* odds = args.odds;
    const std::int32_t* squares = args.squares;
    const float factor = args.factor, even = args.even, most = args.most;
    float* __restrict out = args.out;
    for (std::size_t i = 0; i < args.n; ++i) {
        float farther = factor * ::sqrtf(static_cast<float>(squares[i])) - even;
        farther = farther < -most ? -most : farther;
        out[i] = (most < farther ? most : farther) - odds[i];
    }
}

static void bins_of(const BinsArgs& args) {
    const float *values = args.values, factor = args.factor, last = args.last;
    std::uint16_t* __restrict out = args.out;
    for (std::size_t i = 0; i < args.n; ++i) {
        float value = values[i] * factor;
        value = value > 0.0F ? value : 0.0F;
        value = value < last ? value : last;
        out[i] = static_cast<std::uint16_t>(static_cast<std::int32_t>(value));
    }
}

// Single precision, several at a time.
#if defined(__AVX2__)
constexpr std::size_t kSingles = 8;
static inline unsigned singles_less(const float* a, const float* b) {
    return static_cast<unsigned>(
        _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(a), _mm256_loadu_ps(b), _CMP_LT_OQ)));
}
#elif defined(__SSE2__)
constexpr std::size_t kSingles = 4;
static inline unsigned singles_less(const float* a, const float* b) {
    return static_cast<unsigned>(_mm_movemask_ps(_mm_cmplt_ps(_mm_loadu_ps(a), _mm_loadu_ps(b))));
}
#else
constexpr std::size_t kSingles = 1;
static inline unsigned singles_less(const float* a, const float* b) { return *a < *b ? 1U : 0U; }
#endif

static void above_f32(const LimitArgs<float>& args) {
    const float *values = args.values, limit = args.limit;
    float limits[kSingles];
    for (float& own : limits) own = limit;
    const float* other = limits;
    fill_words<kSingles>(
        args.n, args.words, [=](std::size_t i) { return singles_less(other, values + i); },
        [=](std::size_t i) { return limit < values[i]; });
}

// The sums of one group over so few pixels that those of features, which are never negative, fit 16 bits.
static inline void add_group(std::int16_t group, const std::int16_t* groups, const std::int16_t* score,
                             const std::int16_t* red, const std::int16_t* green, const std::int16_t* blue,
                             std::size_t n, std::int64_t* sums) {
    std::uint16_t number = 0, reds = 0, greens = 0, blues = 0;
    std::int32_t scores = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const auto own = static_cast<std::int16_t>(groups[i] == group ? -1 : 0);
        number = static_cast<std::uint16_t>(number - own);
        reds = static_cast<std::uint16_t>(reds + (red[i] & own));
        greens = static_cast<std::uint16_t>(greens + (green[i] & own));
        blues = static_cast<std::uint16_t>(blues + (blue[i] & own));
        scores += static_cast<std::int16_t>(score[i] & own);
    }
    sums[0] += number;
    sums[1] += scores;
    sums[2] += reds;
    sums[3] += greens;
    sums[4] += blues;
}

#if defined(__AVX2__)
constexpr std::int32_t kFewGroups = 9;
#else
constexpr std::int32_t kFewGroups = 0;
#endif

static void group_sums(const GroupSumsArgs& args) {
    each_split(args.features, args.n,
               [&args](std::size_t first, std::size_t n, const std::int16_t* red, const std::int16_t* green,
                       const std::int16_t* blue) {
                   std::int16_t groups[kRun];
                   for (std::size_t i = 0; i < n; ++i)
                       groups[i] = static_cast<std::int16_t>(args.groups[first + i]);
                   for (std::int32_t group = 0; group <= args.number; ++group)
                       add_group(static_cast<std::int16_t>(group), groups, args.score + first, red, green,
                                 blue, n, args.sums + 5 * group);
               });
}

static void meet(const MeetArgs& args) {
    const std::uint64_t* others = args.others;
    std::uint64_t* __restrict words = args.words;
    const std::size_t n = args.n, off = args.off;
    for (std::size_t i = 0; i < n - off; ++i) words[i] &= others[i + off];
    for (std::size_t i = off; i < n; ++i) words[i] &= others[i - off];
}

static void narrow(const NarrowArgs& args) {
    const std::uint64_t *words = args.words, *others = args.others;
    std::uint64_t* __restrict out = args.out;
    const std::size_t n = args.n;
    for (std::size_t i = 1; i + 1 < n; ++i)
        out[i] = (words[i] << 1 | words[i - 1] >> 63) & (words[i] >> 1 | words[i + 1] << 63) & others[i];
}

extern const PlaneKernels plane_table;
const PlaneKernels plane_table = {
    &balance,           &stain_row,        &stain_colours, &linear<double>, &linear<float>, &quadratic,
    &sum_lines<double>, &sum_lines<float>, &roots,         &corners,        &nearest_sites, &nearer,
    &population,        &at_most_i32,      &members,       &nearest_chosen, &above_f64,     &above_f32,
    &against,           &bins_of,          &group_sums,    kFewGroups,      &meet,          &narrow};

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
