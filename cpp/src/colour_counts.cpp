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
// Keys looked up at once: a loop that compilers do not unroll into more than registers hold.
constexpr std::size_t kAtOnce = 128;

// Blocks of the cells of some keys; false where one has none.
bool look_up(const std::uint16_t* directory, const std::int32_t* keys, std::uint16_t* blocks) {
    unsigned any = 0;
    for (std::size_t l = 0; l < kAtOnce; l += 4) {
        const std::uint16_t found[4] = {
            directory[ColourCounts::cell_of(keys[l])], directory[ColourCounts::cell_of(keys[l + 1])],
            directory[ColourCounts::cell_of(keys[l + 2])], directory[ColourCounts::cell_of(keys[l + 3])]};
        for (std::size_t i = 0; i < 4; ++i) blocks[l + i] = found[i];
        any |= static_cast<unsigned>(found[0] | found[1]) | static_cast<unsigned>(found[2] | found[3]);
    }
    return any < 0x8000U;
}

}  // namespace

ColourCounts::ColourCounts(std::size_t most_blocks)
    : most_blocks_(most_blocks), directory_(kCells, kNone), cells_(1, 0), first_pixels_(1, 0) {
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

// Most cells have been seen before: blocks of many pixels are looked up without a question, and the few that
// are none are opened. Outside the mask keys become 0. False where there are too many cells.
bool ColourCounts::find_blocks(std::int32_t* keys, const MaskView& mask, std::size_t begin, std::size_t n,
                               std::uint16_t* blocks) {
    for (std::size_t i = 0; i < n; i += kAtOnce) {
        const std::size_t end = std::min(i + kAtOnce, n);
        const bool looked_up = !mask && end - i == kAtOnce;
        if (looked_up && look_up(directory_.data(), keys + i, blocks + i)) continue;
        for (std::size_t l = i; l < end; ++l) {
            if (looked_up && blocks[l] != kNone) continue;
            blocks[l] = 0;
            if (!mask[begin + l]) {
                keys[l] = 0;
                continue;
            }
            const std::size_t cell = cell_of(keys[l]);
            if (directory_[cell] == kNone) {
                if (this->blocks() == most_blocks_) return false;
                open(cell, begin + l);
            }
            blocks[l] = directory_[cell];
        }
    }
    return true;
}

bool ColourCounts::count(const std::uint8_t* data, const MaskView& mask, std::size_t begin, std::size_t end,
                         std::int32_t* places) {
    const ColourKernels& kernels = tile_kernels().colours;
    std::int32_t keys[kRun];
    std::uint16_t blocks[kRun];
    for (; begin < end; begin += kRun) {
        const std::size_t n = std::min(kRun, end - begin);
        std::int32_t* run = places + begin;
        kernels.keys(data + 3 * begin, n, keys);
        if (!find_blocks(keys, mask, begin, n, blocks)) return false;
        kernels.places(keys, blocks, n, run);
        std::uint8_t* const counters = counters_.data();
        const auto add = [this, counters](std::int32_t at) {
            const auto place = static_cast<std::uint32_t>(at);
            if (++counters[place] == 0) overflows_.push_back(std::uint32_t{place});
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
