#include "placed_points.hpp"

#include <cmath>
#include <limits>
#include <numeric>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/tile_kernels.hpp"
#include "pairs.hpp"

namespace fastpgs {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kPolled = 4096;  // tiles between two looks at signals

}  // namespace

PlacedPoints::PlacedPoints(const Task& task)
    : task_(task),
      kernels_(real_kernels()),
      dims_(task.space.dims),
      reader_(task),
      tiles_(reader_.size() / kCoarseTile),
      last_(dims_, std::max<std::size_t>(reader_.size() % kCoarseTile, 1)) {
    if (reader_.blocks() > 0) channels_ = reader_.channels();
    if (channels_) boxed_ = reader_.blocks();
    if (n_last() > 0) reader_.read(tiles_ * kCoarseTile, reader_.size(), last_.data());
    const std::size_t words = (dims_ + 1) / 2;
    for (Planes<std::int32_t>* planes : {&low_, &high_}) {
        planes->reset(words, tiles_ + kCoarseMargin);
        for (std::size_t a = 0; a < words; ++a) std::fill_n((*planes)[a] + tiles_, kCoarseMargin, 0);
    }
    boxes_ = {low_.data(), high_.data()};
    tile_sums_.reset(dims_, tiles_);
    measure();
    words_ = Block<std::int32_t>(tiles_ * words * kCoarseTile);
    slots_ = Block<std::uint32_t>(tiles_);
    std::fill_n(slots_.data(), tiles_, kNotLaid);
    place_points();
}

bool PlacedPoints::levels() const {
    if (!channels_ || (channels_->type != PixelType::u8 && channels_->type != PixelType::u16)) return false;
    return std::all_of(channels_->factor, channels_->factor + 3, [](double factor) { return factor == 1.0; });
}

