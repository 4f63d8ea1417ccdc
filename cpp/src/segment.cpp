#include "fastpgs/segment.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "fastpgs/features.hpp"
#include "fastpgs/groups.hpp"
#include "fastpgs/growing.hpp"
#include "fastpgs/palette.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/pivots.hpp"
#include "fastpgs/points.hpp"
#include "fastpgs/seeding.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kRun = 8192;
constexpr std::size_t kNeighbours = 32;               // pixels of one group
constexpr std::size_t kWorth = std::size_t{1} << 17;  // pixels that are worth a thread

// Squared distances of 8-bit colours and of lab fit 31 bits.
bool is_narrow(const ImageView& image, const FeatureSpace& space) {
    return space.kind == Features::lab ||
           (space.kind != Features::xy && image.type == PixelType::u8 && space.dims <= 3);
}

// Every pixel that takes part as a point, in raster order.
template <class T>
class Pixels {
  public:
    Pixels(const ImageView& image, const MaskView& mask, const FeatureSpace& space, const Params& params,
           bool exact, int threads)
        : image_(image), space_(space), params_(params), threads_(threads) {
        const std::size_t n = image.pixels();
        if (mask) {
            for (std::size_t i = 0; i < n; ++i)
                if (mask[i]) index_.push_back(static_cast<std::int64_t>(i));
        }
        points_.n = points_.pixels = mask ? index_.size() : n;
        points_.exact = exact;
        points_.z.reset(space.dims, points_.n);
        parallel_for((points_.n + kRun - 1) / kRun, team(points_.n, kWorth, threads), [&](std::size_t run) {
            const std::size_t begin = run * kRun, end = std::min(begin + kRun, points_.n);
            T* out[kMaxDims];
            for (std::size_t a = 0; a < space.dims; ++a) out[a] = points_.z[a] + begin;
            if (index_.empty())
                read_features(image, space, begin, end, out);
            else
                gather_features(image, space, index_.data() + begin, end - begin, out);
        });
        if constexpr (std::is_same_v<T, double>) {
            if (!exact) set_grains(points_);
        }
        std::vector<std::uint32_t> starts;
        for (std::size_t begin = 0; begin < points_.n; begin += kNeighbours)
            starts.push_back(static_cast<std::uint32_t>(begin));
        starts.push_back(static_cast<std::uint32_t>(points_.n));
        groups_.emplace(points_, std::move(starts));
    }
    Pixels(const Pixels&) = delete;
    Pixels& operator=(const Pixels&) = delete;

    const Points<T>& points() const { return points_; }
    const Groups<T>* groups() const { return groups_ ? &*groups_ : nullptr; }
    bool ordered() const { return true; }
    std::int64_t raster(std::size_t point) const {
        return index_.empty() ? static_cast<std::int64_t>(point) : index_[point];
    }
    std::size_t earliest(const std::vector<std::size_t>& tied) const { return tied.front(); }

    // One label a pixel from one a point; 0 beyond the threshold.
    void write_labels(const Assignment& assignment, std::int32_t* labels) const {
        if (!index_.empty()) std::fill(labels, labels + image_.pixels(), 0);
        const double limit = params_.threshold.value_or(0.0);
        const bool limited = params_.threshold.has_value();
        parallel_for((points_.n + kRun - 1) / kRun, team(points_.n, kWorth, threads_), [&](std::size_t run) {
            const std::size_t end = std::min((run + 1) * kRun, points_.n);
            for (std::size_t i = run * kRun; i < end; ++i)
                labels[raster(i)] = limited && !(assignment.d2[i] <= limit) ? 0 : assignment.labels[i] + 1;
        });
    }

  private:
    const ImageView& image_;
    const FeatureSpace& space_;
    const Params& params_;
    int threads_;
    Points<T> points_;
    std::vector<std::int64_t> index_;  // raster index of each point; empty: the point's own number
    std::optional<Groups<T>> groups_;  // pixels side by side, which are mostly alike
};

// The distinct colours of an 8-bit image as points.
template <class T>
class Colours {
  public:
    Colours(const Palette& palette, const FeatureSpace& space, const Params& params, bool exact, int threads)
        : palette_(palette), params_(params), threads_(threads) {
        points_.n = palette.size();
        points_.weight = palette.counts();
        points_.pixels =
            static_cast<std::size_t>(std::accumulate(points_.weight.begin(), points_.weight.end(), 0.0));
        points_.exact = exact;
        points_.z.reset(space.dims, points_.n);
        read_features(palette.colours(), space, 0, points_.n, points_.z.data());
        if constexpr (std::is_same_v<T, double>) {
            if (!exact) set_grains(points_);
        }
        if (!palette.starts().empty()) groups_.emplace(points_, palette.starts());
    }
    Colours(const Colours&) = delete;
    Colours& operator=(const Colours&) = delete;

