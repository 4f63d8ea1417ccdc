#include "fastpgs/pivots.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "fastpgs/features.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/kernels.hpp"
#include "fastpgs/parallel.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kBlock = 32 * kChunk;            // points of one task
constexpr std::size_t kWorth = std::size_t{1} << 17;   // points that are worth a thread
constexpr std::size_t kPolled = std::size_t{1} << 12;  // groups between two looks at signals
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A window of the planes: pointers to the coordinates of point `begin`.
template <class T>
void window(const Points<T>& points, std::size_t begin, const T** out) {
    for (std::size_t a = 0; a < points.dims(); ++a) out[a] = points.z[a] + begin;
}

template <class T>
double distance2(const Points<T>& points, std::size_t i, const double* target) {
    double total = 0.0;
    for (std::size_t a = 0; a < points.dims(); ++a) {
        const double d = static_cast<double>(points.z[a][i]) - target[a];
        total += d * d;
    }
    return total;
}

// Points of straddling groups, copied together so that kernels see full chunks.
template <class T>
struct Gathered {
    Planes<T> z;
    std::vector<double> weight;
    std::vector<std::size_t> from;
    std::size_t n = 0;

    void start(std::size_t dims) {
        if (z.dims() != dims) z.reset(dims, kChunk);
        weight.resize(kChunk);
        from.resize(kChunk);
        n = 0;
    }

    template <class Flush>
    void add(const Points<T>& points, std::size_t begin, std::size_t end, Flush flush) {
        while (begin < end) {
            const std::size_t take = std::min(end - begin, kChunk - n);
            for (std::size_t a = 0; a < z.dims(); ++a) std::copy_n(points.z[a] + begin, take, z[a] + n);
            if (points.weight.empty())
                std::fill_n(weight.data() + n, take, 1.0);
            else
                std::copy_n(points.weight.data() + begin, take, weight.data() + n);
            std::iota(from.begin() + static_cast<std::ptrdiff_t>(n),
                      from.begin() + static_cast<std::ptrdiff_t>(n + take), begin);
            n += take;
            begin += take;
            if (n == kChunk) flush();
        }
    }

    // Hands the labels of the gathered points back, and starts anew.
    void scatter(const std::uint8_t* chunk_labels, std::uint8_t* labels) {
        for (std::size_t i = 0; i < n; ++i) labels[from[i]] = chunk_labels[i];
        n = 0;
    }
};

// One run of alternating k-medoids. Buffers live as long as the run.
template <class T>
class Alternation {
  public:
    Alternation(const Points<T>& points, const Groups<T>* groups, const Params& params, int threads,
                bool ordered, const Earliest& earliest)
        : points_(points),
          groups_(groups),
          params_(params),
          dims_(points.dims()),
          k_(static_cast<std::size_t>(params.k)),
          blocks_((points.n + kBlock - 1) / kBlock),
          threads_(team(points.n, kWorth, threads)),
          ordered_(ordered),
          earliest_(earliest),
          labels_(points.n),
          block_sums_(blocks_ * k_ * (dims_ + 1)),
          sums_(k_ * (dims_ + 1)),
          least_(blocks_ * k_),
          owners_(groups == nullptr ? 0 : groups->size()) {}

    Iterated run(Pivots<T>& pivots) {
        Iterated out;
        while (out.n_iter < params_.max_iter && !out.converged) {
            poll();
            const std::vector<T> before = pivots.z;
            if (params_.update == Update::mean && params_.threshold)
                sum_within(pivots.z, *params_.threshold);
            else if (groups_ != nullptr)
                assign_groups(pivots.z);
            else
                assign_and_sum(pivots.z);
            means_of_sums();
            if (params_.update == Update::medoid)
                move_to_medoids(pivots);
            else
                move_to_means(pivots);
            ++out.n_iter;
            out.converged = shift2(before, pivots.z) <= params_.tol2;
        }
        return out;
    }

  private:
    template <class Body>
    void for_chunks(Body body) {  // body(block, begin, n)
        parallel_for(blocks_, threads_, [&](std::size_t block) {
            const std::size_t end = std::min(points_.n, (block + 1) * kBlock);
            for (std::size_t begin = block * kBlock; begin < end; begin += kChunk)
                body(block, begin, std::min(kChunk, end - begin));
        });
    }

