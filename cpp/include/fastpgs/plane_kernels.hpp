// The inner loops over rows of a picture's planes, compiled once for each instruction set and chosen with the
// other kernels. All paths give the same bits: integers, and reals in one order of operations, never fused.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastpgs {

// Levels and as many times more of them as `extra` says, one a level, rounded to the nearest whole number,
// the even one of two, at most 255; in single precision, which decides which numbers lie between two.
struct BalanceArgs {
    const std::uint8_t* levels;
    const float* extra;  // at most 2^13 in magnitude
    std::size_t n;
    std::uint8_t* out;
};

// Stain features of one row of (cols, 3) levels.
struct StainRowArgs {
    const std::uint8_t *above, *own, *below;  // white-balanced rows
    std::size_t cols;
    int offset;              // of two of the features
    bool grey;               // the score is g alone
    std::uint16_t* sums;     // room for 3 cols + 6
    std::uint8_t* smoothed;  // room for 3 cols
    std::int16_t* smooth;    // room for 3 cols
    std::uint8_t* features;  // out: (cols, 3)
    std::int16_t* score;     // out, as the following; null: nobody asks for it
    std::int16_t* depth;
    float* strength;
};

// What stain features tell by themselves of colours, which are pairs (g, u), (v, 1) as a palette has them.
struct StainColoursArgs {
    const std::int32_t *a, *b;
    const std::uint32_t* counts;
    std::size_t n;
    int offset;
    bool grey;
    std::int32_t* scores;  // out: as often as counted
    float* strength;       // out
};

// weights[0] r + weights[1] g + weights[2] b + bias of each of n triples, at most `most` in magnitude.
template <class Real>
struct LinearArgs {
    const std::uint8_t* triples;
    std::size_t n;
    Real weights[3];
    Real bias, most;
    Real* out;
};

// d . (spread d) for each triple less a centre.
struct QuadraticArgs {
    const std::uint8_t* triples;
    std::size_t n;
    double centre[3];
    double spread[3][3];
    double* out;
};

// Sums of lines, one after the other from 0 on, over a divisor.
template <class Real>
struct SumLinesArgs {
    const Real* const* lines;
    std::size_t number;
    std::size_t n;
    Real divisor;
    Real* out;
};

// Roots of whole numbers, over a divisor.
struct RootsArgs {
    const std::int32_t* squares;
    std::size_t n;
    double divisor;
    double* out;
};

// Which numbers' squares are less than the mean of their neighbours' and one: corners of a lower hull. A
// number before the first and one behind the last are read.
struct CornersArgs {
    const std::int32_t* numbers;
    std::size_t n;
    std::uint64_t* words;  // out: bit i % 64 of word i / 64; 0 beyond the last
};

// Of the pixels begin..end of a row the nearest of n sites, one a column from column 0 on, given how many
// rows each lies away; from `none` on there is none in a column. What is nearest is found for every eighth
// pixel, and for those between among the sites from the one to the other.
struct NearestSitesArgs {
    const std::int32_t* rows;
    std::int32_t none;
    std::size_t n;
    int bits;                     // that a column takes
    const std::int32_t* squares;  // those of -n - 8 to n + 8 from the middle on, times 2^bits, below 2^30
    std::ptrdiff_t begin, end;
    std::int32_t* room;  // for n + 8 and (end - begin) / 8 + 2 numbers
    std::int32_t* out;   // squared distance times 2^bits, and the column, of several the first; 2^30 or more
                         // where there is no site. Seven numbers more are written
    std::int32_t* squares_out;  // the squared distances alone
};

// What is a pixel farther than those beside it, at most.
struct NearerArgs {
    const std::int32_t* beside;
    std::size_t n;
    std::int32_t* own;  // in, out
};

// Which values are at most their limits.
struct AtMostArgs {
    const std::int32_t* values;
    const std::int32_t* limits;
    std::size_t n;
    std::uint64_t* words;  // out: as above
};

// Which values are among some few.
struct MembersArgs {
    const std::int32_t* values;
    std::size_t n;
    const std::int32_t* of;
    std::size_t number;
    std::uint64_t* words;  // out: as above
};

