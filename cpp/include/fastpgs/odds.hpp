// How likely each pixel is cytoplasm and no red cell: a colour model's odds, and what distance says besides.
#pragma once

#include <cstddef>

#include "fastpgs/bits.hpp"
#include "fastpgs/block.hpp"
#include "fastpgs/reach.hpp"
#include "fastpgs/redness.hpp"
#include "fastpgs/stain.hpp"

namespace fastpgs::odds {

// Odds of each pixel's colour (logits, at most `most` in magnitude), averaged over size x size pixels; `size`
// is odd, and what lies beyond the frame mirrors what lies before it, the edge pixel twice.
//
// What is asked is on which side of 0 something lies. Single precision knows for nearly all pixels; the few
// that lie as near to it as rounding may move them are computed anew, in double precision.
class Odds {
  public:
    Odds() = default;
    // The features must outlive it.
    Odds(stain::Picture features, const redness::Model& model, double most, int size);

    double at(std::ptrdiff_t row, std::ptrdiff_t col) const;

    // The pixels of a mask whose odds are above 0.
    shapes::Bits above_zero(const shapes::Bits& among) const;

    // The pixels of a mask where odds and the distance from the nucleus, which is neutral at `even`, speak
    // for a red cell together.
    shapes::Bits against(const reach::Away& away, double even, const shapes::Bits& among) const;

  private:
    void fill(std::ptrdiff_t begin, std::ptrdiff_t end);
    void rows_against(const reach::Away& away, double even, const shapes::Bits& among, std::ptrdiff_t row,
                      std::ptrdiff_t last, shapes::Bits& out) const;

    stain::Picture features_{nullptr, 0, 0};
    redness::Model model_{};
    double most_ = 0;
    std::ptrdiff_t size_ = 1;
    double error_ = 0;  // of what is filled, at most
    Block<float> odds_;
};

}  // namespace fastpgs::odds