    void assign_and_sum(const std::vector<T>& pivots) {
        std::fill(block_sums_.begin(), block_sums_.end(), 0.0);
        for_chunks([&](std::size_t block, std::size_t begin, std::size_t n) {
            const T* z[kMaxDims];
            window(points_, begin, z);
            AssignArgs<T> args{};
            args.z = z;
            args.weight = points_.weight.empty() ? nullptr : points_.weight.data() + begin;
            args.n = n;
            args.dims = dims_;
            args.pivots = pivots.data();
            args.k = k_;
            args.round = rounder(points_.grain);
            args.labels = labels_.data() + begin;
            args.sums = block_sums_.data() + block * k_ * (dims_ + 1);
            assign(args);
        });
        add_blocks();
    }

    // Owned groups add their sums; the points of the others are gathered and compared.
    void assign_groups(const std::vector<T>& pivots) {
        groups_->find_owners(pivots, owners_.data());
        std::fill(sums_.begin(), sums_.end(), 0.0);
        gathered_.start(dims_);
        for (std::size_t g = 0; g < groups_->size(); ++g) {
            poll(g, kPolled);
            if (owners_[g] != kStraddles) {
                groups_->add(g, sums_.data() + owners_[g] * (dims_ + 1));
                continue;
            }
            gathered_.add(points_, groups_->begin(g), groups_->end(g), [&] { flush(pivots); });
        }
        flush(pivots);
    }

    void flush(const std::vector<T>& pivots) {
        std::uint8_t labels[kChunk];
        AssignArgs<T> args{};
        args.z = gathered_.z.data();
        args.weight = gathered_.weight.data();
        args.n = gathered_.n;
        args.dims = dims_;
        args.pivots = pivots.data();
        args.k = k_;
        args.round = rounder(points_.grain);
        args.labels = labels;
        args.sums = sums_.data();
        assign(args);
        gathered_.scatter(labels, labels_.data());
    }

    // The pseudo-code's members: every pixel within T of the pivot, whichever pivot is nearest.
    void sum_within(const std::vector<T>& pivots, double threshold) {
        std::fill(block_sums_.begin(), block_sums_.end(), 0.0);
        const double round = rounder(points_.grain);
        for_chunks([&](std::size_t block, std::size_t begin, std::size_t n) {
            double* sums = block_sums_.data() + block * k_ * (dims_ + 1);
            double pivot[kMaxDims];
            for (std::size_t j = 0; j < k_; ++j, sums += dims_ + 1) {
                for (std::size_t a = 0; a < dims_; ++a) pivot[a] = static_cast<double>(pivots[j * dims_ + a]);
                for (std::size_t i = begin; i < begin + n; ++i) {
                    if (!(distance2(points_, i, pivot) <= threshold)) continue;
                    const double weight = points_.weight.empty() ? 1.0 : points_.weight[i];
                    sums[0] += weight;
                    for (std::size_t a = 0; a < dims_; ++a)
                        sums[1 + a] += weight * ((static_cast<double>(points_.z[a][i]) + round) - round);
                }
            }
        });
        add_blocks();
    }

    void add_blocks() {
        std::fill(sums_.begin(), sums_.end(), 0.0);
        for (std::size_t block = 0; block < blocks_; ++block)
            for (std::size_t s = 0; s < sums_.size(); ++s) sums_[s] += block_sums_[block * sums_.size() + s];
    }

    void means_of_sums() {
        means_.assign(k_ * dims_, kInfinity);
        for (std::size_t j = 0; j < k_; ++j) {
            const double* sums = sums_.data() + j * (dims_ + 1);
            if (sums[0] == 0.0) continue;
            for (std::size_t a = 0; a < dims_; ++a) means_[j * dims_ + a] = sums[1 + a] / sums[0];
        }
    }

    void move_to_means(Pivots<T>& pivots) {
        for (std::size_t s = 0; s < means_.size(); ++s)
            if (means_[s] != kInfinity) pivots.z[s] = static_cast<T>(means_[s]);
    }

    void move_to_medoids(Pivots<T>& pivots) {
        if (groups_ == nullptr) find_least();
        for (std::size_t j = 0; j < k_; ++j) {
            poll();
            if (sums_[j * (dims_ + 1)] == 0.0) continue;  // an emptied cluster keeps its pivot
            const std::size_t point = groups_ == nullptr ? medoid(j) : medoid_of_groups(j);
            pivots.point[j] = point;
            pivots.raster[j] = -1;
            for (std::size_t a = 0; a < dims_; ++a) pivots.z[j * dims_ + a] = points_.z[a][point];
        }
    }

    void find_least() {
        std::fill(least_.begin(), least_.end(), kInfinity);
        for_chunks([&](std::size_t block, std::size_t begin, std::size_t n) {
            const T* z[kMaxDims];
            window(points_, begin, z);
            NearestArgs<T> args{};
            args.z = z;
            args.n = n;
            args.dims = dims_;
            args.labels = labels_.data() + begin;
            args.means = means_.data();
            args.k = k_;
            args.least = least_.data() + block * k_;
            nearest(args);
        });
    }