    const Points<T>& points() const { return points_; }
    const Groups<T>* groups() const { return groups_ ? &*groups_ : nullptr; }
    bool ordered() const { return false; }
    std::int64_t raster(std::size_t point) const { return palette_.first_of({point}).raster; }
    std::size_t earliest(const std::vector<std::size_t>& tied) const {
        return palette_.first_of(tied).colour;
    }

    void write_labels(const Assignment& assignment, std::int32_t* labels) const {
        std::vector<std::uint8_t> values(points_.n);
        for (std::size_t i = 0; i < points_.n; ++i) {
            const bool beyond = params_.threshold && !(assignment.d2[i] <= *params_.threshold);
            values[i] = beyond ? 0 : static_cast<std::uint8_t>(assignment.labels[i] + 1);
        }
        // Beyond the threshold colours of one group may differ.
        if (assignment.owners.empty() || params_.threshold)
            palette_.write_labels(values, threads_, labels);
        else
            palette_.write_labels(assignment.owners, values, threads_, labels);
    }

  private:
    const Palette& palette_;
    const Params& params_;
    int threads_;
    Points<T> points_;
    std::optional<Groups<T>> groups_;
};

template <class T>
struct Start {
    Pivots<T> pivots;
    Iterated iterated;
    double inertia = 0.0;
};

template <class T>
Pivots<T> pivots_at(const ImageView& image, const FeatureSpace& space,
                    const std::vector<std::int64_t>& raster) {
    Pivots<T> pivots;
    pivots.raster = raster;
    pivots.point.assign(raster.size(), 0);
    pivots.z.resize(raster.size() * space.dims);
    for (std::size_t j = 0; j < raster.size(); ++j) {
        T* out[kMaxDims];
        for (std::size_t a = 0; a < space.dims; ++a) out[a] = pivots.z.data() + j * space.dims + a;
        gather_features(image, space, &raster[j], 1, out);
    }
    return pivots;
}

// The method over a source of points: pixels, or distinct colours.
template <class T, class Source>
class Segmentation {
  public:
    Segmentation(const ImageView& image, const MaskView& mask, const FeatureSpace& space,
                 const Params& params, int threads, const Source& source)
        : image_(image), mask_(mask), space_(space), params_(params), threads_(threads), source_(source) {}

    Result run(std::int32_t* labels) {
        Result result;
        result.dims = space_.dims;
        std::optional<Start<T>> best;
        const int starts = params_.init == Init::given ? 1 : params_.n_init;
        for (int start = 0; start < starts; ++start) {
            const std::vector<std::int64_t> raster =
                params_.init == Init::given
                    ? params_.given
                    : seed_pivots(image_, mask_, space_, params_, source_.points().exact, start);
            if (raster.size() < static_cast<std::size_t>(params_.k)) {
                result.distinct = static_cast<int>(raster.size());
                return result;
            }
            Start<T> now;
            now.pivots = pivots_at<T>(image_, space_, raster);
            now.iterated = iterate<T>(source_.points(), source_.groups(), params_, threads_, now.pivots,
                                      source_.ordered(), earliest());
            if (starts > 1) {
                assign_all(source_.points(), source_.groups(), now.pivots.z, threads_, assignment_);
                now.inertia = assignment_.inertia;
            }
            if (!best || now.inertia < best->inertia) best = std::move(now);
        }
        locate(best->pivots);
        finish(*best, result, labels);
        return result;
    }

  private:
    Earliest earliest() const {
        return [this](const std::vector<std::size_t>& tied) { return source_.earliest(tied); };
    }

    // Raster indices of pivots that are known as points, or as means.
    void locate(Pivots<T>& pivots) const {
        for (std::size_t j = 0; j < pivots.raster.size(); ++j) {
            if (params_.update == Update::mean) {
                if constexpr (std::is_same_v<T, double>)
                    pivots.point[j] = nearest_point(source_.points(), pivots.z.data() + j * space_.dims,
                                                    source_.ordered(), earliest());
                pivots.raster[j] = -1;
            }
            if (pivots.raster[j] < 0) pivots.raster[j] = source_.raster(pivots.point[j]);
        }
    }

