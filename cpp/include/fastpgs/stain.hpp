// Stain features of an 8-bit RGB image: one pass over the pixels. The Python package documents the features.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "fastpgs/bits.hpp"

namespace fastpgs::stain {

struct Picture {
    const std::uint8_t* rgb;  // rows x cols x 3
    std::ptrdiff_t rows, cols;
    std::ptrdiff_t size() const { return rows * cols; }
};

// Mask of a black surround (levels up to `dark`, connected to the frame); false where there is none: it takes
// at least a quarter of the frame.
bool black_surround(Picture picture, int dark, shapes::Bits& surround);

// Colour of the empty glass: the median of the pixels nearly as bright as the brightest. `valid` may be null;
// there must be a valid pixel.
void background(Picture picture, const shapes::Bits* valid, double white[3]);

constexpr int LEAST_DEPTH = -255, MOST_DEPTH = 510;

struct Planes {
    std::uint8_t* features;  // rows x cols x 3
    std::int16_t* score;     // null where nobody asks for it
    std::int16_t* depth;
    float* strength;
};

// White balance, 3 x 3 binomial smoothing, and the features; `grey`: the three channels are one.
void planes(Picture picture, const double white[3], int offset, bool grey, const Planes& out);
// How many pixels have each score from -255 to 255.
using ScoreCounts = std::array<std::int64_t, 511>;

// What is done on the way.
using Ready = std::function<void(std::size_t)>;
struct Along {
    // Goes through the features in order while they are made: ready(n) returns when the first n pixels are
    // there.
    std::function<void(const Ready& ready)> use;
    const shapes::Bits* valid = nullptr;  // pixels whose scores are added to `scores`, if not null
    ScoreCounts* scores = nullptr;
};
void planes(Picture picture, const double white[3], int offset, bool grey, const Planes& out,
            const Along& along);

// Raster indices of k pixels spread evenly over the range (1st to 99th percentile) of the score; empty where
// there are too few scores.
std::vector<std::int64_t> spread(const std::int16_t* score, const shapes::Bits& valid, int k);
// The same where scores have been counted.
std::vector<std::int64_t> spread(const ScoreCounts& number, const std::int16_t* score,
                                 const shapes::Bits& valid, int k);

// Of each group 0..n five numbers: pixels, and the sums of the score and of the three features.
std::vector<std::int64_t> group_sums(const std::int32_t* groups, std::int32_t n, const std::int16_t* score,
                                     Picture features);

// numpy.median of the values where `where` holds; a nan where it holds nowhere.
float median(const float* values, const shapes::Bits& where);
// The same of n values that are there so many times.
float median(const std::vector<float>& values, const std::vector<std::uint32_t>& times);

// numpy.percentile's linear interpolation, of `total` values of which number[i] are least + i.
double percentile(const std::int64_t* number, int least, std::int64_t total, double percent);

}  // namespace fastpgs::stain
