// Local search for starting pivots (Lattanzi, Sohler, ICML 2019): a point drawn with D² weighting takes the
// place of the pivot that is missed least, two iterations of the method follow, and the result is kept if its
// objective is lower. Alternation alone cannot leave a poor start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "fastpgs/block.hpp"
#include "fastpgs/points.hpp"
#include "fastpgs/random.hpp"
#include "fastpgs/swap_kernels.hpp"

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
    using Row = std::shared_ptr<Block<double>>;  // squared distances of the points to a pivot

    struct State {
        std::vector<std::int64_t> pivots;
        std::vector<std::vector<double>> at;  // their coordinates
        std::vector<Row> rows;                // null where a pivot has moved; shared by states
        std::vector<double> members;          // the clusters whose medoids the pivots are, n
        std::vector<double> sums;             // of those, (k, dims + 1): points, then coordinate sums
        std::vector<std::uint8_t> central;    // k flags: the pivot is the medoid of its cluster there
        // What is found anew, of each point: its pivot, and squared distances to that and the next one.
        std::vector<double> owner, nearest, second;
        D objective = 0;

        // Begins where the other state is.
        void follow(const State& other);
    };

    std::size_t size() const { return pixels_.size(); }
    void measure(State& state) const;          // rows
    double find_owners(State& state) const;    // returns the sum of nearest, in no certain order
    void move_to_medoids(State& state) const;  // of the points of each owner
    void move_to_medoid(State& state, std::size_t j) const;
    void settle(State& state) const;  // all of it, twice, and the objective
    std::size_t least_missed(const State& state, const double* drawn) const;

    const Planes<double>& z_;
    const std::vector<std::int64_t>& pixels_;
    const SwapKernels& kernels_;
    double round_ = 0.0;
};

}  // namespace fastpgs
