// What the tiles of real points (real_tiles.cpp) read again from the image: points that change hands, those
// that the coarse grid leaves open, and those that may be medoids.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "fastpgs/coarse_kernels.hpp"
#include "fastpgs/points.hpp"
#include "point_reader.hpp"

namespace fastpgs {

inline double distance2(const double* x, const double* target, std::size_t dims) {
    double total = 0.0;
    for (std::size_t a = 0; a < dims; ++a) {
        const double d = x[a] - target[a];
        total += d * d;
    }
    return total;
}

// Of the pivots (k, dims) whose bits are set, the nearest; ties to the lower.
std::size_t nearest_pivot(const double* x, const std::vector<double>& pivots, std::size_t dims,
                          std::uint32_t mask);

// A few pixels with their coordinates.
class ExactPoints {
  public:
    static constexpr std::size_t kMany = 8;  // of a tile

    ExactPoints(const PointReader& reader, std::size_t most) : reader_(reader), z_(reader.dims(), most) {
        pixels_.reserve(most);
    }

    // Asks for the memory of points that will be read soon.
    void fetch(const std::uint32_t* points, std::size_t n) const;
    void read(const std::uint32_t* points, std::size_t n);
    // Of neighbours, which is quicker: where many points of a tile are wanted, read it whole.
    void read_range(std::size_t begin, std::size_t end) { reader_.read(begin, end, z_.data()); }
    // Coordinates of the one that was read at place i.
    void get(std::size_t i, double* x) const {
        for (std::size_t a = 0; a < z_.dims(); ++a) x[a] = z_[a][i];
    }
    const Planes<double>& z() const { return z_; }

  private:
    const PointReader& reader_;
    Planes<double> z_;
    std::vector<std::int64_t> pixels_;
};

// Labels that change, and what sums of members (k, dims + 1) gain and lose by it.
class Changes {
  public:
    // `touched` (k) is set for pivots that gain or lose a point.
    Changes(const PointReader& reader, std::size_t k, double round, std::int32_t* labels, double* sums,
            std::uint8_t* touched);

    // A whole tile joins a pivot (sign 1) or leaves it (sign -1).
    void move_tile(const Planes<double>& tile_sums, std::size_t tile, std::size_t pivot, double sign);
    // All points of a tile get a label.
    void set_tile(std::size_t tile, std::int32_t label);
    void set(std::uint32_t point, std::int32_t label) {
        if (labels_[point] == label) return;
        changed_[n_] = point;
        before_[n_++] = labels_[point];
        labels_[point] = label;
    }

    std::int32_t* labels() { return labels_; }
    // Room for so many changes, which the caller writes and counts.
    void make_room(std::size_t n) {
        if (n_ + n > kMost) flush();
    }
    std::uint32_t* changed() { return changed_.data() + n_; }
    std::int32_t* before() { return before_.data() + n_; }
    void count(std::size_t n) { n_ += n; }

    // Nothing is left to be done.
    void finish();

  private:
    static constexpr std::size_t kMost = 2048;

    void flush();
    void add_gathered();

    const PointReader& reader_;
    const MovePixels mover_;
    std::optional<ExactPoints> points_;  // where nothing moves them at once
    std::size_t dims_;
    double round_;
    std::int32_t* labels_;
    double* sums_;
    std::uint8_t* touched_;
    std::vector<double> lost_;  // as sums_, of those that leave: no sum waits for the other
    std::size_t n_ = 0;
    std::array<std::uint32_t, kMost + kCoarseMargin> changed_;
    std::array<std::int32_t, kMost + kCoarseMargin> before_;
    std::array<std::int32_t, kMost> now_;
};

// How far comparisons may have moved since the first assignment. A tile whose points all had a greater gap
// between their pivot and any other of the tile's keeps its labels while that is so, and need not be looked
// at.
struct Drift {
    double total = 0.0;      // on the grid
    double per_score = 0.0;  // of a score
    // Up to which total the labels hold.
    double safe(std::int32_t gap, std::int32_t margin) const {
        return total + (static_cast<double>(gap) - static_cast<double>(margin)) * per_score;
    }
};

// Tiles of several candidates.
class Straddling {
  public:
    Straddling(const CoarseKernels& kernels, const PointReader& reader, const CoarseAssignArgs& args,
               const std::vector<double>& pivots, Changes& changes, const Drift& drift)
        : kernels_(kernels),
          open_(reader, kPoints),
          args_(args),
          pivots_(pivots),
          changes_(changes),
          drift_(drift) {}

    // Sets `safe` (all tiles) of those.
    void compare(const std::uint32_t* tiles, std::size_t n, double* safe);

  private:
    static constexpr std::size_t kTiles = 32, kPoints = kTiles * kCoarseTile;  // at once

    void settle(const std::uint32_t* points, std::size_t n, std::size_t tile);

    const CoarseKernels& kernels_;
    ExactPoints open_;
    CoarseAssignArgs args_;
    const std::vector<double>& pivots_;
    Changes& changes_;
    Drift drift_;
    std::array<std::int32_t, kTiles> gaps_;
    std::array<std::uint32_t, kPoints + kCoarseMargin> doubtful_;
};

// A point and its coordinates.
struct ExactPoint {
    std::size_t point = 0;
    std::vector<double> z;
};

// The first of the points nearest to a target, in raster order. With the sums of members it is told by
// integers: n |x|^2 - 2 x . S orders members as their distance to the mean S / n does.
class Nearest {
  public:
    Nearest(const PointReader& reader, const double* target, const double* sums)
        : reader_(reader), target_(target), sums_(sums), points_(reader, kCoarseTile) {}

    // Looks at the points begin + i of the bits i that are set.
    void look_at(std::size_t begin, std::uint32_t bits);
    const ExactPoint& found() const { return found_; }

  private:
    bool before(std::size_t point) const;
    std::int64_t key_of(const double* x) const;

    const PointReader& reader_;
    const double* target_;
    const double* sums_;
    ExactPoints points_;
    ExactPoint found_;
    double least_ = std::numeric_limits<double>::infinity(), bound_ = least_;
    std::int64_t key_ = std::numeric_limits<std::int64_t>::max();
};

}  // namespace fastpgs
