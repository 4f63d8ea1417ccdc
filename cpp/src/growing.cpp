#include "fastpgs/growing.hpp"

#include <algorithm>
#include <type_traits>

#include "fastpgs/bits.hpp"
#include "fastpgs/block.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/kernels.hpp"
#include "fastpgs/lab.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/points.hpp"
#include "fastpgs/tile_kernels.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kRun = 2048;                    // pixels, whole words
constexpr std::size_t kWorth = std::size_t{1} << 17;  // pixels that are worth a thread

using Word = std::uint64_t;

// What holds of pivots and pixels: of each pivot a bit a pixel, in raster order.
class Bits {
  public:
    Bits(std::size_t k, std::size_t n) : stride_((n + kWordPixels - 1) / kWordPixels), words_(k * stride_) {
        std::fill_n(words_.data(), k * stride_, Word{0});
    }

    std::size_t stride() const { return stride_; }  // words of a pivot
    Word* of(std::size_t j) { return words_.data() + j * stride_; }
    const Word* of(std::size_t j) const { return words_.data() + j * stride_; }
    bool at(std::size_t j, std::size_t i) const {
        return (of(j)[i / kWordPixels] >> i % kWordPixels & 1U) != 0;
    }

  private:
    std::size_t stride_;
    Block<Word> words_;
};

// Calls visit(word, bits) for the pixels begin … end.
template <class Visit>
void each_word(std::size_t begin, std::size_t end, Visit visit) {
    for (std::size_t at = begin; at < end;) {
        const std::size_t word = at / kWordPixels, next = std::min(end, (word + 1) * kWordPixels);
        visit(word, ~Word{0} >> (kWordPixels - (next - at)) << at % kWordPixels);
        at = next;
    }
}

// --- within the threshold ----------------------------------------------------------------------------

// Pixels begin … end, of 8-bit colours or lab.
void mark_pairs(const ImageView& image, const FeatureSpace& space, double threshold,
                const std::vector<std::int32_t>& pivots, std::size_t begin, std::size_t end, Bits& within) {
    constexpr double kMost = 0x1.0p30;  // squared distances are less
    GrowthMarkArgs args{};
    args.n = end - begin;
    args.pivots = pivots.data();
    args.k = pivots.size() / space.dims;
    args.limit = static_cast<std::int32_t>(std::min(threshold, kMost));
    args.words = within.of(0) + begin / kWordPixels;
    args.stride = within.stride();
    std::int32_t a[kRun], b[kRun];
    if (space.kind == Features::lab) {
        read_lab_pairs(image, begin, end, a, b);
        args.a = a;
        args.b = b;
    } else {
        args.rgb = image.as<std::uint8_t>() + 3 * begin;
    }
    tile_kernels().growth.mark(args);
}

// The same of any features.
template <class T>
void mark_planes(const ImageView& image, const FeatureSpace& space, double threshold,
                 const std::vector<T>& pivots, std::size_t begin, std::size_t end, Bits& within) {
    const std::size_t n = end - begin, k = pivots.size() / space.dims;
    Planes<T> z(space.dims, n);
    read_features(image, space, begin, end, z.data());
    std::uint8_t marks[kRun];
    for (std::size_t first = 0; first < k; first += 8) {
        const std::size_t some = std::min<std::size_t>(8, k - first);
        mark({z.data(), n, space.dims, pivots.data() + first * space.dims, some, threshold, marks});
        for (std::size_t j = 0; j < some; ++j) {
            Word* words = within.of(first + j) + begin / kWordPixels;
            for (std::size_t i = 0; i < n; ++i)
                words[i / kWordPixels] |= static_cast<Word>(marks[i] >> j & 1U) << i % kWordPixels;
        }
    }
}

