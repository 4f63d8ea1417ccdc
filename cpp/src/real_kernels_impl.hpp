// Bodies of the kernels over tiles of real points, included by one translation unit an instruction set,
// which defines FASTPGS_PATH and includes its reals. No inline function of the standard library, as in
// kernels_impl.hpp.
#include <cmath>

#include "fastpgs/real_kernels.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

static constexpr std::size_t kWords = kCoarseTile / kReals;  // of a tile
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

static void extents(const RealPoints& points, double* low, double* high) {
    for (std::size_t a = 0; a < points.dims; ++a) {
        const double* p = points.z[a];
        Reals from = load(p), to = from;
        for (std::size_t i = kReals; i < points.tiles * kCoarseTile; i += kReals) {
            const Reals x = load(p + i);
            from = least(from, x);
            to = most(to, x);
        }
        const double one = least_of(from), other = most_of(to);
        low[a] = one < low[a] ? one : low[a];
        high[a] = other > high[a] ? other : high[a];
    }
}

static void sums(const RealPoints& points, double* const* out) {
    const Reals round = all(points.round);
    for (std::size_t a = 0; a < points.dims; ++a) {
        for (std::size_t t = 0; t < points.tiles; ++t) {
            const double* p = points.z[a] + t * kCoarseTile;
            Reals total = rounded(load(p), round);
            for (std::size_t w = 1; w < kWords; ++w) total = add(total, rounded(load(p + w * kReals), round));
            out[a][t] = sum_of(total);
        }
    }
}

// Truncation of what is lifted above zero rounds to the nearest.
static inline std::int32_t place_of(double x, double middle, double per_step) {
    constexpr std::int32_t kLift = 1 << 14;
    return static_cast<std::int32_t>((x - middle) * per_step + (kLift + 0.5)) - kLift;
}

static inline std::int32_t word_of(std::int32_t low, std::int32_t high) {
    return static_cast<std::int32_t>((static_cast<std::uint32_t>(low) & 0xFFFFU) |
                                     static_cast<std::uint32_t>(high) << 16);
}

// Compilers make lanes of the loop.
static void places(const RealPoints& points, const double* middle, double per_step, std::int32_t* words) {
    for (std::size_t t = 0; t < points.tiles; ++t) {
        for (std::size_t a = 0; a < points.dims; a += 2, words += kCoarseTile) {
            const bool two = a + 1 < points.dims;
            const double* p = points.z[a] + t * kCoarseTile;
            const double* q = two ? points.z[a + 1] + t * kCoarseTile : p;
            const double p_middle = middle[a], q_middle = two ? middle[a + 1] : 0.0;
            const double q_per_step = two ? per_step : 0.0;
            for (std::size_t i = 0; i < kCoarseTile; ++i)
                words[i] = word_of(place_of(p[i], p_middle, per_step), place_of(q[i], q_middle, q_per_step));
        }
    }
}

static constexpr std::size_t kBlockColumns = 8, kBlockRows = kCoarseTile / kBlockColumns;

static inline std::size_t corner_of(const ChannelPoints& points, std::size_t tile) {
    return tile / points.across * kBlockRows * points.width + tile % points.across * kBlockColumns;
}

static void place_boxes(const PlaceBoxesArgs& args) {
    const double per_step = args.per_step;
    const double one = args.middle[0] - args.bias, two = args.middle[1] - args.bias,
                 three = args.middle[2] - args.bias;
    std::int32_t* const* const corners[] = {args.boxes.low, args.boxes.high};
    for (std::int32_t* const* planes : corners) {
        std::int32_t *a = planes[0], *b = planes[1];
        for (std::size_t t = args.begin; t < args.end; ++t) {  // compilers make lanes of it
            const double red = static_cast<std::int16_t>(a[t]), green = a[t] >> 16,
                         blue = static_cast<std::int16_t>(b[t]);
            a[t] = word_of(place_of(red, one, per_step), place_of(green, two, per_step));
            b[t] = word_of(place_of(blue, three, per_step), 0);
        }
    }
}

// Places of a block's rows and columns on the grid.
struct TilePlaces {
    double row[kCoarseTile], col[kCoarseTile];

    void go_to(const ChannelPlaceArgs& args, std::size_t pixel) {
        const auto y = static_cast<std::int32_t>(pixel / args.points.width);
        const auto x = static_cast<std::int32_t>(pixel % args.points.width);
        const auto place = [&args](std::size_t a, std::int32_t at) {
            return (at * args.points.factor[a] - args.middle[a]) * args.per_step;
        };
        double across[kBlockColumns];
        for (std::size_t c = 0; c < kBlockColumns; ++c)
            across[c] = place(4, x + static_cast<std::int32_t>(c));
        for (std::size_t r = 0; r < kBlockRows; ++r) {
            const double down = place(3, y + static_cast<std::int32_t>(r));
            for (std::size_t c = 0; c < kBlockColumns; ++c) {
                row[r * kBlockColumns + c] = down;
                col[r * kBlockColumns + c] = across[c];
            }
        }
    }
};

