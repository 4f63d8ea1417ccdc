// Lanes without intrinsics, for machines that are not x86-64 (compilers turn them into vectors where they
// can), and the meaning of each operation. A lane is an int32, or a pair of int16: the low half first.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastpgs {
namespace FASTPGS_PATH {

constexpr std::size_t kLanes = 4;
struct Lanes {
    std::int32_t v[kLanes];
};

static inline std::int16_t low_half(std::int32_t a) {
    return static_cast<std::int16_t>(static_cast<std::uint32_t>(a) & 0xFFFFU);
}
static inline std::int16_t high_half(std::int32_t a) {
    return static_cast<std::int16_t>(static_cast<std::uint32_t>(a) >> 16);
}
static inline std::int32_t pair(std::int32_t low, std::int32_t high) {
    return static_cast<std::int32_t>((static_cast<std::uint32_t>(low) & 0xFFFFU) |
                                     static_cast<std::uint32_t>(high) << 16);
}

template <class Op>
static inline Lanes each(Lanes a, Lanes b, Op op) {
    Lanes out;
    for (std::size_t l = 0; l < kLanes; ++l) out.v[l] = op(a.v[l], b.v[l]);
    return out;
}
template <class Op>
static inline Lanes each_half(Lanes a, Lanes b, Op op) {
    return each(a, b, [op](std::int32_t x, std::int32_t y) {
        return pair(op(low_half(x), low_half(y)), op(high_half(x), high_half(y)));
    });
}
template <class Op>
static inline std::int32_t fold(Lanes a, Op op) {
    for (std::size_t l = 1; l < kLanes; ++l) a.v[0] = op(a.v[0], a.v[l]);
    return a.v[0];
}
template <class Op>
static inline std::int32_t fold_halves(Lanes a, Op op) {
    return fold(a, [op](std::int32_t x, std::int32_t y) {
        return pair(op(low_half(x), low_half(y)), op(high_half(x), high_half(y)));
    });
}

static inline Lanes load(const std::int32_t* p) {
    Lanes out;
    for (std::size_t l = 0; l < kLanes; ++l) out.v[l] = p[l];
    return out;
}
// Rows of four, where there is room for two.
constexpr std::size_t kRows = 1;
static inline Lanes load_rows(const std::int32_t* first, const std::int32_t*) { return load(first); }
static inline void store(std::int32_t* p, Lanes a) {
    for (std::size_t l = 0; l < kLanes; ++l) p[l] = a.v[l];
}
static inline Lanes all(std::int32_t a) { return {{a, a, a, a}}; }
static inline std::int32_t plus(std::int32_t x, std::int32_t y) { return x + y; }
static inline std::int32_t minus(std::int32_t x, std::int32_t y) { return x - y; }
static inline std::int32_t smaller(std::int32_t x, std::int32_t y) { return x < y ? x : y; }
static inline std::int32_t larger(std::int32_t x, std::int32_t y) { return x > y ? x : y; }
static inline Lanes add(Lanes a, Lanes b) { return each(a, b, plus); }
static inline Lanes subtract(Lanes a, Lanes b) { return each(a, b, minus); }
static inline Lanes shift_left(Lanes a, int by) {
    return each(a, a, [by](std::int32_t x, std::int32_t) {
        return static_cast<std::int32_t>(static_cast<std::uint32_t>(x) << by);
    });
}
static inline Lanes shift_right(Lanes a, int by) {  // with the sign
    return each(a, a, [by](std::int32_t x, std::int32_t) { return x >> by; });
}
static inline Lanes least(Lanes a, Lanes b) { return each(a, b, smaller); }
// Masks: every bit of a lane is set, or none.
static inline Lanes greater(Lanes a, Lanes b) {
    return each(a, b, [](std::int32_t x, std::int32_t y) { return x > y ? -1 : 0; });
}
static inline Lanes equal(Lanes a, Lanes b) {
    return each(a, b, [](std::int32_t x, std::int32_t y) { return x == y ? -1 : 0; });
}
static inline Lanes both(Lanes a, Lanes b) {
    return each(a, b, [](std::int32_t x, std::int32_t y) { return x & y; });
}
static inline Lanes either(Lanes a, Lanes b) {
    return each(a, b, [](std::int32_t x, std::int32_t y) { return x | y; });
}
static inline Lanes where(Lanes mask, Lanes yes, Lanes no) {
    Lanes out;
    for (std::size_t l = 0; l < kLanes; ++l) out.v[l] = mask.v[l] != 0 ? yes.v[l] : no.v[l];
    return out;
}
// Bit l is set where lane l of the mask is.
static inline unsigned bits(Lanes mask) {
    unsigned out = 0;
    for (std::size_t l = 0; l < kLanes; ++l) out |= (mask.v[l] != 0 ? 1U : 0U) << l;
    return out;
}

// Appends first + l for each set bit l, and returns their number. Writes kLanes places.
static inline std::size_t append(std::uint32_t* list, std::int32_t first, unsigned mask) {
    std::size_t n = 0;
    for (unsigned l = 0; l < kLanes; ++l) {
        list[n] = static_cast<std::uint32_t>(first) + l;
        n += mask >> l & 1U;
    }
    return n;
}

// Writes the lanes of set bits to a list. Writes kLanes places.
static inline void append_lanes(std::int32_t* list, Lanes a, unsigned mask) {
    std::size_t n = 0;
    for (std::size_t l = 0; l < kLanes; ++l) {
        list[n] = a.v[l];
        n += mask >> l & 1U;
    }
}

// Products of the halves of each lane, added.
static inline Lanes dot(Lanes a, Lanes b) {
    return each(a, b, [](std::int32_t x, std::int32_t y) {
        return low_half(x) * low_half(y) + high_half(x) * high_half(y);
    });
}
static inline Lanes add_pairs(Lanes a, Lanes b) { return each_half(a, b, plus); }
static inline Lanes subtract_pairs(Lanes a, Lanes b) { return each_half(a, b, minus); }
static inline Lanes least_pairs(Lanes a, Lanes b) { return each_half(a, b, smaller); }
static inline Lanes most_pairs(Lanes a, Lanes b) { return each_half(a, b, larger); }
static inline Lanes magnitude_pairs(Lanes a) {
    return each_half(a, a, [](std::int32_t x, std::int32_t) { return x < 0 ? -x : x; });
}
static inline Lanes shift_pairs(Lanes a, int left) {
    return each_half(a, a, [left](std::int32_t x, std::int32_t) { return x * (1 << left); });
}

static inline std::int32_t sum_of(Lanes a) { return fold(a, plus); }
static inline std::int32_t least_of(Lanes a) { return fold(a, smaller); }
static inline std::int32_t sum_of_pairs(Lanes a) { return fold_halves(a, plus); }
static inline std::int32_t least_of_pairs(Lanes a) { return fold_halves(a, smaller); }
static inline std::int32_t most_of_pairs(Lanes a) { return fold_halves(a, larger); }

// Of each of four, where these sums fit 32 bits.
static inline void sums_of(const Lanes* four, std::int64_t* out) {
    for (std::size_t s = 0; s < 4; ++s) out[s] = sum_of(four[s]);
}

// Eight numbers, and those of which each lane holds the place, in its lowest three bits.
struct Eight {
    std::int32_t of[8];

