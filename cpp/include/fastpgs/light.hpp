// What is measured of a picture as a whole, and of crops: how they were taken, not what they show.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastpgs/block.hpp"
#include "fastpgs/stain.hpp"

namespace fastpgs::light {

// Luminance (ITU-R BT.601) in thousandths of a level: an integer, so that no rounding decides which pixels
// are the brightest, and sums are exact in any order.
inline std::int32_t luma(const std::uint8_t* p) { return 299 * p[0] + 587 * p[1] + 114 * p[2]; }

// The luminance of each pixel of a picture.
class Luma {
  public:
    explicit Luma(stain::Picture picture);
    const std::int32_t* row(std::ptrdiff_t r) const { return values_.data() + r * cols; }

    const std::ptrdiff_t rows, cols;

  private:
    Block<std::int32_t> values_;
};

struct Light {
    std::array<double, 3> level;  // numpy.median of the brightest tenth of the pixels, each channel
    double brightest, spread;     // largest luminance and its standard deviation, levels
};

Light measure(stain::Picture picture, const Luma& lights);

// Mean over the lines of |l[i+1] - l[i] - (l[i] - l[i-1] + l[i+2] - l[i+1]) / 2| of the luminance l: how much
// the step from i to i + 1 stands out from its neighbours. `across` has a value for each of cols - 3 steps
// between columns, `down` for each of rows - 3 between rows; none where there are fewer pixels.
struct Steps {
    std::vector<double> across, down;
};

Steps steps(const Luma& lights);

// How much steps stand out along one line in eight, as the blocks of JPEG make them: the logarithm of the
// mean step along the line where it is largest over that along the second, mean of both directions; 0 for a
// picture of less than 32 pixels a side.
double blockiness(const Steps& steps);

// Mean absolute differences of the luminance of n crops of side x side pixels, side >= 3, of 1 or 3 channels.
struct Differences {
    double second;        // 4 times a pixel less its four neighbours
    double down, across;  // a pixel less the one before
};

Differences differences(const std::uint8_t* crops, std::ptrdiff_t n, std::ptrdiff_t side, int channels);

// Of the levels of n crops, side <= 2^11: their mean, and the mean of each crop's standard deviation, a
// channel each.
struct Levels {
    std::vector<double> mean, spread;
};

Levels levels(const std::uint8_t* crops, std::ptrdiff_t n, std::ptrdiff_t side, int channels);

}  // namespace fastpgs::light
