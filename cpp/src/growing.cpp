#include "fastpgs/growing.hpp"

#include <algorithm>
#include <limits>

#include "fastpgs/parallel.hpp"
#include "fastpgs/points.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kRun = 4096;
constexpr std::size_t kWorth = std::size_t{1} << 17;  // pixels that are worth a thread

// Squared distance of every pixel to one pivot.
void distances(const ImageView& image, const FeatureSpace& space, const double* pivot, int threads,
               double* out) {
    const std::size_t runs = (image.pixels() + kRun - 1) / kRun;
    parallel_for(runs, team(image.pixels(), kWorth, threads), [&](std::size_t run) {
        const std::size_t begin = run * kRun, end = std::min(begin + kRun, image.pixels());
        Planes<double> z(space.dims, end - begin);
        read_features(image, space, begin, end, z.data());
        for (std::size_t i = 0; i < end - begin; ++i) {
            double total = 0.0;
            for (std::size_t a = 0; a < space.dims; ++a) {
                const double d = z[a][i] - pivot[a];
                total += d * d;
            }
            out[begin + i] = total;
        }
    });
}

// Marks (1) what is joined to `seed` through pixels marked 2, run by run of a row.
void flood(std::size_t height, std::size_t width, std::size_t seed, int connectivity, std::uint8_t* marks) {
    if (marks[seed] != 2) return;
    std::vector<std::size_t> stack = {seed};
    while (!stack.empty()) {
        const std::size_t pixel = stack.back();
        stack.pop_back();
        if (marks[pixel] != 2) continue;
        const std::size_t row = pixel / width, start = row * width;
        std::size_t left = pixel, right = pixel;
        while (left > start && marks[left - 1] == 2) --left;
        while (right + 1 < start + width && marks[right + 1] == 2) ++right;
        std::fill(marks + left, marks + right + 1, std::uint8_t{1});
        const std::size_t reach = connectivity == 2 ? 1 : 0;
        const std::size_t low = left - std::min(reach, left - start);
        const std::size_t high = std::min(right + reach, start + width - 1);
        for (const bool above : {true, false}) {
            if (above ? row == 0 : row + 1 == height) continue;
            bool inside = false;
            for (std::size_t i = low; i <= high; ++i) {
                const std::size_t other = above ? i - width : i + width;
                const bool open = marks[other] == 2;
                if (open && !inside) stack.push_back(other);
                inside = open;
            }
        }
    }
}

}  // namespace

void grow(const ImageView& image, const MaskView& mask, const FeatureSpace& space, const Params& params,
          const std::vector<double>& pivots, const std::vector<std::int64_t>& raster, int threads,
          std::int32_t* labels, std::uint8_t* clusters) {
    const std::size_t n = image.pixels();
    std::vector<double> best(n, std::numeric_limits<double>::infinity()), d2(n);
    std::vector<std::uint8_t> marks(n);
    std::fill(labels, labels + n, 0);
    for (std::size_t j = 0; j < raster.size(); ++j) {
        distances(image, space, pivots.data() + j * space.dims, threads, d2.data());
        for (std::size_t i = 0; i < n; ++i)
            marks[i] = mask[i] && (!params.threshold || d2[i] <= *params.threshold) ? 2 : 0;
        if (params.connectivity > 0)
            flood(image.height, image.width, static_cast<std::size_t>(raster[j]), params.connectivity,
                  marks.data());
        const std::uint8_t reached = params.connectivity > 0 ? 1 : 2;
        for (std::size_t i = 0; i < n; ++i) {
            if (marks[i] != reached) continue;
            if (clusters != nullptr) clusters[j * n + i] = 1;
            if (!(d2[i] < best[i])) continue;
            best[i] = d2[i];
            labels[i] = static_cast<std::int32_t>(j + 1);
        }
    }
}

}  // namespace fastpgs
