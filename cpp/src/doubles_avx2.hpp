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

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
