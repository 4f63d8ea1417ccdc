// The stain features of rows and of colours, included by plane_kernels_impl.hpp.
#pragma once

#include <cmath>

#include "fastpgs/plane_kernels.hpp"

#if defined(__SSSE3__)
#include <tmmintrin.h>
#endif

namespace fastpgs {
namespace FASTPGS_PATH {

static void balance(const BalanceArgs& args) {
    constexpr float kWhole = 12582912.0F;  // 1.5 * 2^23: beside it there are no fractions
    const std::uint8_t* levels = args.levels;
    const float* extra = args.extra;
    std::uint8_t* __restrict out = args.out;
    const std::size_t n = args.n;  // bytes may lie anywhere, even over the arguments
    for (std::size_t i = 0; i < n; ++i) {
        const auto level = static_cast<float>(levels[i]);
        const auto whole = static_cast<std::int32_t>((level + level * extra[i] + kWhole) - kWhole);
        out[i] = static_cast<std::uint8_t>(whole < 255 ? whole : 255);
    }
}

// 1 2 1 over three rows, then over three columns, rounded; beyond its ends a row goes on as it ends. Sums
// stay below 2^12, and each step within 16 bits.
static void smooth_row(const StainRowArgs& args) {
    const std::size_t n = 3 * args.cols;
    const std::uint8_t *above = args.above, *own = args.own, *below = args.below;
    std::uint16_t* __restrict sums = args.sums;
    std::uint8_t* __restrict smoothed = args.smoothed;
    for (std::size_t i = 0; i < n; ++i) {
        const std::uint16_t a = above[i], b = own[i], d = below[i];
        sums[i + 3] = static_cast<std::uint16_t>(a + d + b + b);
    }
    for (std::size_t channel = 0; channel < 3; ++channel) {
        sums[channel] = sums[channel + 3];
        sums[n + 3 + channel] = sums[n + channel];
    }
    for (std::size_t i = 0; i < n; ++i) {
        const auto sum = static_cast<std::uint16_t>(sums[i] + sums[i + 3] + sums[i + 3] + sums[i + 6] + 8);
        smoothed[i] = static_cast<std::uint8_t>(sum >> 4);
    }
}

// Triples to planes of each channel.
static void split_channels(const std::uint8_t* triples, std::size_t n, std::int16_t* __restrict red,
                           std::int16_t* __restrict green, std::int16_t* __restrict blue) {
    std::size_t c = 0;
#if defined(__SSSE3__)
    // Thirds of sixteen triples: what each channel takes from them.
    const __m128i r0 = _mm_setr_epi8(0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i r1 = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14, -1, -1, -1, -1, -1);
    const __m128i r2 = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 1, 4, 7, 10, 13);
    const __m128i g0 = _mm_setr_epi8(1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i g1 = _mm_setr_epi8(-1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15, -1, -1, -1, -1, -1);
    const __m128i g2 = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 2, 5, 8, 11, 14);
    const __m128i b0 = _mm_setr_epi8(2, 5, 8, 11, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m128i b1 = _mm_setr_epi8(-1, -1, -1, -1, -1, 1, 4, 7, 10, 13, -1, -1, -1, -1, -1, -1);
    const __m128i b2 = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 3, 6, 9, 12, 15);
    const __m128i zero = _mm_setzero_si128();
    for (; c + 16 <= n; c += 16) {
        const auto* from = reinterpret_cast<const __m128i*>(triples + 3 * c);
        const __m128i first = _mm_loadu_si128(from), second = _mm_loadu_si128(from + 1),
                      third = _mm_loadu_si128(from + 2);
        const auto put = [&](__m128i of_first, __m128i of_second, __m128i of_third, std::int16_t* plane) {
            const __m128i own = _mm_or_si128(
                _mm_or_si128(_mm_shuffle_epi8(first, of_first), _mm_shuffle_epi8(second, of_second)),
                _mm_shuffle_epi8(third, of_third));
            auto* to = reinterpret_cast<__m128i*>(plane + c);
            _mm_storeu_si128(to, _mm_unpacklo_epi8(own, zero));
            _mm_storeu_si128(to + 1, _mm_unpackhi_epi8(own, zero));
        };
        put(r0, r1, r2, red);
        put(g0, g1, g2, green);
        put(b0, b1, b2, blue);
    }
#endif
    for (; c < n; ++c) {
        red[c] = triples[3 * c];
        green[c] = triples[3 * c + 1];
        blue[c] = triples[3 * c + 2];
    }
}

static inline int within_levels(int value) { return value < 0 ? 0 : value > 255 ? 255 : value; }

static void features_of(const StainRowArgs& args, const std::int16_t* red, const std::int16_t* green,
                        const std::int16_t* blue) {
    const int offset = args.offset;
    const std::size_t cols = args.cols;
    std::uint8_t* __restrict features = args.features;
    std::size_t c = 0;
#if defined(__SSSE3__)
    // Of sixteen pixels each feature is made apart; then bytes go where each third of the triples wants them.
    const __m128i all = _mm_set1_epi16(255), more = _mm_set1_epi16(static_cast<std::int16_t>(offset));
    const __m128i g0 = _mm_setr_epi8(0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5);
    const __m128i u0 = _mm_setr_epi8(-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1);
    const __m128i v0 = _mm_setr_epi8(-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1);
    const __m128i g1 = _mm_setr_epi8(-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1);
    const __m128i u1 = _mm_setr_epi8(5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10);
    const __m128i v1 = _mm_setr_epi8(-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1);
    const __m128i g2 = _mm_setr_epi8(-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1);
    const __m128i u2 = _mm_setr_epi8(-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1);
    const __m128i v2 = _mm_setr_epi8(10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15);
    const auto load = [](const std::int16_t* p) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    };
    for (; c + 16 <= cols; c += 16) {
        __m128i g[2], u[2], v[2];
        for (std::size_t half = 0; half < 2; ++half) {
            const std::size_t at = c + 8 * half;
            const __m128i level = load(green + at), shift = _mm_sub_epi16(more, level);
            g[half] = _mm_sub_epi16(all, level);
            u[half] = _mm_add_epi16(load(blue + at), shift);
            v[half] = _mm_add_epi16(load(red + at), shift);
        }
        const __m128i gs = _mm_packus_epi16(g[0], g[1]), us = _mm_packus_epi16(u[0], u[1]),
                      vs = _mm_packus_epi16(v[0], v[1]);
        auto* out = reinterpret_cast<__m128i*>(features + 3 * c);
        const auto mixed = [&](__m128i to_g, __m128i to_u, __m128i to_v) {
            return _mm_or_si128(_mm_or_si128(_mm_shuffle_epi8(gs, to_g), _mm_shuffle_epi8(us, to_u)),
                                _mm_shuffle_epi8(vs, to_v));
        };
        _mm_storeu_si128(out, mixed(g0, u0, v0));
        _mm_storeu_si128(out + 1, mixed(g1, u1, v1));
        _mm_storeu_si128(out + 2, mixed(g2, u2, v2));
    }
#endif
    for (; c < cols; ++c) {
        const int shift = offset - green[c];
        features[3 * c] = static_cast<std::uint8_t>(255 - green[c]);
        features[3 * c + 1] = static_cast<std::uint8_t>(within_levels(blue[c] + shift));
        features[3 * c + 2] = static_cast<std::uint8_t>(within_levels(red[c] + shift));
    }
}

