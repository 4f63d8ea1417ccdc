#include "fastpgs/pivots.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "fastpgs/features.hpp"
#include "fastpgs/kernels.hpp"
#include "fastpgs/parallel.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kBlock = 32 * kChunk;  // points of one task
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

// One run of alternating k-medoids. Buffers live as long as the run.
template <class T>
class Alternation {
  public:
    Alternation(const Points<T>& points, const Params& params, int threads, bool ordered,
                const Earliest& earliest)
        : points_(points),
          params_(params),
          dims_(points.dims()),
          k_(static_cast<std::size_t>(params.k)),
          blocks_((points.n + kBlock - 1) / kBlock),
          threads_(threads),
          ordered_(ordered),
          earliest_(earliest),
          labels_(points.n),
          block_sums_(blocks_ * k_ * (dims_ + 1)),
          sums_(k_ * (dims_ + 1)),
          least_(blocks_ * k_) {}

    Iterated run(Pivots<T>& pivots) {
        Iterated out;
        while (out.n_iter < params_.max_iter && !out.converged) {
            const std::vector<T> before = pivots.z;
            if (params_.update == Update::mean && params_.threshold)
                sum_within(pivots.z, *params_.threshold);
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
        for (std::size_t j = 0; j < k_; ++j) {
            if (sums_[j * (dims_ + 1)] == 0.0) continue;  // an emptied cluster keeps its pivot
            const std::size_t point = medoid(j);
            pivots.point[j] = point;
            pivots.raster[j] = -1;
            for (std::size_t a = 0; a < dims_; ++a) pivots.z[j * dims_ + a] = points_.z[a][point];
        }
    }

    // The earliest of the members nearest to the mean, searched only in blocks that can hold it.
    std::size_t medoid(std::size_t j) {
        double least = kInfinity;
        for (std::size_t block = 0; block < blocks_; ++block) least = std::min(least, least_[block * k_ + j]);
        // Integer keys decide among what double precision cannot tell apart.
        const double bound = points_.exact ? least * (1.0 + 1e-9) + 1e-6 : least;
        std::int64_t best = std::numeric_limits<std::int64_t>::max();
        tied_.clear();
        for (std::size_t block = 0; block < blocks_; ++block) {
            if (least_[block * k_ + j] > bound) continue;
            const std::size_t end = std::min(points_.n, (block + 1) * kBlock);
            for (std::size_t i = block * kBlock; i < end; ++i) {
                if (labels_[i] != j || distance2(points_, i, means_.data() + j * dims_) > bound) continue;
                const std::int64_t key = points_.exact ? integer_key(j, i) : 0;
                if (key < best) tied_.clear();
                if (key > best || (ordered_ && !tied_.empty())) continue;
                best = key;
                tied_.push_back(i);
                if (ordered_ && !points_.exact) return i;
            }
        }
        return tied_.size() == 1 ? tied_.front() : earliest_(tied_);
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
    const Params& params_;
    std::size_t dims_, k_, blocks_;
    int threads_;
    bool ordered_;
    const Earliest& earliest_;
    std::vector<std::uint8_t> labels_;
    std::vector<double> block_sums_;  // (blocks, k, dims + 1)
    std::vector<double> sums_;        // (k, dims + 1)
    std::vector<double> means_;       // (k, dims); infinite for an empty cluster
    std::vector<double> least_;       // (blocks, k)
    std::vector<std::size_t> tied_;
};

}  // namespace

template <class T>
Iterated iterate(const Points<T>& points, const Params& params, int threads, Pivots<T>& pivots, bool ordered,
                 const Earliest& earliest) {
    return Alternation<T>(points, params, threads, ordered, earliest).run(pivots);
}

template <class T>
double assign_all(const Points<T>& points, const std::vector<T>& pivots, int threads, std::uint8_t* labels) {
    const std::size_t blocks = (points.n + kBlock - 1) / kBlock;
    const double round = rounder(points.objective_grain);
    // Integers are summed as such: a 16-bit image's objective can pass 2^53.
    std::vector<double> objective(blocks, 0.0);
    std::vector<std::int64_t> exact(blocks, 0);
    parallel_for(blocks, threads, [&](std::size_t block) {
        const std::size_t end = std::min(points.n, (block + 1) * kBlock);
        double d2[kChunk];
        double total = 0.0;
        std::int64_t integer = 0;
        for (std::size_t begin = block * kBlock; begin < end; begin += kChunk) {
            const T* z[kMaxDims];
            window(points, begin, z);
            AssignArgs<T> args{};
            args.z = z;
            args.n = std::min(kChunk, end - begin);
            args.dims = points.dims();
            args.pivots = pivots.data();
            args.k = pivots.size() / points.dims();
            args.labels = labels + begin;
            args.d2 = d2;
            assign(args);
            for (std::size_t i = 0; i < args.n; ++i) {
                const double weight = points.weight.empty() ? 1.0 : points.weight[begin + i];
                if (points.exact)
                    integer += static_cast<std::int64_t>(weight) * static_cast<std::int64_t>(d2[i]);
                else
                    total += weight * ((d2[i] + round) - round);
            }
        }
        objective[block] = total;
        exact[block] = integer;
    });
    if (points.exact)
        return static_cast<double>(std::accumulate(exact.begin(), exact.end(), std::int64_t{0}));
    return std::accumulate(objective.begin(), objective.end(), 0.0);
}

std::size_t nearest_point(const Points<double>& points, const double* target, bool ordered,
                          const Earliest& earliest) {
    double least = kInfinity;
    std::vector<std::size_t> tied;
    for (std::size_t i = 0; i < points.n; ++i) {
        const double d = distance2(points, i, target);
        if (d > least || (d == least && ordered && !tied.empty())) continue;
        if (d < least) tied.clear();
        least = d;
        tied.push_back(i);
    }
    return tied.size() == 1 ? tied.front() : earliest(tied);
}

template Iterated iterate(const Points<std::int32_t>&, const Params&, int, Pivots<std::int32_t>&, bool,
                          const Earliest&);
template Iterated iterate(const Points<double>&, const Params&, int, Pivots<double>&, bool, const Earliest&);
template double assign_all(const Points<std::int32_t>&, const std::vector<std::int32_t>&, int, std::uint8_t*);
template double assign_all(const Points<double>&, const std::vector<double>&, int, std::uint8_t*);

}  // namespace fastpgs
