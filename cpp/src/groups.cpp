#include "fastpgs/groups.hpp"

#include <algorithm>
#include <cmath>

#include "fastpgs/features.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/kernels.hpp"

namespace fastpgs {
template <class T>
Groups<T>::Groups(const Points<T>& points, std::vector<std::uint32_t> starts)
    : points_(points), dims_(points.dims()), starts_(std::move(starts)) {
    centre_.reset(dims_, size());
    half_.reset(dims_, size());
    sums_.resize(size() * (dims_ + 1));
    double centre[kMaxDims], half[kMaxDims];
    SummaryArgs<T> args{};
    args.z = points.z.data();
    args.weight = points.weight.empty() ? nullptr : points.weight.data();
    args.dims = dims_;
    args.round = rounder(points.grain);
    args.centre = centre;
    args.half = half;
    for (std::size_t g = 0; g < size(); ++g) {
        poll(g, 4096);
        args.begin = begin(g);
        args.end = end(g);
        args.sums = sums_.data() + g * (dims_ + 1);
        summarise(args);
        for (std::size_t a = 0; a < dims_; ++a) {
            centre_[a][g] = centre[a];
            // The middle is rounded, and so are differences to it: the box is taken larger by more than that.
            half_[a][g] = half[a] + (std::fabs(centre[a]) + half[a]) * 1e-15;
        }
    }
}

template <class T>
void Groups<T>::find_owners(const std::vector<T>& pivots, std::uint8_t* owners) const {
    const std::size_t k = pivots.size() / dims_;
    const std::vector<double> p(pivots.begin(), pivots.end());
    for (std::size_t begin = 0; begin < size(); begin += kChunk) {
        poll(begin, 32 * kChunk);
        const std::size_t n = std::min(kChunk, size() - begin);
        if (k > kVectorPivots) {
            for (std::size_t g = begin; g < begin + n; ++g) owners[g] = owner(p, g);
            continue;
        }
        const double* centre[kMaxDims];
        const double* half[kMaxDims];
        for (std::size_t a = 0; a < dims_; ++a) {
            centre[a] = centre_[a] + begin;
            half[a] = half_[a] + begin;
        }
        kernels().owners({centre, half, n, dims_, p.data(), k, owners + begin});
    }
}

// The same as the kernel for one group and any number of pivots; it can stop early.
template <class T>
std::uint8_t Groups<T>::owner(const std::vector<double>& p, std::size_t g) const {
    const std::size_t k = p.size() / dims_;
    double d2[256];
    std::size_t own = 0;
    for (std::size_t j = 0; j < k; ++j) {
        double total = 0.0;
        for (std::size_t a = 0; a < dims_; ++a) {
            const double d = centre_[a][g] - p[j * dims_ + a];
            total += d * d;
        }
        d2[j] = total;
        own = total < d2[own] ? j : own;
    }
    for (std::size_t j = 0; j < k; ++j) {
        if (j == own) continue;
        double reach = 0.0;
        for (std::size_t a = 0; a < dims_; ++a)
            reach += 2.0 * std::fabs(p[own * dims_ + a] - p[j * dims_ + a]) * half_[a][g];
        if (!(d2[own] + reach < d2[j] * (1.0 - 1e-9))) return kStraddles;
    }
    return static_cast<std::uint8_t>(own);
}

template <class T>
void Groups<T>::add(std::size_t g, double* sums) const {
    const double* own = sums_.data() + g * (dims_ + 1);
    for (std::size_t s = 0; s <= dims_; ++s) sums[s] += own[s];
}

template <class T>
double Groups<T>::lower_bound2(std::size_t g, const double* target) const {
    double total = 0.0;
    for (std::size_t a = 0; a < dims_; ++a) {
        const double away = std::fabs(target[a] - centre_[a][g]) - half_[a][g];
        total += away > 0.0 ? away * away : 0.0;
    }
    return total * (1.0 - 1e-9);
}

template class Groups<std::int32_t>;
template class Groups<double>;

}  // namespace fastpgs
