// A picture as the search for cells sees it: its stain planes, and which of its pixels count.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "fastpgs/bits.hpp"
#include "fastpgs/block.hpp"
#include "fastpgs/stain.hpp"

namespace fastpgs::staining {

using White = std::array<double, 3>;

struct Rules {
    double offset = 0;  // added to the two colour differences, which may be negative
    double dark = 0;    // levels at or below which a pixel of a black surround lies
    double rim = 0;     // width of the blurred rim of a field of view, pixels
    double uneven = 0, shadow = 0, rough = 0, rough_part = 0;  // which light is uneven (evenness.hpp)
};

struct Given {
    stain::Picture picture{};
    const shapes::Bits* mask = nullptr;  // pixels to use; null: all
    bool grey = false;                   // the three channels are one
};

struct Stain {
    std::ptrdiff_t rows = 0, cols = 0;
    Block<std::uint8_t> features;  // rows x cols x 3
    Block<std::int16_t> score;     // only where no background is given: pivots that are known need none
    Block<std::int16_t> depth;
    Block<float> strength;
    shapes::Bits valid;           // pixels to be looked at
    stain::ScoreCounts scores{};  // of them, if there are scores
    bool surround = false;        // a single cell, cut out on black
    bool grey = false;            // as given
    White white{};

    stain::Picture colours() const { return {features.data(), rows, cols}; }

    // Median strength of some pixels; a nan where there are none.
    double median(const shapes::Bits& of) const {
        return static_cast<double>(stain::median(strength.data(), of));
    }
    // The pixels of a mask that are stronger than a threshold, which is rounded to what strengths are.
    shapes::Bits stronger(double threshold, const shapes::Bits& among) const {
        return shapes::above(among, strength.data(), static_cast<float>(threshold));
    }
};

// `single`: a black surround is that of a single cell, cut out, and all that is left is cell; otherwise that
// of a round field of view, whose blurred rim is left out too. With `white`, the colour of the background
// where it is known of the whole that the picture is a window of, no surround is looked for.
Stain stain(const Given& given, const Rules& rules, bool single, const White* white);

// The same beside what goes through the features in order (stain.hpp); of the planes it may look at those
// alone.
using Beside = std::function<void(const Stain& stain, const stain::Ready& ready)>;
Stain stain(const Given& given, const Rules& rules, bool single, const White* white, const Beside& beside);

}  // namespace fastpgs::staining
