// A sample of pixels, and what the start (seeding.cpp) and its search by swaps (swaps.hpp) do with it.
//
// WordSample holds 8-bit colours and lab, whose squared distances fit 31 bits; RealSample everything else,
// with sums of squared distances that are int64 where coordinates are integers, and double for reals.
//
// Both are filled up to room() points with the last one. What is counted or drawn leaves those out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastpgs/block.hpp"
#include "fastpgs/features.hpp"
#include "fastpgs/points.hpp"
#include "fastpgs/random.hpp"
#include "fastpgs/sample_kernels.hpp"
#include "fastpgs/views.hpp"

namespace fastpgs {

// Squared distances of points, or something of the kind, with what drawing among them needs.
template <class T>
struct Weights {
    Block<T> of;
    std::vector<std::int64_t> runs;  // sums of each kSampleRun; of integers only
};

// A cluster whose medoid, the point nearest to its mean, is sought.
template <class At>
struct Sought {
    std::size_t cluster;
    const At* member;   // a point of it, or null if none is known
    std::size_t found;  // out: of several, the first
};

class WordSample {
  public:
    using Value = std::int32_t;   // a squared distance
    using Total = std::int64_t;   // the sum of several
    using Member = std::int64_t;  // a term of a cluster's sums: points, then features
    struct At {
        std::int32_t a = 0, b = 0;
        bool operator==(const At& other) const { return a == other.a && b == other.b; }
    };

    WordSample(const ImageView& image, const FeatureSpace& space, std::vector<std::int64_t> pixels);
    // Every step-th of another sample.
    WordSample(const WordSample& all, std::size_t step);

    std::size_t size() const { return pixels_.size(); }
    std::size_t room() const { return room_; }
    std::int64_t pixel(std::size_t i) const { return pixels_[i]; }
    At at(std::size_t i) const { return {z_[0][i], z_[1][i]}; }

    // Room for weights of all points, undefined until they are written.
    Weights<Value> weights() const { return {Block<Value>(room_), {}}; }
    // Squared distances to a point.
    void away(const At& target, Value* out) const;
    // The same, or what they were before where that is less; returns their sum.
    Total closer(const Weights<Value>& before, const At& target, Weights<Value>& out) const;
    // Of some points the one that, as one more target, leaves the least sum, of several the first: `d2`,
    // ready to draw from, and `total` are then those with it.
    std::size_t take_best(const std::vector<std::size_t>& picks, Weights<Value>& d2, Total& total) const;
    void nearest(NearestRowsArgs<Value>& args) const;
    // Returns the sum of squared distances that have been written, and makes them ready to draw from.
    Total sum(Weights<Value>& found) const;
    // What the nearest pivot's loss costs each point, if one at the distances `drawn` comes in.
    void miss(const Value* nearest, const Value* second, const Value* drawn, Value* out) const;
    // An index with probability proportional to its weight.
    std::size_t pick(const Weights<Value>& weights, Total total, SplitMix64& rng) const;

    std::size_t width() const { return 4; }  // of a cluster's sums
    // Adds point i to a cluster's sums, or takes it away.
    void add(std::size_t i, Member sign, Member* sums) const {
        const std::int32_t a = z_[0][i], b = z_[1][i];
        sums[0] += sign;
        sums[1] += sign * static_cast<std::int16_t>(a & 0xFFFF);
        sums[2] += sign * (a >> 16);
        sums[3] += sign * static_cast<std::int16_t>(b & 0xFFFF);
    }
    // Medoids of clusters, which ascend and hold points; sums are of all clusters, (k, width).
    void find_medoids(const Value* owners, const Member* sums, std::vector<Sought<At>>& sought);

  private:
    void fill_up();
    void measure(const At& target, const Value* before, Value* out) const;
    void find_medoids(const Value* owners, const Member* sums, Sought<At>* begin, Sought<At>* end);
    Total beyond(Value before, std::size_t target) const;
    void bound_distance(const Value* owners, const Sought<At>& one, const std::array<std::int32_t, 3>& mean,
                        std::int32_t& least) const;

    std::vector<std::int64_t> pixels_;
    std::size_t room_;
    int shift_;  // what there is room for in a feature
    Planes<std::int32_t> z_;
    Block<std::uint32_t> near_;
};

template <class D>
class RealSample {
  public:
    using Value = double;
    using Total = D;
    using Member = double;
    using At = std::vector<double>;

    RealSample(const ImageView& image, const FeatureSpace& space, std::vector<std::int64_t> pixels);
    RealSample(const RealSample& all, std::size_t step);

    std::size_t size() const { return pixels_.size(); }
    std::size_t room() const { return room_; }
    std::int64_t pixel(std::size_t i) const { return pixels_[i]; }
    At at(std::size_t i) const;

    Weights<Value> weights() const { return {Block<Value>(room_), {}}; }
    void away(const At& target, Value* out) const;
    Total closer(const Weights<Value>& before, const At& target, Weights<Value>& out) const;
    std::size_t take_best(const std::vector<std::size_t>& picks, Weights<Value>& d2, Total& total) const;
    void nearest(NearestRowsArgs<Value>& args) const;
    Total sum(Weights<Value>& found) const;
    void miss(const Value* nearest, const Value* second, const Value* drawn, Value* out) const;
    std::size_t pick(const Weights<Value>& weights, Total total, SplitMix64& rng) const;

    std::size_t width() const { return z_.dims() + 1; }
    void add(std::size_t i, Member sign, Member* sums) const;
    void find_medoids(const Value* owners, const Member* sums, std::vector<Sought<At>>& sought);

  private:
    void fill_up();
    void measure(const At& target, const Value* before, Value* out) const;
    std::size_t medoid(const Value* owners, std::size_t cluster, const Member* sums);

    std::vector<std::int64_t> pixels_;
    std::size_t room_;
    Planes<double> z_;
    double round_ = 0.0;  // of reals in sums
};

}  // namespace fastpgs
