#include "fastpgs/coarse_grid.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fastpgs {
namespace {

// What kernels add up fits an int32: twice the score of a box, and by how much it may differ within the box,
// are at most 3 n 2^(bits + 1) ways for n coordinates. Differences of ways fit an int16.
constexpr int kSumBits = 28, kWayBits = 14;

int bits_for(std::size_t dims) { return dims <= 5 ? 13 : dims <= 16 ? 12 : 11; }

int ceil_log2(std::size_t n) {
    int bits = 0;
    while ((std::size_t{1} << bits) < n) ++bits;
    return bits;
}

std::int32_t word(std::int32_t low, std::int32_t high) {
    return static_cast<std::int32_t>((static_cast<std::uint32_t>(low) & 0xFFFFU) |
                                     static_cast<std::uint32_t>(high) << 16);
}

std::int32_t nearest_integer(double value) { return static_cast<std::int32_t>(std::floor(value + 0.5)); }

// Words of `dims` integers.
void pack(const std::int32_t* values, std::size_t dims, std::vector<std::int32_t>& out) {
    for (std::size_t a = 0; a < dims; a += 2)
        out.push_back(word(values[a], a + 1 < dims ? values[a + 1] : 0));
}

}  // namespace

CoarseGrid::CoarseGrid(const std::vector<double>& low, const std::vector<double>& high, bool integers,
                       double grain)
    : bits_(bits_for(low.size())) {
    double half = 0.0;
    for (std::size_t a = 0; a < low.size(); ++a) {
        const double middle = low[a] + 0.5 * (high[a] - low[a]);
        middle_.push_back(integers ? std::floor(middle) : middle);
        half = std::fmax(half, 0.5 * (high[a] - low[a]));
    }
    const double places = std::ldexp(1.0, bits_) - 2.0;
    double step = std::fmax(half / places, grain);
    if (integers) step = std::fmax(1.0, (half + 1.0) / places);
    // Where squares of differences would vanish, one place holds everything and nothing is told apart.
    if (half < 1e-130) step = 1.0;
    per_step_ = 1.0 / step;
    for (std::size_t a = 0; a < low.size(); ++a)
        furthest_.push_back(std::floor(0.5 * (high[a] - low[a]) * per_step_) + 2.0);
}

CoarseGrid::Scores CoarseGrid::scores(const std::vector<double>& pivots) const {
    const std::size_t n = dims(), k = pivots.size() / n;
    std::vector<double> at(pivots.size()), centre(n, 0.0);
    for (std::size_t j = 0; j < k; ++j) {
        for (std::size_t a = 0; a < n; ++a) {
            at[j * n + a] = (pivots[j * n + a] - middle_[a]) * per_step_;
            centre[a] += at[j * n + a] / static_cast<double>(k);
        }
    }
    double widest = 0.0;
    for (std::size_t s = 0; s < at.size(); ++s)
        widest = std::fmax(widest, 2.0 * std::fabs(at[s] - centre[s % n]));
    // |x - p|^2 - |x - c|^2 = |p|^2 - |c|^2 - 2 x . (p - c), times the power of two that uses the bits.
    const double top = std::ldexp(1.0, std::min(kWayBits, kSumBits - bits_ - ceil_log2(n))) - 1.0;
    double scale = 4096.0;
    while (scale * widest > top) scale *= 0.5;
    Scores out;
    std::vector<std::int32_t> ways(at.size());
    std::vector<double> off(at.size());  // what is rounded of the ways
    for (std::size_t j = 0; j < k; ++j) {
        double constant = 0.0;
        for (std::size_t a = 0; a < n; ++a) {
            const double p = at[j * n + a], c = centre[a];
            constant += (p - c) * (p + c);
            const double way = 2.0 * scale * (p - c);
            ways[j * n + a] = nearest_integer(way);
            off[j * n + a] = way - ways[j * n + a];
        }
        out.constants.push_back(nearest_integer(scale * constant));
        pack(ways.data() + j * n, n, out.ways);
    }
    // Half a step of the point along the difference of two ways, and what was rounded of either times x.
    double most = 0.0;
    for (std::size_t i = 0; i < k; ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            double total = 0.0;
            for (std::size_t a = 0; a < n; ++a) {
                const std::size_t s = i * n + a, t = j * n + a;
                total +=
                    0.5 * (std::fabs(ways[s] - ways[t]) + 1.0) + furthest_[a] * std::fabs(off[s] - off[t]);
            }
            most = std::fmax(most, total);
        }
    }
    out.margin = static_cast<std::int32_t>(most) + 8;
    out.scale = scale;
    return out;
}

// |x - p|^2 - |x - q|^2 = |p|^2 - |q|^2 - 2 x . (p - q), for x from the middle.
double CoarseGrid::drift(const std::vector<double>& before, const std::vector<double>& pivots) const {
    const std::size_t n = dims(), k = pivots.size() / n;
    const auto at = [this, n](const std::vector<double>& z, std::size_t j, std::size_t a) {
        return (z[j * n + a] - middle_[a]) * per_step_;
    };
    double most = 0.0;
    for (std::size_t i = 0; i < k; ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            double constant = 0.0, along = 0.0;
            for (std::size_t a = 0; a < n; ++a) {
                const double p = at(pivots, i, a), q = at(pivots, j, a);
                const double old_p = at(before, i, a), old_q = at(before, j, a);
                constant += (p - old_p) * (p + old_p) - (q - old_q) * (q + old_q);
                along += furthest_[a] * std::fabs((p - old_p) - (q - old_q));
            }
            most = std::fmax(most, std::fabs(constant) + 2.0 * along);
        }
    }
    return most * (1.0 + 1e-9);
}

std::vector<std::int32_t> CoarseGrid::place(const double* point) const {
    std::vector<std::int32_t> values, out;
    for (std::size_t a = 0; a < dims(); ++a)
        values.push_back(nearest_integer((point[a] - middle_[a]) * per_step_));
    pack(values.data(), dims(), out);
    return out;
}

std::int32_t CoarseGrid::reach(double distance2) const {
    // The point and the target are off by half a diagonal each; a hundredth more for all that is rounded.
    const double steps =
        std::sqrt(distance2) * per_step_ * (1.0 + 1e-9) + std::sqrt(static_cast<double>(dims())) + 0.01;
    constexpr double kMost = std::numeric_limits<std::int32_t>::max() - 8;
    return steps * steps < kMost ? static_cast<std::int32_t>(steps * steps) + 1
                                 : static_cast<std::int32_t>(kMost);
}

std::int32_t CoarseGrid::error() const {
    return static_cast<std::int32_t>(std::ceil(2.0 * std::sqrt(static_cast<double>(dims())) + 0.02));
}

}  // namespace fastpgs
