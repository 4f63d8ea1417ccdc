#include "exact_points.hpp"

#include <algorithm>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/real_kernels.hpp"

namespace fastpgs {

std::size_t nearest_pivot(const double* x, const std::vector<double>& pivots, std::size_t dims,
                          std::uint32_t mask) {
    std::size_t own = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j * dims < pivots.size(); ++j) {
        if ((mask >> j & 1U) == 0) continue;
        const double d2 = distance2(x, pivots.data() + j * dims, dims);
        if (!(d2 < least)) continue;
        least = d2;
        own = j;
    }
    return own;
}

void ExactPoints::fetch(const std::uint32_t* points, std::size_t n) const {
    for (std::size_t i = 0; i < n; ++i) reader_.fetch(reader_.raster(points[i]));
}

void ExactPoints::read(const std::uint32_t* points, std::size_t n) {
    pixels_.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
        pixels_[i] = reader_.raster(points[i]);
        reader_.fetch(pixels_[i]);
    }
    reader_.gather(pixels_.data(), n, z_.data());
}

Changes::Changes(const PointReader& reader, std::size_t k, double round, std::int32_t* labels, double* sums,
                 std::uint8_t* touched)
    : reader_(reader),
      mover_(reader.mover()),
      dims_(reader.dims()),
      round_(round),
      labels_(labels),
      sums_(sums),
      touched_(touched),
      lost_(k * (dims_ + 1), 0.0) {
    if (mover_ == nullptr) points_.emplace(reader, kMost);
}

void Changes::move_tile(const Planes<double>& tile_sums, std::size_t tile, std::size_t pivot, double sign) {
    double* sums = sums_ + pivot * (dims_ + 1);
    touched_[pivot] = 1;
    sums[0] += sign * static_cast<double>(kCoarseTile);
    for (std::size_t a = 0; a < dims_; ++a) sums[1 + a] += sign * tile_sums[a][tile];
}

void Changes::set_tile(std::size_t tile, std::int32_t label) {
    make_room(kCoarseTile);
    std::int32_t* own = labels_ + tile * kCoarseTile;
    for (std::size_t i = 0; i < kCoarseTile; ++i) {  // whether one changes is as good as random: no branch
        changed_[n_] = static_cast<std::uint32_t>(tile * kCoarseTile + i);
        before_[n_] = own[i];
        n_ += own[i] != label ? 1 : 0;
    }
    std::fill_n(own, kCoarseTile, label);
}

void Changes::flush() {
    for (std::size_t i = 0; i < n_; ++i) now_[i] = labels_[changed_[i]];
    if (mover_ == nullptr) {
        add_gathered();
    } else {
        reader_.to_raster(changed_.data(), n_);
        reader_.move(mover_, {changed_.data(), before_.data(), now_.data(), n_, round_, lost_.data(), sums_});
    }
    n_ = 0;
}

void Changes::add_gathered() {
    points_->read(changed_.data(), n_);
    for (std::size_t i = 0; i < n_; ++i) {
        double* from = lost_.data() + static_cast<std::size_t>(before_[i] - 1) * (dims_ + 1);
        double* to = sums_ + static_cast<std::size_t>(now_[i] - 1) * (dims_ + 1);
        from[0] += 1.0;
        to[0] += 1.0;
        for (std::size_t a = 0; a < dims_; ++a) {
            const double rounded = (points_->z()[a][i] + round_) - round_;
            from[1 + a] += rounded;
            to[1 + a] += rounded;
        }
    }
}

void Changes::finish() {
    flush();
    // Tiles that move have said so: what adds up to no member has not moved, or by tiles.
    for (std::size_t j = 0; j * (dims_ + 1) < lost_.size(); ++j)
        if (lost_[j * (dims_ + 1)] != 0.0 || sums_[j * (dims_ + 1)] != 0.0) touched_[j] = 1;
    for (std::size_t s = 0; s < lost_.size(); ++s) {
        sums_[s] -= lost_[s];
        lost_[s] = 0.0;
    }
}

