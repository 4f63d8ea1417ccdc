// The convolution of conv3.hpp for one instruction set; the including file names the path.
//
// A block of tiles at a time: every 6x6 window of the input (neighbours overlap by two) becomes 36 numbers a
// channel; 36 matrix products (tiles, c_in) x (c_in, c_out) follow; 36 numbers an output channel become 4x4
// pixels. A block's numbers stay in the outer caches, one product's in the inner ones.
#pragma once

#include "conv3_int16_impl.hpp"
#include "conv3_plain_impl.hpp"
#include "conv3_tiles_impl.hpp"

namespace fastpgs::FASTPGS_PATH {

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
        store_some(c + r * c_stride, sums[r][0], columns);
        store_some(c + r * c_stride + kLanes, sums[r][1], columns - least(columns, kLanes));
    }
}

inline void gather_tile(const Plan& plan, std::size_t tile, const float* zeros, float* to) {
    const Conv3Maps& maps = plan.maps;
    const float* pixels[kPlanes];
    window(plan, tile, maps.first, zeros, pixels);
    transform_channels(pixels, maps.first.channels, to, plan.in_plane);
    if (maps.second.x == nullptr) return;
    // Where the first source leaves a vector half filled, the second writes over the rest.
    window(plan, tile, maps.second, zeros, pixels);
    transform_channels(pixels, maps.second.channels, to + maps.first.channels, plan.in_plane);
}

inline std::size_t scratch(const Conv3Maps& maps, std::size_t c_in, std::size_t c_out) {
    const Plan plan{maps, c_in, c_out, sizeof(float)};
    return kPlanes * (plan.in_plane + plan.out_plane) + plan.in_stride;
}

inline void run(const Conv3Maps& maps, const float* packed, const float* bias, const float* slope,
                std::size_t c_in, std::size_t c_out, float* scratch) {
    const Plan plan{maps, c_in, c_out, sizeof(float)};
    float* in = scratch;
    float* out = in + kPlanes * plan.in_plane;
    float* zeros = out + kPlanes * plan.out_plane;
    std::memset(zeros, 0, plan.in_stride * sizeof(float));
    for (std::size_t first = 0; first < plan.tiles; first += plan.block) {
        const std::size_t count = least(plan.block, plan.tiles - first);
        const std::size_t padded = whole_groups(count);
        for (std::size_t t = 0; t < count; ++t) gather_tile(plan, first + t, zeros, in + t * plan.in_stride);
        for (std::size_t plane = 0; plane < kPlanes; ++plane)
            for (std::size_t k = 0; k < plan.out_stride; k += kPanel) {
                const float* b = packed + (plane * plan.out_stride + k) * c_in;
                along(padded, [&](std::size_t t, auto group) {
                    multiply<decltype(group)::count>(in + plane * plan.in_plane + t * plan.in_stride,
                                                     plan.in_stride, b, c_in, Vec{}, Vec{},
                                                     out + plane * plan.out_plane + t * plan.out_stride + k,
                                                     plan.out_stride, kPanel);
                });
            }
        for (std::size_t t = 0; t < count; ++t)
            scatter_tile(plan, first + t, out + t * plan.out_stride, bias, slope);
    }
}

inline void up(const float* x, std::size_t rows, std::size_t width, const float* packed, const float* bias,
               std::size_t c_in, std::size_t c_out, float* y) {
    const std::size_t panels = (c_out + kPanel - 1) / kPanel;
    for (std::size_t row = 0; row < rows; ++row)
        along(width, [&](std::size_t column, auto group) {
            for (std::size_t corner = 0; corner < 4; ++corner)
                for (std::size_t panel = 0; panel < panels; ++panel) {
                    const std::size_t k = panel * kPanel;
                    multiply<decltype(group)::count>(x + (row * width + column) * c_in, c_in,
                                                     packed + (corner * panels + panel) * c_in * kPanel, c_in,
                                                     load(bias + k), load(bias + k + kLanes),
                                                     y + corner_of(row, column, corner, width) * c_out + k,
                                                     2 * c_out, least(kPanel, c_out - k));
                }
        });
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
const Conv3Kernels conv3_table{FASTPGS_PATH_NAME, kPanel, scratch, up, pool, run,
                               // without tiles
                               plain::scratch, plain::run,
                               // with integers
                               int16::scratch, int16::up_scratch, int16::run, int16::up};

}  // namespace fastpgs::FASTPGS_PATH
