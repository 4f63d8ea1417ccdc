// The convolution of conv3.hpp for one instruction set; the including file names the path.
//
// A block of tiles at a time: every 6x6 window of the input (neighbours overlap by two) becomes 36 numbers a
// channel; 36 matrix products (tiles, c_in) x (c_in, c_out) follow; 36 numbers an output channel become 4x4
// pixels. A block's numbers stay in the outer caches, one product's in the inner ones.
//
// Nothing inline of the standard library here: the linker keeps one copy of such a function, and it must not
// be the one that was compiled for a larger instruction set.
#pragma once

#include <cstddef>
#include <cstring>

#include "fastpgs/conv3.hpp"

namespace fastpgs::FASTPGS_PATH {

#ifdef __AVX512F__
constexpr std::size_t kLanes = 16;
constexpr std::size_t kRows = 12;  // tiles a product: 24 of 32 registers hold sums
#else
constexpr std::size_t kLanes = 8;
constexpr std::size_t kRows = 6;  // 12 of 16
#endif
constexpr std::size_t kPanel = 2 * kLanes;
constexpr std::size_t kOut = 4, kIn = 6, kPlanes = kIn * kIn;
constexpr std::size_t kScratch = 384 * 1024;  // floats of a block
constexpr std::size_t kMostTiles = 96;

typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));

constexpr std::size_t least(std::size_t a, std::size_t b) { return a < b ? a : b; }

