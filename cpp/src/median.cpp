// The median of some pixels' values: counted coarsely, then only those that are near it are put in order.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "fastpgs/block.hpp"
#include "fastpgs/stain.hpp"

namespace fastpgs::stain {

namespace {

constexpr std::size_t BINS = 2048;
constexpr std::size_t TURNS = 2;  // neighbours are alike: counted in turns, none waits for the one before
constexpr std::size_t STRIDE = 32;

// Whole numbers in the order of the values, and back.
std::int32_t key_of(std::int32_t bits) {
    return bits ^ ((bits >> 31) & std::numeric_limits<std::int32_t>::max());
}
float value_of(std::int32_t key) {
    const std::int32_t bits = key_of(key);
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// How many keys share their first bits, above `shift`, counted from the least.
class Counts {
  public:
    Counts(const std::int32_t* keys, std::size_t n, std::int32_t least, int shift) {
        const auto count = [&](std::size_t i, std::size_t turn) {
            ++turns_[turn]
                    [(static_cast<std::uint32_t>(keys[i]) - static_cast<std::uint32_t>(least)) >> shift];
        };
        std::size_t i = 0;
        for (; i + TURNS <= n; i += TURNS)
            for (std::size_t turn = 0; turn < TURNS; ++turn) count(i + turn, turn);
        for (; i < n; ++i) count(i, 0);
        for (std::size_t bin = 0; bin < BINS; ++bin) turns_[0][bin] += turns_[1][bin];
    }

    // The bin of a rank, and how many keys lie before that bin.
    std::pair<std::uint32_t, std::size_t> bin_of(std::size_t rank) const {
        const auto& number = turns_[0];
        std::size_t own = 0, before = 0;
        for (;; own += STRIDE) {
            std::uint32_t some = 0;
            for (std::size_t i = own; i < own + STRIDE; ++i) some += number[i];
            if (before + some > rank) break;
            before += some;
        }
        while (before + number[own] <= rank) before += number[own++];
        return {static_cast<std::uint32_t>(own), before};
    }

  private:
    std::array<std::array<std::uint32_t, BINS>, TURNS> turns_{};
};

}  // namespace

float median(const float* values, const shapes::Bits& where) {
    const auto n = static_cast<std::size_t>(where.count());
    if (n == 0) return std::numeric_limits<float>::quiet_NaN();
    Block<std::int32_t> keys(n + 1);
    std::int32_t* to = keys.data();
    shapes::each_run(where, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
        std::memcpy(to, values + r * where.cols + begin, static_cast<std::size_t>(end - begin) * sizeof *to);
        to += end - begin;
    });
    std::int32_t least = std::numeric_limits<std::int32_t>::max(), most = -least - 1;
    for (std::int32_t* key = keys.data(); key < to; ++key) {
        *key = key_of(*key);
        least = *key < least ? *key : least;
        most = *key > most ? *key : most;
    }
    const std::uint32_t range = static_cast<std::uint32_t>(most) - static_cast<std::uint32_t>(least);
    int shift = 0;
    while (range >> shift >= BINS) ++shift;
    const Counts counts(keys.data(), n, least, shift);
    const std::size_t last = n / 2, first = (n - 1) / 2;
    const auto [low, before] = counts.bin_of(first);
    const std::uint32_t width = counts.bin_of(last).first - low;
    std::int32_t* near = keys.data();  // each is written, and kept if it is near
    for (const std::int32_t* key = keys.data(); key < to; ++key) {
        const std::int32_t own = *key;
        *near = own;
        near +=
            ((static_cast<std::uint32_t>(own) - static_cast<std::uint32_t>(least)) >> shift) - low <= width;
    }
    std::int32_t* const lower = keys.data() + (first - before);
    std::nth_element(keys.data(), lower, near);
    if (first == last) return value_of(*lower);
    return (value_of(*lower) + value_of(*std::min_element(lower + 1, near))) / 2.0F;
}

}  // namespace fastpgs::stain
