#include "fastpgs/resampling.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace fastpgs::resampling {

namespace {

std::ptrdiff_t floored(double value) { return static_cast<std::ptrdiff_t>(std::floor(value)); }

// The nearest whole number, of two as near the even one, for values of 0 to 2^51; nearbyint is a call.
double rounded(double value) {
    constexpr double whole = 4503599627370496.0;  // from 2^52 on doubles have no fractions
    return (value + whole) - whole;
}

// One line of a window, mixed of its rows as an output line asks.
template <typename T>
void mix_rows(const T* window, std::ptrdiff_t line, const double* weights, std::ptrdiff_t rows,
              double* mixed) {
    std::fill(mixed, mixed + line, 0.0);
    for (std::ptrdiff_t r = 0; r < rows; ++r, window += line)
        for (std::ptrdiff_t i = 0; i < line; ++i) mixed[i] += weights[r] * static_cast<double>(window[i]);
}

// Some channels of one pixel, mixed of its columns, which lie `step` apart.
template <int Channels, typename T>
void mix_columns(const double* from, std::ptrdiff_t step, const double* weights, std::ptrdiff_t cols,
                 double sum, T* out) {
    double pixel[Channels] = {};
    for (std::ptrdiff_t c = 0; c < cols; ++c, from += step)
        for (int z = 0; z < Channels; ++z) pixel[z] += weights[c] * from[z];
    for (int z = 0; z < Channels; ++z) {
        const double value = pixel[z] / sum;
        out[z] = static_cast<T>(std::is_integral_v<T> ? rounded(value) : value);
    }
}

// `Channels` of them at a time.
template <int Channels, typename T>
void run(const T* window, const Taps& down, const Taps& across, std::ptrdiff_t channels, T* out) {
    const std::ptrdiff_t line = across.extent * channels;
    std::vector<double> mixed(static_cast<std::size_t>(line));
    for (std::ptrdiff_t y = 0; y < down.outputs(); ++y) {
        const Taps::Part rows = down.of(y);
        mix_rows(window + rows.first * line, line, rows.weights, rows.count, mixed.data());
        for (std::ptrdiff_t x = 0; x < across.outputs(); ++x, out += channels) {
            const Taps::Part cols = across.of(x);
            const double* from = mixed.data() + cols.first * channels;
            for (std::ptrdiff_t z = 0; z < channels; z += Channels)
                mix_columns<Channels>(from + z, channels, cols.weights, cols.count, rows.sum * cols.sum,
                                      out + z);
        }
    }
}

}  // namespace

Taps::Taps(double start, std::ptrdiff_t outputs, double zoom) {
    const auto edge = [&](std::ptrdiff_t i) { return start + static_cast<double>(i) / zoom; };
    const auto centre = [&](std::ptrdiff_t i) { return (edge(i) + edge(i + 1)) / 2.0 - 0.5; };
    const bool shrinks = zoom <= 1.0;
    origin = floored(shrinks ? start : centre(0));
    // What rounding alone puts beyond a pixel's edge is not beyond it.
    const double last = std::ceil(edge(outputs) - 1e-9);
    extent = (shrinks ? static_cast<std::ptrdiff_t>(last) : floored(centre(outputs - 1)) + 2) - origin;
    const std::ptrdiff_t width =
        std::min(extent, shrinks ? static_cast<std::ptrdiff_t>(std::ceil(1.0 / zoom)) + 1 : 2);
    spans_.reserve(static_cast<std::size_t>(outputs));
    weights_.reserve(static_cast<std::size_t>(outputs * width));
    for (std::ptrdiff_t i = 0; i < outputs; ++i) {
        const std::ptrdiff_t begin = floored(shrinks ? edge(i) : centre(i));
        const std::ptrdiff_t count = std::min(width, extent - (begin - origin));
        double sum = 0.0;
        for (std::ptrdiff_t tap = 0; tap < count; ++tap) {
            const double pixel = static_cast<double>(begin + tap);
            const double share = shrinks ? std::min(edge(i + 1), pixel + 1.0) - std::max(edge(i), pixel)
                                         : 1.0 - std::abs(centre(i) - pixel);
            weights_.push_back(std::max(share, 0.0));
            sum += weights_.back();
        }
        spans_.push_back({begin - origin, count, static_cast<std::ptrdiff_t>(weights_.size()) - count, sum});
    }
}

template <typename T>
void resample(const T* window, const Taps& down, const Taps& across, std::ptrdiff_t channels, T* out) {
    if (channels % 3 == 0)
        run<3>(window, down, across, channels, out);
    else
        run<1>(window, down, across, channels, out);
}

template void resample(const std::uint8_t*, const Taps&, const Taps&, std::ptrdiff_t, std::uint8_t*);
template void resample(const std::uint16_t*, const Taps&, const Taps&, std::ptrdiff_t, std::uint16_t*);
template void resample(const float*, const Taps&, const Taps&, std::ptrdiff_t, float*);
template void resample(const double*, const Taps&, const Taps&, std::ptrdiff_t, double*);

}  // namespace fastpgs::resampling
