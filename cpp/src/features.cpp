#include "fastpgs/features.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "fastpgs/lab.hpp"
#include "pairs.hpp"

namespace fastpgs {
namespace {

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

void lab_pairs(const ImageView& image, Range at, std::size_t begin, std::size_t n, std::int32_t* one,
               std::int32_t* other) {
    read_lab_pairs(image, at.begin + begin, at.begin + begin + n, one, other);
}
void lab_pairs(const ImageView& image, List at, std::size_t begin, std::size_t n, std::int32_t* one,
               std::int32_t* other) {
    gather_lab_pairs(image, at.pixels + begin, n, one, other);
}

template <class Out, class At>
void read_lab(const ImageView& image, At at, Out* const* out) {
    constexpr std::size_t kRun = 256;
    std::int32_t one[kRun], other[kRun];
    for (std::size_t begin = 0; begin < at.n; begin += kRun) {
        const std::size_t n = std::min(kRun, at.n - begin);
        lab_pairs(image, at, begin, n, one, other);
        for (std::size_t i = 0; i < n; ++i) {
            const Pixel lab = pixel_of(one[i], other[i]);
            for (std::size_t a = 0; a < lab.size(); ++a) out[a][begin + i] = static_cast<Out>(lab[a]);
        }
    }
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
    if (space.kind == Features::lab) return read_lab(image, at, out);
    switch (image.type) {
        case PixelType::u8:
            return read_colours<std::uint8_t>(image, space, at, out);
        case PixelType::u16:
            return read_colours<std::uint16_t>(image, space, at, out);
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

void gather_features(const ImageView& image, const FeatureSpace& space, const std::int64_t* pixels,
                     std::size_t n, std::int32_t* const* out) {
    read_any(image, space, List{pixels, n}, out);
}

void gather_features(const ImageView& image, const FeatureSpace& space, const std::int64_t* pixels,
                     std::size_t n, double* const* out) {
    read_any(image, space, List{pixels, n}, out);
    if (space.map != nullptr) apply_map(space, n, out);
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
