// Local search for starting pivots (Lattanzi, Sohler, ICML 2019): a point drawn with D² weighting takes the
// place of the pivot that is missed least, two iterations of the method follow, and the result is kept if its
// objective is lower. Alternation alone cannot leave a poor start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastpgs/points.hpp"
#include "fastpgs/random.hpp"

namespace fastpgs {

// Sums of squared distances are of type D: int64 where coordinates are integers, double for reals.
template <class D>
class Swaps {
  public:
    // `pixels` are the raster indices of the points; both must outlive the search.
    Swaps(const Planes<double>& z, const std::vector<std::int64_t>& pixels);

    // Raster indices of pivots at least as good for the points. Pivots need not be among the points.
    std::vector<std::int64_t> search(std::vector<std::int64_t> pivots,
                                     std::vector<std::vector<double>> coordinates, SplitMix64& rng);

  private:
    struct State {
        std::vector<std::int64_t> pivots;
        std::vector<std::vector<double>> at;  // their coordinates
        std::vector<double> d2;               // (k, n): squared distances of the points
        D objective = 0;
    };

    std::size_t size() const { return pixels_.size(); }
    void measure(State& state) const;          // d2
    void find_owners(const State& state);      // owner_, nearest_, second_
    void move_to_medoids(State& state) const;  // of the points of each owner_
    void settle(State& state);                 // all of it, twice, and the objective
    std::size_t least_missed(std::size_t k, const std::vector<double>& drawn) const;
    D total() const;

    const Planes<double>& z_;
    const std::vector<std::int64_t>& pixels_;
    std::vector<double> far_;
    double round_ = 0.0;
    std::vector<std::size_t> owner_;
    std::vector<double> nearest_, second_;
};

}  // namespace fastpgs
