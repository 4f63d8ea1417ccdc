// Alternating k-medoids over tiles of real points: colours of 16 bits, real colours, linear maps, positions.
//
// As over tiles of bytes (tiles.cpp), boxes tell which pivots may be nearest to the points of a tile; where
// only one may, the tile's sums stand for its points. Other tiles are compared with their few candidates.
// The last tile is filled up with copies of the last point, which are taken off again where points are
// counted; they come after it, so that no tie goes to them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/points.hpp"
#include "fastpgs/real_kernels.hpp"
#include "fastpgs/source.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kRun = 64;                      // tiles read at once
constexpr std::size_t kWorth = std::size_t{1} << 16;  // points that are worth a thread
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class RealTiles final : public Source<double> {
  public:
    // At least kRealTile pixels take part.
    explicit RealTiles(const Task& task)
        : task_(task),
          kernels_(real_kernels()),
          k_(static_cast<std::size_t>(task.params.k)),
          dims_(task.space.dims) {
        if (task.mask) {
            for (std::size_t i = 0; i < task.image.pixels(); ++i)
                if (task.mask[i]) index_.push_back(static_cast<std::int64_t>(i));
        }
        n_ = task.mask ? index_.size() : task.image.pixels();
        tiles_ = (n_ + kRealTile - 1) / kRealTile;
        spare_ = static_cast<double>(tiles_ * kRealTile - n_);
        z_.reset(dims_, tiles_ * kRealTile);
        for (Planes<double>* planes : {&centre_, &half_, &tile_sums_}) {
            planes->reset(dims_, tiles_ + kRealMargin);
            for (std::size_t a = 0; a < dims_; ++a) std::fill_n((*planes)[a] + tiles_, kRealMargin, 0.0);
        }
        points_ = {z_.data(), dims_, 0.0};
        boxes_ = {centre_.data(), half_.data(), tile_sums_.data()};
        read_points();
        set_boxes();
        for_tiles(tiles_, [&](std::size_t, std::size_t begin, std::size_t end) {
            kernels_.sums(points_, begin, end, tile_sums_.data());
        });
        candidates_.resize(tiles_);
        labels_.resize(tiles_ * kRealTile);
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
        if (task_.params.threshold) {
            for_tiles(tiles_, [&](std::size_t, std::size_t begin, std::size_t end) {
                kernels_.limit(
                    {points_, begin, end, candidates_.data(), assigned_.data(), *task_.params.threshold, 0.0},
                    labels_.data());
            });
        }
        std::int32_t* labels = task_.labels;
        if (!index_.empty()) std::fill_n(labels, task_.image.pixels(), 0);
        for_tiles(tiles_, [&](std::size_t, std::size_t begin, std::size_t end) {
            for (std::size_t t = begin; t < end; ++t) write_tile(t);
        });
    }

    std::int64_t locate(const Pivots<double>& pivots, std::size_t j) const override {
        if (task_.params.update == Update::medoid) return pivots.raster[j];
        Search search(tiles_);
        RealNearArgs near = near_args(j, pivots.z.data() + j * dims_, kInfinity, search);
        near.candidates = nullptr;
        kernels_.near(near);
        return raster(first_within(near));
    }

  private:
    // Tiles that a search for a medoid lists.
    struct Search {
        explicit Search(std::size_t tiles) : near(tiles), least(tiles) {}
        std::vector<std::uint32_t> near;
        std::vector<double> least;
    };

    template <class Body>
    void for_tiles(std::size_t tiles, Body body) const {  // body(task, begin, end)
        const std::size_t tasks = tasks_for(tiles);
        parallel_for(tasks, task_.threads,
                     [&](std::size_t t) { body(t, t * tiles / tasks, (t + 1) * tiles / tasks); });
    }

    std::size_t tasks_for(std::size_t tiles) const {
        return static_cast<std::size_t>(team(tiles * kRealTile, kWorth, task_.threads));
    }

    std::int64_t raster(std::size_t point) const {
        return index_.empty() ? static_cast<std::int64_t>(point) : index_[point];
    }

    // Coordinates and, while they are in cache, their extents.
    void read_points() {
        const std::size_t runs = (tiles_ + kRun - 1) / kRun;
        parallel_for(runs, static_cast<int>(tasks_for(tiles_)), [&](std::size_t run) {
            const std::size_t begin = run * kRun, end = std::min(begin + kRun, tiles_);
            const std::size_t first = begin * kRealTile, last = std::min(end * kRealTile, n_);
            double* out[kMaxDims];
            for (std::size_t a = 0; a < dims_; ++a) out[a] = z_[a] + first;
            if (index_.empty())
                read_features(task_.image, task_.space, first, last, out);
            else
                gather_features(task_.image, task_.space, index_.data() + first, last - first, out);
            for (std::size_t a = 0; a < dims_; ++a)
                std::fill(z_[a] + last, z_[a] + end * kRealTile, z_[a][last - 1]);
            kernels_.extents(points_, begin, end, centre_.data(), half_.data());
        });
    }

    // Grains from the extents of tiles, which then become boxes.
    void set_boxes() {
        double top = 0.0, bound = 0.0;
        for (std::size_t a = 0; a < dims_; ++a) {
            double *low = centre_[a], *high = half_[a];
            const double least = *std::min_element(low, low + tiles_);
            const double most = *std::max_element(high, high + tiles_);
            top = std::fmax(top, std::fmax(std::fabs(least), std::fabs(most)));
            bound += (most - least) * (most - least);
            for (std::size_t t = 0; t < tiles_; ++t) {
                const double middle = 0.5 * (low[t] + high[t]), extent = 0.5 * (high[t] - low[t]);
                low[t] = middle;
                // The middle is rounded, and so are differences to it: the box is larger by more than that.
                high[t] = extent + (std::fabs(middle) + extent) * 1e-15;
            }
        }
        if (task_.exact) return;
        points_.round = rounder(sum_grain(top, n_));
        objective_round_ = rounder(sum_grain(bound, n_));
    }

    // Candidates, labels of tiles with several, and sums of members.
    void assign_to(const std::vector<double>& pivots) {
        if (pivots == assigned_) return;
        assigned_ = pivots;
        const std::size_t tasks = tasks_for(tiles_), width = sums_.size();
        std::vector<double> sums(tasks * width, 0.0);
        for_tiles(tiles_, [&](std::size_t task, std::size_t begin, std::size_t end) {
            kernels_.candidates({boxes_, begin, end, dims_, pivots.data(), k_, candidates_.data()});
            std::vector<std::uint32_t> straddling;
            double* to = sums.data() + task * width;
            for (std::size_t t = begin; t < end; ++t) {
                const std::uint32_t mask = candidates_[t];
                if ((mask & (mask - 1)) != 0)
                    straddling.push_back(static_cast<std::uint32_t>(t));
                else
                    add_tile(t, to + owner(mask) * (dims_ + 1));
            }
            kernels_.assign({points_, boxes_, straddling.data(), straddling.size(), candidates_.data(),
                             pivots.data(), k_, labels_.data(), to});
        });
        std::fill(sums_.begin(), sums_.end(), 0.0);
        for (std::size_t s = 0; s < sums.size(); ++s) sums_[s % width] += sums[s];
        const std::uint32_t mask = candidates_[tiles_ - 1];
        take_off_spare(sums_.data() +
                       ((mask & (mask - 1)) != 0 ? labels_[n_ - 1] : owner(mask)) * (dims_ + 1));
    }

    static std::size_t owner(std::uint32_t mask) {
        std::size_t bit = 0;
        while ((mask >> bit & 1U) == 0) ++bit;
        return bit;
    }

    void add_tile(std::size_t t, double* to) const {
        to[0] += static_cast<double>(kRealTile);
        for (std::size_t a = 0; a < dims_; ++a) to[1 + a] += tile_sums_[a][t];
    }

    void take_off_spare(double* from) const {
        from[0] -= spare_;
        for (std::size_t a = 0; a < dims_; ++a)
            from[1 + a] -= spare_ * ((z_[a][n_ - 1] + points_.round) - points_.round);
    }

    // The pseudo-code's members: every point within T of the pivot, whichever pivot is nearest.
    void sum_within(const std::vector<double>& pivots, double threshold) {
        const std::size_t width = sums_.size();
        std::vector<double> sums(tasks_for(tiles_) * width, 0.0);
        for_tiles(tiles_, [&](std::size_t task, std::size_t begin, std::size_t end) {
            kernels_.within({points_, begin, end, pivots.data(), k_, threshold, sums.data() + task * width});
        });
        std::fill(sums_.begin(), sums_.end(), 0.0);
        for (std::size_t s = 0; s < sums.size(); ++s) sums_[s % width] += sums[s];
        for (std::size_t j = 0; j < k_; ++j)
            if (distance2(n_ - 1, pivots.data() + j * dims_) <= threshold)
                take_off_spare(sums_.data() + j * (dims_ + 1));
        assigned_.clear();  // sums are of other members now
    }

    void move_to_means(std::vector<double>& pivots) const {
        for (std::size_t j = 0; j < k_; ++j) {
            const double* sums = sums_.data() + j * (dims_ + 1);
            if (sums[0] == 0.0) continue;
            for (std::size_t a = 0; a < dims_; ++a) pivots[j * dims_ + a] = sums[1 + a] / sums[0];
        }
    }

    void move_to_medoids(Pivots<double>& pivots) {
        const int threads = static_cast<int>(tasks_for(tiles_));
        std::vector<Search> searches;
        for (int t = 0; t < std::min(threads, task_.params.k); ++t) searches.emplace_back(tiles_);
        parallel_for(searches.size(), threads, [&](std::size_t task) {
            for (std::size_t j = task; j < k_; j += searches.size())
                move_to_medoid(pivots, j, searches[task]);
        });
    }

    void move_to_medoid(Pivots<double>& pivots, std::size_t j, Search& search) const {
        const double* sums = sums_.data() + j * (dims_ + 1);
        poll();
        if (sums[0] == 0.0) return;  // an emptied cluster keeps its pivot
        double mean[kMaxDims];
        for (std::size_t a = 0; a < dims_; ++a) mean[a] = sums[1 + a] / sums[0];
        RealNearArgs near = near_args(j, mean, bound(j, mean), search);
        kernels_.near(near);
        const std::size_t point = task_.exact ? earliest_of_least_key(near) : first_within(near);
        pivots.raster[j] = raster(point);
        for (std::size_t a = 0; a < dims_; ++a) pivots.z[j * dims_ + a] = z_[a][point];
    }

    RealNearArgs near_args(std::size_t j, const double* target, double least, Search& search) const {
        RealNearArgs near{};
        near.points = points_;
        near.boxes = boxes_;
        near.tiles = tiles_;
        near.candidates = candidates_.data();
        near.labels = labels_.data();
        near.cluster = static_cast<std::uint32_t>(j);
        near.target = target;
        // Integer keys decide among what double precision cannot tell apart.
        near.slack = task_.exact ? 1.0 + 1e-9 : 1.0;
        near.more = task_.exact ? 1e-6 : 0.0;
        near.least = least;
        near.near = search.near.data();
        near.near_least = search.least.data();
        return near;
    }

    // Squared distance to the mean of a member that is known: the pivot, unless one before it is as near.
    double bound(std::size_t j, const double* mean) const {
        const double* p = assigned_.data() + j * dims_;
        for (std::size_t l = 0; l < j; ++l)
            if (distance2(p, assigned_.data() + l * dims_) == 0.0) return kInfinity;
        return distance2(p, mean);
    }

    double distance2(const double* x, const double* target) const {
        double total = 0.0;
        for (std::size_t a = 0; a < dims_; ++a) {
            const double d = x[a] - target[a];
            total += d * d;
        }
        return total;
    }
    double distance2(std::size_t i, const double* target) const {
        double x[kMaxDims];
        for (std::size_t a = 0; a < dims_; ++a) x[a] = z_[a][i];
        return distance2(x, target);
    }

    // Calls visit(point) for the members of near tiles within reach, in raster order, until it returns false.
    template <class Visit>
    void visit_near(const RealNearArgs& near, Visit visit) const {
        const double reach = near.least * near.slack + near.more;
        for (std::size_t s = 0; s < near.n_near; ++s) {
            if (near.near_least[s] > reach) continue;
            const std::size_t begin = near.near[s] * kRealTile;
            const bool all =
                near.candidates == nullptr || near.candidates[near.near[s]] == 1U << near.cluster;
            for (std::size_t i = begin; i < begin + kRealTile; ++i) {
                if (!(all || labels_[i] == near.cluster) || distance2(i, near.target) > reach) continue;
                if (!visit(i)) return;
            }
        }
    }

    std::size_t first_within(const RealNearArgs& near) const {
        std::size_t first = 0;
        visit_near(near, [&first](std::size_t i) {
            first = i;
            return false;
        });
        return first;
    }

    // n |x|^2 - 2 x . S orders members as their distance to the mean S / n does.
    std::size_t earliest_of_least_key(const RealNearArgs& near) const {
        const double* sums = sums_.data() + near.cluster * (dims_ + 1);
        std::int64_t best = std::numeric_limits<std::int64_t>::max();
        std::size_t first = 0;
        visit_near(near, [&](std::size_t i) {
            std::int64_t square = 0, dot = 0;
            for (std::size_t a = 0; a < dims_; ++a) {
                const auto x = static_cast<std::int64_t>(z_[a][i]);
                square += x * x;
                dot += x * static_cast<std::int64_t>(sums[1 + a]);
            }
            const std::int64_t key = static_cast<std::int64_t>(sums[0]) * square - 2 * dot;
            if (key < best) {
                best = key;
                first = i;
            }
            return true;
        });
        return first;
    }

    double shift2(const std::vector<double>& before, const std::vector<double>& after) const {
        double most = 0.0;
        for (std::size_t j = 0; j < k_; ++j)
            most = std::max(most, distance2(after.data() + j * dims_, before.data() + j * dims_));
        return most;
    }

    double inertia() const {
        std::vector<double> tiles(tiles_);
        for_tiles(tiles_, [&](std::size_t, std::size_t begin, std::size_t end) {
            kernels_.objective(
                {points_, begin, end, candidates_.data(), assigned_.data(), 0.0, objective_round_},
                tiles.data());
        });
        double nearest = kInfinity;
        for (std::size_t j = 0; j < k_; ++j)
            nearest = std::min(nearest, distance2(n_ - 1, assigned_.data() + j * dims_));
        const double spare = spare_ * ((nearest + objective_round_) - objective_round_);
        double real = -spare;
        // Real ones may lie beyond 64 bits, and need no integers.
        std::int64_t integer = task_.exact ? -static_cast<std::int64_t>(spare) : 0;
        for (const double tile : tiles) {
            real += tile;
            if (task_.exact) integer += static_cast<std::int64_t>(tile);
        }
        return task_.exact ? static_cast<double>(integer) : real;
    }

    void write_tile(std::size_t t) const {
        const std::size_t begin = t * kRealTile, end = std::min(begin + kRealTile, n_);
        const std::uint32_t mask = candidates_[t];
        const bool owned = (mask & (mask - 1)) == 0 && !task_.params.threshold;
        const std::int32_t own = owned ? static_cast<std::int32_t>(owner(mask)) + 1 : 0;
        const std::int32_t more = task_.params.threshold ? 0 : 1;  // limited labels count from 1
        std::int32_t* labels = task_.labels;
        if (!index_.empty()) {
            for (std::size_t i = begin; i < end; ++i) labels[index_[i]] = owned ? own : labels_[i] + more;
        } else if (owned) {
            std::fill(labels + begin, labels + end, own);
        } else {
            for (std::size_t i = begin; i < end; ++i) labels[i] = labels_[i] + more;
        }
    }

    Task task_;
    const RealKernels& kernels_;
    std::size_t k_, dims_;
    std::size_t n_ = 0;                // points
    std::size_t tiles_ = 0;            // the last one filled up
    double spare_ = 0.0;               // points that fill it up
    std::vector<std::int64_t> index_;  // raster index of each point under a mask
    Planes<double> z_, centre_, half_, tile_sums_;
    RealPoints points_{};
    RealBoxes boxes_{};
    double objective_round_ = 0.0;
    std::vector<double> assigned_;  // the pivots of candidates, labels and sums
    std::vector<std::uint32_t> candidates_;
    std::vector<std::uint8_t> labels_;
    std::vector<double> sums_;  // (k, dims + 1): members, then coordinate sums
};

}  // namespace

std::unique_ptr<Source<double>> make_real_tiles(const Task& task) {
    const std::size_t pixels = task.image.pixels();
    std::size_t used = task.mask ? 0 : pixels;
    for (std::size_t i = 0; task.mask && i < pixels; ++i) used += task.mask[i];
    // Fewer points than copies could make would leave sums no room to be exact.
    if (task.params.k > static_cast<int>(kRealPivots) || used < kRealTile) return nullptr;
    return std::make_unique<RealTiles>(task);
}

}  // namespace fastpgs
