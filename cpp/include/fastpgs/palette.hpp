// The distinct colours of an 8-bit image, with their counts.
//
// Features and labels of such an image depend on nothing but a pixel's colour, so pivots can be chosen among
// colours. An RGB colour has a key: its cell on a 32 x 32 x 32 grid (the upper 5 bits of each channel), then
// its place in the cell (the lower 3 bits of each):
//
//      cell  RRRRR GGGGG BBBBB | place  rrr ggg bbb
//
// A directory of cells leads to a block of 512 counters for each cell that occurs, so that the counters of a
// smear, whose colours lie close together, stay in cache. Cells are also the groups of neighbouring colours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "fastpgs/views.hpp"

namespace fastpgs {

class Palette {
  public:
    static constexpr std::uint32_t kNoBlock = 0xFFFFFFFFU;
    static constexpr std::size_t kCells = 32768;
    static constexpr std::size_t kPlaces = 512;

    // Counts the colours of an 8-bit image of 1 or 3 channels. Nothing where they are so many for its size
    // that looking at pixels is cheaper. Memory: 2 bytes a place of a cell that occurs, a thread.
    static std::optional<Palette> count(const ImageView& image, const MaskView& mask, int threads);

    std::size_t size() const { return counts_.size(); }
    const std::vector<double>& counts() const { return counts_; }
    // Colours as an image of shape (1, size, channels).
    ImageView colours() const { return {colours_.data(), PixelType::u8, 1, size(), channels_}; }
    // First colour of each group, and size().
    const std::vector<std::uint32_t>& starts() const { return starts_; }

    // First pixel in raster order whose colour is one of `tied`; the colour, and the pixel.
    struct Place {
        std::size_t colour;
        std::int64_t raster;
    };
    Place first_of(const std::vector<std::size_t>& tied) const;

    // Labels of pixels from those of colours, 0 where the mask is.
    void write_labels(const std::vector<std::uint8_t>& colour_labels, int threads,
                      std::int32_t* labels) const;

    // The same where whole groups have one label: group_labels[g], or 255 where colour_labels say it.
    void write_labels(const std::vector<std::uint8_t>& group_labels,
                      const std::vector<std::uint8_t>& colour_labels, int threads,
                      std::int32_t* labels) const;

  private:
    Palette(const ImageView& image, const MaskView& mask)
        : image_(image), mask_(mask), channels_(image.channels) {}

    template <class Count>
    void add_cell(std::size_t cell, std::size_t first, const Count* counts);

    template <std::size_t Channels>
    Place search(const std::vector<std::size_t>& tied, std::size_t from) const;

    ImageView image_;
    MaskView mask_;
    std::size_t channels_;
    std::vector<std::uint8_t> colours_;
    std::vector<double> counts_;
    std::vector<std::uint32_t> starts_;
    std::vector<std::uint32_t> cells_;      // RGB: cell of each group
    std::vector<std::size_t> first_pixel_;  // RGB: a pixel before which no colour of the group occurs
};

}  // namespace fastpgs