    // The earliest of the members nearest to the mean, searched only in blocks that can hold it.
    std::size_t medoid(std::size_t j) {
        double least = kInfinity;
        for (std::size_t block = 0; block < blocks_; ++block) least = std::min(least, least_[block * k_ + j]);
        start_ties(least);
        for (std::size_t block = 0; block < blocks_; ++block) {
            if (least_[block * k_ + j] > bound_) continue;
            const std::size_t end = std::min(points_.n, (block + 1) * kBlock);
            for (std::size_t i = block * kBlock; i < end; ++i) {
                if (labels_[i] != j || distance2(points_, i, means_.data() + j * dims_) > bound_) continue;
                add_tie(j, i);
                if (ordered_ && !points_.exact) return i;
            }
        }
        return tied_.size() == 1 ? tied_.front() : earliest_(tied_);
    }

    // The same over groups: those whose box is nearest to the mean are looked at first.
    std::size_t medoid_of_groups(std::size_t j) {
        const double* mean = means_.data() + j * dims_;
        near_.clear();
        for (std::size_t g = 0; g < groups_->size(); ++g)
            if (owners_[g] == j || owners_[g] == kStraddles)
                near_.push_back({groups_->lower_bound2(g, mean), g});
        std::make_heap(near_.begin(), near_.end(), std::greater<>());
        double least = kInfinity;
        std::size_t looked = near_.size();
        while (looked > 0 && near_.front().first <= least) {
            poll(looked, kPolled);
            const std::size_t g = near_.front().second;
            for (std::size_t i = groups_->begin(g); i < groups_->end(g); ++i)
                if (is_member(g, i, j)) least = std::min(least, distance2(points_, i, mean));
            std::pop_heap(near_.begin(), near_.begin() + static_cast<std::ptrdiff_t>(looked),
                          std::greater<>());
            --looked;
        }
        start_ties(least);
        for (const auto& [low, g] : near_) {
            if (low > bound_) continue;
            for (std::size_t i = groups_->begin(g); i < groups_->end(g); ++i)
                if (is_member(g, i, j) && distance2(points_, i, mean) <= bound_) add_tie(j, i);
        }
        return tied_.size() == 1 ? tied_.front() : earliest_(tied_);
    }

    bool is_member(std::size_t g, std::size_t i, std::size_t j) const {
        return owners_[g] == j || (owners_[g] == kStraddles && labels_[i] == j);
    }

    // Integer keys decide among what double precision cannot tell apart.
    void start_ties(double least) {
        bound_ = points_.exact ? least * (1.0 + 1e-9) + 1e-6 : least;
        best_key_ = std::numeric_limits<std::int64_t>::max();
        tied_.clear();
    }

    void add_tie(std::size_t j, std::size_t i) {
        const std::int64_t key = points_.exact ? integer_key(j, i) : 0;
        if (key > best_key_) return;
        if (key < best_key_) tied_.clear();
        best_key_ = key;
        if (ordered_ && !tied_.empty())
            tied_.front() = std::min(tied_.front(), i);
        else
            tied_.push_back(i);
    }

    // n |x|^2 - 2 x . S, which orders members as their distance to the mean S / n does.
    std::int64_t integer_key(std::size_t j, std::size_t i) const {
        const double* sums = sums_.data() + j * (dims_ + 1);
        std::int64_t square = 0, dot = 0;
        for (std::size_t a = 0; a < dims_; ++a) {
            const auto x = static_cast<std::int64_t>(points_.z[a][i]);
            square += x * x;
            dot += x * static_cast<std::int64_t>(sums[1 + a]);
        }
        return static_cast<std::int64_t>(sums[0]) * square - 2 * dot;
    }

    double shift2(const std::vector<T>& before, const std::vector<T>& after) const {
        double most = 0.0;
        for (std::size_t j = 0; j < k_; ++j) {
            double total = 0.0;
            for (std::size_t a = 0; a < dims_; ++a) {
                const double d =
                    static_cast<double>(after[j * dims_ + a]) - static_cast<double>(before[j * dims_ + a]);
                total += d * d;
            }
            most = std::max(most, total);
        }
        return most;
    }

    const Points<T>& points_;
    const Groups<T>* groups_;
    const Params& params_;
    std::size_t dims_, k_, blocks_;
    int threads_;
    bool ordered_;
    const Earliest& earliest_;
    std::vector<std::uint8_t> labels_;
    std::vector<double> block_sums_;                    // (blocks, k, dims + 1)
    std::vector<double> sums_;                          // (k, dims + 1)
    std::vector<double> means_;                         // (k, dims); infinite for an empty cluster
    std::vector<double> least_;                         // (blocks, k)
    std::vector<std::uint8_t> owners_;                  // (groups,)
    std::vector<std::pair<double, std::size_t>> near_;  // heap of groups by their distance to a mean
    Gathered<T> gathered_;
    std::vector<std::size_t> tied_;
    double bound_ = 0.0;
    std::int64_t best_key_ = 0;
};

