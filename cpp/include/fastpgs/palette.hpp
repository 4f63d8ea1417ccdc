// The distinct colours of an 8-bit image, with their counts.
//
// Features and labels of such an image depend on nothing but a pixel's colour, so pivots can be chosen among
// colours. RGB colours lie in groups of neighbours, cubes of 4 x 4 x 4 (an eighth of a cell of
// colour_counts.hpp), or a cell of few colours. A group is filled up to a multiple of kGroupStep with its
// last colour, counted 0, so that kernels see whole vectors of one group.
#pragma once

#include <array>
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

// Labels of a palette's colours: those of whole groups, or 255 where those of the colours say it.
struct ColourLabels {
    std::vector<std::uint8_t> groups, colours;
};

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
    // pixels are there. Colours are still to be listed, once, before one asks for them.
    using Ready = std::function<void(std::size_t)>;
    static std::optional<Palette> count(const ImageView& image, const MaskView& mask, std::int32_t* labels,
                                        const Ready& ready);

    void list();

    std::size_t size() const { return list_.counts.size(); }
    const std::uint32_t* counts() const { return list_.counts.data(); }
    // Colours of RGB, in their groups.
    GroupedColours grouped() const;
    // Colours as an image of shape (1, size, channels), made when it is first asked for.
    ImageView colours();
    // First colour of each group, and size(); empty for grey.
    const std::vector<std::uint32_t>& starts() const { return list_.starts; }
    std::size_t groups() const { return list_.spans.size(); }

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

    // Colours of RGB, as pairs, and their groups; of grey the counts alone.
    struct Colours {
        Pile<std::int32_t> a, b;
        Pile<std::uint32_t> counts;
        std::vector<std::uint32_t> starts;
        std::vector<Span> spans;

        void reserve(std::size_t colours);
        // Those of a cell by its counters, or by sums of those of several parts.
        void add_cell(std::size_t cell, const std::uint8_t* counters, const std::uint32_t* sums);
        void append(const Colours& others);
    };

    Palette(const ImageView& image, const MaskView& mask, std::int32_t* labels)
        : image_(image), mask_(mask), channels_(image.channels), labels_(labels) {}

    void count_levels();
    std::optional<LevelSteps> steps_of(const std::vector<std::uint8_t>& colour_labels) const;
    bool count_colours(int threads, const Ready& ready);
    using Overflows = std::vector<std::pair<std::size_t, std::size_t>>;  // cell, place
    void add_blocks(std::size_t own, std::size_t first, std::size_t last, const Overflows& overflows,
                    Colours& list) const;
    std::pair<std::size_t, std::size_t> run_of(std::size_t part) const;
    std::int64_t first_of(std::size_t colour, std::size_t before) const;
    void fill_table(ColourCounts& part, const std::vector<std::uint8_t>& group_labels,
                    const std::vector<std::uint8_t>& colour_labels) const;

    ImageView image_;
    MaskView mask_;
    std::size_t channels_;
    std::int32_t* labels_;
    Colours list_;
    Pile<std::uint8_t> bytes_;         // of grey; of RGB for colours() alone
    std::vector<ColourCounts> parts_;  // of runs of pixels
};

// Colours that are counted before pivots are chosen among them, and what becomes of them.
struct Counted {
    std::optional<Palette> palette;  // nothing if there are too many
    ColourLabels labels;             // of a segmentation
    std::vector<std::int64_t> sums;  // (k, 4): pixels, then feature sums
};

}  // namespace fastpgs
