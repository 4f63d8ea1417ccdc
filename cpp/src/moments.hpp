// Moments of three-channel colours, and the little algebra that discriminants of them need.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "fastpgs/tile_kernels.hpp"

namespace fastpgs::colour {

using Vector = std::array<double, 3>;
using Matrix = std::array<Vector, 3>;

// Mean and scatter of some colours, from exact sums.
struct Moments {
    std::int64_t number = 0;
    std::array<std::int64_t, 3> sum{};
    std::array<std::array<std::int64_t, 3>, 3> products{};

    void add(const std::uint8_t* colour) {
        ++number;
        for (std::size_t i = 0; i < 3; ++i) {
            sum[i] += colour[i];
            for (std::size_t j = i; j < 3; ++j) products[i][j] += colour[i] * colour[j];
        }
    }
    // Of n triples, all at once.
    void add(const std::uint8_t* colours, std::size_t n) {
        std::int64_t more[9] = {};  // r, g, b, rr, rg, rb, gg, gb, bb
        tile_kernels().colours.moments(colours, n, more);
        number += static_cast<std::int64_t>(n);
        for (std::size_t i = 0, next = 3; i < 3; ++i) {
            sum[i] += more[i];
            for (std::size_t j = i; j < 3; ++j) products[i][j] += more[next++];
        }
    }
    Moments& operator+=(const Moments& other) { return add(other, 1); }
    Moments& operator-=(const Moments& other) { return add(other, -1); }
    Vector mean() const {
        Vector out;
        for (std::size_t i = 0; i < 3; ++i)
            out[i] = static_cast<double>(sum[i]) / static_cast<double>(number);
        return out;
    }
    // Sums of products of deviations.
    Matrix scatter() const {
        Matrix out;
        for (std::size_t i = 0; i < 3; ++i)
            for (std::size_t j = i; j < 3; ++j) {
                const double square = static_cast<double>(sum[i]) * static_cast<double>(sum[j]);
                out[i][j] = out[j][i] =
                    static_cast<double>(products[i][j]) - square / static_cast<double>(number);
            }
        return out;
    }

  private:
    Moments& add(const Moments& other, std::int64_t times) {
        number += times * other.number;
        for (std::size_t i = 0; i < 3; ++i) {
            sum[i] += times * other.sum[i];
            for (std::size_t j = i; j < 3; ++j) products[i][j] += times * other.products[i][j];
        }
        return *this;
    }
};

inline Matrix inverse(const Matrix& m) {
    const auto minor = [&](std::size_t i, std::size_t j) {
        const std::size_t a = (i + 1) % 3, b = (i + 2) % 3, c = (j + 1) % 3, d = (j + 2) % 3;
        return m[a][c] * m[b][d] - m[a][d] * m[b][c];
    };
    const double determinant = m[0][0] * minor(0, 0) + m[0][1] * minor(0, 1) + m[0][2] * minor(0, 2);
    Matrix out;
    for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 3; ++j) out[j][i] = minor(i, j) / determinant;
    return out;
}

inline Vector times(const Matrix& m, const Vector& v) {
    Vector out;
    for (std::size_t i = 0; i < 3; ++i) out[i] = m[i][0] * v[0] + m[i][1] * v[1] + m[i][2] * v[2];
    return out;
}

inline double dot(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

}  // namespace fastpgs::colour
