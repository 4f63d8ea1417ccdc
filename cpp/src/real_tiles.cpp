// Alternating k-medoids over tiles of real points: colours of 16 bits, real colours, linear maps, positions.
//
// Of a point only its place on a grid of 16 bits is kept (coarse_grid.hpp), 8 bytes where doubles would be
// 24; what the grid cannot tell apart is read again from the image. As over tiles of bytes (tiles.cpp),
// boxes tell which pivots may be nearest to the points of a tile. A point that changes hands takes its
// coordinates from one sum to another: sums are exact, so that their order does not matter, and an
// iteration costs what changes.
//
//      places, boxes, sums of tiles | owners | straddling tiles: who changes hands | medoids | labels
//      once                         |        |  ... until pivots stay ...          |         | once
//
// The points beyond the last whole tile are kept as they are.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "exact_points.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/points.hpp"
#include "fastpgs/real_kernels.hpp"
#include "fastpgs/source.hpp"
#include "fastpgs/tile_kernels.hpp"
#include "placed_points.hpp"
#include "renaming.hpp"

namespace fastpgs {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool single(std::uint32_t mask) { return (mask & (mask - 1)) == 0; }

std::size_t lowest(std::uint32_t mask) {
    std::size_t bit = 0;
    while ((mask >> bit & 1U) == 0) ++bit;
    return bit;
}

class RealTiles final : public Source<double> {
  public:
    explicit RealTiles(const Task& task)
        : task_(task),
          kernels_(real_kernels()),
          coarse_(tile_kernels().coarse),
          k_(static_cast<std::size_t>(task.params.k)),
          dims_(task.space.dims),
          points_(task_),
          reader_(points_.reader()),
          tiles_(points_.tiles()) {
        masks_.assign(tiles_ + kCoarseMargin, 0);
        for (auto* list : {&fresh_, &changed_, &straddling_})
            *list = Block<std::uint32_t>(tiles_ + kCoarseMargin);
        nearest_ = Block<std::int32_t>(tiles_ + kCoarseMargin);
        safe_ = Block<double>(tiles_ + kCoarseMargin);
        medoids_.resize(k_);
        whole_.assign(k_ * (dims_ + 1), 0.0);
        sums_.resize(k_ * (dims_ + 1));
    }

    Iterated iterate(Pivots<double>& pivots) override {
        Iterated out;
        const Params& params = task_.params;
        while (out.n_iter < params.max_iter && !out.converged) {
            const std::vector<double> before = pivots.z;
            poll();
            if (params.update == Update::mean && params.threshold)
                sum_within(pivots.z, *params.threshold);
            else
                assign_to(pivots.z);
            if (params.update == Update::mean)
                move_to_means(pivots.z);
            else
                move_to_medoids(pivots);
            ++out.n_iter;
            out.converged = shift2(before, pivots.z) <= params.tol2;
        }
        return out;
    }

    Assigned assign(const std::vector<double>& pivots, bool want_inertia) override {
        assign_to(pivots);
        Assigned out;
        for (std::size_t j = 0; j < k_; ++j) out.empty.push_back(sums_[j * (dims_ + 1)] == 0.0);
        if (want_inertia) out.inertia = inertia();
        return out;
    }

    void write_labels() override {
        const bool limited = task_.params.threshold.has_value();
        if (limited) limit_labels(*task_.params.threshold);
        const auto label_of = [&](std::size_t t) {
            return limited || !single(masks_[t]) ? -1 : static_cast<std::int32_t>(lowest(masks_[t])) + 1;
        };
        points_.for_tiles([&](std::size_t, std::size_t begin, std::size_t end) {
            for (std::size_t t = std::max(begin, reader_.blocks()); t < end; ++t)
                if (label_of(t) > 0) fill_label(t, lowest(masks_[t]));
        });
        reader_.spread(task_.labels, static_cast<int>(points_.n_tasks()), label_of);
    }

    std::int64_t locate(const Pivots<double>& pivots, std::size_t j) const override {
        if (task_.params.update == Update::medoid) return pivots.raster[j];
        const double* target = pivots.z.data() + j * dims_;
        const std::vector<std::int32_t> place = points_.grid().place(target);
        Search search(tiles_);
        CoarseNearArgs args = near_args(j, place, kInfinity, search);
        args.masks = nullptr;
        return reader_.raster(nearest_of(args, target).point);
    }

  private:
    // Tiles that a search for a medoid lists.
    struct Search {
        explicit Search(std::size_t tiles) : near(tiles), least(tiles) {}
        Block<std::uint32_t> near;
        Block<std::int32_t> least;
    };

