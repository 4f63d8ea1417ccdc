// Shapes of binary images: components, holes, discs, distances, hulls.
//
// A mask is rows x cols bytes, row-major, without gaps; 0 is outside, anything else inside. Results are 0
// or 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fastpgs::shapes {

using Bytes = std::vector<std::uint8_t>;

struct Box {  // half-open
    std::ptrdiff_t top = 0, left = 0, bottom = 0, right = 0;
    std::ptrdiff_t rows() const { return bottom - top; }
    std::ptrdiff_t cols() const { return right - left; }
};

struct Mask {
    const std::uint8_t* data;
    std::ptrdiff_t rows, cols;
    std::ptrdiff_t size() const { return rows * cols; }
};

// 4-connected components, 1..n in raster order of their first pixels; returns n.
std::int32_t label(Mask mask, std::int32_t* parts);

// Pixels of each part 0..n.
std::vector<std::int64_t> areas(const std::int32_t* parts, std::ptrdiff_t size, std::int32_t n);

std::int64_t count(Mask mask);

// Bounding box with a margin, as far as the frame allows; false for an empty mask.
bool box_of(Mask mask, std::ptrdiff_t margin, Box& box);

// Fill holes of at most `largest` pixels; a hole does not touch the frame.
void fill_holes(Mask mask, double largest, std::uint8_t* out);

// The components of `mask` that hold a pixel of `seed`.
void touching(Mask mask, const std::uint8_t* seed, std::uint8_t* out);

// The pixels with none outside the mask within `radius`; the frame does not count as outside.
void erode_disc(Mask mask, double radius, std::uint8_t* out);
void open_disc(Mask mask, double radius, std::uint8_t* out);
void close_disc(Mask mask, double radius, std::uint8_t* out);

// What an opening with a disc of `core` inscribed radii takes from a shape are its outgrowths. One longer
// than `length` inscribed radii, and than `neck` times the pixels by which it holds, is a tongue.
struct TongueRules {
    double core = 0, length = 0, neck = 0;
};

// The mask without its tongues; those that hold a pixel of `kept` stay.
void cut_tongues(Mask mask, const std::uint8_t* kept, const TongueRules& rules, std::uint8_t* out);

// Area of the convex hull of the pixels, each a unit square.
double hull_area(Mask mask);

// Area over the area of the hull, at most 1; 0 for an empty mask.
double solidity(Mask mask);

// Exact Euclidean distance of each pixel of the mask to the nearest pixel outside; the frame does not count
// as outside, and where there is no outside at all the distance is the longer side.
void distance(Mask mask, double* out);

// The same, and the raster index of a nearest pixel outside (-1 where there is none).
void nearest(Mask mask, double* out, std::ptrdiff_t* index);

// Watershed by flooding from markers (> 0) over the mask, 4-connected, in order of level, then of age. Marks
// are spread in place; markers outside the mask are erased.
void flood(Mask mask, const double* levels, std::int32_t* markers);

}  // namespace fastpgs::shapes
