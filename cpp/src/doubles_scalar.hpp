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
// Whole numbers.
static inline Reals widen(const std::int32_t* p) { return all(static_cast<double>(*p)); }
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

// The channels of kReals pixels of three.
template <class T>
static inline void load_three(const T* p, Reals& a, Reals& b, Reals& c) {
    a = all(static_cast<double>(p[0]));
    b = all(static_cast<double>(p[1]));
    c = all(static_cast<double>(p[2]));
}
// Pairs of 16 bits of values that are rounded to the nearest integer.
static inline void store_pairs(std::int32_t* p, Reals low, Reals high) {
    constexpr std::int32_t kLift = 1 << 14;  // truncation of what is above zero rounds down
    const std::int32_t one = static_cast<std::int32_t>(low.v + (kLift + 0.5)) - kLift;
    const std::int32_t other = static_cast<std::int32_t>(high.v + (kLift + 0.5)) - kLift;
    *p = static_cast<std::int32_t>((static_cast<std::uint32_t>(one) & 0xFFFFU) |
                                   static_cast<std::uint32_t>(other) << 16);
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
