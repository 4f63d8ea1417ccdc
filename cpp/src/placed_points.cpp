#include "placed_points.hpp"

#include <cmath>
#include <limits>
#include <optional>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/tile_kernels.hpp"

namespace fastpgs {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

PlacedPoints::PlacedPoints(const Task& task)
    : task_(task),
      kernels_(real_kernels()),
      dims_(task.space.dims),
      reader_(task),
      tiles_(reader_.size() / kCoarseTile),
      last_(dims_, std::max<std::size_t>(reader_.size() % kCoarseTile, 1)) {
    if (n_last() > 0) reader_.read(tiles_ * kCoarseTile, reader_.size(), last_.data());
    measure();
    tile_sums_.reset(dims_, tiles_);
    words_ = Block<std::int32_t>(tiles_ * grid_.words() * kCoarseTile);
    for (Planes<std::int32_t>* planes : {&low_, &high_}) {
        planes->reset(grid_.words(), tiles_ + kCoarseMargin);
        for (std::size_t a = 0; a < grid_.words(); ++a) std::fill_n((*planes)[a] + tiles_, kCoarseMargin, 0);
    }
    boxes_ = {low_.data(), high_.data()};
    place_points();
}

// The extent of all points: their grid, and the grains of sums.
void PlacedPoints::measure() {
    std::vector<double> low(n_tasks() * dims_, kInfinity), high(low.size(), -kInfinity);
    if (!reader_.extents(low.data(), high.data()))
        for_runs(0, [&](std::size_t task, std::size_t, const RealPoints& points) {
            kernels_.extents(points, low.data() + task * dims_, high.data() + task * dims_);
        });
    double top = 0.0, bound = 0.0;
    for (std::size_t a = 0; a < dims_; ++a) {
        for (std::size_t s = a; s < low.size(); s += dims_) {
            low[a] = std::fmin(low[a], low[s]);
            high[a] = std::fmax(high[a], high[s]);
        }
        for (std::size_t i = 0; i < n_last(); ++i) {
            low[a] = std::fmin(low[a], last_[a][i]);
            high[a] = std::fmax(high[a], last_[a][i]);
        }
        top = std::fmax(top, std::fmax(std::fabs(low[a]), std::fabs(high[a])));
        bound += (high[a] - low[a]) * (high[a] - low[a]);
    }
    low.resize(dims_);
    high.resize(dims_);
    const double grain = task_.exact ? 0.0 : sum_grain(top, reader_.size());
    grid_ = CoarseGrid(low, high, task_.exact, grain);
    if (task_.exact) return;
    round_ = rounder(grain);
    objective_round_ = rounder(sum_grain(bound, reader_.size()));
}

void PlacedPoints::place_points() {
    const std::optional<ChannelPoints> channels = reader_.channels();
    const std::size_t done = !channels ? 0 : reader_.blocks() > 0 ? reader_.blocks() : tiles_;
    if (channels) place_channels(*channels, done);
    for_runs(done, [&](std::size_t, std::size_t begin, const RealPoints& points) {
        std::vector<double*> sums(dims_);
        for (std::size_t a = 0; a < dims_; ++a) sums[a] = tile_sums_[a] + begin;
        kernels_.sums(points, sums.data());
        kernels_.places(points, grid_.middle(), grid_.per_step(),
                        words_.data() + begin * grid_.words() * kCoarseTile);
        tile_kernels().coarse.boxes(places(), begin, begin + points.tiles, boxes_);
    });
}

// Of the first tiles.
void PlacedPoints::place_channels(const ChannelPoints& channels, std::size_t tiles) {
    for_tiles([&](std::size_t, std::size_t begin, std::size_t end) {
        end = std::min(end, tiles);
        for (std::size_t t = begin; t < end; t += kRun) {
            poll(t - begin, 64 * kRun);
            const std::size_t last = std::min(t + kRun, end);
            kernels_.place_channels({channels, t, last, round_, grid_.middle(), grid_.per_step(),
                                     tile_sums_.data(), words_.data()});
            tile_kernels().coarse.boxes(places(), t, last, boxes_);
        }
    });
}

}  // namespace fastpgs
