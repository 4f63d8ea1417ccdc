// The inner loops of the start and of its search by swaps, over a sample of points.
//
// Points are doubles in planes, z[a][i] is coordinate a of point i, or words of pairs as those of pixels in
// tiles: a = (x0, x1), b = (x2, 1). Their number is a multiple of kSampleStep: a sample is filled up with its
// last point. Distances are squared; owners are numbers of clusters, of the same type as distances, so that
// they lie in lanes beside what they belong to.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastpgs {

inline constexpr std::size_t kSampleStep = 32;
inline constexpr std::size_t kSampleRun = 128;  // points that are added up as one

// The nearest of k pivots, ties to the lower, by distances that are known.
template <class T>
struct NearestRowsArgs {
    const T* const* rows;  // k of n distances
    std::size_t n;
    std::size_t k;
    T* owners;               // in, out; null where only `nearest` is wanted
    std::uint32_t* changed;  // out: points whose owner is another than before
    T* from;                 // out: and which it was
    std::size_t n_changed;   // out
    T* nearest;              // out, or null where only owners are wanted: distances to the owner
    T* second;               // out: and to the next nearest; the greatest number if k = 1
};

// Distances to one point, or what they were before where that is less. `out` may be `before`.
struct AwayArgs {
    const double* const* z;
    std::size_t n;
    std::size_t dims;
    const double* target;  // (dims,)
    const double* before;  // or null
    double* out;
};

// The first member of the least key, which is x . (scale x - shift), coordinates added from first to last;
// or the squared distance to shift, where scale is 0.
struct CentralArgs {
    const double* const* z;
    std::size_t n;
    std::size_t dims;
    const double* owners;
    double cluster;
    double scale;
    const double* shift;  // (dims,)
};

struct RealSampleKernels {
    void (*away)(const AwayArgs&);
    void (*nearest)(NearestRowsArgs<double>&);
    std::size_t (*central)(const CentralArgs&);  // n where no member has a finite key
};

struct WordAwayArgs {
    const std::int32_t* a;
    const std::int32_t* b;
    std::size_t n;
    std::int32_t target_a, target_b;
    const std::int32_t* before;  // or null
    std::int32_t* out;
};

// Sums over all points of the least of what distances were before and those to a target, of several targets.
struct WordTrialArgs {
    static constexpr std::size_t kTargets = 4;

    const std::int32_t* a;
    const std::int32_t* b;
    std::size_t n;  // at most 2^18, whose halves fit a lane
    const std::int32_t* before;
    std::size_t n_targets;
    std::int32_t target_a[kTargets];
    std::int32_t target_b[kTargets];
    std::int64_t sums[kTargets];  // in, out
};

// Members of up to eight clusters that may be nearest to their means, by distances to the rounded means.
struct WordNearArgs {
    static constexpr std::size_t kClusters = 8;

    const std::int32_t* a;
    const std::int32_t* b;
    std::size_t n;
    const std::int32_t* owners;
    std::int32_t first;              // of the clusters
    std::int32_t mean_a[kClusters];  // pairs, times 2^shift, rounded
    std::int32_t mean_b[kClusters];
    std::int32_t least[kClusters];  // a bound of the nearest's squared distance; -1: none is wanted
    int shift;                      // features are multiplied by 2^shift
    std::uint32_t* near;            // out: they ascend; room for n + kSampleStep
    std::size_t n_near;             // out
};

// min(second, drawn) - min(nearest, drawn) of each point.
struct WordMissArgs {
    const std::int32_t* nearest;
    const std::int32_t* second;
    const std::int32_t* drawn;
    std::size_t n;
    std::int32_t* out;
};

struct WordSampleKernels {
    void (*away)(const WordAwayArgs&);
    void (*trials)(WordTrialArgs&);
    void (*nearest)(NearestRowsArgs<std::int32_t>&);
    void (*near)(WordNearArgs&);
    void (*miss)(const WordMissArgs&);
    // Sums of each kSampleRun of n distances. Four of these fit 31 bits.
    void (*sums)(const std::int32_t* values, std::size_t n, std::int64_t* runs);
};

}  // namespace fastpgs
