// A grid of 16 bits over real points: most comparisons of distances are decided on it, by integers.
//
//      x = middle + step * (q + e)      q an integer of at most 2^13, |e| <= 1/2
//
// A point lies off its place on the grid by no more than half a step in each coordinate, so differences of
// squared distances are known up to a margin; within it only the points themselves can tell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastpgs/coarse_kernels.hpp"

namespace fastpgs {

class CoarseGrid {
  public:
    CoarseGrid() = default;
    // Over points within [low, high]; integers, where there are few, get a place each. Steps are `grain` or
    // longer: means of points rounded to that many units lie beyond [low, high] by at most half of it, and
    // have places too.
    CoarseGrid(const std::vector<double>& low, const std::vector<double>& high, bool integers, double grain);

    std::size_t dims() const { return middle_.size(); }
    std::size_t words() const { return (dims() + 1) / 2; }
    const double* middle() const { return middle_.data(); }
    double per_step() const { return per_step_; }

    // What kernels compare pivots (k, dims) by.
    struct Scores {
        std::vector<std::int32_t> ways, constants;
        std::int32_t margin = 0;
        double scale = 1.0;  // times differences of squared distances in steps
        CoarseScores args() const { return {ways.data(), constants.data(), margin, constants.size()}; }
    };
    Scores scores(const std::vector<double>& pivots) const;

    // By how much differences of squared distances to two of the pivots, of any point, change at most where
    // others take their places. In squared steps.
    double drift(const std::vector<double>& before, const std::vector<double>& pivots) const;

    // The words of a point's place.
    std::vector<std::int32_t> place(const double* point) const;
    // Squared distance on the grid, to a target's place, that points this far from the target have at most.
    std::int32_t reach(double distance2) const;
    // By how much two distances on the grid, to one place, may be in the wrong order.
    std::int32_t error() const;

  private:
    std::vector<double> middle_;
    std::vector<double> furthest_;  // places of a coordinate lie no further from the middle, in steps
    double per_step_ = 1.0;         // 1 / step
    int bits_ = 13;                 // of a place, less its sign
};

}  // namespace fastpgs
