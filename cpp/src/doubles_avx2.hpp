// Four doubles at once: AVX. See doubles_scalar.hpp for what each operation means.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace fastpgs {
namespace FASTPGS_PATH {

using Reals = __m256d;
constexpr std::size_t kReals = 4;

static inline Reals load(const double* p) { return _mm256_loadu_pd(p); }
static inline Reals widen(const std::int32_t* p) {
    return _mm256_cvtepi32_pd(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
static inline void store(double* p, Reals a) { _mm256_storeu_pd(p, a); }
static inline Reals all(double a) { return _mm256_set1_pd(a); }
static inline Reals add(Reals a, Reals b) { return _mm256_add_pd(a, b); }
static inline Reals subtract(Reals a, Reals b) { return _mm256_sub_pd(a, b); }
static inline Reals multiply(Reals a, Reals b) { return _mm256_mul_pd(a, b); }
static inline Reals least(Reals a, Reals b) { return _mm256_min_pd(a, b); }
static inline Reals most(Reals a, Reals b) { return _mm256_max_pd(a, b); }
static inline Reals magnitude(Reals a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
static inline Reals less(Reals a, Reals b) { return _mm256_cmp_pd(a, b, _CMP_LT_OQ); }
static inline Reals equal(Reals a, Reals b) { return _mm256_cmp_pd(a, b, _CMP_EQ_OQ); }
static inline Reals both(Reals a, Reals b) { return _mm256_and_pd(a, b); }
static inline Reals where(Reals mask, Reals yes, Reals no) { return _mm256_blendv_pd(no, yes, mask); }
static inline unsigned bits(Reals mask) { return static_cast<unsigned>(_mm256_movemask_pd(mask)); }

#define FASTPGS_FOLD(name, op)                                                  \
    static inline double name(Reals a) {                                        \
        __m128d h = op(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1)); \
        return _mm_cvtsd_f64(op(h, _mm_shuffle_pd(h, h, 1)));                   \
    }
FASTPGS_FOLD(sum_of, _mm_add_pd)
FASTPGS_FOLD(least_of, _mm_min_pd)
FASTPGS_FOLD(most_of, _mm_max_pd)
#undef FASTPGS_FOLD

static inline void store_labels(std::uint8_t* p, const Reals* a) {
    const __m128i low = _mm_packs_epi32(_mm256_cvtpd_epi32(a[0]), _mm256_cvtpd_epi32(a[1]));
    const __m128i high = _mm_packs_epi32(_mm256_cvtpd_epi32(a[2]), _mm256_cvtpd_epi32(a[3]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(low, high));
}

// Channels of four pixels, which lie in three words one after the other.
struct Three {
    __m128 a, b, c;

    Three(__m128 x, __m128 y, __m128 z)
        : a(_mm_shuffle_ps(x, _mm_shuffle_ps(y, z, 0x5A), 0x8C)),
          b(_mm_shuffle_ps(_mm_shuffle_ps(x, y, 0x05), _mm_shuffle_ps(y, z, 0xAF), 0x88)),
          c(_mm_shuffle_ps(_mm_shuffle_ps(x, y, 0x5A), z, 0xC8)) {}
    Three(__m128i x, __m128i y, __m128i z)
        : Three(_mm_castsi128_ps(x), _mm_castsi128_ps(y), _mm_castsi128_ps(z)) {}

    void widen(Reals& p, Reals& q, Reals& r) const {
        p = _mm256_cvtepi32_pd(_mm_castps_si128(a));
        q = _mm256_cvtepi32_pd(_mm_castps_si128(b));
        r = _mm256_cvtepi32_pd(_mm_castps_si128(c));
    }
};
static inline void load_three(const std::uint8_t* p, Reals& a, Reals& b, Reals& c) {
    const __m128i one = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    const __m128i rest = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 4));
    Three(_mm_cvtepu8_epi32(one), _mm_cvtepu8_epi32(rest), _mm_cvtepu8_epi32(_mm_srli_epi64(rest, 32)))
        .widen(a, b, c);
}
static inline void load_three(const std::uint16_t* p, Reals& a, Reals& b, Reals& c) {
    const __m128i one = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i rest = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 8));
    Three(_mm_cvtepu16_epi32(one), _mm_cvtepu16_epi32(_mm_srli_si128(one, 8)), _mm_cvtepu16_epi32(rest))
        .widen(a, b, c);
}
static inline void load_three(const float* p, Reals& a, Reals& b, Reals& c) {
    const Three three(_mm_loadu_ps(p), _mm_loadu_ps(p + 4), _mm_loadu_ps(p + 8));
    a = _mm256_cvtps_pd(three.a);
    b = _mm256_cvtps_pd(three.b);
    c = _mm256_cvtps_pd(three.c);
}
static inline void load_three(const double* p, Reals& a, Reals& b, Reals& c) {
    a = _mm256_setr_pd(p[0], p[3], p[6], p[9]);
    b = _mm256_setr_pd(p[1], p[4], p[7], p[10]);
    c = _mm256_setr_pd(p[2], p[5], p[8], p[11]);
}
static inline void store_pairs(std::int32_t* p, Reals low, Reals high) {
    const __m128i one = _mm_and_si128(_mm256_cvtpd_epi32(low), _mm_set1_epi32(0xFFFF));
    const __m128i other = _mm_slli_epi32(_mm256_cvtpd_epi32(high), 16);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_or_si128(one, other));
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