// Sum of weight times squared distance of a chunk. The kernel's double is exact below 2^53; beyond it, where
// the counts of a large image meet far colours, integers are summed as such.
template <class T>
std::int64_t integer_objective(const AssignArgs<T>& args) {
    constexpr double kSafe = 0x1.0p52;
    if (*args.objective < kSafe) return static_cast<std::int64_t>(*args.objective);
    std::int64_t total = 0;
    for (std::size_t i = 0; i < args.n; ++i) {
        const double weight = args.weight == nullptr ? 1.0 : args.weight[i];
        total += static_cast<std::int64_t>(weight) * static_cast<std::int64_t>(args.d2[i]);
    }
    return total;
}

}  // namespace

template <class T>
Iterated iterate(const Points<T>& points, const Groups<T>* groups, const Params& params, int threads,
                 Pivots<T>& pivots, bool ordered, const Earliest& earliest) {
    return Alternation<T>(points, groups, params, threads, ordered, earliest).run(pivots);
}

template <class T>
void assign_all(const Points<T>& points, const Groups<T>* groups, const std::vector<T>& pivots, int threads,
                Assignment& out) {
    const std::size_t blocks = (points.n + kBlock - 1) / kBlock;
    const std::size_t k = pivots.size() / points.dims();
    out.labels.resize(points.n);
    out.d2.resize(points.n);
    out.owners.resize(groups == nullptr ? 0 : groups->size());
    out.empty.assign(k, 1);
    std::vector<double> real(blocks, 0.0);
    std::vector<std::int64_t> integer(blocks, 0);
    std::vector<std::uint8_t> seen(blocks * k, 0);
    parallel_for(blocks, team(points.n, kWorth, threads), [&](std::size_t block) {
        const std::size_t end = std::min(points.n, (block + 1) * kBlock);
        for (std::size_t begin = block * kBlock; begin < end; begin += kChunk) {
            const T* z[kMaxDims];
            window(points, begin, z);
            double objective = 0.0;
            AssignArgs<T> args{};
            args.z = z;
            args.weight = points.weight.empty() ? nullptr : points.weight.data() + begin;
            args.n = std::min(kChunk, end - begin);
            args.dims = points.dims();
            args.pivots = pivots.data();
            args.k = k;
            args.labels = out.labels.data() + begin;
            args.d2 = out.d2.data() + begin;
            args.objective_round = rounder(points.objective_grain);
            args.objective = &objective;
            assign(args);
            real[block] += objective;
            if (points.exact) integer[block] += integer_objective(args);
            for (std::size_t i = 0; i < args.n; ++i) seen[block * k + args.labels[i]] = 1;
        }
    });
    for (std::size_t s = 0; s < seen.size(); ++s)
        if (seen[s] != 0) out.empty[s % k] = 0;
    out.inertia = points.exact
                      ? static_cast<double>(std::accumulate(integer.begin(), integer.end(), std::int64_t{0}))
                      : std::accumulate(real.begin(), real.end(), 0.0);
    if (groups != nullptr) groups->find_owners(pivots, out.owners.data());
}

std::size_t nearest_point(const Points<double>& points, const double* target, bool ordered,
                          const Earliest& earliest) {
    double least = kInfinity;
    std::vector<std::size_t> tied;
    for (std::size_t i = 0; i < points.n; ++i) {
        poll(i, kBlock);
        const double d = distance2(points, i, target);
        if (d > least || (d == least && ordered && !tied.empty())) continue;
        if (d < least) tied.clear();
        least = d;
        tied.push_back(i);
    }
    return tied.size() == 1 ? tied.front() : earliest(tied);
}

template Iterated iterate(const Points<std::int32_t>&, const Groups<std::int32_t>*, const Params&, int,
                          Pivots<std::int32_t>&, bool, const Earliest&);
template Iterated iterate(const Points<double>&, const Groups<double>*, const Params&, int, Pivots<double>&,
                          bool, const Earliest&);
template void assign_all(const Points<std::int32_t>&, const Groups<std::int32_t>*,
                         const std::vector<std::int32_t>&, int, Assignment&);
template void assign_all(const Points<double>&, const Groups<double>*, const std::vector<double>&, int,
                         Assignment&);

}  // namespace fastpgs
