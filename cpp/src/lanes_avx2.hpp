// Lanes of 256 bits: AVX2. See lanes_scalar.hpp for what each operation means.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace fastpgs {
namespace FASTPGS_PATH {

using Lanes = __m256i;
constexpr std::size_t kLanes = 8;

static inline Lanes load(const std::int32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
// A row of four each.
constexpr std::size_t kRows = 2;
static inline Lanes load_rows(const std::int32_t* first, const std::int32_t* second) {
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(first))),
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(second)), 1);
}
static inline void store(std::int32_t* p, Lanes a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a); }
static inline Lanes all(std::int32_t a) { return _mm256_set1_epi32(a); }
static inline Lanes add(Lanes a, Lanes b) { return _mm256_add_epi32(a, b); }
static inline Lanes shift_left(Lanes a, int by) { return _mm256_slli_epi32(a, by); }
static inline Lanes shift_right(Lanes a, int by) { return _mm256_srai_epi32(a, by); }
static inline Lanes subtract(Lanes a, Lanes b) { return _mm256_sub_epi32(a, b); }
static inline Lanes least(Lanes a, Lanes b) { return _mm256_min_epi32(a, b); }
static inline Lanes greater(Lanes a, Lanes b) { return _mm256_cmpgt_epi32(a, b); }
static inline Lanes equal(Lanes a, Lanes b) { return _mm256_cmpeq_epi32(a, b); }
static inline Lanes both(Lanes a, Lanes b) { return _mm256_and_si256(a, b); }
static inline Lanes either(Lanes a, Lanes b) { return _mm256_or_si256(a, b); }
static inline Lanes where(Lanes mask, Lanes yes, Lanes no) { return _mm256_blendv_epi8(no, yes, mask); }
static inline unsigned bits(Lanes mask) {
    return static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(mask)));
}

// Where the set bits of each byte are.
struct BitPlaces {
    std::uint8_t at[256][8];

    constexpr BitPlaces() : at() {
        for (unsigned byte = 0; byte < 256; ++byte)
            for (unsigned bit = 0, n = 0; bit < 8; ++bit)
                if ((byte >> bit & 1U) != 0) at[byte][n++] = static_cast<std::uint8_t>(bit);
    }
};
static constexpr BitPlaces kBitPlaces;

static inline std::size_t append(std::uint32_t* list, std::int32_t first, unsigned mask) {
    const __m128i places = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kBitPlaces.at[mask]));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(list),
                        _mm256_add_epi32(_mm256_cvtepu8_epi32(places), _mm256_set1_epi32(first)));
    return static_cast<std::size_t>(_mm_popcnt_u32(mask));
}

static inline void append_lanes(std::int32_t* list, Lanes a, unsigned mask) {
    const __m128i places = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kBitPlaces.at[mask]));
    store(list, _mm256_permutevar8x32_epi32(a, _mm256_cvtepu8_epi32(places)));
}

static inline Lanes dot(Lanes a, Lanes b) { return _mm256_madd_epi16(a, b); }
static inline Lanes add_pairs(Lanes a, Lanes b) { return _mm256_add_epi16(a, b); }
static inline Lanes subtract_pairs(Lanes a, Lanes b) { return _mm256_sub_epi16(a, b); }
static inline Lanes least_pairs(Lanes a, Lanes b) { return _mm256_min_epi16(a, b); }
static inline Lanes most_pairs(Lanes a, Lanes b) { return _mm256_max_epi16(a, b); }
static inline Lanes magnitude_pairs(Lanes a) { return _mm256_abs_epi16(a); }
static inline Lanes shift_pairs(Lanes a, int left) { return _mm256_sll_epi16(a, _mm_cvtsi32_si128(left)); }

#define FASTPGS_FOLD(name, op)                                                     \
    static inline std::int32_t name(Lanes a) {                                     \
        __m128i h = op(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1)); \
        h = op(h, _mm_shuffle_epi32(h, 0x4E));                                     \
        h = op(h, _mm_shuffle_epi32(h, 0xB1));                                     \
        return _mm_cvtsi128_si32(h);                                               \
    }
FASTPGS_FOLD(sum_of, _mm_add_epi32)
FASTPGS_FOLD(least_of, _mm_min_epi32)
FASTPGS_FOLD(sum_of_pairs, _mm_add_epi16)
FASTPGS_FOLD(least_of_pairs, _mm_min_epi16)
FASTPGS_FOLD(most_of_pairs, _mm_max_epi16)
#undef FASTPGS_FOLD

struct Eight {
    Lanes of;

    explicit Eight(const std::int32_t* numbers) : of(load(numbers)) {}
    Lanes at(Lanes index) const { return _mm256_permutevar8x32_epi32(of, index); }
};

static inline void sums_of(const Lanes* four, std::int64_t* out) {
    const __m256i sums =
        _mm256_hadd_epi32(_mm256_hadd_epi32(four[0], four[1]), _mm256_hadd_epi32(four[2], four[3]));
    const __m128i both = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_cvtepi32_epi64(both));
}

static inline Lanes load_bytes(const std::uint8_t* p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}

static inline unsigned bytes_above_zero(const std::uint8_t* p) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return ~static_cast<unsigned>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_setzero_si256())));
}

static inline void load_rgb(const std::uint8_t* p, Lanes& a, Lanes& b) {
    // Bytes 0-15 hold the first four pixels, bytes 8-23 the last four: nothing beyond is read.
    const __m256i bytes =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
                                _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)), 1);
    const __m256i to_a = _mm256_setr_epi8(0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1,  //
                                          4, -1, 5, -1, 7, -1, 8, -1, 10, -1, 11, -1, 13, -1, 14, -1);
    const __m256i to_b = _mm256_setr_epi8(2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1,  //
                                          6, -1, -1, -1, 9, -1, -1, -1, 12, -1, -1, -1, 15, -1, -1, -1);
    a = _mm256_shuffle_epi8(bytes, to_a);
    b = _mm256_or_si256(_mm256_shuffle_epi8(bytes, to_b), _mm256_set1_epi32(1 << 16));
}

static inline void load_rgb(const std::uint16_t* p, Lanes& a, Lanes& b) {
    const auto two = [](const std::uint16_t* low, const std::uint16_t* high) {
        return _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low))),
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(high)), 1);
    };
    // Of eight words each: pixels 0, 1 and 4, 5 lie at their begin, 2, 3 and 6, 7 two words after theirs.
    const __m256i first = two(p, p + 12), last = two(p + 4, p + 16);
    const __m256i of_first =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 3, 6, 7, 8, 9, 4, 5, -1, -1, 10, 11, -1, -1));
    const __m256i of_last =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(4, 5, 6, 7, 10, 11, 12, 13, 8, 9, -1, -1, 14, 15, -1, -1));
    const __m256i one = _mm256_shuffle_epi8(first, of_first), other = _mm256_shuffle_epi8(last, of_last);
    a = _mm256_xor_si256(_mm256_unpacklo_epi64(one, other), _mm256_set1_epi32(static_cast<int>(0x80008000U)));
    b = _mm256_xor_si256(_mm256_unpackhi_epi64(one, other), _mm256_set1_epi32(0x00018000));
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
