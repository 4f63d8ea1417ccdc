#include "fastpgs/segment.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "fastpgs/bounds.hpp"
#include "fastpgs/features.hpp"
#include "fastpgs/grey_image.hpp"
#include "fastpgs/growing.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/kernels.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/pivots.hpp"
#include "fastpgs/points.hpp"
#include "fastpgs/seeding.hpp"
#include "fastpgs/source.hpp"
#include "fastpgs/tile_kernels.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kRun = 4096;
// Counting colours takes as long as a few iterations over tiles. It is worth it where many pivots take many
// more, and in lab by what need not be converted; but colours of a small image are hardly fewer than pixels.
constexpr int kManyPivots = 5;
constexpr std::size_t kCounted = std::size_t{1} << 16, kCountedLab = std::size_t{1} << 17,
                      kCountedMapped = std::size_t{1} << 15;
constexpr std::size_t kFewPixels = std::size_t{3} << 16;

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

// The method over a source.
template <class T>
class Segmentation {
  public:
    Segmentation(const Task& task, Source<T>& source)
        : image_(task.image),
          mask_(task.mask),
          space_(task.space),
          params_(task.params),
          threads_(task.threads),
          exact_(task.exact),
          source_(source) {}

    Result run(std::int32_t* labels) {
        Result result;
        result.dims = space_.dims;
        std::optional<Start<T>> best;
        const int starts = params_.init == Init::given ? 1 : params_.n_init;
        for (int start = 0; start < starts; ++start) {
            poll();
            const std::vector<std::int64_t> raster =
                params_.init == Init::given ? params_.given
                                            : seed_pivots(image_, mask_, space_, params_, exact_, start);
            if (raster.size() < static_cast<std::size_t>(params_.k)) {
                result.distinct = static_cast<int>(raster.size());
                return result;
            }
            Start<T> now;
            now.pivots = pivots_at<T>(image_, space_, raster);
            now.iterated = source_.iterate(now.pivots);
            if (starts > 1) now.inertia = source_.assign(now.pivots.z, true).inertia;
            if (!best || now.inertia < best->inertia) best = std::move(now);
        }
        for (std::size_t j = 0; j < best->pivots.raster.size(); ++j)
            best->pivots.raster[j] = source_.locate(best->pivots, j);
        finish(*best, result, labels);
        return result;
    }

  private:
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
        Assigned assigned = source_.assign(z, params_.want_inertia);
        result.inertia = assigned.inertia;
        result.empty = std::move(assigned.empty);
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
        source_.write_labels();
        grow(image_, mask_, space_, params_, z, result.pivots, threads_, labels,
             params_.want_clusters ? result.clusters.data() : nullptr);
    }

    const ImageView& image_;
    const MaskView& mask_;
    const FeatureSpace& space_;
    const Params& params_;
    int threads_;
    bool exact_;
    Source<T>& source_;
};

// Whether colours are worth counting.
bool many_pixels(const Params& params, std::size_t n) {
    return (params.k >= kManyPivots && n >= kCounted) ||
           (params.features == Features::lab && n >= kCountedLab);
}

Result segment_narrow(const Task& task) {
    std::unique_ptr<Source<std::int32_t>> source;
    if (many_pixels(task.params, task.image.pixels())) source = make_colour_groups(task);
    if (!source) source = make_tiles(task);
    if (!source) source = make_colours<std::int32_t>(task);
    if (!source) source = make_pixels<std::int32_t>(task);
    return Segmentation<std::int32_t>(task, *source).run(task.labels);
}

Result segment_wide(const Task& task) {
    // The colours of a small image are about as many as its pixels, and more work each.
    const bool small = task.space.dims > 1 && task.image.pixels() <= kFewPixels;
    std::unique_ptr<Source<double>> source;
    if (task.image.pixels() >= kCountedMapped) source = make_mapped_groups(task);
    if (!source && !small) source = make_colours<double>(task);
    if (!source) source = make_real_tiles(task);
    if (!source) {
        check_bounds(task.image, task.params);
        source = make_pixels<double>(task);
    }
    return Segmentation<double>(task, *source).run(task.labels);
}

}  // namespace

bool counts_colours(const ImageView& image, const Params& params) {
    const FeatureSpace space = feature_space(image, params);
    return image.type == PixelType::u8 && image.channels == 3 && space.dims == 3 && space.integer &&
           !space.positions && space.map == nullptr && params.features != Features::gray &&
           params.update == Update::medoid && !params.threshold && params.connectivity == 0 &&
           !params.want_clusters && params.k <= static_cast<int>(kTilePivots) &&
           many_pixels(params, image.pixels()) && image.pixels() < Palette::kShared;
}

Result segment(const ImageView& image, const MaskView& mask, const Params& params, std::int32_t* labels) {
    return segment(image, mask, params, labels, nullptr);
}

Result segment(const ImageView& image, const MaskView& mask, const Params& params, std::int32_t* labels,
               Counted* counted) {
    const bool integer = image.type == PixelType::u8 || image.type == PixelType::u16;
    if (params.features == Features::gray && image.channels == 3 && integer) {
        const GreyImage grey(image, resolve_threads(params.threads));
        return segment(grey.view(), mask, params, labels);
    }
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
    const Task task{image, mask, space, params, threads, exact, labels, counted};
    if (exact && is_narrow(image, space)) return segment_narrow(task);
    try {
        return segment_wide(task);
    } catch (const Beyond&) {
        Result result;
        result.beyond = true;
        return result;
    }
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
    const bool plain = space.kind == Features::rgb || space.kind == Features::raw;
    if (image.type == PixelType::u8 && dims == 3 && plain && !mask) {
        std::int64_t found[9] = {};
        constexpr std::size_t kPolled = std::size_t{1} << 20;
        for (std::size_t begin = 0; begin < image.pixels(); begin += kPolled) {
            poll();
            tile_kernels().colours.moments(image.as<std::uint8_t>() + 3 * begin,
                                           std::min(kPolled, image.pixels() - begin), found);
        }
        out.n = static_cast<std::int64_t>(image.pixels());
        const std::size_t of_pair[9] = {3, 4, 5, 4, 6, 7, 5, 7, 8};
        for (std::size_t a = 0; a < 3; ++a) out.sums[a] = found[a];
        for (std::size_t s = 0; s < 9; ++s) out.products[s] = found[of_pair[s]];
        return out;
    }
    Planes<double> x(dims, kRun);
    std::vector<double> products(dims);
    for (std::size_t begin = 0; begin < image.pixels(); begin += kRun) {
        poll();
        const std::size_t end = std::min(begin + kRun, image.pixels());
        read_features(image, space, begin, end, x.data());
        // Integers of at most 2^20 in runs of 2^12: sums are exact in doubles.
        std::size_t n = end - begin;
        if (mask) {
            n = 0;
            for (std::size_t i = begin; i < end; ++i) {
                if (!mask[i]) continue;
                for (std::size_t a = 0; a < dims; ++a) x[a][n] = x[a][i - begin];
                ++n;
            }
        }
        out.n += static_cast<std::int64_t>(n);
        for (std::size_t a = 0; a < dims; ++a) {
            out.sums[a] += static_cast<std::int64_t>(multiply({x.data(), n, dims, x[a], products.data()}));
            for (std::size_t b = 0; b < dims; ++b)
                out.products[a * dims + b] += static_cast<std::int64_t>(products[b]);
        }
    }
    return out;
}

}  // namespace fastpgs
