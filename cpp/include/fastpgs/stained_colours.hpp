// What stain features tell of the pixels of groups, by their colours, which are a third of the pixels.
#pragma once

#include <cstdint>
#include <vector>

#include "fastpgs/block.hpp"
#include "fastpgs/palette.hpp"

namespace fastpgs::stain {

class StainedColours {
  public:
    StainedColours() = default;
    StainedColours(const GroupedColours& colours, std::size_t n, int offset, bool grey);

    // Whether features tell all of a colour. At an end of its scale one stands for all that lies beyond, too.
    bool told() const { return told_; }

    // As group_sums (stain.hpp) has them of pixels, but for those of no group: they are 0.
    std::vector<std::int64_t> group_sums(const Counted& counted) const;

    // Median strength of the pixels of a group; a nan where there are none.
    float median_strength(const Counted& counted, std::uint8_t group) const;

  private:
    Block<std::int32_t> scores_;  // of all pixels of a colour
    Block<float> strength_;
    bool told_ = false;
};

}  // namespace fastpgs::stain
