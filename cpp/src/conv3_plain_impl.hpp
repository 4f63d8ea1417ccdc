// The convolution of conv3.hpp as it is written, for maps of few channels: there a vector of channels, as
// tiles are transformed by, would be filled to a small part.
#pragma once

#include "conv3_tiles_impl.hpp"

namespace fastpgs::FASTPGS_PATH::plain {

// What three rows of the input, with zeros about them, take.
inline std::size_t line(const Conv3Maps& maps, std::size_t c_in) {
    return (maps.width + 2 * maps.padding) * c_in;
}

inline std::size_t scratch(const Conv3Maps& maps, std::size_t c_in) { return 3 * line(maps, c_in); }

// What is seen of a source in a row of an image, to every c_in-th number.
inline void copy_channels(const View& view, std::size_t image, std::size_t row, std::size_t width,
                          std::size_t c_in, float* to) {
    const float* from =
        view.x + (image * view.height + (row + view.top) / view.times) * view.width * view.channels;
    if (view.times == 1 && view.channels == c_in) {
        std::memcpy(to, from + view.left * c_in, width * c_in * sizeof(float));
        return;
    }
    for (std::size_t i = 0; i < width; ++i)
        std::memcpy(to + i * c_in, from + (view.left + i) / view.times * view.channels,
                    view.channels * sizeof(float));
}

// Row `row` of an image, counted from the first row of zeros, with zeros about it.
inline void copy_row(const Conv3Maps& maps, std::size_t c_in, std::size_t image, std::size_t row, float* to) {
    const std::size_t border = maps.padding * c_in, y = row - maps.padding;
    if (y >= maps.height) {  // or below 0, which exceeds it
        std::memset(to, 0, line(maps, c_in) * sizeof(float));
        return;
    }
    std::memset(to, 0, border * sizeof(float));
    to += border;
    copy_channels(maps.first, image, y, maps.width, c_in, to);
    if (maps.second.x != nullptr)
        copy_channels(maps.second, image, y, maps.width, c_in, to + maps.first.channels);
    std::memset(to + maps.width * c_in, 0, border * sizeof(float));
}

// A panel of R pixels of a row, of which `columns` channels are stored. rows: the first pixel of three rows
// of the input. packed: (3, 3 c_in, kPanel).
template <std::size_t R>
void pixels(const float* rows, std::size_t row_stride, std::size_t c_in, const float* packed,
            const float* bias, const float* slope, float* y, std::size_t y_stride, std::size_t columns) {
    Vec sums[R][2];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < R; ++r) {
        sums[r][0] = load(bias);
        sums[r][1] = load(bias + kLanes);
    }
    for (std::size_t i = 0; i < 3; ++i, rows += row_stride)
        for (std::size_t d = 0; d < 3 * c_in; ++d, packed += kPanel) {
            const Vec b0 = load(packed), b1 = load(packed + kLanes);
#pragma GCC unroll 16
            for (std::size_t r = 0; r < R; ++r) {
                const float factor = rows[r * c_in + d];
                sums[r][0] += factor * b0;
                sums[r][1] += factor * b1;
            }
        }
    const Vec a0 = load(slope), a1 = load(slope + kLanes);
#pragma GCC unroll 16
    for (std::size_t r = 0; r < R; ++r) {
        const Vec first = sums[r][0] > 0.0f ? sums[r][0] : a0 * sums[r][0];
        const Vec second = sums[r][1] > 0.0f ? sums[r][1] : a1 * sums[r][1];
        store_some(y + r * y_stride, first, columns);
        store_some(y + r * y_stride + kLanes, second, columns - least(columns, kLanes));
    }
}

inline void run(const Conv3Maps& maps, const float* packed, const float* bias, const float* slope,
                std::size_t c_in, std::size_t c_out, float* scratch) {
    const std::size_t height = maps.height + 2 * maps.padding - 2;
    const std::size_t width = maps.width + 2 * maps.padding - 2;
    const std::size_t stride = line(maps, c_in);
    for (std::size_t image = 0; image < maps.n; ++image)
        for (std::size_t row = 0; row < height; ++row) {
            for (std::size_t i = 0; i < 3; ++i) copy_row(maps, c_in, image, row + i, scratch + i * stride);
            float* y = maps.y + (image * height + row) * width * c_out;
            along(width, [&](std::size_t column, auto group) {
                for (std::size_t k = 0; k < c_out; k += kPanel)
                    pixels<decltype(group)::count>(scratch + column * c_in, stride, c_in,
                                                   packed + 9 * c_in * k, bias + k, slope + k,
                                                   y + column * c_out + k, c_out, least(kPanel, c_out - k));
            });
        }
}

}  // namespace fastpgs::FASTPGS_PATH::plain
