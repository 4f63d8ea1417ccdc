#include "fastpgs/groups.hpp"

#include <cmath>
#include <limits>

#include "fastpgs/features.hpp"

namespace fastpgs {
namespace {

template <class T>
std::int64_t weighted_squares(const T* plane, const double* weight, std::size_t begin, std::size_t end) {
    std::int64_t total = 0;
    for (std::size_t i = begin; i < end; ++i) {
        const auto x = static_cast<std::int64_t>(plane[i]);
        total += static_cast<std::int64_t>(weight[i]) * x * x;
    }
    return total;
}

}  // namespace

template <class T>
Groups<T>::Groups(const Points<T>& points, std::vector<std::uint32_t> starts)
    : points_(points), dims_(points.dims()), starts_(std::move(starts)) {
    centre_.resize(size() * dims_);
    half_.resize(size() * dims_);
    sums_.resize(size() * (dims_ + 1));
    squares_.resize(points.exact ? size() : 0);
    const double round = rounder(points.grain);
    const double* weight = points.weight.data();
    for (std::size_t g = 0; g < size(); ++g) {
        double* sums = sums_.data() + g * (dims_ + 1);
        double total = 0.0;
        std::int64_t squares = 0;
        for (std::size_t i = begin(g); i < end(g); ++i) total += weight[i];
        sums[0] = total;
        for (std::size_t a = 0; a < dims_; ++a) {
            const T* plane = points.z[a];
            T low = plane[begin(g)], high = low;
            double sum = 0.0;
            for (std::size_t i = begin(g); i < end(g); ++i) {
                const T x = plane[i];
                low = x < low ? x : low;
                high = x > high ? x : high;
                const double value = (static_cast<double>(x) + round) - round;
                sum += weight[i] * value;
            }
            if (points.exact) squares += weighted_squares(plane, weight, begin(g), end(g));
            sums[1 + a] = sum;
            centre_[g * dims_ + a] = 0.5 * (static_cast<double>(low) + static_cast<double>(high));
            half_[g * dims_ + a] = 0.5 * (static_cast<double>(high) - static_cast<double>(low));
        }
        if (points.exact) squares_[g] = squares;
    }
}

template <class T>
void Groups<T>::find_owners(const std::vector<T>& pivots, std::uint8_t* owners) const {
    const std::size_t k = pivots.size() / dims_;
    const std::vector<double> p(pivots.begin(), pivots.end());
    double d2[256];
    for (std::size_t g = 0; g < size(); ++g) {
        const double* centre = centre_.data() + g * dims_;
        const double* half = half_.data() + g * dims_;
        std::size_t own = 0;
        for (std::size_t j = 0; j < k; ++j) {
            double total = 0.0;
            for (std::size_t a = 0; a < dims_; ++a) {
                const double d = centre[a] - p[j * dims_ + a];
                total += d * d;
            }
            d2[j] = total;
            own = total < d2[own] ? j : own;
        }
        // Over the box, d2(x, own) - d2(x, j) is at most its value at the centre + 2 sum |own - j| half. The
        // margin, far above rounding, keeps ties and near-ties among the straddling.
        bool owned = true;
        for (std::size_t j = 0; j < k && owned; ++j) {
            if (j == own) continue;
            double reach = 0.0;
            for (std::size_t a = 0; a < dims_; ++a)
                reach += std::fabs(p[own * dims_ + a] - p[j * dims_ + a]) * half[a];
            owned = d2[own] + 2.0 * reach < d2[j] * (1.0 - 1e-9);
        }
        owners[g] = owned ? static_cast<std::uint8_t>(own) : kStraddles;
    }
}

template <class T>
void Groups<T>::add(std::size_t g, double* sums) const {
    const double* own = sums_.data() + g * (dims_ + 1);
    for (std::size_t s = 0; s <= dims_; ++s) sums[s] += own[s];
}

template <class T>
std::int64_t Groups<T>::objective(std::size_t g, const T* pivot) const {
    const double* sums = sums_.data() + g * (dims_ + 1);
    std::int64_t norm = 0, dot = 0;
    for (std::size_t a = 0; a < dims_; ++a) {
        const auto p = static_cast<std::int64_t>(pivot[a]);
        norm += p * p;
        dot += p * static_cast<std::int64_t>(sums[1 + a]);
    }
    return squares_[g] - 2 * dot + static_cast<std::int64_t>(sums[0]) * norm;
}

template <class T>
double Groups<T>::lower_bound2(std::size_t g, const double* target) const {
    double total = 0.0;
    for (std::size_t a = 0; a < dims_; ++a) {
        const double away = std::fabs(target[a] - centre_[g * dims_ + a]) - half_[g * dims_ + a];
        total += away > 0.0 ? away * away : 0.0;
    }
    return total * (1.0 - 1e-9);
}

template class Groups<std::int32_t>;
template class Groups<double>;

}  // namespace fastpgs
