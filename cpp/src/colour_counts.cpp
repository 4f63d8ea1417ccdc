#include "fastpgs/colour_counts.hpp"

#include <algorithm>

#include "fastpgs/tile_kernels.hpp"

namespace fastpgs {
namespace {

// Neighbours are alike, and a counter that is counted up twice in a row waits for itself: pixels are taken
// in turn from eight stretches of a run.
constexpr std::size_t kTurns = 8;
constexpr std::size_t kStretch = 256;
constexpr std::size_t kRun = kTurns * kStretch;
constexpr std::size_t kExpected = 2048;  // blocks

}  // namespace

ColourCounts::ColourCounts(std::size_t most_blocks)
    : most_blocks_(most_blocks), directory_(kCells, 0), cells_(1, 0), first_pixels_(1, 0) {
    counters_.reserve(std::min(most_blocks, kExpected) * kPlaces);
    cells_.reserve(kExpected);
    first_pixels_.reserve(kExpected);
    add_blocks();
}

// Several at once: filling one after the other waits for memory each time.
void ColourCounts::add_blocks() {
    constexpr std::size_t kMore = 32 * kPlaces;
    std::fill_n(counters_.extend(kMore), kMore, std::uint8_t{0});
}

void ColourCounts::open(std::size_t cell, std::size_t pixel) {
    directory_[cell] = static_cast<std::uint16_t>(cells_.size());
    if (cells_.size() * kPlaces == counters_.size()) add_blocks();
    cells_.push_back(static_cast<std::uint16_t>(cell));
    first_pixels_.push_back(pixel);
}

// Where a key is counted, in a block of its own if it has none; 0 where there are too many.
std::uint32_t ColourCounts::place_of(std::uint32_t key, std::size_t pixel) {
    const std::size_t cell = key / kPlaces;
    if (directory_[cell] == 0) {
        if (blocks() == most_blocks_) return 0;
        open(cell, pixel);
    }
    return directory_[cell] * std::uint32_t{kPlaces} + key % kPlaces;
}

// From keys to where they are counted. Most cells have been seen before: a few pixels at once are looked up
// without a question, and again where one of them has no place.
bool ColourCounts::find_places(const std::int32_t* keys, const MaskView& mask, std::size_t begin,
                               std::size_t n, std::int32_t* places) {
    constexpr std::size_t kAtOnce = 16;
    const std::uint16_t* directory = directory_.data();
    for (std::size_t i = 0; i < n; i += kAtOnce) {
        const std::size_t end = std::min(i + kAtOnce, n);
        std::uint32_t none = mask || end - i < kAtOnce ? ~0U : 0;  // beyond 16 bits: a cell without a block
        if (none == 0) {
            for (std::size_t l = i; l < i + kAtOnce; ++l) {
                const auto key = static_cast<std::uint32_t>(keys[l]);
                const std::uint32_t block = directory[key / kPlaces];
                places[l] = static_cast<std::int32_t>(block * std::uint32_t{kPlaces} + key % kPlaces);
                none |= block - 1;
            }
        }
        if (none >> 16 == 0) continue;
        for (std::size_t l = i; l < end; ++l) {
            places[l] = 0;
            if (!mask[begin + l]) continue;
            const std::uint32_t place = place_of(static_cast<std::uint32_t>(keys[l]), begin + l);
            if (place == 0) return false;
            places[l] = static_cast<std::int32_t>(place);
        }
    }
    return true;
}

bool ColourCounts::count(const std::uint8_t* data, const MaskView& mask, std::size_t begin, std::size_t end,
                         std::int32_t* places) {
    std::int32_t keys[kRun];
    for (; begin < end; begin += kRun) {
        const std::size_t n = std::min(kRun, end - begin);
        std::int32_t* run = places + begin;
        tile_kernels().colours.keys(data + 3 * begin, n, keys);
        if (!find_places(keys, mask, begin, n, run)) return false;
        std::uint8_t* counters = counters_.data();
        const auto add = [&](std::int32_t place) {
            if (++counters[place] == 0) overflows_.push_back(static_cast<std::uint32_t>(place));
        };
        if (n == kRun) {
            for (std::size_t i = 0; i < kStretch; ++i)
                for (std::size_t turn = 0; turn < kTurns; ++turn) add(run[turn * kStretch + i]);
        } else {
            for (std::size_t i = 0; i < n; ++i) add(run[i]);
        }
    }
    return true;
}

}  // namespace fastpgs