// Which pivots each pixel is within the threshold of.
template <class T>
void mark_within(const ImageView& image, const MaskView& mask, const FeatureSpace& space,
                 const Params& params, const std::vector<T>& pivots, int threads, Bits& within) {
    const std::size_t n = image.pixels(), k = pivots.size() / space.dims;
    const bool colours = space.kind == Features::rgb || space.kind == Features::raw;
    const bool rgb = colours && image.type == PixelType::u8 && image.channels == 3;
    const bool pairs = space.dims == 3 && (rgb || space.kind == Features::lab);
    parallel_for((n + kRun - 1) / kRun, team(n, kWorth, threads), [&](std::size_t run) {
        const std::size_t begin = run * kRun, end = std::min(begin + kRun, n);
        if (!params.threshold) {
            for (std::size_t j = 0; j < k; ++j)
                each_word(begin, end, [&](std::size_t word, Word bits) { within.of(j)[word] = bits; });
        } else if constexpr (std::is_same_v<T, std::int32_t>) {
            if (pairs)
                mark_pairs(image, space, *params.threshold, pivots, begin, end, within);
            else
                mark_planes(image, space, *params.threshold, pivots, begin, end, within);
        } else {
            mark_planes(image, space, *params.threshold, pivots, begin, end, within);
        }
        for (std::size_t i = begin; mask && i < end; ++i) {
            if (mask[i]) continue;
            for (std::size_t j = 0; j < k; ++j)
                within.of(j)[i / kWordPixels] &= ~(Word{1} << i % kWordPixels);
        }
    });
}

// --- reached -----------------------------------------------------------------------------------------

// Where the run of set bits that a pixel lies in begins, at `stop` at the earliest.
std::size_t begin_of_run(const Word* words, std::size_t pixel, std::size_t stop) {
    for (std::size_t at = pixel; at > stop;) {
        const std::size_t last = at - 1, beyond = kWordPixels - 1 - last % kWordPixels;
        const Word gaps = ~words[last / kWordPixels] << beyond;
        if (gaps != 0)
            return std::max(stop, at - (kWordPixels - 1 - static_cast<std::size_t>(shapes::highest(gaps))));
        at -= last % kWordPixels + 1;
    }
    return stop;
}

// Where it ends, at `stop` at the latest.
std::size_t end_of_run(const Word* words, std::size_t pixel, std::size_t stop) {
    for (std::size_t at = pixel; at < stop;) {
        const Word gaps = ~words[at / kWordPixels] >> at % kWordPixels;
        const std::size_t left = kWordPixels - at % kWordPixels;
        if (gaps != 0) {
            const auto gap = static_cast<std::size_t>(shapes::lowest(gaps));
            if (gap < left) return std::min(stop, at + gap);
        }
        at += left;
    }
    return stop;
}

// Moves bits from `open` to `reached` wherever a path of open pixels leads from `seed`, run by run of a row.
void flood(std::size_t height, std::size_t width, std::size_t seed, int connectivity, Word* open,
           Word* reached) {
    const std::size_t reach = connectivity == 2 ? 1 : 0;
    std::vector<std::size_t> stack = {seed};
    for (std::size_t step = 0; !stack.empty(); ++step) {
        poll(step, 4096);
        const std::size_t pixel = stack.back();
        stack.pop_back();
        if ((open[pixel / kWordPixels] >> pixel % kWordPixels & 1U) == 0) continue;
        const std::size_t row = pixel / width, start = row * width, stop = start + width;
        const std::size_t begin = begin_of_run(open, pixel, start), end = end_of_run(open, pixel, stop);
        each_word(begin, end, [&](std::size_t word, Word bits) {
            open[word] ^= bits;
            reached[word] |= bits;
        });
        const std::size_t low = begin - std::min(reach, begin - start), high = std::min(end + reach, stop);
        const auto look = [&](std::size_t first, std::size_t last) {
            Word before = 0;  // whether a run goes on from the word before
            each_word(first, last, [&](std::size_t word, Word bits) {
                const Word some = open[word] & bits;
                for (Word begins = some & ~(some << 1 | before); begins != 0; begins &= begins - 1)
                    stack.push_back(word * kWordPixels + static_cast<std::size_t>(shapes::lowest(begins)));
                before = some >> (kWordPixels - 1);
            });
        };
        if (row > 0) look(low - width, high - width);
        if (row + 1 < height) look(low + width, high + width);
    }
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
                  within.of(j), reached.of(j));
        parallel_for((n + kRun - 1) / kRun, team(n, kWorth, threads), [&](std::size_t run) {
            const std::size_t begin = run * kRun, end = std::min(begin + kRun, n);
            Word open[kRun / kWordPixels];
            tile_kernels().growth.keep({reached.of(0) + begin / kWordPixels, reached.stride(), k, end - begin,
                                        labels + begin, open});
            for (std::size_t word = 0; word * kWordPixels < end - begin; ++word)
                for (Word left = open[word]; left != 0; left &= left - 1) {
                    const std::size_t i =
                        begin + word * kWordPixels + static_cast<std::size_t>(shapes::lowest(left));
                    labels[i] = nearest_that_reached(image, space, pivots, reached, i);
                }
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
