// The luma of an integer colour image as an image of one channel: a byte has 256 grey levels, which are
// counted and looked up at once, where colours would be many.
#pragma once

#include <cstdint>

#include "fastpgs/block.hpp"
#include "fastpgs/views.hpp"

namespace fastpgs {

class GreyImage {
  public:
    // Of an image of 3 channels of 8 or 16 bits. One value a pixel.
    GreyImage(const ImageView& image, int threads);

    ImageView view() const { return {values_.data(), type_, height_, width_, 1}; }

  private:
    PixelType type_;
    std::size_t height_, width_;
    Block<std::uint8_t> values_;
};

}  // namespace fastpgs