    // Candidates, labels of tiles with several, and sums of members.
    void assign_to(const std::vector<double>& pivots) {
        if (pivots == assigned_) return;
        reorder(pivots);
        const CoarseGrid::Scores scores = points_.grid().scores(pivots);
        if (!assigned_.empty()) drift_.total += points_.grid().drift(assigned_, pivots);
        drift_.per_score = 1.0 / scores.scale;
        assigned_ = pivots;
        const std::size_t tasks = points_.n_tasks(), width = whole_.size();
        std::vector<double> more(tasks * width, 0.0);
        std::vector<std::uint8_t> touched(tasks * k_, 0);
        points_.for_tiles([&](std::size_t task, std::size_t begin, std::size_t end) {
            std::uint32_t* changed = changed_.data() + begin;
            std::uint32_t* straddling = straddling_.data() + begin;
            CoarseCandidatesArgs found{
                points_.boxes(), points_.grid().words(), begin,   end, scores.args(), masks_.data(),
                fresh_.data(),   nearest_.data(),        changed, 0,   straddling,    0};
            coarse_.candidates(found);
            Changes changes(reader_, k_, points_.round(), task_.labels, more.data() + task * width,
                            touched.data() + task * k_);
            CoarseAssignArgs args{};
            args.points = points_.places();
            args.scores = scores.args();
            args.masks = masks_.data();
            Straddling some(coarse_, reader_, args, pivots, changes, drift_);
            for (std::size_t s = 0; s < found.n_changed; ++s) {
                poll(s, 65536);
                const std::size_t t = changed[s];
                change_owner(t, masks_[t], fresh_[t], changes);
                masks_[t] = fresh_[t];
                safe_[t] = -1.0;
            }
            std::size_t n = 0;
            for (std::size_t s = 0; s < found.n_straddling; ++s) {
                straddling[n] = straddling[s];
                n += safe_[straddling[s]] > drift_.total ? 0 : 1;
            }
            // What is laid is compared, and read again where it changes hands, while a cache holds it.
            constexpr std::size_t kAtOnce = 256;
            for (std::size_t s = 0; s < n; s += kAtOnce) {
                points_.lay(straddling + s, std::min(kAtOnce, n - s));
                some.compare(straddling + s, std::min(kAtOnce, n - s), safe_.data());
            }
            changes.finish();
        });
        for (std::size_t s = 0; s < more.size(); ++s) whole_[s % width] += more[s];
        for (std::size_t s = 0; s < touched.size(); ++s)
            if (touched[s] != 0) medoids_[s % k_].z.clear();
        sums_ = whole_;
        assign_last();
    }

    // Where the same pivots come in another order, labels and sums follow them; only ties are left to change.
    void reorder(const std::vector<double>& pivots) {
        const std::optional<Renaming> to = Renaming::between(assigned_, pivots, dims_);
        if (!to) return;
        std::vector<std::int32_t> labels(k_ + 1, 0);
        for (std::size_t i = 0; i < k_; ++i) labels[i + 1] = static_cast<std::int32_t>((*to)(i)) + 1;
        to->move_rows(whole_, dims_ + 1);
        assigned_ = pivots;
        for (ExactPoint& medoid : medoids_) medoid.z.clear();
        points_.for_tiles([&](std::size_t, std::size_t begin, std::size_t end) {
            for (std::size_t t = begin; t < end; ++t) {
                const std::uint32_t before = masks_[t];
                masks_[t] = to->mask(before);
                if (single(before)) continue;
                std::int32_t* own = task_.labels + t * kCoarseTile;
                for (std::size_t i = 0; i < kCoarseTile; ++i)
                    own[i] = labels[static_cast<std::size_t>(own[i])];
            }
        });
    }

    // What a tile's owner, or the owners of its points, hand over to the one that owns it now. The points of
    // a tile that straddles have labels.
    void change_owner(std::size_t t, std::uint32_t before, std::uint32_t now, Changes& changes) const {
        if (before == 0) {
            const auto own = static_cast<std::size_t>(nearest_[t] - 1);
            changes.move_tile(points_.tile_sums(), t, own, 1.0);
            if (!single(now)) fill_label(t, own);
        } else if (single(before)) {
            if (!single(now)) return fill_label(t, lowest(before));
            changes.move_tile(points_.tile_sums(), t, lowest(before), -1.0);
            changes.move_tile(points_.tile_sums(), t, lowest(now), 1.0);
        } else if (single(now)) {
            changes.set_tile(t, static_cast<std::int32_t>(lowest(now)) + 1);
        }
    }

    void fill_label(std::size_t t, std::size_t pivot) const {
        std::fill_n(task_.labels + t * kCoarseTile, kCoarseTile, static_cast<std::int32_t>(pivot) + 1);
    }

