#include "fastpgs/seeding.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/points.hpp"
#include "fastpgs/random.hpp"
#include "fastpgs/samples.hpp"
#include "fastpgs/swaps.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kCandidates = 4096;
constexpr std::size_t kSearched = 128;  // a pivot: candidates that swaps are judged by

std::size_t count_used(const ImageView& image, const MaskView& mask) {
    if (!mask) return image.pixels();
    std::size_t count = 0;
    for (std::size_t i = 0; i < image.pixels(); ++i) count += mask[i];
    return count;
}

// Raster indices of the pixels of these ranks, which ascend, among those that take part.
std::vector<std::int64_t> pixels_of_ranks(const ImageView& image, const MaskView& mask,
                                          std::vector<std::int64_t> ranks) {
    if (!mask) return ranks;
    std::vector<std::int64_t> pixels;
    pixels.reserve(ranks.size());
    std::int64_t rank = -1;
    for (std::size_t i = 0; i < image.pixels() && pixels.size() < ranks.size(); ++i) {
        if (!mask[i]) continue;
        ++rank;
        if (rank == ranks[pixels.size()]) pixels.push_back(static_cast<std::int64_t>(i));
    }
    return pixels;
}

std::vector<std::int64_t> all_used(const ImageView& image, const MaskView& mask) {
    std::vector<std::int64_t> pixels;
    for (std::size_t i = 0; i < image.pixels(); ++i)
        if (mask[i]) pixels.push_back(static_cast<std::int64_t>(i));
    return pixels;
}

// One pixel drawn from each of as many equal runs of pixels, or all of them where they are few.
std::vector<std::int64_t> draw_candidates(const ImageView& image, const MaskView& mask, SplitMix64& rng) {
    const std::size_t n = count_used(image, mask);
    if (n <= kCandidates) return all_used(image, mask);
    std::vector<std::int64_t> ranks(kCandidates);
    const std::size_t quotient = n / kCandidates, rest = n % kCandidates;
    std::size_t low = 0, left = 0;  // of a run: t n / kCandidates, and what is left of the quotient
    SplitMix64 own = rng;           // where nothing else may change it
    for (std::int64_t& rank : ranks) {
        std::size_t length = quotient;
        left += rest;
        if (left >= kCandidates) {
            left -= kCandidates;
            ++length;
        }
        rank = static_cast<std::int64_t>(low + own.below(length));
        low += length;
    }
    rng = own;
    return pixels_of_ranks(image, mask, std::move(ranks));
}

template <class Sample>
std::vector<std::int64_t> plus_plus(const ImageView& image, const MaskView& mask, const FeatureSpace& space,
                                    int k, SplitMix64& rng) {
    const Sample candidates(image, space, draw_candidates(image, mask, rng));
    std::optional<Sample> everyone;
    const Sample* pool = &candidates;

    auto d2 = pool->weights();
    const std::size_t first = rng.below(pool->size());
    std::vector<std::int64_t> pivots = {pool->pixel(first)};
    std::vector<typename Sample::At> chosen = {pool->at(first)};
    pool->away(chosen.front(), d2.of.data());
    auto total = pool->sum(d2);
    std::vector<std::size_t> picks(2 + static_cast<std::size_t>(std::log(k)));
    while (pivots.size() < static_cast<std::size_t>(k)) {
        if (!(total > 0)) {  // the pool has no further colour: look at every pixel
            if (pool->size() == count_used(image, mask)) return pivots;
            pool = &everyone.emplace(image, space, all_used(image, mask));
            d2 = pool->weights();
            pool->away(chosen.front(), d2.of.data());
            for (const auto& pivot : chosen) total = pool->closer(d2, pivot, d2);
            continue;
        }
        for (std::size_t& pick : picks) pick = pool->pick(d2, total, rng);
        const std::size_t best = pool->take_best(picks, d2, total);
        pivots.push_back(pool->pixel(best));
        chosen.push_back(pool->at(best));
    }
    if (k == 1) return pivots;
    const std::size_t wanted = kSearched * static_cast<std::size_t>(k);
    Sample points(candidates, (candidates.size() + wanted - 1) / wanted);
    return Swaps<Sample>(points).search(std::move(pivots), std::move(chosen), rng);
}

// Visits the pixels that take part in raster order with their coordinates; stops where visit returns false.
template <class Visit>
void visit_pixels(const ImageView& image, const MaskView& mask, const FeatureSpace& space, Visit visit) {
    constexpr std::size_t kRun = 1024;
    Planes<double> z(space.dims, kRun);
    std::vector<double> x(space.dims);
    for (std::size_t begin = 0; begin < image.pixels(); begin += kRun) {
        poll(begin, 16 * kRun);
        const std::size_t end = std::min(begin + kRun, image.pixels());
        read_features(image, space, begin, end, z.data());
        for (std::size_t i = 0; i < end - begin; ++i) {
            if (!mask[begin + i]) continue;
            for (std::size_t a = 0; a < space.dims; ++a) x[a] = z[a][i];
            if (!visit(begin + i, x)) return;
        }
    }
}

std::vector<std::int64_t> uniform(const ImageView& image, const MaskView& mask, const FeatureSpace& space,
                                  int k, SplitMix64& rng) {
    std::vector<std::int64_t> pivots;
    std::vector<std::vector<double>> chosen;
    const auto is_free = [&chosen](const std::vector<double>& x) {
        return std::find(chosen.begin(), chosen.end(), x) == chosen.end();
    };
    while (pivots.size() < static_cast<std::size_t>(k)) {
        std::uint64_t free = 0;
        visit_pixels(image, mask, space, [&](std::size_t, const std::vector<double>& x) {
            free += is_free(x);
            return true;
        });
        if (free == 0) return pivots;
        std::uint64_t left = rng.below(free);
        visit_pixels(image, mask, space, [&](std::size_t pixel, const std::vector<double>& x) {
            if (!is_free(x)) return true;
            if (left-- > 0) return true;
            pivots.push_back(static_cast<std::int64_t>(pixel));
            chosen.push_back(x);
            return false;
        });
    }
    return pivots;
}

}  // namespace

std::vector<std::int64_t> seed_pivots(const ImageView& image, const MaskView& mask, const FeatureSpace& space,
                                      const Params& params, bool exact, int start) {
    SplitMix64 rng(params.seed);
    if (start > 0) rng = SplitMix64(rng.next() ^ static_cast<std::uint64_t>(start));
    if (params.init == Init::random) return uniform(image, mask, space, params.k, rng);
    if (!exact) return plus_plus<RealSample<double>>(image, mask, space, params.k, rng);
    return is_narrow(image, space) ? plus_plus<WordSample>(image, mask, space, params.k, rng)
                                   : plus_plus<RealSample<std::int64_t>>(image, mask, space, params.k, rng);
}

int count_distinct(const ImageView& image, const MaskView& mask, const FeatureSpace& space, int enough) {
    std::vector<std::vector<double>> seen;
    FeatureSpace plain = space;
    plain.map = nullptr;
    visit_pixels(image, mask, plain, [&](std::size_t, const std::vector<double>& x) {
        if (!seen.empty() && x == seen.back()) return true;
        if (std::find(seen.begin(), seen.end(), x) == seen.end()) seen.push_back(x);
        return seen.size() < static_cast<std::size_t>(enough);
    });
    return static_cast<int>(seen.size());
}

}  // namespace fastpgs
