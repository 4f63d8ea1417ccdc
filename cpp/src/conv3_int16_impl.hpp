// The convolutions of conv3.hpp with products of sixteen-bit integers, twice as many at a time as of floats.
//
// What enters a product is scaled to integers: each plane of a transformed window by its largest number, each
// column of weights by what keeps every sum within 31 bits (conv3.cpp). So sums are exact, and a tile's bits
// depend on that tile alone.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "conv3_tiles_impl.hpp"

namespace fastpgs::FASTPGS_PATH::int16 {

typedef std::int32_t Ints __attribute__((vector_size(kLanes * sizeof(std::int32_t))));

using fastpgs::FASTPGS_PATH::load;

inline Ints load(const std::int16_t* from) {
    Ints v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

// sum + the products of each lane's two pairs of integers
inline Ints dot(Ints sum, Ints a, Ints b) {
#if defined(__AVX512VNNI__)
    return (Ints)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
#elif defined(__AVX512BW__)
    return sum + (Ints)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#else
    return sum + (Ints)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#endif
}

// a b + c, rounded once: left to itself, the compiler fuses in one product and not in the next.
inline Vec fused(Vec a, Vec b, Vec c) {
#ifdef __AVX512F__
    return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
    return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#endif
}

// Rounded to nearest, ties to even, and cut off beyond sixteen bits.
inline void store_rounded(std::int16_t* to, Vec v) {
#ifdef __AVX512F__
    constexpr __mmask16 all = 0xffff;  // the same instructions; gcc warns of those that name no lanes
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm512_maskz_cvtsepi32_epi16(all, _mm512_maskz_cvtps_epi32(all, (__m512)v)));
#else
    const __m256i whole = _mm256_cvtps_epi32((__m256)v);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1)));
#endif
}

// The largest by magnitude, as the bits of floats without their sign are ordered; nan is the largest.
inline Ints larger(Ints most, Vec v) {
    const Ints bits = (Ints)v & 0x7fffffff;
    return bits > most ? bits : most;
}

inline float largest(Ints most) {
#ifdef __AVX512F__
    const __m256i eight = _mm256_max_epi32(_mm512_maskz_extracti64x4_epi64(0xff, (__m512i)most, 0),
                                           _mm512_maskz_extracti64x4_epi64(0xff, (__m512i)most, 1));
#else
    const auto eight = (__m256i)most;
#endif
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0xb1));
    return _mm_cvtss_f32(_mm_castsi128_ps(four));
}

// What numbers up to `most` are multiplied by to become integers; of what is next to nothing, nothing is
// left.
inline float factor_of(float most) { return most < 1e-30f ? 0.0f : kInt16Most / most; }

// Room for a window's channels of one plane, and a vector past the last.
inline std::size_t window_stride(const Plan& plan) { return plan.in_stride + kLanes; }

// A tile's window, transformed, as integers: those of a plane by a scale of their own. `scales` (36, block)
// are what these are to be multiplied by; `floats` is room for the window.
inline void gather_tile(const Plan& plan, std::size_t tile, const float* zeros, float* floats,
                        std::int16_t* to, float* scales) {
    const Conv3Maps& maps = plan.maps;
    const float* pixels[kPlanes];
    const std::size_t stride = window_stride(plan);
    window(plan, tile, maps.first, zeros, pixels);
    transform_channels(pixels, maps.first.channels, floats, stride);
    if (maps.second.x != nullptr) {
        // Where the first source leaves a vector half filled, the second writes over the rest.
        window(plan, tile, maps.second, zeros, pixels);
        transform_channels(pixels, maps.second.channels, floats + maps.first.channels, stride);
    }
    for (std::size_t plane = 0; plane < kPlanes; ++plane) {
        const float* from = floats + plane * stride;
        Ints bits{};
        for (std::size_t channel = 0; channel < plan.c_in; channel += kLanes)
            bits = larger(bits, load(from + channel));
        const float most = largest(bits), factor = factor_of(most);
        for (std::size_t channel = 0; channel < plan.c_in; channel += kLanes)
            store_rounded(to + plane * plan.in_plane + channel, load(from + channel) * factor);
        scales[plane * plan.block] = most / kInt16Most;
    }
}

// c (R, kPanel) = start (kPanel) + rows (R) scale (kPanel) [a (R, 2 pairs) b (pairs, kPanel, 2)]; of each
// row, `columns` are stored
template <std::size_t R>
void multiply(const std::int16_t* a, std::size_t a_stride, const std::int16_t* b, std::size_t pairs,
              const float* rows, const float* scale, const float* start, float* c, std::size_t c_stride,
              std::size_t columns) {
    for (std::size_t first = 0; first < pairs; first += kInt16Channels / 2) {
        const std::size_t depth = least(pairs - first, kInt16Channels / 2);
        Ints sums[R][2] = {};
        for (std::size_t d = 0; d < depth; ++d, b += 2 * kPanel) {
            const Ints b0 = load(b), b1 = load(b + 2 * kLanes);
#pragma GCC unroll 16
            for (std::size_t r = 0; r < R; ++r) {
                std::int32_t pair;
                std::memcpy(&pair, a + r * a_stride + 2 * d, sizeof pair);
                const Ints factor = pair - Ints{};
                sums[r][0] = dot(sums[r][0], b0, factor);
                sums[r][1] = dot(sums[r][1], b1, factor);
            }
        }
        a += 2 * depth;
        // Here, not above, where they would take two of the registers that AVX2 needs for sums.
        const Vec scale0 = load(scale), scale1 = load(scale + kLanes);
#pragma GCC unroll 16
        for (std::size_t r = 0; r < R; ++r) {
            float* to = c + r * c_stride;
            const float* before = first > 0 ? to : start;
            const Vec row = rows[r] - Vec{};
            Vec done[2] = {scale0 * __builtin_convertvector(sums[r][0], Vec),
                           scale1 * __builtin_convertvector(sums[r][1], Vec)};
            if (before == nullptr) {
                done[0] *= row;
                done[1] *= row;
            } else {
                done[0] = fused(row, done[0], load_some(before, columns));
                done[1] = fused(row, done[1], load_some(before + kLanes, columns - least(columns, kLanes)));
            }
            store_some(to, done[0], columns);
            store_some(to + kLanes, done[1], columns - least(columns, kLanes));
        }
    }
}

