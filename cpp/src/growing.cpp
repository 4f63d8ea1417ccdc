#include "fastpgs/growing.hpp"

#include <algorithm>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/kernels.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/points.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kRun = 2048;
constexpr std::size_t kWorth = std::size_t{1} << 17;  // pixels that are worth a thread

// Bit j % 8 of byte (j / 8, i): what holds of pivot j and pixel i.
class Bits {
  public:
    Bits(std::size_t k, std::size_t n) : n_(n), bytes_((k + 7) / 8 * n) {}

    std::uint8_t* plane(std::size_t j) { return bytes_.data() + j / 8 * n_; }
    const std::uint8_t* plane(std::size_t j) const { return bytes_.data() + j / 8 * n_; }
    bool at(std::size_t j, std::size_t i) const { return (bytes_[j / 8 * n_ + i] >> (j % 8) & 1U) != 0; }

  private:
    std::size_t n_;
    std::vector<std::uint8_t> bytes_;
};

// Which pivots each pixel is within the threshold of.
template <class T>
void mark_within(const ImageView& image, const MaskView& mask, const FeatureSpace& space,
                 const Params& params, const std::vector<T>& pivots, int threads, Bits& within) {
    const std::size_t n = image.pixels(), k = pivots.size() / space.dims;
    parallel_for((n + kRun - 1) / kRun, team(n, kWorth, threads), [&](std::size_t run) {
        const std::size_t begin = run * kRun, end = std::min(begin + kRun, n);
        Planes<T> z;
        if (params.threshold) {
            z.reset(space.dims, end - begin);
            read_features(image, space, begin, end, z.data());
        }
        for (std::size_t first = 0; first < k; first += 8) {
            const std::size_t some = std::min<std::size_t>(8, k - first);
            std::uint8_t* bits = within.plane(first) + begin;
            if (params.threshold)
                mark({z.data(), end - begin, space.dims, pivots.data() + first * space.dims, some,
                      *params.threshold, bits});
            else
                std::fill_n(bits, end - begin, static_cast<std::uint8_t>((1U << some) - 1U));
            if (mask) {
                for (std::size_t i = begin; i < end; ++i)
                    if (!mask[i]) bits[i - begin] = 0;
            }
        }
    });
}

// Moves a bit from `open` to `reached` wherever a path of open pixels leads from `seed`, run by run of a row.
void flood(std::size_t height, std::size_t width, std::size_t seed, int connectivity, std::uint8_t bit,
           std::uint8_t* open, std::uint8_t* reached) {
    std::vector<std::size_t> stack = {seed};
    for (std::size_t step = 0; !stack.empty(); ++step) {
        poll(step, 4096);
        const std::size_t pixel = stack.back();
        stack.pop_back();
        if ((open[pixel] & bit) == 0) continue;
        const std::size_t row = pixel / width, start = row * width;
        std::size_t left = pixel, right = pixel;
        while (left > start && (open[left - 1] & bit) != 0) --left;
        while (right + 1 < start + width && (open[right + 1] & bit) != 0) ++right;
        for (std::size_t i = left; i <= right; ++i) {
            open[i] = static_cast<std::uint8_t>(open[i] ^ bit);
            reached[i] |= bit;
        }
        const std::size_t reach = connectivity == 2 ? 1 : 0;
        const std::size_t low = left - std::min(reach, left - start);
        const std::size_t high = std::min(right + reach, start + width - 1);
        for (const bool above : {true, false}) {
            if (above ? row == 0 : row + 1 == height) continue;
            const std::uint8_t* other = above ? open - width : open + width;
            std::uint8_t before = 0;
            for (std::size_t i = low; i <= high; ++i) {
                const std::uint8_t now = other[i] & bit;
                if (now != 0 && before == 0) stack.push_back(above ? i - width : i + width);
                before = now;
            }
        }
    }
}

