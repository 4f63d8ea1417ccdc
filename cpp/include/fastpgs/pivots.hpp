// Pivot selection: alternating k-medoids (steps 2-5, Eqs. 3-5 and 8) over points.
//
// For the squared Euclidean distance, sum_l |x_i - x_l|^2 = n |x_i - mean|^2 + const, so the exact medoid of
// a cluster is the member nearest to its mean: O(n), not O(n^2). Ties go to the lowest raster index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "fastpgs/groups.hpp"
#include "fastpgs/params.hpp"
#include "fastpgs/points.hpp"

namespace fastpgs {

// A pivot's coordinates, and the pixel that it is.
template <class T>
struct Pivots {
    std::vector<T> z;                  // (k, dims)
    std::vector<std::int64_t> raster;  // k raster indices; -1 where `point` says it
    std::vector<std::size_t> point;    // k points
};

struct Iterated {
    int n_iter = 0;
    bool converged = false;
};

// Of points that tie for medoid, the one whose first pixel comes first in the image.
using Earliest = std::function<std::size_t(const std::vector<std::size_t>&)>;

// Moves `pivots` until they stay or params.max_iter is reached. With `groups`, whole groups are decided at
// once. `ordered` points are in raster order, so that the first of tied ones is the earliest; otherwise
// `earliest` decides. Deterministic for any thread count, with or without groups.
template <class T>
Iterated iterate(const Points<T>& points, const Groups<T>* groups, const Params& params, int threads,
                 Pivots<T>& pivots, bool ordered, const Earliest& earliest);

// The nearest pivot of every point, ties to the lower.
struct Assignment {
    std::vector<std::uint8_t>
        owners;  // a group: the pivot of all its points, or kStraddles; empty without groups
    std::vector<std::uint8_t> labels;  // a point: its pivot
    std::vector<double> d2;            // a point: squared distance to it
    std::vector<std::uint8_t> empty;   // k flags
    double inertia = 0.0;              // Eq. 3, in internal units
};
template <class T>
void assign_all(const Points<T>& points, const Groups<T>* groups, const std::vector<T>& pivots, int threads,
                Assignment& out);

// Index of the point nearest to `target` (dims doubles); the tied ones are handled as in iterate.
std::size_t nearest_point(const Points<double>& points, const double* target, bool ordered,
                          const Earliest& earliest);

}  // namespace fastpgs