// Of a block: outputs, scales, zeros, a window, and the integers.
inline std::size_t scratch(const Conv3Maps& maps, std::size_t c_in, std::size_t c_out) {
    const Plan plan{maps, c_in, c_out, sizeof(std::int16_t)};
    return kPlanes * (plan.in_plane / 2 + plan.out_plane + plan.block + window_stride(plan)) + plan.in_stride;
}

inline void run(const Conv3Maps& maps, const Integers& weights, const float* bias, const float* slope,
                std::size_t c_in, std::size_t c_out, float* scratch) {
    const Plan plan{maps, c_in, c_out, sizeof(std::int16_t)};
    float* out = scratch;
    float* rows = out + kPlanes * plan.out_plane;
    float* zeros = rows + kPlanes * plan.block;
    float* floats = zeros + plan.in_stride;
    auto* in = reinterpret_cast<std::int16_t*>(floats + kPlanes * window_stride(plan));
    std::memset(zeros, 0, plan.in_stride * sizeof(float));
    // Nothing else is ever written beyond the last channel of the two sources.
    std::memset(floats, 0, kPlanes * window_stride(plan) * sizeof(float));
    const std::size_t pairs = (c_in + 1) / 2;
    for (std::size_t first = 0; first < plan.tiles; first += plan.block) {
        const std::size_t count = least(plan.block, plan.tiles - first);
        const std::size_t padded = whole_groups(count);
        for (std::size_t t = 0; t < count; ++t)
            gather_tile(plan, first + t, zeros, floats, in + t * plan.in_stride, rows + t);
        for (std::size_t plane = 0; plane < kPlanes; ++plane)
            for (std::size_t k = 0; k < plan.out_stride; k += kPanel) {
                const std::size_t place = plane * plan.out_stride + k;
                along(padded, [&](std::size_t t, auto group) {
                    multiply<decltype(group)::count>(
                        in + plane * plan.in_plane + t * plan.in_stride, plan.in_stride,
                        weights.pairs + place * 2 * pairs, pairs, rows + plane * plan.block + t,
                        weights.scales + place, nullptr,
                        out + plane * plan.out_plane + t * plan.out_stride + k, plan.out_stride, kPanel);
                });
            }
        for (std::size_t t = 0; t < count; ++t)
            scatter_tile(plan, first + t, out + t * plan.out_stride, bias, slope);
    }
}

// A pixel's channels as integers, and what these are to be multiplied by.
inline float round_pixel(const float* x, std::size_t channels, std::int16_t* to) {
    Ints bits{};
    for (std::size_t channel = 0; channel < channels; channel += kLanes)
        bits = larger(bits, load_some(x + channel, least(kLanes, channels - channel)));
    const float most = largest(bits), factor = factor_of(most);
    for (std::size_t channel = 0; channel < channels; channel += kLanes)
        store_rounded(to + channel, load_some(x + channel, least(kLanes, channels - channel)) * factor);
    return most / kInt16Most;
}

inline std::size_t up_stride(std::size_t c_in) { return (c_in + kLanes - 1) / kLanes * kLanes; }

// Floats for the integers of a few pixels.
inline std::size_t up_scratch(std::size_t c_in) { return kRows * up_stride(c_in) / 2; }

inline void up(const float* x, std::size_t rows, std::size_t width, const Integers& weights,
               const float* bias, std::size_t c_in, std::size_t c_out, float* y, float* scratch) {
    const std::size_t stride = up_stride(c_in), pairs = (c_in + 1) / 2;
    const std::size_t panels = (c_out + kPanel - 1) / kPanel;
    auto* integers = reinterpret_cast<std::int16_t*>(scratch);
    for (std::size_t row = 0; row < rows; ++row)
        along(width, [&](std::size_t column, auto group) {
            constexpr std::size_t R = decltype(group)::count;
            float scale[R];
            for (std::size_t i = 0; i < R; ++i)
                scale[i] = round_pixel(x + (row * width + column + i) * c_in, c_in, integers + i * stride);
            for (std::size_t corner = 0; corner < 4; ++corner)
                for (std::size_t panel = 0; panel < panels; ++panel) {
                    const std::size_t k = panel * kPanel, place = (corner * panels + panel) * kPanel;
                    multiply<R>(integers, stride, weights.pairs + place * 2 * pairs, pairs, scale,
                                weights.scales + place, bias + k,
                                y + corner_of(row, column, corner, width) * c_out + k, 2 * c_out,
                                least(kPanel, c_out - k));
                }
        });
}

}  // namespace fastpgs::FASTPGS_PATH::int16
