// Doubles without intrinsics, for machines that are not x86-64, and the meaning of each operation.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastpgs {
namespace FASTPGS_PATH {

// A value and, where it is the outcome of a comparison, whether that held.
struct Reals {
    double v;
    bool is;
};
constexpr std::size_t kReals = 1;

static inline Reals all(double a) { return {a, false}; }
static inline Reals load(const double* p) { return all(*p); }
static inline void store(double* p, Reals a) { *p = a.v; }
static inline Reals add(Reals a, Reals b) { return all(a.v + b.v); }
static inline Reals subtract(Reals a, Reals b) { return all(a.v - b.v); }
static inline Reals multiply(Reals a, Reals b) { return all(a.v * b.v); }
static inline Reals least(Reals a, Reals b) { return all(a.v < b.v ? a.v : b.v); }
static inline Reals most(Reals a, Reals b) { return all(a.v > b.v ? a.v : b.v); }
static inline Reals magnitude(Reals a) { return all(a.v < 0.0 ? -a.v : a.v); }
// Masks.
static inline Reals less(Reals a, Reals b) { return {0.0, a.v < b.v}; }
static inline Reals equal(Reals a, Reals b) { return {0.0, a.v == b.v}; }
// A value where the mask holds, else 0.
static inline Reals both(Reals mask, Reals a) { return all(mask.is ? a.v : 0.0); }
static inline Reals where(Reals mask, Reals yes, Reals no) { return mask.is ? yes : no; }
// Bit l is set where lane l of the mask is.
static inline unsigned bits(Reals mask) { return mask.is ? 1U : 0U; }

static inline double sum_of(Reals a) { return a.v; }
static inline double least_of(Reals a) { return a.v; }
static inline double most_of(Reals a) { return a.v; }

// Sixteen labels.
static inline void store_labels(std::uint8_t* p, const Reals* a) {
    for (std::size_t i = 0; i < 16; ++i) p[i] = static_cast<std::uint8_t>(a[i].v);
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
