// The median of some pixels' values: counted coarsely, then only those that are near it are put in order.
#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "fastpgs/block.hpp"
#include "fastpgs/plane_kernels.hpp"
#include "fastpgs/stain.hpp"

namespace fastpgs::stain {

namespace {

// Strengths, which are at most 255 times the root of 3, take most of the bins; what lies beyond is in the
// first one or the last.
constexpr std::size_t BINS = 2048;
constexpr float PER_UNIT = 4.0F;
constexpr std::size_t TURNS = 2;  // neighbours are alike: counted in turns, none waits for the one before
constexpr std::size_t STRIDE = 32;

using Bin = std::uint16_t;

Block<Bin> bins_of(const float* values, std::size_t n) {
    Block<Bin> bins(n);
    plane_kernels().bins({values, n, PER_UNIT, BINS - 1, bins.data()});
    return bins;
}

// How many values lie in each bin, times(i) for each.
class Counts {
  public:
    template <class Times>
    Counts(const Bin* bins, std::size_t n, Times times) {
        const auto count = [&](std::size_t i, std::size_t turn) { turns_[turn][bins[i]] += times(i); };
        std::size_t i = 0;
        for (; i + TURNS <= n; i += TURNS)
            for (std::size_t turn = 0; turn < TURNS; ++turn) count(i + turn, turn);
        for (; i < n; ++i) count(i, 0);
    }

    // The bin of a rank, and how many values lie before that bin.
    std::pair<std::size_t, std::size_t> bin_of_rank(std::size_t rank) const {
        const auto number = [this](std::size_t bin) { return turns_[0][bin] + turns_[1][bin]; };
        std::size_t own = 0, before = 0;
        for (;; own += STRIDE) {
            std::uint32_t some = 0;
            for (std::size_t i = own; i < own + STRIDE; ++i) some += number(i);
            if (before + some > rank) break;
            before += some;
        }
        while (before + number(own) <= rank) before += number(own++);
        return {own, before};
    }

  private:
    std::array<std::array<std::uint32_t, BINS>, TURNS> turns_{};
};

// The two ranks that a median lies between, and the bins that these are in.
struct Middle {
    std::size_t first, last, before;  // and how many values lie before those bins
    Bin low, high;

    Middle(const Counts& counts, std::size_t n) : first((n - 1) / 2), last(n / 2) {
        const auto [bin, number] = counts.bin_of_rank(first);
        before = number;
        low = static_cast<Bin>(bin);
        high = static_cast<Bin>(counts.bin_of_rank(last).first);
    }

    // Calls visit(i) where one of n bins is among those: few are.
    template <class Visit>
    void each_near(const Bin* bins, std::size_t n, Visit visit) const {
        const auto near = [this, width = high - low](Bin bin) {
            return static_cast<Bin>(bin - low) <= static_cast<Bin>(width);
        };
        for (std::size_t from = 0; from < n; from += STRIDE) {
            const std::size_t to = std::min(from + STRIDE, n);
            Bin any = 0;
            for (std::size_t i = from; i < to; ++i) any = static_cast<Bin>(any | (near(bins[i]) ? 1 : 0));
            for (std::size_t i = from; any != 0 && i < to; ++i)
                if (near(bins[i])) visit(i);
        }
    }
};

}  // namespace

float median(const float* values, const shapes::Bits& where) {
    const auto n = static_cast<std::size_t>(where.count());
    if (n == 0) return std::numeric_limits<float>::quiet_NaN();
    Block<float> some(n);
    float* to = some.data();
    shapes::each_run(where, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
        to = std::copy(values + r * where.cols + begin, values + r * where.cols + end, to);
    });
    const Block<Bin> bins = bins_of(some.data(), n);
    const Middle middle({bins.data(), n, [](std::size_t) { return std::uint32_t{1}; }}, n);
    std::vector<float> near;
    middle.each_near(bins.data(), n, [&](std::size_t i) { near.push_back(some[i]); });
    const auto lower = near.begin() + static_cast<std::ptrdiff_t>(middle.first - middle.before);
    std::nth_element(near.begin(), lower, near.end());
    if (middle.first == middle.last) return *lower;
    return (*lower + *std::min_element(lower + 1, near.end())) / 2.0F;
}

float median(const std::vector<float>& values, const std::vector<std::uint32_t>& times) {
    const std::size_t n = std::accumulate(times.begin(), times.end(), std::size_t{0});
    if (n == 0) return std::numeric_limits<float>::quiet_NaN();
    const Block<Bin> bins = bins_of(values.data(), values.size());
    const Middle middle({bins.data(), values.size(), [&](std::size_t i) { return times[i]; }}, n);
    std::vector<std::pair<float, std::uint32_t>> near;
    middle.each_near(bins.data(), values.size(),
                     [&](std::size_t i) { near.emplace_back(values[i], times[i]); });
    std::sort(near.begin(), near.end());
    auto own = near.begin();
    std::size_t seen = middle.before;
    const auto at = [&](std::size_t rank) {
        while (seen + own->second <= rank) seen += (own++)->second;
        return own->first;
    };
    const float lower = at(middle.first);
    return middle.first == middle.last ? lower : (lower + at(middle.last)) / 2.0F;
}

}  // namespace fastpgs::stain
