// The median of some pixels' values: counted coarsely, then only those that are near it are put in order.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

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

// The least and the greatest key, and how far they are moved until they lie within so many bins.
struct Range {
    std::int32_t least = std::numeric_limits<std::int32_t>::max(), most = -least - 1;
    int shift = 0;

    void add(std::int32_t key) {
        least = key < least ? key : least;
        most = key > most ? key : most;
    }
    void end() {
        const std::uint32_t range = static_cast<std::uint32_t>(most) - static_cast<std::uint32_t>(least);
        while (range >> shift >= BINS) ++shift;
    }
    std::uint32_t bin(std::int32_t key) const {
        return (static_cast<std::uint32_t>(key) - static_cast<std::uint32_t>(least)) >> shift;
    }
};

// How many keys lie in each bin, times(i) for each.
class Counts {
  public:
    template <class Times>
    Counts(const std::int32_t* keys, std::size_t n, const Range& range, Times times) {
        const auto count = [&](std::size_t i, std::size_t turn) {
            turns_[turn][range.bin(keys[i])] += times(i);
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
    Range range;
    for (std::int32_t* key = keys.data(); key < to; ++key) range.add(*key = key_of(*key));
    range.end();
    const Counts counts(keys.data(), n, range, [](std::size_t) { return std::uint32_t{1}; });
    const std::size_t last = n / 2, first = (n - 1) / 2;
    const auto [low, before] = counts.bin_of(first);
    const std::uint32_t width = counts.bin_of(last).first - low;
    std::int32_t* near = keys.data();  // each is written, and kept if it is near
    for (const std::int32_t* key = keys.data(); key < to; ++key) {
        const std::int32_t own = *key;
        *near = own;
        near += range.bin(own) - low <= width;
    }
    std::int32_t* const lower = keys.data() + (first - before);
    std::nth_element(keys.data(), lower, near);
    if (first == last) return value_of(*lower);
    return (value_of(*lower) + value_of(*std::min_element(lower + 1, near))) / 2.0F;
}

float median(const std::vector<float>& values, const std::vector<std::uint32_t>& times) {
    const std::size_t n = std::accumulate(times.begin(), times.end(), std::size_t{0});
    if (n == 0) return std::numeric_limits<float>::quiet_NaN();
    std::vector<std::int32_t> keys(values.size());
    std::memcpy(keys.data(), values.data(), values.size() * sizeof keys[0]);
    Range range;
    for (std::int32_t& key : keys) range.add(key = key_of(key));
    range.end();
    const Counts counts(keys.data(), keys.size(), range, [&](std::size_t i) { return times[i]; });
    const std::size_t last = n / 2, first = (n - 1) / 2;
    const auto [low, before] = counts.bin_of(first);
    const std::uint32_t width = counts.bin_of(last).first - low;
    std::vector<std::pair<std::int32_t, std::uint32_t>> near;
    for (std::size_t i = 0; i < keys.size(); ++i)
        if (range.bin(keys[i]) - low <= width) near.emplace_back(keys[i], times[i]);
    std::sort(near.begin(), near.end());
    auto own = near.begin();
    std::size_t seen = before;
    const auto at = [&](std::size_t rank) {
        while (seen + own->second <= rank) seen += (own++)->second;
        return value_of(own->first);
    };
    const float lower = at(first);
    return first == last ? lower : (lower + at(last)) / 2.0F;
}

}  // namespace fastpgs::stain
