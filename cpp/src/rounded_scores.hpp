// Distances after a linear map as scores of integers, linear in the features, with a margin for what they are
// rounded by.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fastpgs {

// What scores are rounded by. Differences of two P fit 16 bits, scores and reaches 32.
struct Rounding {
    double most;    // the greatest |P|
    double centre;  // of features: P's error there is made up for by C
    double half;    // greatest distance of a feature from there
};
constexpr Rounding kRgb{16000.0, 128.0, 128.0}, kLab{8000.0, 0.0, 7168.0};

// Of each pivot p: P = W^T p and C = |p|^2, as far as they differ from pivot to pivot. C - 2 x . P is least
// for the pivot whose W x is nearest to.
class RoundedScores {
  public:
    // `map`: W, lower triangular, (3, 3).
    RoundedScores(const double* map, const Rounding& rounding) : map_(map), rounding_(rounding) {}

    const std::int32_t* ways() const { return ways_.data(); }            // (k, 3): P
    const std::int32_t* constants() const { return constants_.data(); }  // (k,): C

    // Two scores are off by 2 * half * 1/2 a feature, and by 1/2 of C.
    std::int32_t margin() const {
        return static_cast<std::int32_t>(2.0 * (static_cast<double>(kDims) * rounding_.half + 0.5)) + 4;
    }

    // Of pivots (k, 3), from their mean so that they are small.
    void set(const std::vector<double>& pivots) {
        const std::size_t k = pivots.size() / kDims;
        std::vector<double> ways(kDims * k), constants(k);
        double mean[kDims] = {}, most = 0.0;
        for (std::size_t j = 0; j < k; ++j)
            for (std::size_t a = 0; a < kDims; ++a) mean[a] += pivots[kDims * j + a] / static_cast<double>(k);
        for (std::size_t j = 0; j < k; ++j) {
            const double* pivot = pivots.data() + kDims * j;
            for (std::size_t a = 0; a < kDims; ++a)
                constants[j] += (pivot[a] - mean[a]) * (pivot[a] + mean[a]);
            for (std::size_t b = 0; b < kDims; ++b) {
                for (std::size_t a = b; a < kDims; ++a)
                    ways[kDims * j + b] += map_[kDims * a + b] * (pivot[a] - mean[a]);
                most = std::max(most, std::fabs(ways[kDims * j + b]));
            }
        }
        const double scale = most > 0.0 ? rounding_.most / most : 1.0;
        ways_.resize(kDims * k);
        constants_.resize(k);
        for (std::size_t j = 0; j < k; ++j) {
            double constant = scale * constants[j];
            for (std::size_t b = 0; b < kDims; ++b) {
                const double exact = scale * ways[kDims * j + b], rounded = std::floor(exact + 0.5);
                ways_[kDims * j + b] = static_cast<std::int32_t>(rounded);
                constant += 2.0 * rounding_.centre * (rounded - exact);
            }
            constants_[j] = static_cast<std::int32_t>(std::floor(constant + 0.5));
        }
    }

  private:
    static constexpr std::size_t kDims = 3;

    const double* map_;
    Rounding rounding_;
    std::vector<std::int32_t> ways_, constants_;
};

}  // namespace fastpgs
