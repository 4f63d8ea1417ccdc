// Lanes of 128 bits: SSE2, which every x86-64 has. See lanes_scalar.hpp for what each operation means.
#pragma once

#include <emmintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace fastpgs {
namespace FASTPGS_PATH {

using Lanes = __m128i;
constexpr std::size_t kLanes = 4;

static inline Lanes load(const std::int32_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
constexpr std::size_t kRows = 1;
static inline Lanes load_rows(const std::int32_t* first, const std::int32_t*) { return load(first); }
static inline void store(std::int32_t* p, Lanes a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), a); }
static inline Lanes all(std::int32_t a) { return _mm_set1_epi32(a); }
static inline Lanes add(Lanes a, Lanes b) { return _mm_add_epi32(a, b); }
static inline Lanes shift_left(Lanes a, int by) { return _mm_slli_epi32(a, by); }
static inline Lanes shift_right(Lanes a, int by) { return _mm_srai_epi32(a, by); }
static inline Lanes subtract(Lanes a, Lanes b) { return _mm_sub_epi32(a, b); }
static inline Lanes greater(Lanes a, Lanes b) { return _mm_cmpgt_epi32(a, b); }
static inline Lanes equal(Lanes a, Lanes b) { return _mm_cmpeq_epi32(a, b); }
static inline Lanes both(Lanes a, Lanes b) { return _mm_and_si128(a, b); }
static inline Lanes either(Lanes a, Lanes b) { return _mm_or_si128(a, b); }
static inline Lanes where(Lanes mask, Lanes yes, Lanes no) {
    return _mm_or_si128(_mm_and_si128(mask, yes), _mm_andnot_si128(mask, no));
}
static inline Lanes least(Lanes a, Lanes b) { return where(greater(a, b), b, a); }
static inline unsigned bits(Lanes mask) {
    return static_cast<unsigned>(_mm_movemask_ps(_mm_castsi128_ps(mask)));
}

static inline std::size_t append(std::uint32_t* list, std::int32_t first, unsigned mask) {
    std::size_t n = 0;
    for (unsigned l = 0; l < kLanes; ++l) {
        list[n] = static_cast<std::uint32_t>(first) + l;
        n += mask >> l & 1U;
    }
    return n;
}

static inline void append_lanes(std::int32_t* list, Lanes a, unsigned mask) {
    std::int32_t lanes[kLanes];
    store(lanes, a);
    std::size_t n = 0;
    for (unsigned l = 0; l < kLanes; ++l) {
        list[n] = lanes[l];
        n += mask >> l & 1U;
    }
}

static inline Lanes dot(Lanes a, Lanes b) { return _mm_madd_epi16(a, b); }
static inline Lanes add_pairs(Lanes a, Lanes b) { return _mm_add_epi16(a, b); }
static inline Lanes subtract_pairs(Lanes a, Lanes b) { return _mm_sub_epi16(a, b); }
static inline Lanes least_pairs(Lanes a, Lanes b) { return _mm_min_epi16(a, b); }
static inline Lanes most_pairs(Lanes a, Lanes b) { return _mm_max_epi16(a, b); }
static inline Lanes magnitude_pairs(Lanes a) {
    return _mm_max_epi16(a, _mm_sub_epi16(_mm_setzero_si128(), a));
}
static inline Lanes shift_pairs(Lanes a, int left) { return _mm_sll_epi16(a, _mm_cvtsi32_si128(left)); }

#define FASTPGS_FOLD(name, op)                 \
    static inline std::int32_t name(Lanes a) { \
        a = op(a, _mm_shuffle_epi32(a, 0x4E)); \
        a = op(a, _mm_shuffle_epi32(a, 0xB1)); \
        return _mm_cvtsi128_si32(a);           \
    }
FASTPGS_FOLD(sum_of, _mm_add_epi32)
FASTPGS_FOLD(least_of, least)
FASTPGS_FOLD(sum_of_pairs, _mm_add_epi16)
FASTPGS_FOLD(least_of_pairs, _mm_min_epi16)
FASTPGS_FOLD(most_of_pairs, _mm_max_epi16)
#undef FASTPGS_FOLD

static inline void sums_of(const Lanes* four, std::int64_t* out) {
    for (std::size_t s = 0; s < 4; ++s) out[s] = sum_of(four[s]);
}

struct Eight {
    std::int32_t of[8];

    explicit Eight(const std::int32_t* numbers) { std::memcpy(of, numbers, sizeof of); }
    Lanes at(Lanes index) const {
        std::int32_t places[kLanes];
        store(places, index);
        return _mm_setr_epi32(of[places[0] & 7], of[places[1] & 7], of[places[2] & 7], of[places[3] & 7]);
    }
};

static inline Lanes load_bytes(const std::uint8_t* p) {
    std::int32_t word;
    std::memcpy(&word, p, 4);
    const __m128i none = _mm_setzero_si128();
    return _mm_unpacklo_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(word), none), none);
}

static inline unsigned bytes_above_zero(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_setzero_si128()))) ^ 0xFFFFU;
}

static inline void load_rgb(const std::uint8_t* p, Lanes& a, Lanes& b) {
    std::int32_t first, second, third, last;  // the last one begins a byte early, so as not to read beyond
    std::memcpy(&first, p, 4);
    std::memcpy(&second, p + 3, 4);
    std::memcpy(&third, p + 6, 4);
    std::memcpy(&last, p + 8, 4);
    const __m128i word = _mm_setr_epi32(first, second, third,
                                        static_cast<std::int32_t>(static_cast<std::uint32_t>(last) >> 8));
    a = _mm_or_si128(_mm_and_si128(word, _mm_set1_epi32(0xFF)),
                     _mm_and_si128(_mm_slli_epi32(word, 8), _mm_set1_epi32(0xFF0000)));
    b = _mm_or_si128(_mm_and_si128(_mm_srli_epi32(word, 16), _mm_set1_epi32(0xFF)), _mm_set1_epi32(1 << 16));
}

static inline void load_rgb(const std::uint16_t* p, Lanes& a, Lanes& b) {
    const __m128i first = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));  // of eight words each
    const __m128i last = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 4));
    // Red and green are a word of the bytes of a pixel, at 0, 6, 12 and 18; blue is the half after.
    const __m128i one = _mm_unpacklo_epi32(first, _mm_srli_si128(first, 6));
    const __m128i other = _mm_unpacklo_epi32(_mm_srli_si128(last, 4), _mm_srli_si128(last, 10));
    const __m128i blue = _mm_unpacklo_epi32(_mm_srli_si128(first, 4), _mm_srli_si128(first, 10));
    const __m128i rest = _mm_unpacklo_epi32(_mm_srli_si128(last, 8), _mm_srli_si128(last, 14));
    a = _mm_xor_si128(_mm_unpacklo_epi64(one, other), _mm_set1_epi32(static_cast<int>(0x80008000U)));
    b = _mm_and_si128(_mm_unpacklo_epi64(blue, rest), _mm_set1_epi32(0xFFFF));
    b = _mm_xor_si128(b, _mm_set1_epi32(0x00018000));
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
