#include "fastpgs/features.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

namespace fastpgs {
namespace {

// Decode sRGB (IEC 61966-2-1): level 0 … top to linear light 0 … 65535.
std::vector<std::uint16_t> linear_table(int top) {
    std::vector<std::uint16_t> table(static_cast<std::size_t>(top) + 1);
    for (int level = 0; level <= top; ++level) {
        const double v = level / static_cast<double>(top);
        const double linear = v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
        table[static_cast<std::size_t>(level)] =
            static_cast<std::uint16_t>(std::floor(linear * 65535.0 + 0.5));
    }
    return table;
}

std::vector<std::int16_t> lab_f_table() {
    std::vector<std::int16_t> table(65536);
    const double delta = 6.0 / 29.0;
    for (int i = 0; i < 65536; ++i) {
        const double t = i / 65535.0;
        const double f = t > delta * delta * delta ? std::cbrt(t) : t / (3.0 * delta * delta) + 4.0 / 29.0;
        table[static_cast<std::size_t>(i)] = static_cast<std::int16_t>(std::floor(f * 32000.0 + 0.5));
    }
    return table;
}

const std::int16_t* lab_f() {
    static const std::vector<std::int16_t> table = lab_f_table();
    return table.data();
}

// Linear sRGB to XYZ over the D65 white, in 1/32768. Rows sum to 32768, so white is exactly 1 and greys have
// a = b = 0.
constexpr std::int32_t kXyz[3][3] = {{14220, 12328, 6220}, {6968, 23434, 2366}, {582, 3587, 28599}};
constexpr std::int32_t kHalf = 16384;

// What each level of each channel adds to X, Y and Z; the half that rounds is in red's.
struct XyzTables {
    std::int32_t channel[3][256][4];

    XyzTables() {
        const std::vector<std::uint16_t> linear = linear_table(255);
        for (std::size_t c = 0; c < 3; ++c)
            for (std::size_t v = 0; v < 256; ++v)
                for (std::size_t q = 0; q < 4; ++q)
                    channel[c][v][q] = q == 3 ? 0 : kXyz[q][c] * linear[v] + (c == 0 ? kHalf : 0);
    }
};

const XyzTables& xyz_tables() {
    static const XyzTables tables;
    return tables;
}

const std::uint16_t* linear16() {
    static const std::vector<std::uint16_t> table = linear_table(65535);
    return table.data();
}

struct Lab {
    std::int32_t l, a, b;
};

// L = (29 fy + 62) / 125 - 1024, a = fx - fy, b = floor((2 (fy - fz) + 2) / 5), the quotients by floats: half
// a numerator keeps them far enough from whole numbers for rounding not to matter.
Lab lab_of_f(std::int32_t fx, std::int32_t fy, std::int32_t fz) {
    constexpr std::int32_t kLift = 16384;  // makes the quotient positive
    const float l = (static_cast<float>(29 * fy + 62) + 0.5F) * (1.0F / 125.0F);
    const float b = (static_cast<float>(2 * (fy - fz) + 2 + 5 * kLift) + 0.5F) * (1.0F / 5.0F);
    return {static_cast<std::int32_t>(l) - 1024, fx - fy, static_cast<std::int32_t>(b) - kLift};
}

// f of X, Y and Z of one pixel, by levels of 8 bits.
struct Decode8 {
    const XyzTables& tables = xyz_tables();
    const std::int16_t* f = lab_f();

    std::array<std::int16_t, 3> operator()(const std::uint8_t* p, std::size_t second,
                                           std::size_t third) const {
        const std::int32_t* r = tables.channel[0][p[0]];
        const std::int32_t* g = tables.channel[1][p[second]];
        const std::int32_t* b = tables.channel[2][p[third]];
        std::int32_t xyz[4];
        for (std::size_t q = 0; q < 4; ++q) xyz[q] = (r[q] + g[q] + b[q]) >> 15;
        return {f[xyz[0]], f[xyz[1]], f[xyz[2]]};
    }
};

// The same by levels of 16 bits.
struct Decode16 {
    const std::uint16_t* linear = linear16();
    const std::int16_t* f = lab_f();