// Tiles that are laid when they are asked for lie apart: their memory is asked for some tiles ahead.
static constexpr std::size_t kLaidAhead = 4;

template <class T>
static inline void fetch_block(const ChannelPoints& points, std::size_t tile) {
#if defined(__GNUC__)
    constexpr std::size_t kBytes = 3 * kBlockColumns * sizeof(T);  // of a row
    const auto* row =
        reinterpret_cast<const char*>(static_cast<const T*>(points.pixels) + 3 * corner_of(points, tile));
    for (std::size_t r = 0; r < kBlockRows; ++r, row += 3 * sizeof(T) * points.width) {
        __builtin_prefetch(row);
        if (kBytes > 64) __builtin_prefetch(row + 64);
        __builtin_prefetch(row + kBytes - 1);
    }
#else
    (void)points;
    (void)tile;
#endif
}

// Extents of the tiles of a run: of each channel its least coordinates, then its greatest.
struct RunExtents {
    double low[3][kChannelRun], high[3][kChannelRun];
};

// Places of one end of them. What lies beyond the grid, or is no number, is put at its edge.
static void place_corners(const double (*x)[kChannelRun], const ChannelBoxArgs& args,
                          std::int32_t* const* planes) {
    const Reals per_step = all(args.per_step), edge = all((1 << 13) - 1), other = all(1 - (1 << 13));
    std::int32_t words[2][kChannelRun];
    for (std::size_t i = 0; i < kChannelRun; i += kReals) {
        Reals place[3];
        for (std::size_t a = 0; a < 3; ++a) {
            const Reals steps = multiply(subtract(load(x[a] + i), all(args.middle[a])), per_step);
            place[a] = where(less(steps, edge), where(less(other, steps), steps, other), edge);
        }
        store_pairs(words[0] + i, place[0], place[1]);
        store_pairs(words[1] + i, place[2], all(0.0));
    }
    for (std::size_t w = 0; w < 2; ++w)
        for (std::size_t t = args.begin; t < args.end; ++t) planes[w][t] = words[w][t - args.begin];
}

template <class T>
static void box_channels_of(ChannelBoxArgs& args) {
    const Reals round = all(args.round);
    const Reals factor[3] = {all(args.points.factor[0]), all(args.points.factor[1]),
                             all(args.points.factor[2])};
    RunExtents extents{};
    Reals total = all(0.0);
    for (std::size_t t = args.begin; t < args.end; ++t) {
        const T* row = static_cast<const T*>(args.points.pixels) + 3 * corner_of(args.points, t);
        Reals x[3], low[3], high[3], sums[3];
        for (std::size_t r = 0; r < kBlockRows; ++r, row += 3 * args.points.width) {
            for (std::size_t i = 0; i < kBlockColumns; i += kReals) {
                load_three(row + 3 * i, x[0], x[1], x[2]);
                const bool first = r == 0 && i == 0;
                for (std::size_t a = 0; a < 3; ++a) {
                    x[a] = multiply(x[a], factor[a]);
                    low[a] = first ? x[a] : least(low[a], x[a]);
                    high[a] = first ? x[a] : most(high[a], x[a]);
                    sums[a] = first ? rounded(x[a], round) : add(sums[a], rounded(x[a], round));
                }
            }
        }
        for (std::size_t a = 0; a < 3; ++a) {
            args.sums[a][t] = sum_of(sums[a]);
            total = add(total, sums[a]);
            extents.low[a][t - args.begin] = least_of(low[a]);
            extents.high[a][t - args.begin] = most_of(high[a]);
        }
    }
    const double sum = sum_of(total);
    args.lost += sum - sum;
    for (std::size_t a = 0; a < 3; ++a) {
        for (std::size_t i = 0; i < args.end - args.begin; ++i) {
            args.low[a] = extents.low[a][i] < args.low[a] ? extents.low[a][i] : args.low[a];
            args.high[a] = extents.high[a][i] > args.high[a] ? extents.high[a][i] : args.high[a];
        }
    }
    place_corners(extents.low, args, args.boxes.low);
    place_corners(extents.high, args, args.boxes.high);
}

static void box_channels(ChannelBoxArgs& args) {
    switch (args.points.type) {
        case PixelType::u8:
            return box_channels_of<std::uint8_t>(args);
        case PixelType::u16:
            return box_channels_of<std::uint16_t>(args);
        case PixelType::f32:
            return box_channels_of<float>(args);
        case PixelType::f64:
            return box_channels_of<double>(args);
    }
}

