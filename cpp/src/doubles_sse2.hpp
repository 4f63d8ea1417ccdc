// Two doubles at once: SSE2. See doubles_scalar.hpp for what each operation means.
#pragma once

#include <emmintrin.h>

#include <cstddef>
#include <cstdint>

namespace fastpgs {
namespace FASTPGS_PATH {

using Reals = __m128d;
constexpr std::size_t kReals = 2;

static inline Reals load(const double* p) { return _mm_loadu_pd(p); }
static inline Reals widen(const std::int32_t* p) {
    return _mm_cvtepi32_pd(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
static inline void store(double* p, Reals a) { _mm_storeu_pd(p, a); }
static inline Reals all(double a) { return _mm_set1_pd(a); }
static inline Reals add(Reals a, Reals b) { return _mm_add_pd(a, b); }
static inline Reals subtract(Reals a, Reals b) { return _mm_sub_pd(a, b); }
static inline Reals multiply(Reals a, Reals b) { return _mm_mul_pd(a, b); }
static inline Reals least(Reals a, Reals b) { return _mm_min_pd(a, b); }
static inline Reals most(Reals a, Reals b) { return _mm_max_pd(a, b); }
static inline Reals magnitude(Reals a) { return _mm_andnot_pd(_mm_set1_pd(-0.0), a); }
static inline Reals less(Reals a, Reals b) { return _mm_cmplt_pd(a, b); }
static inline Reals equal(Reals a, Reals b) { return _mm_cmpeq_pd(a, b); }
static inline Reals both(Reals a, Reals b) { return _mm_and_pd(a, b); }
static inline Reals where(Reals mask, Reals yes, Reals no) {
    return _mm_or_pd(_mm_and_pd(mask, yes), _mm_andnot_pd(mask, no));
}
static inline unsigned bits(Reals mask) { return static_cast<unsigned>(_mm_movemask_pd(mask)); }

#define FASTPGS_FOLD(name, op) \
    static inline double name(Reals a) { return _mm_cvtsd_f64(op(a, _mm_shuffle_pd(a, a, 1))); }
FASTPGS_FOLD(sum_of, _mm_add_pd)
FASTPGS_FOLD(least_of, _mm_min_pd)
FASTPGS_FOLD(most_of, _mm_max_pd)
#undef FASTPGS_FOLD

static inline void store_labels(std::uint8_t* p, const Reals* a) {
    __m128i words[4];
    for (std::size_t v = 0; v < 4; ++v)
        words[v] = _mm_unpacklo_epi64(_mm_cvtpd_epi32(a[2 * v]), _mm_cvtpd_epi32(a[2 * v + 1]));
    const __m128i low = _mm_packs_epi32(words[0], words[1]), high = _mm_packs_epi32(words[2], words[3]);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(low, high));
}

template <class T>
static inline void load_three(const T* p, Reals& a, Reals& b, Reals& c) {
    a = _mm_setr_pd(static_cast<double>(p[0]), static_cast<double>(p[3]));
    b = _mm_setr_pd(static_cast<double>(p[1]), static_cast<double>(p[4]));
    c = _mm_setr_pd(static_cast<double>(p[2]), static_cast<double>(p[5]));
}
static inline void store_pairs(std::int32_t* p, Reals low, Reals high) {
    const __m128i one = _mm_and_si128(_mm_cvtpd_epi32(low), _mm_set1_epi32(0xFFFF));
    const __m128i other = _mm_slli_epi32(_mm_cvtpd_epi32(high), 16);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_or_si128(one, other));
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