    std::array<std::int16_t, 3> operator()(const std::uint16_t* p, std::size_t second,
                                           std::size_t third) const {
        const std::int32_t r = linear[p[0]], g = linear[p[second]], b = linear[p[third]];
        std::array<std::int16_t, 3> out{};
        for (std::size_t q = 0; q < 3; ++q)
            out[q] = f[(kXyz[q][0] * r + kXyz[q][1] * g + kXyz[q][2] * b + kHalf) >> 15];
        return out;
    }
};

template <class T>
struct Wide {
    using type = std::uint32_t;
};
template <>
struct Wide<float> {
    using type = double;
};
template <>
struct Wide<double> {
    using type = double;
};

template <class T>
double luma_at(const ImageView& image, std::size_t pixel) {
    using W = typename Wide<T>::type;
    const T* p = image.as<T>() + pixel * image.channels;
    if (image.channels == 1) return static_cast<double>(p[0]);
    if (image.channels == 3)
        return static_cast<double>(luma_of(static_cast<W>(p[0]), static_cast<W>(p[1]), static_cast<W>(p[2])));
    W sum = 0;
    for (std::size_t c = 0; c < image.channels; ++c) sum += static_cast<W>(p[c]);
    return static_cast<double>(sum);
}

// The pixels to read: a range, or a list.
struct Range {
    std::size_t begin;
    std::size_t n;
    std::size_t operator[](std::size_t i) const { return begin + i; }
};
struct List {
    const std::int64_t* pixels;
    std::size_t n;
    std::size_t operator[](std::size_t i) const { return static_cast<std::size_t>(pixels[i]); }
};

// Calls write(first, n, fx, fy, fz) for all pixels, some at once.
template <class T, class At, class Write>
void decode_lab(const ImageView& image, At at, Write write) {
    static_assert(std::is_integral_v<T>);
    constexpr std::size_t kRun = 256;
    std::int16_t fx[kRun], fy[kRun], fz[kRun];
    const std::conditional_t<sizeof(T) == 1, Decode8, Decode16> decode;
    const T* data = image.as<T>();
    const std::size_t channels = image.channels, second = channels == 1 ? 0 : 1,
                      third = channels == 1 ? 0 : 2;
    for (std::size_t begin = 0; begin < at.n; begin += kRun) {
        const std::size_t n = std::min(kRun, at.n - begin);
        for (std::size_t i = 0; i < n; ++i) {
            const auto f = decode(data + at[begin + i] * channels, second, third);
            fx[i] = f[0];
            fy[i] = f[1];
            fz[i] = f[2];
        }
        write(begin, n, fx, fy, fz);
    }
}

template <class T, class Out, class At>
void read_lab(const ImageView& image, At at, Out* const* out) {
    decode_lab<T>(image, at,
                  [out](std::size_t begin, std::size_t n, const std::int16_t* fx, const std::int16_t* fy,
                        const std::int16_t* fz) {
                      Out *l = out[0] + begin, *a = out[1] + begin, *b = out[2] + begin;
                      for (std::size_t i = 0; i < n; ++i) {
                          const Lab lab = lab_of_f(fx[i], fy[i], fz[i]);
                          l[i] = static_cast<Out>(lab.l);
                          a[i] = static_cast<Out>(lab.a);
                          b[i] = static_cast<Out>(lab.b);
                      }
                  });
}

template <class T>
void read_lab_pairs(const ImageView& image, Range at, std::int32_t* one, std::int32_t* other) {
    decode_lab<T>(image, at,
                  [one, other](std::size_t begin, std::size_t n, const std::int16_t* fx,
                               const std::int16_t* fy, const std::int16_t* fz) {
                      std::int32_t *p = one + begin, *q = other + begin;
                      for (std::size_t i = 0; i < n; ++i) {
                          const Lab lab = lab_of_f(fx[i], fy[i], fz[i]);
                          p[i] = static_cast<std::int32_t>((static_cast<std::uint32_t>(lab.l) & 0xFFFFU) |
                                                           static_cast<std::uint32_t>(lab.a) << 16);
                          q[i] = (lab.b & 0xFFFF) | 1 << 16;
                      }
                  });
}

template <class T, class Out, class At>
void read_colours(const ImageView& image, const FeatureSpace& space, At at, Out* const* out) {
    using W = typename Wide<T>::type;
    const std::size_t channels = image.channels;
    const T* data = image.as<T>();
    const bool scaled = !space.integer && space.kind != Features::raw;
    const auto unit = [scaled](W value) {
        return static_cast<Out>(scaled ? static_cast<double>(value) * 255.0 : static_cast<double>(value));
    };
    if (space.kind == Features::gray && channels == 3) {
        for (std::size_t i = 0; i < at.n; ++i) {
            const T* p = data + at[i] * 3;
            out[0][i] = unit(luma_of(static_cast<W>(p[0]), static_cast<W>(p[1]), static_cast<W>(p[2])));
        }
        return;
    }
    if (channels == 3) {
        for (std::size_t i = 0; i < at.n; ++i) {
            const T* p = data + at[i] * 3;
            out[0][i] = unit(static_cast<W>(p[0]));
            out[1][i] = unit(static_cast<W>(p[1]));
            out[2][i] = unit(static_cast<W>(p[2]));
        }
        return;
    }
    for (std::size_t i = 0; i < at.n; ++i) {
        const T* p = data + at[i] * channels;
        for (std::size_t c = 0; c < channels; ++c) out[c][i] = unit(static_cast<W>(p[c]));
    }
}

template <class Out>
void read_positions(const ImageView& image, Range at, Out* rows, Out* cols) {
    std::size_t row = at.begin / image.width, col = at.begin % image.width;
    for (std::size_t i = 0; i < at.n; ++row, col = 0) {
        const std::size_t run = std::min(image.width - col, at.n - i);
        for (std::size_t l = 0; l < run; ++l) {
            rows[i + l] = static_cast<Out>(row);
            cols[i + l] = static_cast<Out>(static_cast<std::int32_t>(col + l));
        }
        i += run;
    }
}

template <class Out>
void read_positions(const ImageView& image, List at, Out* rows, Out* cols) {
    for (std::size_t i = 0; i < at.n; ++i) {
        rows[i] = static_cast<Out>(at[i] / image.width);
        cols[i] = static_cast<Out>(at[i] % image.width);
    }
}

template <class Out, class At>
void read_any(const ImageView& image, const FeatureSpace& space, At at, Out* const* out) {
    if (space.kind == Features::xy) return read_positions(image, at, out[0], out[1]);
    if (space.positions) read_positions(image, at, out[space.dims - 2], out[space.dims - 1]);
    const bool lab = space.kind == Features::lab;
    switch (image.type) {
        case PixelType::u8:
            return lab ? read_lab<std::uint8_t>(image, at, out)
                       : read_colours<std::uint8_t>(image, space, at, out);
        case PixelType::u16:
            return lab ? read_lab<std::uint16_t>(image, at, out)
                       : read_colours<std::uint16_t>(image, space, at, out);
        case PixelType::f32:
            return read_colours<float>(image, space, at, out);
        case PixelType::f64:
            return read_colours<double>(image, space, at, out);
    }
}

// z = W x in place; W is lower-triangular, so the last coordinate goes first. Features and weights are
// finite, so zeros of W, which are most of a map that only scales, are left out.
void apply_map(const FeatureSpace& space, std::size_t n, double* const* out) {
    for (std::size_t a = space.dims; a-- > 0;) {
        const double* row = space.map + a * space.dims;
        std::size_t first = 0;
        while (first < a && row[first] == 0.0) ++first;
        double* to = out[a];
        const double own = row[a];
        if (first == a) {
            if (own == 1.0) continue;
            for (std::size_t i = 0; i < n; ++i) to[i] *= own;
            continue;
        }
        if (first + 2 == a) {  // as in the last of three
            const double one = row[first], other = row[first + 1];
            const double *x = out[first], *y = out[first + 1];
            for (std::size_t i = 0; i < n; ++i) to[i] = (one * x[i] + other * y[i]) + own * to[i];
            continue;
        }
        if (first + 1 == a) {
            const double one = row[first];
            const double* x = out[first];
            for (std::size_t i = 0; i < n; ++i) to[i] = one * x[i] + own * to[i];
            continue;
        }
        for (std::size_t i = 0; i < n; ++i) {
            double total = row[first] * out[first][i];
            for (std::size_t b = first + 1; b <= a; ++b) total += row[b] * out[b][i];
            to[i] = total;
        }
    }
}

// Least and greatest value of each channel; many at once, so that compilers make lanes of the loop, which
// stay in registers where there are three channels.
template <class T, std::size_t Channels>
void extents_of(const ImageView& image, double* low, double* high) {
    constexpr std::size_t kTurns = 8, kMost = (Channels > 0 ? Channels : kMaxDims) * kTurns;
    const std::size_t channels = Channels > 0 ? Channels : image.channels, period = channels * kTurns;
    const std::size_t n = image.pixels() * channels;
    const T* p = image.as<T>();
    T from[kMost], to[kMost], lost[kMost];  // the last is no number from where a value was not finite
    for (std::size_t l = 0; l < period; ++l) {
        from[l] = to[l] = p[l % channels];
        lost[l] = 0;
    }
    std::size_t i = 0;
    const auto widen = [&](std::size_t l) {
        const T x = p[i + l];
        from[l] = x < from[l] ? x : from[l];
        to[l] = x > to[l] ? x : to[l];
        if constexpr (!std::is_integral_v<T>) lost[l] += x - x;
    };
    for (; i + period <= n; i += period)
        for (std::size_t l = 0; l < period; ++l) widen(l);
    for (std::size_t l = 0; i + l < n; ++l) widen(l);
    for (std::size_t c = 0; c < channels; ++c) {
        T least = from[c], most = to[c];
        bool finite = true;
        for (std::size_t l = c; l < period; l += channels) {
            least = from[l] < least ? from[l] : least;
            most = to[l] > most ? to[l] : most;
            finite &= lost[l] == 0;
        }
        constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
        low[c] = finite ? static_cast<double>(least) : kNone;
        high[c] = finite ? static_cast<double>(most) : kNone;
    }
}

template <class T>
void extents_of(const ImageView& image, double* low, double* high) {
    image.channels == 3 ? extents_of<T, 3>(image, low, high) : extents_of<T, 0>(image, low, high);
}

}  // namespace

bool is_narrow(const ImageView& image, const FeatureSpace& space) {
    return space.kind == Features::lab ||
           (space.kind != Features::xy && image.type == PixelType::u8 && space.dims <= 3);
}

bool only_scales(const FeatureSpace& space) {
    for (std::size_t a = 0; space.map != nullptr && a < space.dims; ++a) {
        const double* row = space.map + a * space.dims;
        for (std::size_t b = 0; b < a; ++b)
            if (row[b] != 0.0) return false;
        if (!(row[a] > 0.0)) return false;
    }
    return true;
}

void channel_extents(const ImageView& image, double* low, double* high) {
    switch (image.type) {
        case PixelType::u8:
            return extents_of<std::uint8_t>(image, low, high);
        case PixelType::u16:
            return extents_of<std::uint16_t>(image, low, high);
        case PixelType::f32:
            return extents_of<float>(image, low, high);
        case PixelType::f64:
            return extents_of<double>(image, low, high);
    }
}

// Rounding never changes an order, so the least feature gives the least coordinate.
bool feature_extents(const ImageView& image, const FeatureSpace& space, double* low, double* high) {
    const std::size_t channels = image.channels;
    const bool colours = space.kind == Features::rgb || space.kind == Features::raw ||
                         (space.kind == Features::gray && channels == 1);
    if (!(colours || space.kind == Features::xy) || !only_scales(space)) return false;
    if (colours) {
        if (space.extents == nullptr) channel_extents(image, low, high);
        const bool scaled = !space.integer && space.kind != Features::raw;
        for (std::size_t c = 0; c < channels; ++c) {
            low[c] = (space.extents == nullptr ? low[c] : space.extents[c]) * (scaled ? 255.0 : 1.0);
            high[c] =
                (space.extents == nullptr ? high[c] : space.extents[channels + c]) * (scaled ? 255.0 : 1.0);
        }
    }
    if (space.positions || !colours) {
        low[space.dims - 2] = low[space.dims - 1] = 0.0;
        high[space.dims - 2] = static_cast<double>(image.height - 1);
        high[space.dims - 1] = static_cast<double>(image.width - 1);
    }
    for (std::size_t a = 0; space.map != nullptr && a < space.dims; ++a) {
        low[a] *= space.map[a * space.dims + a];
        high[a] *= space.map[a * space.dims + a];
    }
    return true;
}

FeatureSpace feature_space(const ImageView& image, const Params& params) {
    FeatureSpace space;
    space.kind = params.features;
    space.positions = params.positions;
    space.integer =
        params.features == Features::xy || image.type == PixelType::u8 || image.type == PixelType::u16;
    switch (params.features) {
        case Features::lab:
            space.dims = 3;
            break;
        case Features::xy:
            space.dims = 2;
            break;
        case Features::gray:
            space.dims = 1;
            break;
        case Features::rgb:
        case Features::raw:
            space.dims = image.channels;
            break;
    }
    if (space.positions) space.dims += 2;
    if (!params.map.empty()) space.map = params.map.data();
    if (params.extents.size() == 2 * image.channels) space.extents = params.extents.data();
    return space;
}

void read_features(const ImageView& image, const FeatureSpace& space, std::size_t begin, std::size_t end,
                   std::int32_t* const* out) {
    read_any(image, space, Range{begin, end - begin}, out);
}

void read_features(const ImageView& image, const FeatureSpace& space, std::size_t begin, std::size_t end,
                   double* const* out) {
    read_any(image, space, Range{begin, end - begin}, out);
    if (space.map != nullptr) apply_map(space, end - begin, out);
}

void read_lab_pairs(const ImageView& image, std::size_t begin, std::size_t end, std::int32_t* one,
                    std::int32_t* other) {
    if (image.type == PixelType::u8)
        read_lab_pairs<std::uint8_t>(image, Range{begin, end - begin}, one, other);
    else
        read_lab_pairs<std::uint16_t>(image, Range{begin, end - begin}, one, other);
}

void gather_features(const ImageView& image, const FeatureSpace& space, const std::int64_t* pixels,
                     std::size_t n, std::int32_t* const* out) {
    read_any(image, space, List{pixels, n}, out);
}

void gather_features(const ImageView& image, const FeatureSpace& space, const std::int64_t* pixels,
                     std::size_t n, double* const* out) {
    read_any(image, space, List{pixels, n}, out);
    if (space.map != nullptr) apply_map(space, n, out);
}

std::array<std::int32_t, 3> lab_of(std::uint8_t r, std::uint8_t g, std::uint8_t b) {
    const std::uint8_t p[3] = {r, g, b};
    const auto f = Decode8{}(p, 1, 2);
    const Lab lab = lab_of_f(f[0], f[1], f[2]);
    return {lab.l, lab.a, lab.b};
}

double luma(const ImageView& image, std::size_t pixel) {
    switch (image.type) {
        case PixelType::u8:
            return luma_at<std::uint8_t>(image, pixel);
        case PixelType::u16:
            return luma_at<std::uint16_t>(image, pixel);
        case PixelType::f32:
            return luma_at<float>(image, pixel);
        case PixelType::f64:
            return luma_at<double>(image, pixel);
    }
    return 0.0;
}

}  // namespace fastpgs
