// CIELAB of 8-bit colours. Included by tile_kernels_impl.hpp.
#pragma once

namespace fastpgs {
namespace FASTPGS_PATH {

// From f of X, Y and Z (with L* below): (L*, a*) and (b*, 1), a = fx - fy, b = floor((2 (fy - fz) + 2) / 5).
// The fifth is taken in 1/2^17, whose two factors fit 16 bits: with half a step added, what they are off by
// never reaches the next whole number, as |fy - fz| < 27600.
static inline void store_lab(Lanes fx, Lanes fy, Lanes fz, std::int32_t* one, std::int32_t* other) {
    constexpr std::int32_t kFifths[2] = {26214, 26215}, kHalfStep = 13107;
    const Lanes low = all(0xFFFF), high = all(static_cast<std::int32_t>(0xFFFF0000U));
    store(one, either(both(fy, low), both(subtract_pairs(fx, fy), high)));
    const Lanes away = subtract_pairs(fy, fz);
    const Lanes fifths = add(add(dot(away, all(kFifths[0] << 16)), dot(away, all(kFifths[1] << 16))),
                             all(kFifths[0] + kFifths[1] + kHalfStep));
    store(other, either(both(shift_right(fifths, 17), low), all(1 << 16)));
}

// Colours that are looked up at once: none waits for what the one before has just stored.
static constexpr std::size_t kLabRun = 64;

// rgb_of(i, level) gives the levels of colour i. Those of a run beyond the last are black.
template <class Rgb>
static inline void lab_of_all(const LabTables& tables, std::size_t n, std::int32_t* one, std::int32_t* other,
                              Rgb rgb_of) {
    const auto* channels = tables.channels;
    const std::int32_t* f = tables.f;
    std::int32_t xyz[4 * kLabRun] = {}, f_of[3][kLabRun], last_one[kLabRun], last_other[kLabRun];
    for (std::size_t begin = 0; begin < n; begin += kLabRun) {
        const std::size_t some = n - begin < kLabRun ? n - begin : kLabRun;
        for (std::size_t i = 0; i < some; i += kRows) {
            std::size_t level[kRows][3];
            for (std::size_t row = 0; row < kRows; ++row)
                rgb_of(begin + (i + row < some ? i + row : i), level[row]);
            const auto rows = [&](std::size_t c) {
                return load_rows(channels[c][level[0][c]], channels[c][level[kRows - 1][c]]);
            };
            store(xyz + 4 * i, shift_right(add(add(rows(0), rows(1)), rows(2)), 15));
        }
        for (std::size_t i = 0; i < kLabRun; ++i)
            for (std::size_t q = 0; q < 3; ++q) f_of[q][i] = f[xyz[4 * i + q]];
        const bool whole = some == kLabRun;
        std::int32_t *to_one = whole ? one + begin : last_one, *to_other = whole ? other + begin : last_other;
        for (std::size_t i = 0; i < kLabRun; i += kLanes)
            store_lab(load(f_of[0] + i), load(f_of[1] + i), load(f_of[2] + i), to_one + i, to_other + i);
        for (std::size_t i = 0; i < some && !whole; ++i) {
            one[begin + i] = last_one[i];
            other[begin + i] = last_other[i];
        }
    }
}

static void lab_of_bytes(const LabTables& tables, const std::uint8_t* rgb, std::size_t n, std::int32_t* one,
                         std::int32_t* other) {
    lab_of_all(tables, n, one, other, [rgb](std::size_t i, std::size_t* level) {
        for (std::size_t c = 0; c < 3; ++c) level[c] = rgb[3 * i + c];
    });
}

static void lab_of_pairs(const LabTables& tables, const std::int32_t* a, const std::int32_t* b, std::size_t n,
                         std::int32_t* one, std::int32_t* other) {
    lab_of_all(tables, n, one, other, [a, b](std::size_t i, std::size_t* level) {
        const auto word = static_cast<std::uint32_t>(a[i]);
        level[0] = word & 255U;
        level[1] = word >> 16;
        level[2] = static_cast<std::uint32_t>(b[i]) & 255U;
    });
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