    // Orders pivots by luma, labels the image and fills the result.
    void finish(const Start<T>& best, Result& result, std::int32_t* labels) {
        const std::size_t k = best.pivots.raster.size(), dims = space_.dims;
        std::vector<std::size_t> order(k);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::vector<double> light(k);
        for (std::size_t j = 0; j < k; ++j)
            light[j] = luma(image_, static_cast<std::size_t>(best.pivots.raster[j]));
        std::stable_sort(order.begin(), order.end(),
                         [&light](std::size_t a, std::size_t b) { return light[a] < light[b]; });
        std::vector<T> z;
        for (const std::size_t j : order) {
            result.pivots.push_back(best.pivots.raster[j]);
            z.insert(z.end(), best.pivots.z.begin() + static_cast<std::ptrdiff_t>(j * dims),
                     best.pivots.z.begin() + static_cast<std::ptrdiff_t>((j + 1) * dims));
        }
        result.n_iter = best.iterated.n_iter;
        result.converged = best.iterated.converged;
        assign_all(source_.points(), source_.groups(), z, threads_, assignment_);
        result.inertia = assignment_.inertia;
        result.empty = assignment_.empty;
        fill_features(z, result);
        label(z, result, labels);
    }

    void fill_features(const std::vector<T>& z, Result& result) const {
        if (params_.update == Update::mean) {
            result.pivot_features.assign(z.begin(), z.end());
            return;
        }
        FeatureSpace plain = space_;
        plain.map = nullptr;
        result.pivot_features = pivots_at<double>(image_, plain, result.pivots).z;
    }

    void label(const std::vector<T>& z, Result& result, std::int32_t* labels) {
        if (params_.want_clusters) result.clusters.assign(result.pivots.size() * image_.pixels(), 0);
        if (params_.connectivity == 0 && !params_.want_clusters)
            return source_.write_labels(assignment_, labels);
        grow(image_, mask_, space_, params_, std::vector<double>(z.begin(), z.end()), result.pivots, threads_,
             labels, params_.want_clusters ? result.clusters.data() : nullptr);
    }

    const ImageView& image_;
    const MaskView& mask_;
    const FeatureSpace& space_;
    const Params& params_;
    int threads_;
    const Source& source_;
    Assignment assignment_;
};

template <class T>
Result segment_any(const ImageView& image, const MaskView& mask, const FeatureSpace& space,
                   const Params& params, bool exact, int threads, std::int32_t* labels) {
    const bool by_colour = image.type == PixelType::u8 && (image.channels == 1 || image.channels == 3) &&
                           space.kind != Features::xy && !space.positions;
    if (by_colour) {
        if (const std::optional<Palette> palette = Palette::count(image, mask, threads)) {
            const Colours<T> colours(*palette, space, params, exact, threads);
            return Segmentation<T, Colours<T>>(image, mask, space, params, threads, colours).run(labels);
        }
    }
    const Pixels<T> pixels(image, mask, space, params, exact, threads);
    return Segmentation<T, Pixels<T>>(image, mask, space, params, threads, pixels).run(labels);
}

}  // namespace

Result segment(const ImageView& image, const MaskView& mask, const Params& params, std::int32_t* labels) {
    const FeatureSpace space = feature_space(image, params);
    const int threads = resolve_threads(params.threads);
    const bool exact = space.integer && space.map == nullptr && params.update == Update::medoid;
    if (params.init == Init::given) {
        const int distinct = count_distinct(image, mask, space, params.k);
        if (distinct < params.k) {
            Result result;
            result.distinct = distinct;
            return result;
        }
    }
    return exact && is_narrow(image, space)
               ? segment_any<std::int32_t>(image, mask, space, params, exact, threads, labels)
               : segment_any<double>(image, mask, space, params, exact, threads, labels);
}

std::vector<Result> segment_batch(const std::vector<Job>& jobs, const Params& params, int threads) {
    std::vector<Result> results(jobs.size());
    Params single = params;
    single.threads = 1;
    parallel_for(jobs.size(), resolve_threads(threads), [&](std::size_t i) {
        results[i] = segment(jobs[i].image, jobs[i].mask, single, jobs[i].labels);
    });
    return results;
}

Moments moments(const ImageView& image, const MaskView& mask, const Params& params) {
    Params unmapped = params;
    unmapped.map.clear();
    const FeatureSpace space = feature_space(image, unmapped);
    const std::size_t dims = space.dims;
    Moments out;
    out.sums.assign(dims, 0);
    out.products.assign(dims * dims, 0);
    Planes<std::int32_t> x(dims, kRun);
    for (std::size_t begin = 0; begin < image.pixels(); begin += kRun) {
        const std::size_t end = std::min(begin + kRun, image.pixels());
        read_features(image, space, begin, end, x.data());
        for (std::size_t i = 0; i < end - begin; ++i) {
            if (!mask[begin + i]) continue;
            ++out.n;
            for (std::size_t a = 0; a < dims; ++a) {
                const std::int64_t value = x[a][i];
                out.sums[a] += value;
                for (std::size_t b = 0; b < dims; ++b) out.products[a * dims + b] += value * x[b][i];
            }
        }
    }
    return out;
}

}  // namespace fastpgs
