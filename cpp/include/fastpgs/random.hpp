// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014, doi:10.1145/2660193.2660195): small, seedable from any
// number, and the same everywhere.
#pragma once

#include <cstdint>

namespace fastpgs {

class SplitMix64 {
  public:
    explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9E3779B97F4A7C15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }

    // An integer in [0, bound): the high half of a 64 x 64-bit product.
    std::uint64_t below(std::uint64_t bound) {
        const std::uint64_t u = next();
#ifdef __SIZEOF_INT128__
        __extension__ using Wide = unsigned __int128;
        return static_cast<std::uint64_t>(static_cast<Wide>(u) * bound >> 64);
#else
        const std::uint64_t u1 = u >> 32, u0 = u & 0xFFFFFFFFULL;
        const std::uint64_t b1 = bound >> 32, b0 = bound & 0xFFFFFFFFULL;
        const std::uint64_t low = u0 * b0, mid1 = u1 * b0, mid2 = u0 * b1;
        const std::uint64_t carry = ((low >> 32) + (mid1 & 0xFFFFFFFFULL) + (mid2 & 0xFFFFFFFFULL)) >> 32;
        return u1 * b1 + (mid1 >> 32) + (mid2 >> 32) + carry;
#endif
    }

    // A double in [0, 1) with 53 random bits.
    double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  private:
    std::uint64_t state_;
};

}  // namespace fastpgs
