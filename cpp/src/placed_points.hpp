// The points of an image in tiles: of each tile its box on a grid (coarse_grid.hpp) and its sums; the places
// of its points there, which few tiles need, of an image of three channels only where they are asked for;
// and, as they are, the points beyond the last whole tile.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "fastpgs/coarse_grid.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/points.hpp"
#include "fastpgs/real_kernels.hpp"
#include "fastpgs/source.hpp"
#include "point_reader.hpp"

namespace fastpgs {

class PlacedPoints {
  public:
    static constexpr std::size_t kRun = kChannelRun;  // tiles read at once

    // The task must outlive the points.
    explicit PlacedPoints(const Task& task);

    const PointReader& reader() const { return reader_; }
    std::size_t tiles() const { return tiles_; }  // whole ones
    const CoarseGrid& grid() const { return grid_; }
    CoarsePoints places() const { return {words_.data(), slots_.data(), grid_.words()}; }
    // Lays those of the tiles that have not been laid. A tile is one thread's at a time.
    void lay(const std::uint32_t* tiles, std::size_t n) const;
    const CoarseBoxes& boxes() const { return boxes_; }
    const Planes<double>& tile_sums() const { return tile_sums_; }
    // What coordinates and squared distances are rounded by before they are summed (points.hpp).
    double round() const { return round_; }
    double objective_round() const { return objective_round_; }

    // Points beyond the last whole tile.
    std::size_t n_last() const { return reader_.size() - tiles_ * kCoarseTile; }

    std::vector<double> last(std::size_t i) const {
        std::vector<double> x(dims_);
        for (std::size_t a = 0; a < dims_; ++a) x[a] = last_[a][i];
        return x;
    }

    // Threads that the tiles are worth.
    std::size_t n_tasks() const {
        return static_cast<std::size_t>(team(tiles_ * kCoarseTile, kWorth, task_.threads));
    }

    template <class Body>
    void for_tiles(Body body) const {  // body(task, begin, end); whole vectors of tiles, which no two share
        const std::size_t tasks = n_tasks();
        const auto start = [&](std::size_t t) {
            return t == tasks ? tiles_ : t * tiles_ / tasks / kCoarseMargin * kCoarseMargin;
        };
        parallel_for(tasks, task_.threads, [&](std::size_t t) { body(t, start(t), start(t + 1)); });
    }

    // Calls body(run, first tile, points) for all tiles from `first` on, some at once, with their
    // coordinates.
    template <class Body>
    void for_runs(std::size_t first, Body body) const {
        const std::size_t runs = (tiles_ - first + kRun - 1) / kRun, tasks = n_tasks();
        if (runs == 0) return;
        parallel_for(tasks, task_.threads, [&](std::size_t task) {
            Planes<double> z(dims_, kRun * kCoarseTile);
            for (std::size_t run = task * runs / tasks; run < (task + 1) * runs / tasks; ++run) {
                const std::size_t begin = first + run * kRun, tiles = std::min(kRun, tiles_ - begin);
                reader_.read(begin * kCoarseTile, (begin + tiles) * kCoarseTile, z.data());
                body(task, begin, RealPoints{z.data(), dims_, tiles, round_});
            }
        });
    }

  private:
    static constexpr std::size_t kWorth = std::size_t{1} << 16;  // points that are worth a thread

    static constexpr std::size_t kChannels = 3;  // of blocks
    static constexpr std::uint32_t kNotLaid = 0xFFFFFFFFU;

    // Whether channels are levels of 8 or 16 bits that are their own coordinates.
    bool levels() const;
    // What is added to levels as kernels see them.
    double bias() const { return channels_->type == PixelType::u16 ? 32768.0 : 0.0; }

    // What points lie in.
    struct Extent {
        explicit Extent(std::size_t dims)
            : low(dims, std::numeric_limits<double>::infinity()),
              high(dims, -std::numeric_limits<double>::infinity()) {}
        std::vector<double> low, high;
        double lost = 0.0;  // no longer 0 where a coordinate is not finite
        double top = 0.0;   // greatest magnitude

        void widen(std::size_t a, double least, double most) {
            low[a] = std::fmin(low[a], least);
            high[a] = std::fmax(high[a], most);
        }
        void find_top() {
            for (std::size_t a = 0; a < low.size(); ++a)
                top = std::fmax(top, std::fmax(std::fabs(low[a]), std::fabs(high[a])));
        }
        // The first n coordinates.
        bool holds(const double* least, const double* most, std::size_t n) const {
            for (std::size_t a = 0; a < n; ++a)
                if (!(low[a] <= least[a] && most[a] <= high[a])) return false;
            return true;
        }
    };

    void measure();
    double grain_of(double top) const;
    void set_grid(const Extent& extent);
    Extent suggest();
    Extent look(const Extent* suggested);
    void check(const Extent& found) const;
    void add_positions(Extent& extent) const;
    void box_levels(std::vector<Extent>& of_task);
    void box_reals(const Extent& suggested, std::vector<Extent>& of_task);
    void lay_wide(std::size_t begin, std::size_t end) const;
    void box_positions();
    void place_points();

    const Task& task_;
    const RealKernels& kernels_;
    std::size_t dims_;
    PointReader reader_;
    std::size_t tiles_;
    std::optional<ChannelPoints> channels_;  // of tiles that are blocks, which lay() lays
    std::size_t boxed_ = 0;                  // these, the first ones
    Planes<double> last_;
    CoarseGrid grid_;
    double round_ = 0.0, objective_round_ = 0.0;
    double wide_ = 0.0;  // what tiles of reals span, channels added up, that are laid at once
    Planes<double> tile_sums_;
    mutable Block<std::int32_t> words_;   // (slots, words, kCoarseTile): pages are had as they are written
    mutable Block<std::uint32_t> slots_;  // of each tile, or kNotLaid
    mutable std::atomic<std::uint32_t> laid_{0};
    Planes<std::int32_t> low_, high_;
    CoarseBoxes boxes_{};
};

}  // namespace fastpgs
