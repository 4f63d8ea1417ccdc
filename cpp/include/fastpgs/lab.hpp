// CIELAB (D65) in fixed point, 1/64 a unit, from sRGB of 8 or 16 bits.
//
// Three table look-ups decode to linear light (0 … 65535), a matrix in 1/32768 gives X, Y, Z over white,
// three more look-ups give f(t) (CIE 15:2004) times 32000. Every step is an integer operation, so the result
// is exact by definition. A colour comes as two words of pairs of 16 bits: (L*, a*) and (b*, 1).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fastpgs/views.hpp"

namespace fastpgs {

// Of pixels [begin, end) of an image of 1 or 3 channels. Thread-safe, do not allocate but for tables.
void read_lab_pairs(const ImageView& image, std::size_t begin, std::size_t end, std::int32_t* one,
                    std::int32_t* other);

// Of a list of raster indices.
void gather_lab_pairs(const ImageView& image, const std::int64_t* pixels, std::size_t n, std::int32_t* one,
                      std::int32_t* other);

// Of n 8-bit colours that are pairs themselves, (red, green) and (blue, 1).
void lab_of_pairs(const std::int32_t* a, const std::int32_t* b, std::size_t n, std::int32_t* one,
                  std::int32_t* other);

// Of one 8-bit colour: L*, a*, b*.
std::array<std::int32_t, 3> lab_of(std::uint8_t r, std::uint8_t g, std::uint8_t b);

}  // namespace fastpgs