    void assign_last() {
        for (std::size_t i = 0; i < points_.n_last(); ++i) {
            const std::vector<double> x = points_.last(i);
            const std::size_t own = nearest_pivot(x.data(), assigned_, dims_, kAnyPivot);
            std::int32_t& label = task_.labels[tiles_ * kCoarseTile + i];
            if (label != static_cast<std::int32_t>(own) + 1) {
                for (ExactPoint& medoid : medoids_) medoid.z.clear();
                label = static_cast<std::int32_t>(own) + 1;
            }
            add_point(x.data(), sums_.data() + own * (dims_ + 1));
        }
    }

    void add_point(const double* x, double* sums) const {
        sums[0] += 1.0;
        for (std::size_t a = 0; a < dims_; ++a) sums[1 + a] += (x[a] + points_.round()) - points_.round();
    }

    // The pseudo-code's members: every point within T of the pivot, whichever pivot is nearest.
    void sum_within(const std::vector<double>& pivots, double threshold) {
        const std::size_t width = sums_.size();
        std::vector<double> sums(points_.n_tasks() * width, 0.0);
        points_.for_runs(0, [&](std::size_t task, std::size_t, const RealPoints& points) {
            kernels_.within({points, pivots.data(), k_, threshold, sums.data() + task * width});
        });
        std::fill(sums_.begin(), sums_.end(), 0.0);
        for (std::size_t s = 0; s < sums.size(); ++s) sums_[s % width] += sums[s];
        for (std::size_t i = 0; i < points_.n_last(); ++i) {
            const std::vector<double> x = points_.last(i);
            for (std::size_t j = 0; j < k_; ++j)
                if (distance2(x.data(), pivots.data() + j * dims_, dims_) <= threshold)
                    add_point(x.data(), sums_.data() + j * (dims_ + 1));
        }
        assigned_.clear();  // sums are of other members now
        drift_.total = kInfinity;
    }

    void move_to_means(std::vector<double>& pivots) const {
        for (std::size_t j = 0; j < k_; ++j) {
            const double* sums = sums_.data() + j * (dims_ + 1);
            if (sums[0] == 0.0) continue;
            for (std::size_t a = 0; a < dims_; ++a) pivots[j * dims_ + a] = sums[1 + a] / sums[0];
        }
    }

    void move_to_medoids(Pivots<double>& pivots) {
        const std::size_t tasks = std::min(points_.n_tasks(), k_);
        while (searches_.size() < tasks) searches_.emplace_back(tiles_);
        parallel_for(tasks, task_.threads, [&](std::size_t task) {
            for (std::size_t j = task; j < k_; j += tasks) {
                const double* sums = sums_.data() + j * (dims_ + 1);
                poll();
                if (sums[0] == 0.0) continue;  // an emptied cluster keeps its pivot
                std::vector<double> mean(dims_);
                for (std::size_t a = 0; a < dims_; ++a) mean[a] = sums[1 + a] / sums[0];
                ExactPoint& found = medoids_[j];  // of a cluster that kept its members it stays
                if (found.z.empty())
                    found = nearest_member(j, mean.data(), bound(j, mean.data()), searches_[task]);
                pivots.raster[j] = reader_.raster(found.point);
                std::copy(found.z.begin(), found.z.end(),
                          pivots.z.begin() + static_cast<std::ptrdiff_t>(j * dims_));
            }
        });
    }

    // Squared distance to the mean of a member that is known: the pivot, unless one before it is as near.
    double bound(std::size_t j, const double* mean) const {
        const double* p = assigned_.data() + j * dims_;
        for (std::size_t l = 0; l < j; ++l)
            if (distance2(p, assigned_.data() + l * dims_, dims_) == 0.0) return kInfinity;
        return distance2(p, mean, dims_);
    }

    // The member of cluster j nearest to its mean; one is known at the squared distance `least`.
    ExactPoint nearest_member(std::size_t j, const double* mean, double least, Search& search) const {
        const std::vector<std::int32_t> place = points_.grid().place(mean);
        CoarseNearArgs args = near_args(j, place, least, search);
        return nearest_of(args, mean);
    }

    CoarseNearArgs near_args(std::size_t j, const std::vector<std::int32_t>& place, double least,
                             Search& search) const {
        CoarseNearArgs args{};
        args.points = points_.places();
        args.boxes = points_.boxes();
        args.tiles = tiles_;
        args.masks = masks_.data();
        args.labels = task_.labels;
        args.cluster = static_cast<std::int32_t>(j);
        args.target = place.data();
        args.error = points_.grid().error();
        args.reach = points_.grid().reach(least);
        args.near = search.near.data();
        args.near_least = search.least.data();
        args.layer = &points_;
        args.lay = [](const void* points, const std::uint32_t* tiles, std::size_t n) {
            static_cast<const PlacedPoints*>(points)->lay(tiles, n);
        };
        return args;
    }

