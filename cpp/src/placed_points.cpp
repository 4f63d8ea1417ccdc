#include "placed_points.hpp"

#include <cmath>
#include <limits>
#include <numeric>

#include "fastpgs/bounds.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/tile_kernels.hpp"
#include "pairs.hpp"

namespace fastpgs {
namespace {

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
    words_ = Block<std::int32_t>(tiles_ * words * kCoarseTile);
    slots_ = Block<std::uint32_t>(tiles_);
    std::fill_n(slots_.data(), tiles_, kNotLaid);
    measure();
    place_points();
}

bool PlacedPoints::levels() const {
    if (!channels_ || (channels_->type != PixelType::u8 && channels_->type != PixelType::u16)) return false;
    return std::all_of(channels_->factor, channels_->factor + 3, [](double factor) { return factor == 1.0; });
}

// The extent of all points: their grid, and the grains of sums. Of channels that are no levels boxes and sums
// come in the same pass, by a grid and a grain that a few pixels suggest; where these do not hold, once more.
void PlacedPoints::measure() {
    const bool reals = channels_ && !levels();
    if (!reals) check_bounds(task_.image, task_.params);
    std::optional<Extent> suggested;
    if (reals) set_grid(suggested.emplace(suggest()));
    const Extent found = look(reals ? &*suggested : nullptr);
    if (reals) check(found);
    const bool holds = reals && suggested->holds(found.low.data(), found.high.data(), dims_) &&
                       grain_of(suggested->top) == grain_of(found.top);
    if (!holds) set_grid(found);
    if (reals && !holds) {
        std::fill_n(slots_.data(), tiles_, kNotLaid);
        laid_ = 0;
        look(&found);
    }
    if (task_.exact) return;
    double bound = 0.0;
    for (std::size_t a = 0; a < dims_; ++a)
        bound += (found.high[a] - found.low[a]) * (found.high[a] - found.low[a]);
    objective_round_ = rounder(sum_grain(bound, reader_.size()));
}

void PlacedPoints::check(const Extent& found) const {
    if (!task_.params.bounds) return;
    Extent allowed(dims_);
    for (std::size_t a = 0; a < kChannels; ++a)
        for (const double bound : *task_.params.bounds)
            allowed.widen(a, bound * channels_->factor[a], bound * channels_->factor[a]);
    if (found.lost != 0.0 || !allowed.holds(found.low.data(), found.high.data(), kChannels)) throw Beyond();
}

double PlacedPoints::grain_of(double top) const { return task_.exact ? 0.0 : sum_grain(top, reader_.size()); }

void PlacedPoints::set_grid(const Extent& extent) {
    const double grain = grain_of(extent.top);
    grid_ = CoarseGrid(extent.low, extent.high, task_.exact, grain);
    round_ = rounder(grain);
}

// What all points are likely to lie in, and exactly what they do where that is known.
PlacedPoints::Extent PlacedPoints::suggest() {
    Extent out(dims_);
    constexpr double kWide = 0.1;
    if (task_.space.extents != nullptr && reader_.extents(out.low.data(), out.high.data())) {
        for (std::size_t a = 0; a < kChannels; ++a)
            wide_ = std::fmax(wide_, kWide * (out.high[a] - out.low[a]));
        out.find_top();
        return out;
    }
    constexpr std::size_t kFew = 1024;
    const std::size_t step = reader_.size() / kFew | 1U;  // odd: not one column of the image
    std::vector<std::int64_t> pixels;
    for (std::size_t i = 0; i < reader_.size(); i += step) pixels.push_back(static_cast<std::int64_t>(i));
    Planes<double> z(dims_, pixels.size());
    reader_.gather(pixels.data(), pixels.size(), z.data());
    for (std::size_t a = 0; a < kChannels; ++a)
        for (std::size_t i = 0; i < pixels.size(); ++i) out.widen(a, z[a][i], z[a][i]);
    add_positions(out);
    out.find_top();
    // The widest channel sets the step; a grid of half as much again is a bit coarser.
    double widest = 0.0;
    for (std::size_t a = 0; a < kChannels; ++a) {
        if (!(out.low[a] <= out.high[a])) out.low[a] = out.high[a] = 0.0;  // no number is among the few
        widest = std::fmax(widest, out.high[a] - out.low[a]);
    }
    wide_ = kWide * widest;
    for (std::size_t a = 0; a < kChannels; ++a) {
        out.low[a] -= 0.25 * widest;
        out.high[a] += 0.25 * widest;
        if (!task_.params.bounds) continue;
        out.low[a] = std::fmax(out.low[a], (*task_.params.bounds)[0] * channels_->factor[a]);
        out.high[a] = std::fmin(out.high[a], (*task_.params.bounds)[1] * channels_->factor[a]);
    }
    return out;
}

// The extent of all points, and what is found on the way: boxes and sums of blocks of levels, not on the
// grid, or of channels that are none, on the grid of what is suggested.
PlacedPoints::Extent PlacedPoints::look(const Extent* suggested) {
    std::vector<Extent> of_task(n_tasks(), Extent(dims_));
    std::size_t first = boxed_;  // of the tiles that have not been looked at
    if (suggested != nullptr)
        box_reals(*suggested, of_task);
    else if (levels())
        box_levels(of_task);
    else
        first = reader_.extents(of_task[0].low.data(), of_task[0].high.data()) ? tiles_ : 0;
    for_runs(first, [&](std::size_t task, std::size_t, const RealPoints& points) {
        Extent& own = of_task[task];
        kernels_.extents(points, own.low.data(), own.high.data());
        for (std::size_t a = 0; suggested != nullptr && a < dims_; ++a)
            for (std::size_t i = 0; i < points.tiles * kCoarseTile; ++i)
                own.lost += points.z[a][i] - points.z[a][i];
    });
    Extent out(dims_);
    for (const Extent& own : of_task) {
        for (std::size_t a = 0; a < dims_; ++a) out.widen(a, own.low[a], own.high[a]);
        out.lost += own.lost;
    }
    for (std::size_t i = 0; i < n_last(); ++i) {
        for (std::size_t a = 0; a < dims_; ++a) {
            out.widen(a, last_[a][i], last_[a][i]);
            out.lost += last_[a][i] - last_[a][i];
        }
    }
    out.find_top();
    return out;
}

// Boxes and sums of blocks of channels that are no levels.
void PlacedPoints::box_reals(const Extent& suggested, std::vector<Extent>& of_task) {
    for_tiles([&](std::size_t task, std::size_t begin, std::size_t end) {
        Extent& own = of_task[task];
        ChannelBoxArgs args{};
        args.points = *channels_;
        args.round = round_;
        args.middle = grid_.middle();
        args.per_step = grid_.per_step();
        args.boxes = boxes_;
        args.sums = tile_sums_.data();
        std::copy_n(own.low.data(), kChannels, args.low);
        std::copy_n(own.high.data(), kChannels, args.high);
        end = std::min(end, boxed_);
        for (args.begin = begin; args.begin < end; args.begin = args.end) {
            poll(args.begin - begin, kPolled);
            args.end = std::min(args.begin + kRun, end);
            kernels_.box_channels(args);
            if (args.lost == 0.0 && suggested.holds(args.low, args.high, kChannels))
                lay_wide(args.begin, args.end);
        }
        std::copy_n(args.low, kChannels, own.low.data());
        std::copy_n(args.high, kChannels, own.high.data());
        own.lost = args.lost;
    });
    add_positions(of_task[0]);
}

// Rows and columns of all pixels, where they are coordinates.
void PlacedPoints::add_positions(Extent& extent) const {
    for (std::size_t a = kChannels; a < dims_; ++a) {
        const std::size_t side = a == kChannels ? task_.image.height : task_.image.width;
        extent.widen(a, 0.0, static_cast<double>(side - 1) * channels_->factor[a]);
    }
}

// Boxes and sums of levels, not yet on the grid, and their extent, of each task.
void PlacedPoints::box_levels(std::vector<Extent>& of_task) {
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
        for (std::size_t a = 0; a < kChannels; ++a)
            of_task[task].widen(a, least[a] + bias(), most[a] + bias());
    });
    add_positions(of_task[0]);
}