inline Vec load(const float* from) {
    Vec v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

inline void store(float* to, Vec v) { std::memcpy(to, &v, sizeof v); }

// Where the tiles of an input lie, and a block's working numbers.
struct Plan {
    const Conv3Maps& maps;
    std::size_t c_in, c_out;
    std::size_t out_height = maps.height + 2 * maps.padding - 2;
    std::size_t out_width = maps.width + 2 * maps.padding - 2;
    std::size_t down = (out_height + kOut - 1) / kOut;
    std::size_t across = (out_width + kOut - 1) / kOut;
    std::size_t tiles = maps.n * down * across;
    std::size_t in_stride = (c_in + kLanes - 1) / kLanes * kLanes;
    std::size_t out_stride = (c_out + kPanel - 1) / kPanel * kPanel;
    std::size_t fitting = kScratch / (kPlanes * (in_stride + out_stride)) / kRows * kRows;
    std::size_t block = fitting < kRows ? kRows : least(fitting, kMostTiles / kRows * kRows);
    // An odd number of cache lines, lest all planes fall into the same sets; room for a vector past the end.
    std::size_t in_plane = block * in_stride + 16;
    std::size_t out_plane = block * out_stride + 16;
};

// B^T d B by one axis: six numbers to six.
inline void transform_in(const Vec d[kIn], Vec* to, std::size_t step) {
    const Vec even = d[4] - 4.0f * d[2], odd = d[3] - 4.0f * d[1];
    const Vec wide = d[4] - d[2], twice = 2.0f * (d[3] - d[1]);
    to[0 * step] = 4.0f * d[0] - 5.0f * d[2] + d[4];
    to[1 * step] = even + odd;
    to[2 * step] = even - odd;
    to[3 * step] = wide + twice;
    to[4 * step] = wide - twice;
    to[5 * step] = 4.0f * d[1] - 5.0f * d[3] + d[5];
}

// A^T m A by one axis: six numbers to four.
inline void transform_out(const Vec m[kIn], Vec* to, std::size_t step) {
    const Vec a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    to[0 * step] = m[0] + a + c;
    to[1 * step] = b + 2.0f * d;
    to[2 * step] = a + 4.0f * c;
    to[3 * step] = b + 8.0f * d + m[5];
}

// A window's channels of one source, transformed. May write up to a vector past the last.
inline void gather_channels(const Plan& plan, const float* x, std::size_t channels,
                            const std::ptrdiff_t* pixels, float* to) {
    for (std::size_t channel = 0; channel < channels; channel += kLanes) {
        const std::size_t count = least(kLanes, channels - channel);
        Vec half[kPlanes], full[kPlanes];
        for (std::size_t i = 0; i < kIn; ++i) {
            Vec line[kIn];
            for (std::size_t j = 0; j < kIn; ++j) {
                line[j] = Vec{};
                if (pixels[i * kIn + j] >= 0) {
                    const float* from =
                        x + static_cast<std::size_t>(pixels[i * kIn + j]) * channels + channel;
                    if (count == kLanes)
                        line[j] = load(from);
                    else
                        std::memcpy(&line[j], from, count * sizeof(float));
                }
            }
            transform_in(line, half + i, kIn);  // transposed: half[j * kIn + i]
        }
        for (std::size_t j = 0; j < kIn; ++j) transform_in(half + j * kIn, full + j, kIn);
        for (std::size_t plane = 0; plane < kPlanes; ++plane)
            store(to + plane * plan.in_plane + channel, full[plane]);
    }
}

inline void gather_tile(const Plan& plan, std::size_t tile, float* to) {
    const Conv3Maps& maps = plan.maps;
    const std::size_t image = tile / (plan.down * plan.across), rest = tile % (plan.down * plan.across);
    // Of the window's first pixel; may lie one before the first row or column.
    const auto pad = static_cast<std::ptrdiff_t>(maps.padding);
    const std::ptrdiff_t top = static_cast<std::ptrdiff_t>(rest / plan.across * kOut) - pad;
    const std::ptrdiff_t left = static_cast<std::ptrdiff_t>(rest % plan.across * kOut) - pad;
    std::ptrdiff_t pixels[kPlanes];  // below zero beyond the picture
    for (std::size_t i = 0; i < kIn; ++i)
        for (std::size_t j = 0; j < kIn; ++j) {
            const std::ptrdiff_t row = top + static_cast<std::ptrdiff_t>(i);
            const std::ptrdiff_t column = left + static_cast<std::ptrdiff_t>(j);
            const bool inside = row >= 0 && column >= 0 && row < static_cast<std::ptrdiff_t>(maps.height) &&
                                column < static_cast<std::ptrdiff_t>(maps.width);
            const auto first = static_cast<std::ptrdiff_t>(image * maps.height);
            pixels[i * kIn + j] =
                inside ? (first + row) * static_cast<std::ptrdiff_t>(maps.width) + column : -1;
        }
    gather_channels(plan, maps.x, maps.c_first, pixels, to);
    // Where the first source leaves a vector half filled, the second writes over the rest.
    if (maps.second != nullptr)
        gather_channels(plan, maps.second, plan.c_in - maps.c_first, pixels, to + maps.c_first);
}

inline void scatter_tile(const Plan& plan, std::size_t tile, const float* from, const float* bias,
                         const float* slope) {
    const Conv3Maps& maps = plan.maps;
    const std::size_t image = tile / (plan.down * plan.across), rest = tile % (plan.down * plan.across);
    const std::size_t top = rest / plan.across * kOut, left = rest % plan.across * kOut;
    const std::size_t rows = least(kOut, plan.out_height - top);
    const std::size_t columns = least(kOut, plan.out_width - left);
    float* corner = maps.y + ((image * plan.out_height + top) * plan.out_width + left) * plan.c_out;
    for (std::size_t channel = 0; channel < plan.c_out; channel += kLanes) {
        const std::size_t count = least(kLanes, plan.c_out - channel);
        Vec half[kOut * kIn], full[kOut * kOut];
        for (std::size_t i = 0; i < kIn; ++i) {
            Vec line[kIn];
            for (std::size_t j = 0; j < kIn; ++j)
                line[j] = load(from + (i * kIn + j) * plan.out_plane + channel);
            transform_out(line, half + i, kIn);  // transposed: half[j * kIn + i]
        }
        for (std::size_t j = 0; j < kOut; ++j) transform_out(half + j * kIn, full + j, kOut);
        const Vec b = load(bias + channel), a = load(slope + channel);
        for (std::size_t i = 0; i < rows; ++i)
            for (std::size_t j = 0; j < columns; ++j) {
                const Vec value = full[i * kOut + j] + b;
                const Vec result = value > 0.0f ? value : a * value;
                float* pixel = corner + (i * plan.out_width + j) * plan.c_out + channel;
                if (count == kLanes)
                    store(pixel, result);
                else
                    std::memcpy(pixel, &result, count * sizeof(float));
            }
    }
}

// c (R, kPanel) = start (kPanel) + a (R, depth) b (depth, kPanel); of each row, `columns` are stored
template <std::size_t R>
void multiply(const float* a, std::size_t a_stride, const float* b, std::size_t depth, Vec start0, Vec start1,
              float* c, std::size_t c_stride, std::size_t columns) {
    Vec sums[R][2];
#pragma GCC unroll 16
    for (std::size_t r = 0; r < R; ++r) {
        sums[r][0] = start0;
        sums[r][1] = start1;
    }
    for (std::size_t d = 0; d < depth; ++d) {
        const Vec b0 = load(b + d * kPanel), b1 = load(b + d * kPanel + kLanes);
#pragma GCC unroll 16
        for (std::size_t r = 0; r < R; ++r) {
            const float factor = a[r * a_stride + d];
            sums[r][0] += factor * b0;
            sums[r][1] += factor * b1;
        }
    }
#pragma GCC unroll 16
    for (std::size_t r = 0; r < R; ++r) {
        if (columns == kPanel) {
            store(c + r * c_stride, sums[r][0]);
            store(c + r * c_stride + kLanes, sums[r][1]);
        } else {
            std::memcpy(c + r * c_stride, sums[r], columns * sizeof(float));
        }
    }
}

inline std::size_t scratch(const Conv3Maps& maps, std::size_t c_in, std::size_t c_out) {
    const Plan plan{maps, c_in, c_out};
    return kPlanes * (plan.in_plane + plan.out_plane);
}

inline void run(const Conv3Maps& maps, const float* packed, const float* bias, const float* slope,
                std::size_t c_in, std::size_t c_out, float* scratch) {
    const Plan plan{maps, c_in, c_out};
    float* in = scratch;
    float* out = in + kPlanes * plan.in_plane;
    for (std::size_t first = 0; first < plan.tiles; first += plan.block) {
        const std::size_t count = least(plan.block, plan.tiles - first);
        // Products take whole groups of tiles; what the last ones yield for absent tiles is never read.
        const std::size_t padded = (count + kRows - 1) / kRows * kRows;
        for (std::size_t t = 0; t < count; ++t) gather_tile(plan, first + t, in + t * plan.in_stride);
        for (std::size_t plane = 0; plane < kPlanes; ++plane)
            for (std::size_t k = 0; k < plan.out_stride; k += kPanel) {
                const float* b = packed + (plane * plan.out_stride + k) * c_in;
                for (std::size_t t = 0; t < padded; t += kRows)
                    multiply<kRows>(in + plane * plan.in_plane + t * plan.in_stride, plan.in_stride, b, c_in,
                                    Vec{}, Vec{}, out + plane * plan.out_plane + t * plan.out_stride + k,
                                    plan.out_stride, kPanel);
            }
        for (std::size_t t = 0; t < count; ++t)
            scatter_tile(plan, first + t, out + t * plan.out_stride, bias, slope);
    }
}

template <std::size_t R>
void up_pixels(const float* x, const float* packed, const float* bias, std::size_t c_in, std::size_t c_out,
               std::size_t width, float* y) {
    const std::size_t panels = (c_out + kPanel - 1) / kPanel;
    for (std::size_t corner = 0; corner < 4; ++corner)
        for (std::size_t panel = 0; panel < panels; ++panel) {
            const std::size_t k = panel * kPanel;
            float* to = y + (corner / 2 * 2 * width + corner % 2) * c_out + k;
            multiply<R>(x, c_in, packed + (corner * panels + panel) * c_in * kPanel, c_in, load(bias + k),
                        load(bias + k + kLanes), to, 2 * c_out, least(kPanel, c_out - k));
        }
}

inline void up(const float* x, std::size_t rows, std::size_t width, const float* packed, const float* bias,
               std::size_t c_in, std::size_t c_out, float* y) {
    constexpr std::size_t few = 4;  // a crop's smallest map is 4 pixels wide
    for (std::size_t row = 0; row < rows; ++row) {
        const float* from = x + row * width * c_in;
        float* to = y + row * 4 * width * c_out;
        std::size_t column = 0;
        while (column < width) {
            const std::size_t left = width - column;
            const float* a = from + column * c_in;
            float* c = to + 2 * column * c_out;
            if (left >= kRows && left != few && left != 2 * few) {
                up_pixels<kRows>(a, packed, bias, c_in, c_out, width, c);
                column += kRows;
            } else if (left >= few) {
                up_pixels<few>(a, packed, bias, c_in, c_out, width, c);
                column += few;
            } else {
                up_pixels<1>(a, packed, bias, c_in, c_out, width, c);
                ++column;
            }
        }
    }
}

inline void pool(const float* x, std::size_t rows, std::size_t width, std::size_t odd, std::size_t channels,
                 float* y) {
    const std::size_t line = (2 * width + odd) * channels;
    for (std::size_t row = 0; row < rows; ++row)
        for (std::size_t column = 0; column < width; ++column) {
            const float* a = x + 2 * row * line + 2 * column * channels;
            const float* b = a + line;
            float* to = y + (row * width + column) * channels;
            for (std::size_t channel = 0; channel < channels; ++channel) {
                const float upper = a[channel] > a[channel + channels] ? a[channel] : a[channel + channels];
                const float lower = b[channel] > b[channel + channels] ? b[channel] : b[channel + channels];
                to[channel] = upper > lower ? upper : lower;
            }
        }
}

extern const Conv3Kernels conv3_table;
const Conv3Kernels conv3_table{FASTPGS_PATH_NAME, kPanel, scratch, up, pool, run};

}  // namespace fastpgs::FASTPGS_PATH
