// Uneven light: how bright the glass of a picture is from place to place, and the picture as under even
// light.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "fastpgs/bits.hpp"
#include "fastpgs/block.hpp"
#include "fastpgs/stain.hpp"

namespace fastpgs::evenness {

// The Python package documents them: fastpgs.cells.rules.
struct Rules {
    double uneven, shadow, rough, rough_part;
};

// The logarithm of the brightness of glass at x, y in -1..1, over columns and rows of the picture: a
// polynomial of the second degree, which vignettes, slopes and their sums are.
class Surface {
  public:
    static constexpr std::size_t TERMS = 6;  // 1, x, y, x², xy, y²
    explicit Surface(const std::array<double, TERMS>& weights) : weights_(weights) {}
    double operator()(double x, double y) const {
        const auto& w = weights_;
        return w[0] + x * (w[1] + x * w[3] + y * w[4]) + y * (w[2] + y * w[5]);
    }

  private:
    std::array<double, TERMS> weights_;
};

struct Light {
    Surface surface;
    double brightest;  // value of the surface
};

// The light of a picture, where it is uneven and there is enough glass to tell; `mask`: pixels to look at,
// all if null.
//
// Of 8 x 8 tiles each shows its brightest spots. A surface is fitted to those of glass: the ones that lie
// on it or above, not below, as cells do; which these are and the surface settle in turn. Of a picture with a
// surround, whose levels lie at or below `dark`, nothing is told: what is bright there may be a cell cut out.
std::optional<Light> measure(stain::Picture picture, const shapes::Bits* mask, int dark, const Rules& rules);

// The picture with all light as bright as where it is brightest.
Block<std::uint8_t> evened(stain::Picture picture, const Light& light);

}  // namespace fastpgs::evenness
