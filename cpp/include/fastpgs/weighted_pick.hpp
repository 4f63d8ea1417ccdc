// Draws an index with probability proportional to its weight. Weights are doubles; where they stand for
// integers, so does their total.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastpgs/random.hpp"

namespace fastpgs {

inline std::size_t weighted_pick(const std::vector<double>& weights, std::int64_t total, SplitMix64& rng) {
    const auto draw = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(total)));
    // Runs that end before the draw are added up as a whole: integers, in any order.
    constexpr std::size_t kRun = 128, kTurns = 8;
    std::int64_t cumulative = 0;
    std::size_t i = 0;
    for (; i + kRun <= weights.size(); i += kRun) {
        double turns[kTurns] = {};
        for (std::size_t begin = i; begin < i + kRun; begin += kTurns)
            for (std::size_t l = 0; l < kTurns; ++l) turns[l] += weights[begin + l];
        std::int64_t run = 0;
        for (const double turn : turns) run += static_cast<std::int64_t>(turn);
        if (cumulative + run > draw) break;
        cumulative += run;
    }
    for (; i < weights.size(); ++i) {
        cumulative += static_cast<std::int64_t>(weights[i]);
        if (cumulative > draw) return i;
    }
    return weights.size() - 1;
}

inline std::size_t weighted_pick(const std::vector<double>& weights, double total, SplitMix64& rng) {
    const double draw = rng.uniform() * total;
    double cumulative = 0.0;
    std::size_t last = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        cumulative += weights[i];
        if (cumulative > draw) return i;
        if (weights[i] > 0.0) last = i;
    }
    return last;
}

}  // namespace fastpgs