    explicit Eight(const std::int32_t* numbers) {
        for (std::size_t i = 0; i < 8; ++i) of[i] = numbers[i];
    }
    Lanes at(Lanes index) const {
        Lanes out;
        for (std::size_t l = 0; l < kLanes; ++l) out.v[l] = of[index.v[l] & 7];
        return out;
    }
};

// A byte a lane.
static inline Lanes load_bytes(const std::uint8_t* p) {
    Lanes out;
    for (std::size_t l = 0; l < kLanes; ++l) out.v[l] = p[l];
    return out;
}

// Bit i is set where byte i of 4 * kLanes is not 0.
static inline unsigned bytes_above_zero(const std::uint8_t* p) {
    unsigned out = 0;
    for (std::size_t i = 0; i < 4 * kLanes; ++i) out |= (p[i] != 0 ? 1U : 0U) << i;
    return out;
}

// Pixels as two pairs a lane: a = (red, green), b = (blue, 1). Reads nothing beyond 3 * kLanes bytes.
static inline void load_rgb(const std::uint8_t* p, Lanes& a, Lanes& b) {
    for (std::size_t l = 0; l < kLanes; ++l, p += 3) {
        a.v[l] = pair(p[0], p[1]);
        b.v[l] = pair(p[2], 1);
    }
}

// The same of 16 bits, each less 2^15. Reads nothing beyond 6 * kLanes bytes.
static inline void load_rgb(const std::uint16_t* p, Lanes& a, Lanes& b) {
    for (std::size_t l = 0; l < kLanes; ++l, p += 3) {
        a.v[l] = pair(p[0] - 0x8000, p[1] - 0x8000);
        b.v[l] = pair(p[2] - 0x8000, 1);
    }
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