template <class T, bool Positions>
static void place_channels_of(const ChannelPlaceArgs& args) {
    constexpr std::size_t kChannels = 3, kDims = Positions ? 5 : kChannels, kTileWords = (kDims + 1) / 2;
    const Reals per_step = all(args.per_step), none = all(0.0);
    Reals factor[kChannels], middle[kChannels];  // lanes that are stored cannot change them
    for (std::size_t a = 0; a < kChannels; ++a) {
        factor[a] = all(args.points.factor[a]);
        middle[a] = all(args.middle[a]);
    }
    for (std::size_t s = 0; s < args.n && s < kLaidAhead; ++s) fetch_block<T>(args.points, args.tiles[s]);
    TilePlaces at;
    for (std::size_t s = 0; s < args.n; ++s) {
        const std::size_t first = corner_of(args.points, args.tiles[s]);
        const T* pixels = static_cast<const T*>(args.points.pixels) + kChannels * first;
        std::int32_t* words = args.words + args.slots[args.tiles[s]] * kTileWords * kCoarseTile;
        if (s + kLaidAhead < args.n) fetch_block<T>(args.points, args.tiles[s + kLaidAhead]);
        if (Positions) at.go_to(args, first);
        for (std::size_t i = 0; i < kCoarseTile; i += kReals) {
            Reals x[kDims + 1];
            load_three(pixels + kChannels * (i / kBlockColumns * args.points.width + i % kBlockColumns), x[0],
                       x[1], x[2]);
            for (std::size_t a = 0; a < kChannels; ++a)
                x[a] = multiply(subtract(multiply(x[a], factor[a]), middle[a]), per_step);
            x[kDims] = none;
            if (Positions) {
                x[kDims - 2] = load(at.row + i);
                x[kDims - 1] = load(at.col + i);
            }
            for (std::size_t w = 0; w < kTileWords; ++w)
                store_pairs(words + w * kCoarseTile + i, x[2 * w], x[2 * w + 1]);
        }
    }
}

template <class T>
static void place_channels_by(const ChannelPlaceArgs& args) {
    return args.points.positions ? place_channels_of<T, true>(args) : place_channels_of<T, false>(args);
}

static void place_channels(const ChannelPlaceArgs& args) {
    switch (args.points.type) {
        case PixelType::u8:
            return place_channels_by<std::uint8_t>(args);
        case PixelType::u16:
            return place_channels_by<std::uint16_t>(args);
        case PixelType::f32:
            return place_channels_by<float>(args);
        case PixelType::f64:
            return place_channels_by<double>(args);
    }
}

// --- nearest pivots ----------------------------------------------------------------------------------

template <std::size_t Dims>
static inline void nearest_in_tile(const RealPoints& points, std::size_t tile, std::uint32_t mask,
                                   const double* pivots, Reals* best, Reals* label) {
    const std::size_t dims = Dims > 0 ? Dims : points.dims, begin = tile * kCoarseTile;
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

template <std::size_t Dims>
static void limit_of(const RealNearestArgs& args, std::uint8_t* labels) {
    const Reals limit = all(args.limit), none = all(0.0), one = all(1.0);
    for (std::size_t tile = 0; tile < args.points.tiles; ++tile) {
        Reals best[kWords], label[kWords];
        nearest_in_tile<Dims>(args.points, tile, args.masks[tile], args.pivots, best, label);
        for (std::size_t w = 0; w < kWords; ++w)
            label[w] = where(less(limit, best[w]), none, add(label[w], one));
        for (std::size_t w = 0; w < kWords; w += 16 / kReals)
            store_labels(labels + tile * kCoarseTile + w * kReals, label + w);
    }
}

template <std::size_t Dims>
static void objective_of(const RealNearestArgs& args, double* tiles) {
    const Reals round = all(args.round);
    for (std::size_t tile = 0; tile < args.points.tiles; ++tile) {
        Reals best[kWords], label[kWords];
        nearest_in_tile<Dims>(args.points, tile, args.masks[tile], args.pivots, best, label);
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
    for (std::size_t i = 0; i < points.tiles * kCoarseTile; i += kReals) {
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

// --- boxes -------------------------------------------------------------------------------------------

static void near_boxes(NearBoxesArgs& out) {
    const NearBoxesArgs args = out;  // what is stored does not change it
    const Reals limit = all(args.limit), none = all(0.0), less_a_little = all(1.0 - 1e-9);
    std::size_t n_near = 0;
    for (std::size_t i = 0; i < args.n; i += kReals) {
        Reals total = none;
        for (std::size_t a = 0; a < args.dims; ++a) {
            const Reals x = all(args.point[a]);
            const Reals outside =
                most(most(subtract(load(args.low[a] + i), x), subtract(x, load(args.high[a] + i))), none);
            total = add(total, multiply(outside, outside));
        }
        total = multiply(total, less_a_little);
        unsigned close = bits(less(limit, total)) ^ ((1U << kReals) - 1U);
        if (args.n - i < kReals) close &= (1U << (args.n - i)) - 1U;
        if (close == 0) continue;
        double far[kReals];
        store(far, total);
        for (; close != 0; close &= close - 1) {
            const std::size_t l = lowest_bit(close);
            if ((args.masks[i + l] & args.mine) == 0) continue;
            args.near[n_near] = static_cast<std::uint32_t>(i + l);
            args.far[n_near++] = far[l];
        }
    }
    out.n_near = n_near;
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

#include "levels_impl.hpp"
#include "real_sample_impl.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

extern const RealKernels real_table;
const RealKernels real_table = {&extents,     &sums,         &places,
                                &place_boxes, &box_channels, &place_channels,
                                &limit,       &objective,    &within,
                                &near_boxes,  &levels,       {&reals_away, &reals_nearest, &reals_central}};

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
