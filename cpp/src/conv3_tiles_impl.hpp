// The tiles of the convolution of conv3.hpp for one instruction set, whatever its products are made of.
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
constexpr std::size_t kScratch =
    384 * 1024;  // bytes of a block: half of the smallest second cache that is common
constexpr std::size_t kMostTiles = 96;
constexpr std::size_t kWholeTiles = 12;  // a block has a multiple of them, which groups of all sizes fill
constexpr std::size_t kLine = 64;        // bytes of a cache line

typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));

constexpr std::size_t least(std::size_t a, std::size_t b) { return a < b ? a : b; }

inline Vec load(const float* from) {
    Vec v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

inline void store(float* to, Vec v) { std::memcpy(to, &v, sizeof v); }

// The first `count` of a vector's numbers, or all; the others are zero.
inline Vec load_some(const float* from, std::size_t count) {
    if (count >= kLanes) return load(from);
    Vec v{};
    std::memcpy(&v, from, count * sizeof(float));
    return v;
}

inline void store_some(float* to, Vec v, std::size_t count) {
    if (count >= kLanes)
        store(to, v);
    else
        std::memcpy(to, &v, count * sizeof(float));
}

template <std::size_t N>
struct Group {
    static constexpr std::size_t count = N;
};
constexpr std::size_t kFew = 4;  // of a crop's smallest map: its width, and the tiles of four such crops

static_assert(kMostTiles % kWholeTiles == 0 && kWholeTiles % kRows == 0 && kWholeTiles % kFew == 0);

// Tiles or pixels of a row, as many at a time as a product takes: step(first, Group).
template <class Step>
void along(std::size_t n, const Step& step) {
    for (std::size_t first = 0; first < n;) {
        const std::size_t left = n - first;
        if (left >= kRows && left != kFew && left != 2 * kFew) {
            step(first, Group<kRows>{});
            first += kRows;
        } else if (left >= kFew) {
            step(first, Group<kFew>{});
            first += kFew;
        } else {
            step(first, Group<1>{});
            ++first;
        }
    }
}

// Tiles that `along` takes several at a time: what the last ones yield for absent tiles is never read.
constexpr std::size_t whole_groups(std::size_t tiles) { return (tiles + kFew - 1) / kFew * kFew; }

// Where the tiles of an input lie, and a block's working numbers.
struct Plan {
    const Conv3Maps& maps;
    std::size_t c_in, c_out;
    std::size_t in_size;  // bytes of a number of the input, transformed
    std::size_t out_height = maps.height + 2 * maps.padding - 2;
    std::size_t out_width = maps.width + 2 * maps.padding - 2;
    std::size_t down = (out_height + kOut - 1) / kOut;
    std::size_t across = (out_width + kOut - 1) / kOut;
    std::size_t tiles = maps.n * down * across;
    std::size_t in_stride = (c_in + kLanes - 1) / kLanes * kLanes;
    std::size_t out_stride = (c_out + kPanel - 1) / kPanel * kPanel;
    std::size_t fitting = kScratch / (kPlanes * (in_stride * in_size + out_stride * sizeof(float)));
    std::size_t block =
        least(fitting < kWholeTiles ? kWholeTiles : fitting, kMostTiles) / kWholeTiles * kWholeTiles;
    // An odd number of cache lines, lest all planes fall into the same sets; room for a vector past the end.
    std::size_t in_plane = block * in_stride + kLine / in_size;
    std::size_t out_plane = block * out_stride + kLine / sizeof(float);
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

// The pixels of a tile's window in one source, row by row; those beyond the picture are `zeros`.
inline void window(const Plan& plan, std::size_t tile, const View& view, const float* zeros,
                   const float* pixels[kPlanes]) {
    const Conv3Maps& maps = plan.maps;
    const std::size_t image = tile / (plan.down * plan.across), rest = tile % (plan.down * plan.across);
    // Of the window's first pixel; may lie one before the first row or column, and then exceeds all others.
    const std::size_t top = rest / plan.across * kOut - maps.padding;
    const std::size_t left = rest % plan.across * kOut - maps.padding;
    std::size_t rows[kIn], columns[kIn];  // where they begin; of no meaning beyond the picture
    for (std::size_t i = 0; i < kIn; ++i) {
        const std::size_t row = (top + i + view.top) / view.times;
        rows[i] = (image * view.height + row) * view.width * view.channels;
        columns[i] = (left + i + view.left) / view.times * view.channels;
    }
    for (std::size_t i = 0; i < kIn; ++i)
        for (std::size_t j = 0; j < kIn; ++j)
            pixels[i * kIn + j] =
                top + i < maps.height && left + j < maps.width ? view.x + (rows[i] + columns[j]) : zeros;
}

// kLanes channels of a window from one on, of which `count` are there, transformed.
template <bool kWhole>
void transform_window(const float* const pixels[kPlanes], std::size_t channel, std::size_t count,
                      Vec to[kPlanes]) {
    Vec half[kPlanes];
#pragma GCC unroll 6
    for (std::size_t i = 0; i < kIn; ++i) {
        Vec line[kIn];
#pragma GCC unroll 6
        for (std::size_t j = 0; j < kIn; ++j) {
            const float* from = pixels[i * kIn + j] + channel;
            line[j] = kWhole ? load(from) : load_some(from, count);
        }
        transform_in(line, half + i, kIn);  // transposed: half[j * kIn + i]
    }
#pragma GCC unroll 6
    for (std::size_t j = 0; j < kIn; ++j) transform_in(half + j * kIn, to + j, kIn);
}

inline void transform_window(const float* const pixels[kPlanes], std::size_t channel, std::size_t count,
                             Vec to[kPlanes]) {
    if (count == kLanes)
        transform_window<true>(pixels, channel, count, to);
    else
        transform_window<false>(pixels, channel, count, to);
}

// A window's channels of one source, transformed, to 36 planes. May write up to a vector past the last.
inline void transform_channels(const float* const pixels[kPlanes], std::size_t channels, float* to,
                               std::size_t stride) {
    for (std::size_t channel = 0; channel < channels; channel += kLanes) {
        Vec full[kPlanes];
        transform_window(pixels, channel, least(kLanes, channels - channel), full);
        for (std::size_t plane = 0; plane < kPlanes; ++plane)
            store(to + plane * stride + channel, full[plane]);
    }
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
                store_some(pixel, result, count);
            }
    }
}

// Number of the pixel of the larger map that a corner (of four) of a pixel becomes.
constexpr std::size_t corner_of(std::size_t row, std::size_t column, std::size_t corner, std::size_t width) {
    return (2 * row + corner / 2) * 2 * width + 2 * column + corner % 2;
}

}  // namespace fastpgs::FASTPGS_PATH
