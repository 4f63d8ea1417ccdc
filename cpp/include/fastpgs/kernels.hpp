// The inner loops, compiled once for each instruction set and chosen at run time.
//
// Points lie in planes: z[a][i] is coordinate a of point i, of int32 or double. All kernels give the same
// bits on every path: they use no fused multiply-add, and every sum they form is exact (integers below 2^53,
// or reals that were rounded to a common power of two beforehand), so that no order of summation matters.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastpgs {

inline constexpr std::size_t kChunk = 512;  // points that one kernel call handles at most
inline constexpr int kMaxPivots = 255;

// Labels of one chunk and, a cluster, its weight and weighted coordinate sums.
template <class T>
struct AssignArgs {
    const T* const* z;     // dims planes
    const double* weight;  // weights, or null for 1
    std::size_t n;         // at most kChunk
    std::size_t dims;      //
    const T* pivots;       // (k, dims), row-major
    std::size_t k;         //
    double round;  // 1.5 * 2^52 * grain: added and subtracted, it rounds a real to the grain; 0: integers
    std::uint8_t* labels;    // out: nearest pivot, ties to the lower
    double* sums;            // in, out: (k, dims + 1): weight, then coordinate sums; or null
    double* d2;              // out: squared distance to the nearest pivot; or null
    double objective_round;  // as round, for squared distances
    double* objective;       // out: sum of weight times rounded squared distance; or null
};

// The least squared distance of the members of each cluster to their mean.
template <class T>
struct NearestArgs {
    const T* const* z;
    std::size_t n;
    std::size_t dims;
    const std::uint8_t* labels;
    const double* means;  // (k, dims)
    std::size_t k;
    double* least;  // in, out: (k,)
};

// Which pivots points are within a limit of: bit j for pivot j.
template <class T>
struct MarkArgs {
    const T* const* z;
    std::size_t n;  // any number
    std::size_t dims;
    const T* pivots;     // (k, dims)
    std::size_t k;       // at most 8
    double limit;        // squared distance
    std::uint8_t* bits;  // out: a point
};

// Sums of products of planes with one of them.
struct MultiplyArgs {
    const double* const* z;
    std::size_t n;  // any number
    std::size_t dims;
    const double* by;
    double* products;  // out: (dims,)
};

// Extent and weighted sums of a run of points.
template <class T>
struct SummaryArgs {
    const T* const* z;
    const double* weight;  // or null for 1
    std::size_t begin, end;
    std::size_t dims;
    double round;
    double* centre;  // out: (dims,) middle of the bounding box
    double* half;    // out: (dims,) half its extent
    double* sums;    // out: (dims + 1,) weight, then coordinate sums
};

// Which boxes lie wholly on one pivot's side of every bisector.
struct OwnersArgs {
    const double* const* centre;  // dims planes of n
    const double* const* half;    //
    std::size_t n;                // at most kChunk
    std::size_t dims;
    const double* pivots;  // (k, dims)
    std::size_t k;         // at most kVectorPivots
    std::uint8_t* owners;  // out: the pivot, or 255
};
inline constexpr std::size_t kVectorPivots = 16;

struct Kernels {
    const char* name;
    void (*summary_i32)(const SummaryArgs<std::int32_t>&);
    void (*summary_f64)(const SummaryArgs<double>&);
    void (*owners)(const OwnersArgs&);
    void (*assign_i32)(const AssignArgs<std::int32_t>&);
    void (*assign_f64)(const AssignArgs<double>&);
    void (*nearest_i32)(const NearestArgs<std::int32_t>&);
    void (*nearest_f64)(const NearestArgs<double>&);
    double (*multiply)(const MultiplyArgs&);  // returns the sum of `by`
    void (*mark_i32)(const MarkArgs<std::int32_t>&);
    void (*mark_f64)(const MarkArgs<double>&);
};

// The best path this machine has, or the one that FASTPGS_SIMD names ("baseline", "avx2", "avx512"), read
// once.
const Kernels& kernels();

inline void assign(const AssignArgs<std::int32_t>& args) { kernels().assign_i32(args); }
inline void assign(const AssignArgs<double>& args) { kernels().assign_f64(args); }
inline void summarise(const SummaryArgs<std::int32_t>& args) { kernels().summary_i32(args); }
inline void summarise(const SummaryArgs<double>& args) { kernels().summary_f64(args); }
inline void nearest(const NearestArgs<std::int32_t>& args) { kernels().nearest_i32(args); }
inline void nearest(const NearestArgs<double>& args) { kernels().nearest_f64(args); }
inline double multiply(const MultiplyArgs& args) { return kernels().multiply(args); }
inline void mark(const MarkArgs<std::int32_t>& args) { kernels().mark_i32(args); }
inline void mark(const MarkArgs<double>& args) { kernels().mark_f64(args); }

}  // namespace fastpgs
