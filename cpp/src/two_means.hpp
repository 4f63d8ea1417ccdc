// Whole numbers counted, their median and their two means.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace fastpgs {

// How many pixels have each value.
class Histogram {
  public:
    Histogram(int low, int high)
        : low_(low), values_(static_cast<std::size_t>(high - low + 1)), number_(2 * values_, 0) {}

    std::int64_t size() const { return size_; }

    void add(const std::int16_t* values, std::ptrdiff_t n) {
        // Neighbours are alike: counted in turns, none waits for the one before.
        std::uint32_t *one = number_.data(), *other = one + values_;
        const int low = low_;
        std::ptrdiff_t i = 0;
        for (; i + 2 <= n; i += 2) {
            ++one[values[i] - low];
            ++other[values[i + 1] - low];
        }
        if (i < n) ++one[values[i] - low];
        size_ += n;
    }

    // A nan where there is none.
    double median() const {
        if (size_ == 0) return std::numeric_limits<double>::quiet_NaN();
        const std::int64_t first = (size_ - 1) / 2, last = size_ / 2;
        std::size_t i = 0;
        std::int64_t seen = number(0);
        const auto at = [&](std::int64_t rank) {
            while (seen <= rank) seen += number(++i);
            return low_ + static_cast<int>(i);
        };
        const int lower = at(first);
        return (lower + at(last)) / 2.0;
    }

    // Of the values up to each: how many there are, and their sum.
    struct Totals {
        int low;
        std::vector<std::int64_t> number, sum;
    };
    Totals totals() const {
        Totals all{low_, {}, {}};
        all.number.reserve(values_);
        all.sum.reserve(values_);
        std::int64_t to = 0, sum = 0, value = low_;
        for (std::size_t i = 0; i < values_; ++i) {
            all.number.push_back(to += number(i));
            all.sum.push_back(sum += value++ * number(i));
        }
        return all;
    }

  private:
    std::int64_t number(std::size_t i) const {
        return std::int64_t{number_[i]} + std::int64_t{number_[i + values_]};
    }

    int low_;
    std::size_t values_;
    std::vector<std::uint32_t> number_;  // in two turns
    std::int64_t size_ = 0;
};

// Two means of some numbers (Ridler & Calvard 1978, doi:10.1109/TSMC.1978.4310039), and what tells them
// apart.
struct TwoMeans {
    double threshold = 0, high = 0, low = 0;
};

// False where there are fewer than `least` numbers, or only one.
inline bool two_means(const Histogram& numbers, std::int64_t least, TwoMeans& found) {
    const std::int64_t number = numbers.size();
    if (number < least) return false;
    const auto [low, numbers_to, sums_to] = numbers.totals();
    const std::int64_t total = sums_to.back();
    found.threshold = static_cast<double>(total) / static_cast<double>(number);
    for (int round = 0; round < 20; ++round) {
        // The threshold lies between the least number and the greatest.
        const auto at = static_cast<std::size_t>(static_cast<int>(std::floor(found.threshold)) - low);
        const std::int64_t above = number - numbers_to[at], sum = total - sums_to[at];
        if (above == number || above == 0) return false;
        found.high = static_cast<double>(sum) / static_cast<double>(above);
        found.low = static_cast<double>(total - sum) / static_cast<double>(number - above);
        const double middle = (found.high + found.low) / 2.0;
        if (std::abs(middle - found.threshold) < 0.5) break;
        found.threshold = middle;
    }
    return true;
}

}  // namespace fastpgs
