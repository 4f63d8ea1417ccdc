#include "fastpgs/resampling.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace fastpgs::resampling {

namespace {

std::ptrdiff_t floored(double value) { return static_cast<std::ptrdiff_t>(std::floor(value)); }

// Pixels of a line, each mixed of some neighbours of another line.
template <int Channels, typename T>
void mix_columns(const T* line, const Taps& across, std::ptrdiff_t channels, double* out) {
    for (std::ptrdiff_t x = 0; x < across.outputs(); ++x, out += channels) {
        const Taps::Part cols = across.of(x);
        for (std::ptrdiff_t z = 0; z < channels; z += Channels) {
            const T* from = line + cols.first * channels + z;
            double pixel[Channels] = {};
            for (std::ptrdiff_t c = 0; c < cols.count; ++c, from += channels)
                for (int k = 0; k < Channels; ++k) pixel[k] += cols.weights[c] * static_cast<double>(from[k]);
            std::copy_n(pixel, Channels, out + z);
        }
    }
}

template <typename T>
void mix_columns(const T* line, const Taps& across, std::ptrdiff_t channels, double* out) {
    if (channels % 3 == 0)
        mix_columns<3>(line, across, channels, out);
    else
        mix_columns<1>(line, across, channels, out);
}

// A line of n values, mixed of lines that follow each other.
template <typename T>
void mix_rows(const T* lines, const Taps::Part& rows, std::ptrdiff_t n, double* out) {
    if (rows.count == 2) {  // as most, where pictures are enlarged: one pass
        const double one = rows.weights[0];
        const double other = rows.weights[1];
        for (std::ptrdiff_t i = 0; i < n; ++i)
            out[i] = one * static_cast<double>(lines[i]) + other * static_cast<double>(lines[n + i]);
        return;
    }
    std::fill(out, out + n, 0.0);
    for (std::ptrdiff_t r = 0; r < rows.count; ++r, lines += n)
        for (std::ptrdiff_t i = 0; i < n; ++i) out[i] += rows.weights[r] * static_cast<double>(lines[i]);
}

// Values as the image has them: whole ones are the nearest, of two as near the even one.
template <typename T>
void store(const double* values, std::ptrdiff_t n, T* out) {
    if constexpr (std::is_integral_v<T>) {
        // From 2^52 on doubles have no fractions, and the last bits of one are those of the whole number.
        constexpr double whole = 4503599627370496.0;
        for (std::ptrdiff_t i = 0; i < n; ++i) {
            const double shifted = values[i] + whole;
            std::uint64_t bits;
            std::memcpy(&bits, &shifted, sizeof bits);
            out[i] = static_cast<T>(bits);
        }
    } else {
        std::transform(values, values + n, out, [](double value) { return static_cast<T>(value); });
    }
}

}  // namespace

template <typename T>
void resample(const T* window, const Taps& down, const Taps& across, std::ptrdiff_t channels, T* out) {
    const std::ptrdiff_t given = across.extent * channels;
    const std::ptrdiff_t wanted = across.outputs() * channels;
    std::vector<double> line(static_cast<std::size_t>(wanted));
    if (down.shrinks) {  // what is fewer goes on
        std::vector<double> mixed(static_cast<std::size_t>(given));
        for (std::ptrdiff_t y = 0; y < down.outputs(); ++y, out += wanted) {
            mix_rows(window + down.of(y).first * given, down.of(y), given, mixed.data());
            mix_columns(mixed.data(), across, channels, line.data());
            store(line.data(), wanted, out);
        }
        return;
    }
    std::vector<double> mixed(static_cast<std::size_t>(down.extent * wanted));
    for (std::ptrdiff_t y = 0; y < down.extent; ++y)
        mix_columns(window + y * given, across, channels, mixed.data() + y * wanted);
    for (std::ptrdiff_t y = 0; y < down.outputs(); ++y, out += wanted) {
        mix_rows(mixed.data() + down.of(y).first * wanted, down.of(y), wanted, line.data());
        store(line.data(), wanted, out);
    }
}

template void resample(const std::uint8_t*, const Taps&, const Taps&, std::ptrdiff_t, std::uint8_t*);
template void resample(const std::uint16_t*, const Taps&, const Taps&, std::ptrdiff_t, std::uint16_t*);
template void resample(const float*, const Taps&, const Taps&, std::ptrdiff_t, float*);
template void resample(const double*, const Taps&, const Taps&, std::ptrdiff_t, double*);

Taps::Taps(double start, std::ptrdiff_t outputs, double zoom) : shrinks(zoom <= 1.0) {
    const auto edge = [&](std::ptrdiff_t i) { return start + static_cast<double>(i) / zoom; };
    const auto centre = [&](std::ptrdiff_t i) { return (edge(i) + edge(i + 1)) / 2.0 - 0.5; };
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
        for (auto share = weights_.end() - count; share != weights_.end(); ++share) *share /= sum;
        spans_.push_back({begin - origin, count, static_cast<std::ptrdiff_t>(weights_.size()) - count});
    }
}

}  // namespace fastpgs::resampling