// How strongly light is taken away.
static void strengths_of(const std::int16_t* red, const std::int16_t* green, const std::int16_t* blue,
                         std::size_t n, float* __restrict strength) {
    for (std::size_t c = 0; c < n; ++c) {
        const auto a = static_cast<float>(255 - red[c]), b = static_cast<float>(255 - green[c]),
                   d = static_cast<float>(255 - blue[c]);
        strength[c] = ::sqrtf(a * a + b * b + d * d);
    }
}

static void scores_of(const std::int16_t* red, const std::int16_t* green, const std::int16_t* blue,
                      std::size_t n, bool grey, std::int16_t* __restrict score) {
    if (grey) {
        for (std::size_t c = 0; c < n; ++c) score[c] = static_cast<std::int16_t>(255 - green[c]);
        return;
    }
    for (std::size_t c = 0; c < n; ++c) {
        const std::int32_t u = blue[c] - green[c], v = red[c] - green[c], least = blue[c] > 32 ? blue[c] : 32;
        // Whole numbers below 2^18 by ones below 256: a quotient in single precision is off by less than the
        // 1 / 255 that at least lie between it and the next whole number, so its floor is right.
        const float quotient =
            static_cast<float>(255 * (u + 2 * (v < 0 ? v : 0))) / static_cast<float>(least);
        const auto whole = static_cast<std::int32_t>(quotient);
        const std::int32_t purple = whole - (static_cast<float>(whole) > quotient ? 1 : 0);
        score[c] = static_cast<std::int16_t>(purple < -255 ? -255 : purple > 255 ? 255 : purple);
    }
}

static void stain_row(const StainRowArgs& args) {
    std::int16_t *red = args.smooth, *green = red + args.cols, *blue = green + args.cols;
    smooth_row(args);
    split_channels(args.smoothed, args.cols, red, green, blue);
    features_of(args, red, green, blue);
    std::int16_t* __restrict depth = args.depth;
    for (std::size_t c = 0; c < args.cols; ++c)
        depth[c] = static_cast<std::int16_t>(255 - green[c] + (blue[c] - green[c]));
    strengths_of(red, green, blue, args.cols, args.strength);
    if (args.score) scores_of(red, green, blue, args.cols, args.grey, args.score);
}

static bool stain_colours(const StainColoursArgs& args) {
    constexpr std::size_t kAtOnce = 256;
    std::int16_t red[kAtOnce], green[kAtOnce], blue[kAtOnce], score[kAtOnce];
    const std::int32_t offset = args.offset;
    std::int32_t ends = 0;
    for (std::size_t first = 0; first < args.n; first += kAtOnce) {
        const std::size_t n = args.n - first < kAtOnce ? args.n - first : kAtOnce;
        const std::int32_t *a = args.a + first, *b = args.b + first;
        const std::uint32_t* counts = args.counts + first;
        for (std::size_t i = 0; i < n; ++i) {
            const std::int32_t g = a[i] & 0xFFFF, u = a[i] >> 16, v = b[i] & 0xFFFF;
            ends |= (u == 0) | (u == 255) | (v == 0) | (v == 255);
            green[i] = static_cast<std::int16_t>(255 - g);
            blue[i] = static_cast<std::int16_t>(255 - g + u - offset);
            red[i] = static_cast<std::int16_t>(255 - g + v - offset);
        }
        strengths_of(red, green, blue, n, args.strength + first);
        scores_of(red, green, blue, n, args.grey, score);
        std::int32_t* scores = args.scores + first;
        for (std::size_t i = 0; i < n; ++i) scores[i] = score[i] * static_cast<std::int32_t>(counts[i]);
    }
    return ends == 0;
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
