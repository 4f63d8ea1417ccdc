// Local search for starting pivots (Lattanzi, Sohler, ICML 2019): a point drawn with D² weighting takes the
// place of the pivot that is missed least, two iterations of the method follow, and the result is kept if its
// objective is lower. Alternation alone cannot leave a poor start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastpgs/block.hpp"
#include "fastpgs/random.hpp"
#include "fastpgs/samples.hpp"

namespace fastpgs {

// Memory: twice a row of squared distances a pivot.
template <class Sample>
class Swaps {
  public:
    using At = typename Sample::At;

    // The sample must outlive the search.
    explicit Swaps(Sample& points);

    // Raster indices of pivots at least as good for the points. Pivots need not be among the points.
    std::vector<std::int64_t> search(std::vector<std::int64_t> pivots, std::vector<At> places,
                                     SplitMix64& rng);

  private:
    using Value = typename Sample::Value;
    using Total = typename Sample::Total;
    using Member = typename Sample::Member;

    struct Pivot {
        std::int64_t pixel = -1;
        At at;
        bool central = false;  // it is the medoid of its cluster
        bool among = true;     // it is one of the points
    };
    struct State {
        std::vector<Pivot> pivots;
        std::vector<Value*> rows;  // squared distances of the points to each pivot
        std::vector<At> measured;  // the pivots that rows are of; nothing where known is 0
        std::vector<std::uint8_t> known;
        std::vector<Value> owners;  // a point's cluster; of the pivots, or of those before they moved
        std::vector<Member> sums;   // of clusters, (k, width)
        Weights<Value> nearest;     // squared distances to the owner, once settled
        Block<Value> second;        // and to the next pivot
        Total objective = 0;
    };

    State new_state(std::size_t k, Value* rows) const;
    void follow(const State& from, State& to) const;
    void measure(State& state) const;                      // rows
    void find_owners(State& state, bool distances) const;  // and sums
    void move_to_medoids(State& state) const;
    bool settle(State& state, const Total* bound) const;  // all of it, twice, and the objective
    std::size_t least_missed(const State& state, const Value* drawn) const;

    Sample& points_;
    mutable std::vector<Sought<At>> sought_;
    mutable std::vector<std::uint32_t> changed_;
    mutable std::vector<Value> from_;
};

}  // namespace fastpgs
