// The inner loops of the start and of its search by swaps, compiled with those over tiles of real points.
//
// Points lie in planes: z[a][i] is coordinate a of point i. Owners are numbers of clusters as doubles.
#pragma once

#include <cstddef>

namespace fastpgs {

// Squared distances to one point.
struct AwayArgs {
    const double* const* z;
    std::size_t n;
    std::size_t dims;
    const double* target;  // (dims,)
    double* out;
};

// The nearest and the second nearest of k pivots, by squared distances that are known.
struct TwoNearestArgs {
    const double* const* d2;  // k rows of n
    std::size_t n;
    std::size_t k;
    double* nearest;  // out
    double* second;   // out: infinite if k = 1
    double* owners;   // out: ties to the lower
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

struct SwapKernels {
    void (*away)(const AwayArgs&);
    // The same, or what they were before where that is less; `out` may be `before`. Returns their sum, in no
    // certain order.
    double (*closer)(const AwayArgs&, const double* before);
    double (*two_nearest)(const TwoNearestArgs&);  // returns the sum of `nearest`, in no certain order
    std::size_t (*central)(const CentralArgs&);    // n where no member has a finite key
};

}  // namespace fastpgs
