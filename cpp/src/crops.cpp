#include "fastpgs/crops.hpp"

#include <algorithm>
#include <vector>

#include "fastpgs/resampling.hpp"

namespace fastpgs::crops {

namespace {

struct Window {
    std::ptrdiff_t top, left, rows, cols;
};

// What an image shows in a window, pixels that it lacks or that are another's filled.
template <typename T>
void fill_window(const Image<T>& image, const Cut<T>& how, const Window& window, std::int32_t label, T* out) {
    const std::ptrdiff_t channels = image.channels;
    std::vector<T> line(static_cast<std::size_t>(window.cols * channels));
    for (std::ptrdiff_t i = 0; i < window.cols; ++i)
        std::copy_n(how.fill, channels, line.data() + i * channels);
    const auto blank = [&](std::ptrdiff_t pixels) { out = std::copy_n(line.data(), pixels * channels, out); };
    const std::ptrdiff_t before = std::clamp<std::ptrdiff_t>(-window.left, 0, window.cols);
    const std::ptrdiff_t end = std::clamp<std::ptrdiff_t>(image.cols - window.left, before, window.cols);
    for (std::ptrdiff_t y = window.top; y < window.top + window.rows; ++y) {
        if (y < 0 || y >= image.rows || before == end) {
            blank(window.cols);
            continue;
        }
        blank(before);
        const std::ptrdiff_t first = y * image.cols + window.left + before;
        const T* pixels = image.data + first * channels;
        if (how.labels == nullptr) {
            out = std::copy(pixels, pixels + (end - before) * channels, out);
        } else {
            for (std::ptrdiff_t x = 0; x < end - before; ++x, pixels += channels)
                out = std::copy_n(how.labels[first + x] == label ? pixels : how.fill, channels, out);
        }
        blank(window.cols - end);
    }
}

}  // namespace

template <typename T>
void cut(const Image<T>& image, const Cut<T>& how, std::ptrdiff_t top, std::ptrdiff_t left,
         std::int32_t label, T* out) {
    if (how.zoom == 1.0) {
        fill_window(image, how, {top, left, how.size, how.size}, label, out);
        return;
    }
    const resampling::Taps down(static_cast<double>(top), how.size, how.zoom);
    const resampling::Taps across(static_cast<double>(left), how.size, how.zoom);
    std::vector<T> window(static_cast<std::size_t>(down.extent * across.extent * image.channels));
    fill_window(image, how, {down.origin, across.origin, down.extent, across.extent}, label, window.data());
    resampling::resample(window.data(), down, across, image.channels, out);
}

template void cut(const Image<std::uint8_t>&, const Cut<std::uint8_t>&, std::ptrdiff_t, std::ptrdiff_t,
                  std::int32_t, std::uint8_t*);
template void cut(const Image<std::uint16_t>&, const Cut<std::uint16_t>&, std::ptrdiff_t, std::ptrdiff_t,
                  std::int32_t, std::uint16_t*);
template void cut(const Image<float>&, const Cut<float>&, std::ptrdiff_t, std::ptrdiff_t, std::int32_t,
                  float*);
template void cut(const Image<double>&, const Cut<double>&, std::ptrdiff_t, std::ptrdiff_t, std::int32_t,
                  double*);

}  // namespace fastpgs::crops
