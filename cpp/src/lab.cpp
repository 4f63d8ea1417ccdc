#include "fastpgs/lab.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "fastpgs/tile_kernels.hpp"
#include "pairs.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kRun = 256;  // pixels at once

// Decode sRGB (IEC 61966-2-1): level 0 … top to linear light 0 … 65535.
std::vector<std::uint16_t> linear_table(int top) {
    std::vector<std::uint16_t> table(static_cast<std::size_t>(top) + 1);
    for (int level = 0; level <= top; ++level) {
        const double v = level / static_cast<double>(top);
        const double linear = v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
        table[static_cast<std::size_t>(level)] =
            static_cast<std::uint16_t>(std::floor(linear * 65535.0 + 0.5));
    }
    return table;
}

// f in the upper half, L* = floor((29 f + 62) / 125) - 1024 in the lower.
std::vector<std::int32_t> f_table() {
    std::vector<std::int32_t> table(65536);
    const double delta = 6.0 / 29.0;
    for (int i = 0; i < 65536; ++i) {
        const double t = i / 65535.0;
        const double f = t > delta * delta * delta ? std::cbrt(t) : t / (3.0 * delta * delta) + 4.0 / 29.0;
        const auto scaled = static_cast<std::int32_t>(std::floor(f * 32000.0 + 0.5));
        table[static_cast<std::size_t>(i)] = pair_words((29 * scaled + 62) / 125 - 1024, scaled);
    }
    return table;
}

// Linear sRGB to XYZ over the D65 white, in 1/32768. Rows sum to 32768, so white is exactly 1 and greys have
// a = b = 0.
constexpr std::int32_t kXyz[3][3] = {{14220, 12328, 6220}, {6968, 23434, 2366}, {582, 3587, 28599}};
constexpr std::int32_t kHalf = 16384;  // in red's share

struct Tables {
    std::int32_t channels[3][256][4];
    std::vector<std::int32_t> f = f_table();

    Tables() {
        const std::vector<std::uint16_t> linear = linear_table(255);
        for (std::size_t c = 0; c < 3; ++c)
            for (std::size_t v = 0; v < 256; ++v)
                for (std::size_t q = 0; q < 4; ++q)
                    channels[c][v][q] = q == 3 ? 0 : kXyz[q][c] * linear[v] + (c == 0 ? kHalf : 0);
    }
};

LabTables tables() {
    static const Tables made;
    return {made.channels, made.f.data()};
}

const std::uint16_t* linear16() {
    static const std::vector<std::uint16_t> table = linear_table(65535);
    return table.data();
}

// What the kernels do, from levels of 16 bits.
void convert16(const std::uint16_t* p, std::size_t step, std::int32_t* one, std::int32_t* other) {
    const std::uint16_t* linear = linear16();
    const std::int32_t r = linear[p[0]], g = linear[p[step]], b = linear[p[2 * step]];
    std::int32_t f[3];
    const std::int32_t* table = tables().f;
    for (std::size_t q = 0; q < 3; ++q)
        f[q] = table[(kXyz[q][0] * r + kXyz[q][1] * g + kXyz[q][2] * b + kHalf) >> 15];
    constexpr std::int32_t kLift = 16384;  // makes the quotient positive
    const std::int32_t fy = f[1] >> 16;
    *one = pair_words(f[1], (f[0] >> 16) - fy);
    *other = pair_words((2 * (fy - (f[2] >> 16)) + 2 + 5 * kLift) / 5 - kLift, 1);
}

// The levels of pixel at(i), red, green and blue, or three times the grey one.
template <class At>
void convert(const ImageView& image, std::size_t n, At at, std::int32_t* one, std::int32_t* other) {
    const std::size_t channels = image.channels, step = channels == 1 ? 0 : 1;
    if (image.type == PixelType::u16) {
        for (std::size_t i = 0; i < n; ++i)
            convert16(image.as<std::uint16_t>() + at(i) * channels, step, one + i, other + i);
        return;
    }
    const auto* data = image.as<std::uint8_t>();
    std::uint8_t rgb[3 * kRun];
    for (std::size_t begin = 0; begin < n; begin += kRun) {
        const std::size_t some = std::min(kRun, n - begin);
        for (std::size_t i = 0; i < some; ++i)
            for (std::size_t c = 0; c < 3; ++c) rgb[3 * i + c] = data[at(begin + i) * channels + c * step];
        tile_kernels().lab.bytes(tables(), rgb, some, one + begin, other + begin);
    }
}

}  // namespace

void read_lab_pairs(const ImageView& image, std::size_t begin, std::size_t end, std::int32_t* one,
                    std::int32_t* other) {
    if (image.type == PixelType::u8 && image.channels == 3)
        return tile_kernels().lab.bytes(tables(), image.as<std::uint8_t>() + 3 * begin, end - begin, one,
                                        other);
    convert(image, end - begin, [begin](std::size_t i) { return begin + i; }, one, other);
}

void gather_lab_pairs(const ImageView& image, const std::int64_t* pixels, std::size_t n, std::int32_t* one,
                      std::int32_t* other) {
    convert(image, n, [pixels](std::size_t i) { return static_cast<std::size_t>(pixels[i]); }, one, other);
}

void lab_of_pairs(const std::int32_t* a, const std::int32_t* b, std::size_t n, std::int32_t* one,
                  std::int32_t* other) {
    tile_kernels().lab.pairs(tables(), a, b, n, one, other);
}

std::array<std::int32_t, 3> lab_of(std::uint8_t r, std::uint8_t g, std::uint8_t b) {
    const std::uint8_t rgb[3] = {r, g, b};
    std::int32_t one = 0, other = 0;
    tile_kernels().lab.bytes(tables(), rgb, 1, &one, &other);
    return pixel_of(one, other);
}

}  // namespace fastpgs