// The extent of all points: their grid, and the grains of sums.
void PlacedPoints::measure() {
    std::vector<double> low(n_tasks() * dims_, kInfinity), high(low.size(), -kInfinity);
    std::size_t first = 0;  // of the tiles that have not been looked at
    if (levels()) {
        box_levels(low.data(), high.data());
        first = boxed_;
    } else if (reader_.extents(low.data(), high.data())) {
        first = tiles_;
    }
    for_runs(first, [&](std::size_t task, std::size_t, const RealPoints& points) {
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

// Boxes and sums of levels, not yet on the grid, and their extent, of each task.
void PlacedPoints::box_levels(double* low, double* high) {
    for_tiles([&](std::size_t task, std::size_t begin, std::size_t end) {
        constexpr std::int32_t kLeast = 0x7FFF7FFF, kGreatest = static_cast<std::int32_t>(0x80008000U);
        LevelBoxesArgs args{};
        args.pixels = channels_->pixels;
        args.wide = channels_->type == PixelType::u16;
        args.width = channels_->width;
        args.across = channels_->across;
        args.boxes = boxes_;
        args.sums = tile_sums_.data();
        args.least_a = args.least_b = kLeast;
        args.greatest_a = args.greatest_b = kGreatest;
        end = std::min(end, boxed_);
        for (args.begin = begin; args.begin < end; args.begin = args.end) {
            poll();
            args.end = std::min(args.begin + kPolled, end);
            tile_kernels().coarse.level_boxes(args);
        }
        if (begin >= end) return;
        const Pixel least = pixel_of(args.least_a, args.least_b),
                    most = pixel_of(args.greatest_a, args.greatest_b);
        for (std::size_t a = 0; a < 3; ++a) {
            low[task * dims_ + a] = least[a] + bias();
            high[task * dims_ + a] = most[a] + bias();
        }
    });
    for (std::size_t a = 3; a < dims_; ++a) {
        low[a] = 0.0;
        high[a] =
            static_cast<double>((a == 3 ? task_.image.height : task_.image.width) - 1) * channels_->factor[a];
    }
}

void PlacedPoints::place_points() {
    if (channels_) box_channels();
    for_runs(boxed_, [&](std::size_t, std::size_t begin, const RealPoints& points) {
        std::vector<double*> sums(dims_);
        for (std::size_t a = 0; a < dims_; ++a) sums[a] = tile_sums_[a] + begin;
        kernels_.sums(points, sums.data());
        const std::uint32_t slot = laid_.fetch_add(static_cast<std::uint32_t>(points.tiles));
        std::iota(slots_.data() + begin, slots_.data() + begin + points.tiles, slot);
        kernels_.places(points, grid_.middle(), grid_.per_step(),
                        words_.data() + slot * grid_.words() * kCoarseTile);
        tile_kernels().coarse.boxes(places(), begin, begin + points.tiles, boxes_);
    });
}

// Boxes and sums of blocks. Levels are laid when they are asked for; what is not a level fills more memory
// than its places do, which are laid while it is read.
void PlacedPoints::box_channels() {
    const bool boxed = levels();
    for_tiles([&](std::size_t, std::size_t begin, std::size_t end) {
        end = std::min(end, boxed_);
        for (std::size_t t = begin; t < end; t += kRun) {
            poll(t - begin, 64 * kRun);
            const std::size_t last = std::min(t + kRun, end);
            if (boxed) {
                kernels_.place_boxes({boxes_, t, last, bias(), grid_.middle(), grid_.per_step()});
                continue;
            }
            std::uint32_t run[kRun];
            std::iota(run, run + (last - t), static_cast<std::uint32_t>(t));
            lay(run, last - t, tile_sums_.data());
            tile_kernels().coarse.boxes(places(), t, last, boxes_);
        }
    });
    if (channels_->positions) box_positions();
}

// Rows and columns of blocks, whose sums are so many times those of one column or row.
void PlacedPoints::box_positions() {
    constexpr std::size_t kColumns = 8, kRows = kCoarseTile / kColumns;
    struct Side {
        std::int32_t low, high;
        double sum;
    };
    const auto side = [this](std::size_t a, std::size_t begin, std::size_t n) {
        const auto at = [&](std::size_t i) { return static_cast<double>(begin + i) * channels_->factor[a]; };
        const auto place = [&](double x) {
            return static_cast<std::int32_t>(std::floor((x - grid_.middle()[a]) * grid_.per_step() + 0.5));
        };
        Side out{place(at(0)), place(at(n - 1)), 0.0};
        for (std::size_t i = 0; i < n; ++i) out.sum += (at(i) + round_) - round_;
        out.sum *= static_cast<double>(kCoarseTile / n);
        return out;
    };
    std::vector<Side> columns;
    for (std::size_t c = 0; c < channels_->across; ++c) columns.push_back(side(4, c * kColumns, kColumns));
    for (std::size_t t = 0, band = 0; t < boxed_; ++band) {
        const Side rows = side(3, band * kRows, kRows);
        for (const Side& column : columns) {
            low_[1][t] = pair_words(low_[1][t], rows.low);
            high_[1][t] = pair_words(high_[1][t], rows.high);
            low_[2][t] = pair_words(column.low, 0);
            high_[2][t] = pair_words(column.high, 0);
            tile_sums_[3][t] = rows.sum;
            tile_sums_[4][t++] = column.sum;
        }
    }
}

void PlacedPoints::lay(const std::uint32_t* tiles, std::size_t n, double* const* sums) const {
    if (!channels_) return;
    constexpr std::size_t kAtOnce = 64;
    std::uint32_t fresh[kAtOnce];
    std::uint32_t* slots = slots_.data();
    for (std::size_t begin = 0; begin < n; begin += kAtOnce) {
        std::size_t n_fresh = 0;
        for (std::size_t s = begin; s < std::min(begin + kAtOnce, n); ++s)
            if (slots[tiles[s]] == kNotLaid) fresh[n_fresh++] = tiles[s];
        if (n_fresh == 0) continue;
        const std::uint32_t slot = laid_.fetch_add(static_cast<std::uint32_t>(n_fresh));
        for (std::size_t s = 0; s < n_fresh; ++s) slots[fresh[s]] = slot + static_cast<std::uint32_t>(s);
        kernels_.place_channels({*channels_, fresh, slots, n_fresh, round_, grid_.middle(), grid_.per_step(),
                                 words_.data(), sums});
    }
}

}  // namespace fastpgs