// Clears labels of pivots that did not reach their pixel. Returns whether another one reached some of these;
// open[i - begin] tells which.
bool keep_reached(const Bits& reached, std::size_t k, std::size_t begin, std::size_t end,
                  std::int32_t* labels, std::uint8_t* open) {
    const std::size_t n = end - begin;
    bool any_open = false;
    for (std::size_t first = 0; first < k; first += 8) {
        const std::uint8_t* bits = reached.plane(first) + begin;
        unsigned any = 0;
        for (std::size_t i = 0; i < n; ++i) any |= bits[i];
        if (first == 0) std::fill_n(open, n, std::uint8_t{0});
        any_open = any_open || any != 0;
        for (std::size_t i = 0; i < n; ++i) open[i] |= bits[i];
    }
    if (!any_open) {
        std::fill(labels + begin, labels + end, 0);
        return false;
    }
    any_open = false;
    for (std::size_t i = 0; i < n; ++i) {
        const auto label = static_cast<std::size_t>(labels[begin + i]);
        const bool stays = label != 0 && reached.at(label - 1, begin + i);
        labels[begin + i] = stays ? labels[begin + i] : 0;
        open[i] = stays ? 0 : open[i];
        any_open = any_open || open[i] != 0;
    }
    return any_open;
}

// The nearest of the pivots that reached a pixel, of which there is one.
template <class T>
std::int32_t nearest_that_reached(const ImageView& image, const FeatureSpace& space,
                                  const std::vector<T>& pivots, const Bits& reached, std::size_t pixel) {
    const std::size_t dims = space.dims, k = pivots.size() / dims;
    T x[kMaxDims], least = 0;
    std::int32_t label = 0;
    for (std::size_t j = 0; j < k; ++j) {
        if (!reached.at(j, pixel)) continue;
        if (label == 0) {
            T* out[kMaxDims];
            for (std::size_t a = 0; a < dims; ++a) out[a] = x + a;
            const auto raster = static_cast<std::int64_t>(pixel);
            gather_features(image, space, &raster, 1, out);
        }
        T d2 = 0;
        for (std::size_t a = 0; a < dims; ++a) {
            const T d = x[a] - pivots[j * dims + a];
            d2 += d * d;
        }
        if (label != 0 && !(d2 < least)) continue;
        least = d2;
        label = static_cast<std::int32_t>(j + 1);
    }
    return label;
}

}  // namespace

template <class T>
void grow(const ImageView& image, const MaskView& mask, const FeatureSpace& space, const Params& params,
          const std::vector<T>& pivots, const std::vector<std::int64_t>& raster, int threads,
          std::int32_t* labels, std::uint8_t* clusters) {
    const std::size_t n = image.pixels(), k = raster.size();
    const bool connected = params.connectivity > 0;
    // Without a limit and a mask every pivot reaches everything.
    if (clusters == nullptr && (!connected || (!params.threshold && !mask))) return;
    Bits within(k, n), reached(connected ? k : 0, n);
    mark_within(image, mask, space, params, pivots, threads, within);
    if (connected) {
        for (std::size_t j = 0; j < k; ++j)
            flood(image.height, image.width, static_cast<std::size_t>(raster[j]), params.connectivity,
                  static_cast<std::uint8_t>(1U << (j % 8)), within.plane(j), reached.plane(j));
        parallel_for((n + kRun - 1) / kRun, team(n, kWorth, threads), [&](std::size_t run) {
            const std::size_t begin = run * kRun, end = std::min(begin + kRun, n);
            std::uint8_t open[kRun];
            if (!keep_reached(reached, k, begin, end, labels, open)) return;
            for (std::size_t i = begin; i < end; ++i)
                if (open[i - begin] != 0) labels[i] = nearest_that_reached(image, space, pivots, reached, i);
        });
    }
    if (clusters == nullptr) return;
    const Bits& members = connected ? reached : within;
    for (std::size_t j = 0; j < k; ++j) {
        poll();
        for (std::size_t i = 0; i < n; ++i) clusters[j * n + i] = members.at(j, i) ? 1 : 0;
    }
}

template void grow(const ImageView&, const MaskView&, const FeatureSpace&, const Params&,
                   const std::vector<std::int32_t>&, const std::vector<std::int64_t>&, int, std::int32_t*,
                   std::uint8_t*);
template void grow(const ImageView&, const MaskView&, const FeatureSpace&, const Params&,
                   const std::vector<double>&, const std::vector<std::int64_t>&, int, std::int32_t*,
                   std::uint8_t*);

}  // namespace fastpgs
