// Points in planes: what pivots are chosen among. A point is a pixel, or a colour with its count.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastpgs/block.hpp"

namespace fastpgs {

// Planes of one allocation, whose values are undefined until they are written.
template <class T>
class Planes {
  public:
    Planes() = default;
    Planes(std::size_t dims, std::size_t n) { reset(dims, n); }
    Planes(const Planes&) = delete;
    Planes& operator=(const Planes&) = delete;
    Planes(Planes&&) = default;
    Planes& operator=(Planes&&) = default;

    void reset(std::size_t dims, std::size_t n) {
        values_ = Block<T>(dims * n);
        planes_.resize(dims);
        for (std::size_t a = 0; a < dims; ++a) planes_[a] = values_.data() + a * n;
    }

    T* const* data() { return planes_.data(); }
    const T* const* data() const { return planes_.data(); }
    T* operator[](std::size_t a) { return planes_[a]; }
    const T* operator[](std::size_t a) const { return planes_[a]; }
    std::size_t dims() const { return planes_.size(); }

  private:
    Block<T> values_;
    std::vector<T*> planes_;
};

// Points of int32 (8-bit features and lab: squared distances fit 31 bits) or double coordinates.
template <class T>
struct Points {
    Planes<T> z;                 //
    std::size_t n = 0;           // points
    std::size_t pixels = 0;      // pixels they stand for: the sum of weights
    std::vector<double> weight;  // pixels a point stands for, or empty for 1
    bool exact = false;          // coordinates are integers, and medoids are told apart by integer keys
    double grain = 0.0;          // reals are summed as multiples of this power of two; 0: as they are
    double objective_grain = 0;  // the same for squared distances

    std::size_t dims() const { return z.dims(); }
};

// The power of two to which `pixels` reals of magnitude at most `top` are rounded before they are summed, so
// that the sum is exact in a double.
inline double sum_grain(double top, std::size_t pixels) {
    int exponent = 0;
    std::frexp(top, &exponent);
    int bits = 0;
    for (std::size_t rest = pixels; rest != 0; rest >>= 1) ++bits;
    const int shift = 51 - bits - exponent;
    return std::ldexp(1.0, -(shift < 900 ? shift : 900));
}

// The constant that, added and subtracted, rounds to multiples of `grain`; 0 for grain 0.
inline double rounder(double grain) { return grain * 0x1.8p52; }

// Sets the grains of real points from their extent, which is [low, high] of each coordinate.
inline void set_grains(Points<double>& points, const double* low, const double* high) {
    double top = 0.0, bound = 0.0;
    for (std::size_t a = 0; a < points.dims(); ++a) {
        top = std::fmax(top, std::fmax(std::fabs(low[a]), std::fabs(high[a])));
        bound += (high[a] - low[a]) * (high[a] - low[a]);
    }
    points.grain = sum_grain(top, points.pixels);
    points.objective_grain = sum_grain(bound, points.pixels);
}

inline void set_grains(Points<double>& points) {
    std::vector<double> lows, highs;
    for (std::size_t a = 0; a < points.dims(); ++a) {
        const double* plane = points.z[a];
        double low = plane[0], high = plane[0];
        for (std::size_t i = 1; i < points.n; ++i) {
            low = plane[i] < low ? plane[i] : low;
            high = plane[i] > high ? plane[i] : high;
        }
        lows.push_back(low);
        highs.push_back(high);
    }
    set_grains(points, lows.data(), highs.data());
}

}  // namespace fastpgs