// Which triples' nearest pivot, of several as near the first, is one of those that are chosen.
struct NearestChosenArgs {
    static constexpr std::size_t kMost = 64;  // pivots

    const std::uint8_t* triples;
    std::size_t n;
    const std::uint8_t *pivots, *chosen;  // (k, 3), and k flags
    std::size_t k;
    std::uint64_t* words;  // out: as above
};

// Which values are above a limit.
template <class T>
struct LimitArgs {
    const T* values;
    T limit;
    std::size_t n;
    std::uint64_t* words;  // out: as above
};

// By how much the roots of squares, times a factor, are more than `even`, at most `most` in magnitude; less
// odds.
struct AgainstArgs {
    const float* odds;
    const std::int32_t* squares;
    std::size_t n;
    float factor, even, most;
    float* out;
};

// Values times a factor without their fractions, at least 0 and at most `last`.
struct BinsArgs {
    const float* values;
    std::size_t n;
    float factor;
    std::uint16_t last;
    std::uint16_t* out;
};

// Of each group 0..number five sums over its pixels: 1, the score, and the three features.
struct GroupSumsArgs {
    const std::int32_t* groups;
    const std::int16_t* score;
    const std::uint8_t* features;  // (n, 3)
    std::size_t n;
    std::int32_t number;  // below 2^15; takes time for each
    std::int64_t* sums;   // (number + 1, 5): is added to
};

// Words that meet those of others `off` before and behind them, where there are any.
struct MeetArgs {
    const std::uint64_t* others;
    std::size_t off, n;  // off <= n
    std::uint64_t* words;
};

// Bits with set ones on either side, where others are set too: of the words from the second to the last but
// one.
struct NarrowArgs {
    const std::uint64_t *words, *others;
    std::size_t n;
    std::uint64_t* out;
};

struct PlaneKernels {
    void (*balance)(const BalanceArgs&);
    void (*stain_row)(const StainRowArgs&);
    // False where u or v lies at an end of its scale, where the colour may lie beyond.
    bool (*stain_colours)(const StainColoursArgs&);
    void (*linear_f64)(const LinearArgs<double>&);
    void (*linear_f32)(const LinearArgs<float>&);
    void (*quadratic)(const QuadraticArgs&);
    void (*sum_lines_f64)(const SumLinesArgs<double>&);
    void (*sum_lines_f32)(const SumLinesArgs<float>&);
    void (*roots)(const RootsArgs&);
    void (*corners)(const CornersArgs&);
    void (*nearest_sites)(const NearestSitesArgs&);
    void (*nearer)(const NearerArgs&);
    std::int64_t (*population)(const std::uint64_t* words, std::size_t n);  // set bits
    void (*at_most_i32)(const AtMostArgs&);
    void (*members)(const MembersArgs&);
    void (*nearest_chosen)(const NearestChosenArgs&);
    void (*above_f64)(const LimitArgs<double>&);
    void (*above_f32)(const LimitArgs<float>&);
    void (*against)(const AgainstArgs&);
    void (*bins)(const BinsArgs&);
    void (*group_sums)(const GroupSumsArgs&);
    std::int32_t few_groups;  // up to so many that takes less time than sums in turns
    void (*meet)(const MeetArgs&);
    void (*narrow)(const NarrowArgs&);
};

const PlaneKernels& plane_kernels();

inline void linear(const LinearArgs<double>& args) { plane_kernels().linear_f64(args); }
inline void linear(const LinearArgs<float>& args) { plane_kernels().linear_f32(args); }
inline void sum_lines(const SumLinesArgs<double>& args) { plane_kernels().sum_lines_f64(args); }
inline void sum_lines(const SumLinesArgs<float>& args) { plane_kernels().sum_lines_f32(args); }
inline void at_most(const AtMostArgs& args) { plane_kernels().at_most_i32(args); }
inline void above(const LimitArgs<double>& args) { plane_kernels().above_f64(args); }
inline void above(const LimitArgs<float>& args) { plane_kernels().above_f32(args); }

}  // namespace fastpgs
