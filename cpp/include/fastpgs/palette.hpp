// The distinct colours of an 8-bit image, with their counts.
//
// Features and labels of such an image depend on nothing but a pixel's colour, so pivots can be chosen among
// colours. RGB colours lie in groups of neighbours, cubes of 4 x 4 x 4 (an eighth of a cell of
// colour_counts.hpp), or a cell of few colours. A group is filled up to a multiple of kGroupStep with its
// last colour, counted 0, so that kernels see whole vectors of one group.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "fastpgs/block.hpp"
#include "fastpgs/colour_counts.hpp"
#include "fastpgs/colour_kernels.hpp"
#include "fastpgs/views.hpp"

namespace fastpgs {

class Palette {
  public:
    // Pixels from which on more than one thread counts them.
    static constexpr std::size_t kShared = std::size_t{1} << 18;

    // Counts the colours of an 8-bit image of 1 or 3 channels. Nothing where they are so many for its size
    // that looking at pixels is cheaper. Of RGB, `labels`, one of a pixel, hold where each is counted until
    // write_labels; they must outlive the palette. Memory: a byte a place of a cell that occurs, a thread.
    static std::optional<Palette> count(const ImageView& image, const MaskView& mask, int threads,
                                        std::int32_t* labels);
    // The same of an RGB image that is still being written, on one thread: ready(n) returns when its first n
    // pixels are there.
    using Ready = std::function<void(std::size_t)>;
    static std::optional<Palette> count(const ImageView& image, const MaskView& mask, std::int32_t* labels,
                                        const Ready& ready);

    std::size_t size() const { return counts_.size(); }
    const std::uint32_t* counts() const { return counts_.data(); }
    // Colours of RGB, in their groups.
    GroupedColours grouped() const;
    // Colours as an image of shape (1, size, channels), made when it is first asked for.
    ImageView colours();
    // First colour of each group, and size(); empty for grey.
    const std::vector<std::uint32_t>& starts() const { return starts_; }
    std::size_t groups() const { return spans_.size(); }

    // First pixel in raster order whose colour is one of `tied`; the colour, and the pixel.
    struct Place {
        std::size_t colour;
        std::int64_t raster;
    };
    Place first_of(const std::vector<std::size_t>& tied) const;

    // Labels of pixels from those of colours, 0 where the mask is. At most once, and first_of no more after.
    void write_labels(const std::vector<std::uint8_t>& colour_labels, int threads);

    // The same where whole groups have one label: group_labels[g], or 255 where colour_labels say it.
    void write_labels(const std::vector<std::uint8_t>& group_labels,
                      const std::vector<std::uint8_t>& colour_labels, int threads);

  private:
    // Keys of a group's colours: an eighth of a cell, or all of it.
    struct Span {
        std::uint32_t key, length;
    };

    Palette(const ImageView& image, const MaskView& mask, std::int32_t* labels)
        : image_(image), mask_(mask), channels_(image.channels), labels_(labels) {}

    void count_levels();
    std::optional<LevelSteps> steps_of(const std::vector<std::uint8_t>& colour_labels) const;
    bool count_colours(int threads, const Ready& ready);
    void add_cell(std::size_t cell, const std::uint8_t* counters, const std::uint32_t* sums);
    void merge_cells();
    std::pair<std::size_t, std::size_t> run_of(std::size_t part) const;
    std::int64_t first_of(std::size_t colour, std::size_t before) const;
    void fill_table(ColourCounts& part, const std::vector<std::uint8_t>& group_labels,
                    const std::vector<std::uint8_t>& colour_labels) const;

    ImageView image_;
    MaskView mask_;
    std::size_t channels_;
    std::int32_t* labels_;
    Pile<std::int32_t> a_, b_;  // of RGB, as pairs
    Pile<std::uint8_t> bytes_;  // of grey; of RGB for colours() alone
    Pile<std::uint32_t> counts_;
    std::vector<std::uint32_t> starts_;
    std::vector<Span> spans_;          // of groups
    std::vector<ColourCounts> parts_;  // of runs of pixels
};

}  // namespace fastpgs