void PlacedPoints::place_points() {
    if (levels()) {
        for_tiles([&](std::size_t, std::size_t begin, std::size_t end) {
            kernels_.place_boxes(
                {boxes_, begin, std::min(end, boxed_), bias(), grid_.middle(), grid_.per_step()});
        });
    }
    if (channels_ && channels_->positions) box_positions();
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

// Tiles that span many colours mostly straddle sooner or later: they are laid while a cache holds them.
void PlacedPoints::lay_wide(std::size_t begin, std::size_t end) const {
    const auto enough = static_cast<std::int32_t>(std::fmin(wide_ * grid_.per_step(), 1 << 14));
    std::uint32_t wide[kRun];
    std::size_t n = 0;
    for (std::size_t t = begin; t < end; ++t) {
        const Pixel low = pixel_of(low_[0][t], low_[1][t]), high = pixel_of(high_[0][t], high_[1][t]);
        wide[n] = static_cast<std::uint32_t>(t);
        n += (high[0] - low[0]) + (high[1] - low[1]) + (high[2] - low[2]) >= enough ? 1 : 0;
    }
    lay(wide, n);
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

void PlacedPoints::lay(const std::uint32_t* tiles, std::size_t n) const {
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
        kernels_.place_channels(
            {*channels_, fresh, slots, n_fresh, grid_.middle(), grid_.per_step(), words_.data()});
    }
}

}  // namespace fastpgs
