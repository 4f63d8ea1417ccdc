// What sources of 8-bit colours and lab, whose features are pairs of 16 bits, have in common.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace fastpgs {

constexpr int kByteShift = 6;  // 8-bit features have room for fractions of a level

using Pixel = std::array<std::int32_t, 3>;

inline Pixel pixel_of(const std::uint8_t* rgb) { return {rgb[0], rgb[1], rgb[2]}; }

inline Pixel pixel_of(std::int32_t a, std::int32_t b) {
    const auto low = [](std::int32_t word) { return static_cast<std::int16_t>(word & 0xFFFF); };
    return {low(a), a >> 16, low(b)};
}

inline std::int32_t pair_words(std::int32_t low, std::int32_t high) {
    return (low & 0xFFFF) | static_cast<std::int32_t>(static_cast<std::uint32_t>(high) << 16);
}

inline std::int64_t dot(const Pixel& x, const std::int64_t* y) {
    return x[0] * y[0] + x[1] * y[1] + x[2] * y[2];
}

inline std::int64_t square(const Pixel& x) {
    const std::int64_t wide[3] = {x[0], x[1], x[2]};
    return dot(x, wide);
}

inline std::int64_t distance2(const Pixel& x, const std::int32_t* p) {
    std::int64_t total = 0;
    for (std::size_t a = 0; a < 3; ++a) total += std::int64_t{x[a] - p[a]} * (x[a] - p[a]);
    return total;
}

// n |x|^2 - 2 x . S, which orders members as their distance to the mean S / n does; `sums` are n, S.
inline std::int64_t medoid_key(const Pixel& x, const std::int64_t* sums) {
    return sums[0] * square(x) - 2 * dot(x, sums + 1);
}

// Sum over the members (k, 4) of squared distances to their pivots (k, 3), less that of |x|^2.
inline std::int64_t offset_objective(const std::int64_t* sums, const std::int32_t* pivots, std::size_t k) {
    std::int64_t total = 0;
    for (std::size_t j = 0; j < k; ++j, sums += 4, pivots += 3) {
        const Pixel p = {pivots[0], pivots[1], pivots[2]};
        total += sums[0] * square(p) - 2 * dot(p, sums + 1);
    }
    return total;
}

// The mean of a cluster's members times 2^shift, rounded; `sums` are their number and sums of features.
inline Pixel mean_of(const std::int64_t* sums, int shift) {
    Pixel out;
    for (std::size_t a = 0; a < 3; ++a) {
        const double mean = static_cast<double>(sums[1 + a]) / static_cast<double>(sums[0]);
        out[a] = static_cast<std::int32_t>(std::floor(std::ldexp(mean, shift) + 0.5));
    }
    return out;
}

// A bound of the distance of the nearest member where none is known.
constexpr std::int32_t kUnknownDistance = std::numeric_limits<std::int32_t>::max() / 2;

// The squared distance to it of a pixel.
inline std::int32_t away_from_mean(const Pixel& x, const Pixel& mean, int shift) {
    const std::int32_t by = 1 << shift;
    return static_cast<std::int32_t>(distance2({x[0] * by, x[1] * by, x[2] * by}, mean.data()));
}

// Aims a search for the medoid of a cluster at the rounded mean of its members, with a bound of its distance,
// that of a member that is known: the pivot, unless a like one precedes it.
template <class NearArgs>
void take_aim(NearArgs& near, const std::int64_t* sums, const std::int32_t* pivots, std::size_t j, bool rgb) {
    near.cluster = static_cast<std::int32_t>(j);
    near.shift = rgb ? kByteShift : 0;
    const Pixel mean = mean_of(sums, near.shift);
    std::copy(mean.begin(), mean.end(), near.mean);
    const std::int32_t* p = pivots + 3 * j;
    near.least = kUnknownDistance;
    for (std::size_t l = 0; l < j; ++l)
        if (std::equal(p, p + 3, pivots + 3 * l)) return;
    near.least = away_from_mean({p[0], p[1], p[2]}, mean, near.shift);
}

}  // namespace fastpgs
