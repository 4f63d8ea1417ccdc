// The nearest of several pivots, and the next nearest, by rows of distances: of doubles or of int32.
// Included by real_sample_impl.hpp and word_sample_impl.hpp, whose lanes have the same operations.
#pragma once

#include "fastpgs/sample_kernels.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

template <class Vector, std::size_t Width, bool Distances, class T>
static void nearest_rows_of(NearestRowsArgs<T>& out, T most) {
    const NearestRowsArgs<T> args = out;  // stored lanes do not change it
    constexpr std::size_t kAtOnce = 4;    // vectors
    static_assert(kSampleStep % (kAtOnce * Width) == 0, "a sample is whole steps");
    std::size_t n_changed = 0;
    for (std::size_t i = 0; i < args.n; i += kAtOnce * Width) {
        Vector nearest[kAtOnce], second[kAtOnce], owner[kAtOnce], number = all(T{0});
        for (std::size_t v = 0; v < kAtOnce; ++v) {
            nearest[v] = load(args.rows[0] + i + v * Width);
            second[v] = all(most);
            owner[v] = number;
        }
        for (std::size_t j = 1; j < args.k; ++j) {
            const T* row = args.rows[j] + i;
            number = add(number, all(T{1}));
            for (std::size_t v = 0; v < kAtOnce; ++v) {
                const Vector d2 = load(row + v * Width);
                const Vector closer = less(d2, nearest[v]);
                if (Distances) second[v] = least(where(closer, nearest[v], d2), second[v]);
                owner[v] = where(closer, number, owner[v]);
                nearest[v] = least(d2, nearest[v]);
            }
        }
        for (std::size_t v = 0; v < kAtOnce; ++v) {
            const std::size_t at = i + v * Width;
            if (Distances) {
                store(args.nearest + at, nearest[v]);
                store(args.second + at, second[v]);
            }
            unsigned changed = ~bits(equal(owner[v], load(args.owners + at))) & ((1U << Width) - 1U);
            if (changed == 0) continue;
            for (; changed != 0; changed &= changed - 1) {
                const std::size_t point = at + lowest_bit(changed);
                args.changed[n_changed] = static_cast<std::uint32_t>(point);
                args.from[n_changed++] = args.owners[point];
            }
            store(args.owners + at, owner[v]);
        }
    }
    out.n_changed = n_changed;
}

template <class Vector, std::size_t Width, class T>
static void nearest_alone(NearestRowsArgs<T> args) {
    constexpr std::size_t kAtOnce = 4;
    for (std::size_t i = 0; i < args.n; i += kAtOnce * Width) {
        Vector nearest[kAtOnce];
        for (std::size_t v = 0; v < kAtOnce; ++v) nearest[v] = load(args.rows[0] + i + v * Width);
        for (std::size_t j = 1; j < args.k; ++j)
            for (std::size_t v = 0; v < kAtOnce; ++v)
                nearest[v] = least(load(args.rows[j] + i + v * Width), nearest[v]);
        for (std::size_t v = 0; v < kAtOnce; ++v) store(args.nearest + i + v * Width, nearest[v]);
    }
}

template <class Vector, std::size_t Width, class T>
static void nearest_rows(NearestRowsArgs<T>& args, T most) {
    if (args.owners == nullptr)
        nearest_alone<Vector, Width>(args);
    else if (args.nearest != nullptr)
        nearest_rows_of<Vector, Width, true>(args, most);
    else
        nearest_rows_of<Vector, Width, false>(args, most);
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
