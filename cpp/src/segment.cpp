#include "fastpgs/segment.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "fastpgs/features.hpp"
#include "fastpgs/growing.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/pivots.hpp"
#include "fastpgs/points.hpp"
#include "fastpgs/seeding.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kRun = 8192;

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
        parallel_for((points_.n + kRun - 1) / kRun, threads, [&](std::size_t run) {
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
    }

    const Points<T>& points() const { return points_; }
    bool ordered() const { return true; }
    std::int64_t raster(std::size_t point) const {
        return index_.empty() ? static_cast<std::int64_t>(point) : index_[point];
    }
    std::size_t earliest(const std::vector<std::size_t>& tied) const { return tied.front(); }

    // One label a pixel from one a point; 0 beyond the threshold.
    void write_labels(const std::vector<T>& pivots, std::int32_t* labels) const {
        std::vector<std::uint8_t> nearest(points_.n);
        assign_all(points_, pivots, threads_, nearest.data());
        if (!index_.empty()) std::fill(labels, labels + image_.pixels(), 0);
        for (std::size_t i = 0; i < points_.n; ++i) labels[raster(i)] = nearest[i] + 1;
    }

  private:
    const ImageView& image_;
    const FeatureSpace& space_;
    const Params& params_;
    int threads_;
    Points<T> points_;
    std::vector<std::int64_t> index_;  // raster index of each point; empty: the point's own number
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
            now.iterated =
                iterate<T>(source_.points(), params_, threads_, now.pivots, source_.ordered(), earliest());
            nearest_.resize(source_.points().n);
            now.inertia = assign_all(source_.points(), now.pivots.z, threads_, nearest_.data());
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
        result.inertia = best.inertia;
        result.n_iter = best.iterated.n_iter;
        result.converged = best.iterated.converged;
        fill_empty(z, result);
        fill_features(z, result);
        label(z, result, labels);
    }

    void fill_empty(const std::vector<T>& z, Result& result) {
        assign_all(source_.points(), z, threads_, nearest_.data());
        result.empty.assign(result.pivots.size(), 1);
        for (const std::uint8_t j : nearest_) result.empty[j] = 0;
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
        if (!params_.threshold && params_.connectivity == 0 && !params_.want_clusters)
            return source_.write_labels(z, labels);
        grow(image_, mask_, space_, params_, std::vector<double>(z.begin(), z.end()), result.pivots, threads_,
             labels, params_.want_clusters ? result.clusters.data() : nullptr);
    }

    const ImageView& image_;
    const MaskView& mask_;
    const FeatureSpace& space_;
    const Params& params_;
    int threads_;
    const Source& source_;
    std::vector<std::uint8_t> nearest_;
};

template <class T>
Result segment_pixels(const ImageView& image, const MaskView& mask, const FeatureSpace& space,
                      const Params& params, bool exact, int threads, std::int32_t* labels) {
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
               ? segment_pixels<std::int32_t>(image, mask, space, params, exact, threads, labels)
               : segment_pixels<double>(image, mask, space, params, exact, threads, labels);
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
