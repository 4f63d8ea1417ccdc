#include "fastpgs/colour_counts.hpp"

#include <algorithm>
#include <utility>

#include "fastpgs/tile_kernels.hpp"

namespace fastpgs {
namespace {

// Neighbours are alike, and a counter that is counted up twice in a row waits for itself: pixels are taken
// in turn from sixteen stretches of a run. Of longer runs more pixels lie in cells that are new to them.
constexpr std::size_t kTurns = 16;
constexpr std::size_t kStretch = 32;
constexpr std::size_t kRun = kTurns * kStretch;
constexpr std::size_t kExpected = 2048;  // blocks

// Calls body with each turn. Of a loop compilers make one that counts turns, and jumps, a pixel.
template <class Body, std::size_t... Turn>
inline void in_turns(Body body, std::index_sequence<Turn...>) {
    (body(Turn), ...);
}

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

// Where a key is counted; 0 where its cell is new and there are too many.
std::uint32_t ColourCounts::find(std::int32_t key, std::size_t pixel) {
    const std::size_t cell = cell_of(key);
    if (directory_[cell] == 0) {
        if (blocks() == most_blocks_) return 0;
        open(cell, pixel);
    }
    return place_in(directory_[cell], key);
}

// Most cells have been seen before: pixels are counted without a question. Those of cells that have no block
// yet are counted in block 0, which nobody reads.
void ColourCounts::count_seen(const std::int32_t* keys, std::int32_t* places) {
    const std::uint16_t* const directory = directory_.data();
    std::uint8_t* const counters = counters_.data();
    for (std::size_t i = 0; i < kStretch; ++i) {
        in_turns(
            [&, i](std::size_t turn) {
                const std::int32_t key = keys[turn * kStretch + i];
                const std::uint32_t place = place_in(directory[cell_of(key)], key);
                places[turn * kStretch + i] = static_cast<std::int32_t>(place);
                if (++counters[place] == 0) overflows_.push_back(std::uint32_t{place});
            },
            std::make_index_sequence<kTurns>());
    }
}

bool ColourCounts::count(const std::uint8_t* data, const MaskView& mask, std::size_t begin, std::size_t end,
                         std::int32_t* places) {
    const ColourKernels& kernels = tile_kernels().colours;
    std::int32_t keys[kRun];
    std::uint32_t unseen[kRun + kGroupStep];
    const auto count_one = [&](std::size_t i) {
        const std::uint32_t place = find(keys[i], begin + i);
        places[begin + i] = static_cast<std::int32_t>(place);
        if (++counters_.data()[place] == 0) overflows_.push_back(std::uint32_t{place});
        return place != 0;
    };
    for (; begin < end; begin += kRun) {
        const std::size_t n = std::min(kRun, end - begin);
        std::int32_t* run = places + begin;
        kernels.keys(data + 3 * begin, n, keys);
        if (mask || n < kRun) {
            for (std::size_t i = 0; i < n; ++i) {
                run[i] = 0;
                if (mask[begin + i] && !count_one(i)) return false;
            }
            continue;
        }
        count_seen(keys, run);
        const std::size_t n_unseen = kernels.below(run, n, static_cast<std::int32_t>(kPlaces), unseen);
        for (std::size_t s = 0; s < n_unseen; ++s)
            if (!count_one(unseen[s])) return false;
    }
    return true;
}

}  // namespace fastpgs