void Straddling::compare(const std::uint32_t* tiles, std::size_t n, double* safe) {
    args_.gaps = gaps_.data();
    for (std::size_t begin = 0; begin < n; begin += kTiles) {
        poll(begin, 256 * kTiles);
        changes_.make_room(kPoints);
        args_.tiles = tiles + begin;
        args_.n = std::min(kTiles, n - begin);
        args_.n_ahead = n - begin;
        args_.labels = changes_.labels();
        args_.changed = changes_.changed();
        args_.before = changes_.before();
        args_.doubtful = doubtful_.data();
        kernels_.assign(args_);
        changes_.count(args_.n_changed);
        for (std::size_t s = 0; s < args_.n; ++s)
            safe[tiles[begin + s]] = drift_.safe(gaps_[s], args_.scores.margin + 1);
        // Few lie apart; of many, whole tiles are read.
        if (args_.n_doubtful <= 2 * kTiles) open_.fetch(doubtful_.data(), args_.n_doubtful);
        for (std::size_t i = 0, end = 0; i < args_.n_doubtful; i = end) {
            const std::size_t tile = doubtful_[i] / kCoarseTile;
            while (end < args_.n_doubtful && doubtful_[end] / kCoarseTile == tile) ++end;
            settle(doubtful_.data() + i, end - i, tile);
        }
    }
}

// Labels of points of one tile, by themselves.
void Straddling::settle(const std::uint32_t* points, std::size_t n, std::size_t tile) {
    const std::size_t dims = pivots_.size() / args_.scores.k;
    const std::uint32_t* mask = args_.masks + tile;
    if (n > ExactPoints::kMany) {
        std::array<std::uint8_t, kCoarseTile> labels;
        open_.read_range(tile * kCoarseTile, (tile + 1) * kCoarseTile);
        const RealPoints whole{open_.z().data(), dims, 1, 0.0};
        constexpr double kNoLimit = std::numeric_limits<double>::infinity();
        real_kernels().limit({whole, mask, pivots_.data(), kNoLimit, 0.0}, labels.data());
        for (std::size_t i = 0; i < n; ++i) changes_.set(points[i], labels[points[i] % kCoarseTile]);
        return;
    }
    double x[kMaxDims];
    open_.read(points, n);
    for (std::size_t i = 0; i < n; ++i) {
        open_.get(i, x);
        changes_.set(points[i], static_cast<std::int32_t>(nearest_pivot(x, pivots_, dims, *mask)) + 1);
    }
}

void Nearest::look_at(std::size_t begin, std::uint32_t bits) {
    std::array<std::uint32_t, kCoarseTile> points{};
    std::size_t n = 0;
    for (std::size_t i = begin; bits != 0; bits >>= 1, ++i) {
        points[n] = static_cast<std::uint32_t>(i);
        n += bits & 1U;
    }
    const bool whole = n > ExactPoints::kMany;
    if (whole)
        points_.read_range(begin, begin + kCoarseTile);
    else
        points_.read(points.data(), n);
    double x[kMaxDims];
    for (std::size_t i = 0; i < n; ++i) {
        points_.get(whole ? points[i] - begin : i, x);
        const double d2 = distance2(x, target_, reader_.dims());
        if (d2 > bound_) continue;
        if (sums_ == nullptr) {
            if (d2 > least_ || (d2 == least_ && !before(points[i]))) continue;
        } else {  // keys decide among what double precision cannot tell apart
            const std::int64_t key = key_of(x);
            if (key > key_ || (key == key_ && !before(points[i]))) continue;
            key_ = key;
        }
        least_ = d2 < least_ ? d2 : least_;
        bound_ = sums_ == nullptr ? least_ : least_ * (1.0 + 1e-9) + 1e-6;
        found_.point = points[i];
        found_.z.assign(x, x + reader_.dims());
    }
}

// Whether a point comes before the one that was found, in raster order.
bool Nearest::before(std::size_t point) const { return reader_.raster(point) < reader_.raster(found_.point); }

std::int64_t Nearest::key_of(const double* x) const {
    std::int64_t square = 0, dot = 0;
    for (std::size_t a = 0; a < reader_.dims(); ++a) {
        const auto value = static_cast<std::int64_t>(x[a]);
        square += value * value;
        dot += value * static_cast<std::int64_t>(sums_[1 + a]);
    }
    return static_cast<std::int64_t>(sums_[0]) * square - 2 * dot;
}

}  // namespace fastpgs