    ExactPoint nearest_of(CoarseNearArgs& args, const double* target) const {
        coarse_.near(args);
        const auto cluster = static_cast<std::size_t>(args.cluster);
        Nearest nearest(reader_, target, task_.exact ? sums_.data() + cluster * (dims_ + 1) : nullptr);
        for (std::size_t s = 0; s < args.n_near; ++s) {
            poll(s, 4096);
            if (args.near_least[s] <= args.reach)
                nearest.look_at(args.near[s] * kCoarseTile, coarse_.within(args, args.near[s]));
        }
        for (std::size_t i = tiles_ * kCoarseTile; i < reader_.size(); ++i)
            if (args.masks == nullptr || task_.labels[i] == args.cluster + 1) nearest.look_at(i, 1U);
        return nearest.found();
    }

    double shift2(const std::vector<double>& before, const std::vector<double>& after) const {
        double most = 0.0;
        for (std::size_t j = 0; j < k_; ++j)
            most = std::max(most, distance2(after.data() + j * dims_, before.data() + j * dims_, dims_));
        return most;
    }

    double inertia() const {
        std::vector<double> tiles(tiles_);
        points_.for_runs(0, [&](std::size_t, std::size_t begin, const RealPoints& points) {
            kernels_.objective(
                {points, masks_.data() + begin, assigned_.data(), 0.0, points_.objective_round()},
                tiles.data() + begin);
        });
        for (std::size_t i = 0; i < points_.n_last(); ++i) {
            const std::vector<double> x = points_.last(i);
            const std::size_t own = nearest_pivot(x.data(), assigned_, dims_, kAnyPivot);
            const double d2 = distance2(x.data(), assigned_.data() + own * dims_, dims_);
            tiles.push_back((d2 + points_.objective_round()) - points_.objective_round());
        }
        // Real ones may lie beyond 64 bits, and need no integers.
        double real = 0.0;
        std::int64_t integer = 0;
        for (const double tile : tiles) {
            real += tile;
            if (task_.exact) integer += static_cast<std::int64_t>(tile);
        }
        return task_.exact ? static_cast<double>(integer) : real;
    }

    void limit_labels(double limit) {
        points_.for_runs(0, [&](std::size_t, std::size_t begin, const RealPoints& points) {
            std::array<std::uint8_t, PlacedPoints::kRun * kCoarseTile> labels;
            kernels_.limit({points, masks_.data() + begin, assigned_.data(), limit, 0.0}, labels.data());
            std::copy_n(labels.data(), points.tiles * kCoarseTile, task_.labels + begin * kCoarseTile);
        });
        for (std::size_t i = 0; i < points_.n_last(); ++i) {
            std::int32_t& label = task_.labels[tiles_ * kCoarseTile + i];
            const double* own = assigned_.data() + static_cast<std::size_t>(label - 1) * dims_;
            if (!(distance2(points_.last(i).data(), own, dims_) <= limit)) label = 0;
        }
    }

    Task task_;
    const RealKernels& kernels_;
    const CoarseKernels& coarse_;
    std::size_t k_, dims_;
    PlacedPoints points_;
    const PointReader& reader_;
    std::size_t tiles_;
    std::vector<double> assigned_;  // the pivots of masks, labels and sums
    std::vector<std::uint32_t> masks_;
    Block<std::uint32_t> fresh_, changed_, straddling_;  // of an assignment: masks, and lists of tiles
    Block<double> safe_;  // of straddling tiles: the drift up to which their labels hold
    Drift drift_;
    Block<std::int32_t> nearest_;      // the pivot nearest to the middle of a tile, from 1
    std::vector<ExactPoint> medoids_;  // k; without coordinates where they are not known
    std::vector<Search> searches_;
    std::vector<double> whole_;  // (k, dims + 1): members in tiles, then coordinate sums
    std::vector<double> sums_;   // the same of all members
};

}  // namespace

std::unique_ptr<Source<double>> make_real_tiles(const Task& task) {
    const std::size_t pixels = task.image.pixels();
    std::size_t used = task.mask ? 0 : pixels;
    for (std::size_t i = 0; task.mask && i < pixels; ++i) used += task.mask[i];
    if (task.params.k > static_cast<int>(kCoarsePivots) || used < kCoarseTile) return nullptr;
    return std::make_unique<RealTiles>(task);
}

}  // namespace fastpgs
