// Counters of the RGB colours of a run of pixels.
//
// A colour has a key: its cell on a 32 x 32 x 32 grid (the upper 5 bits of each channel), then its place in
// the cell (the lower 3 bits of each, those of 4 first), 16 bits each:
//
//      cell  RRRRR GGGGG BBBBB | place  rgb rrggbb
//
// A directory of cells leads to a block of 512 counters for each cell that occurs, so that the counters of a
// smear, whose colours lie close together, stay in cache. They are bytes; each 256 pixels more are listed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastpgs/block.hpp"
#include "fastpgs/views.hpp"

namespace fastpgs {

class ColourCounts {
  public:
    static constexpr std::size_t kCells = 32768;
    static constexpr std::size_t kPlaces = 512;
    static constexpr std::uint32_t kTurn = 256;  // pixels that an entry of overflows() stands for

    explicit ColourCounts(std::size_t most_blocks);

    // Counts pixels [begin, end), and writes where each is counted to `places`, which is of the whole image:
    // block * kPlaces + place, 0 for those outside the mask. False where there are too many cells.
    bool count(const std::uint8_t* data, const MaskView& mask, std::size_t begin, std::size_t end,
               std::int32_t* places);

    static std::size_t cell_of(std::int32_t key) { return static_cast<std::uint32_t>(key) >> 16; }
    static std::size_t place_of(std::int32_t key) { return static_cast<std::uint32_t>(key) % kPlaces; }

    // Blocks are 1 … blocks(); 0 is none, and that of pixels outside the mask.
    std::size_t blocks() const { return cells_.size() - 1; }
    std::size_t block_of(std::size_t cell) const { return directory_[cell]; }
    std::size_t cell(std::size_t block) const { return cells_[block]; }
    // A pixel before which no colour of the block occurs.
    std::size_t first_pixel(std::size_t block) const { return first_pixels_[block]; }
    const std::uint8_t* counters(std::size_t block) const { return counters_.data() + block * kPlaces; }
    std::uint8_t* counters(std::size_t block) { return counters_.data() + block * kPlaces; }
    // The places of 256 pixels each that a counter does not hold.
    const std::vector<std::uint32_t>& overflows() const { return overflows_; }

  private:
    static std::uint32_t place_in(std::uint32_t block, std::int32_t key) {
        return block * kPlaces | static_cast<std::uint32_t>(place_of(key));
    }
    void add_blocks();
    void open(std::size_t cell, std::size_t pixel);
    std::uint32_t find(std::int32_t key, std::size_t pixel);
    void count_seen(const std::int32_t* keys, std::int32_t* places);

    std::size_t most_blocks_;
    std::vector<std::uint16_t> directory_;
    Pile<std::uint8_t> counters_;
    std::vector<std::uint16_t> cells_;
    std::vector<std::size_t> first_pixels_;
    std::vector<std::uint32_t> overflows_;
};

}  // namespace fastpgs
