#include "fastpgs/swaps.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/kernels.hpp"
#include "fastpgs/weighted_pick.hpp"

namespace fastpgs {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::size_t kSwaps = 2;       // a pivot
constexpr std::size_t kMostSwaps = 32;  // in all
constexpr int kSettling = 2;            // iterations after each

}  // namespace

template <class D>
Swaps<D>::Swaps(const Planes<double>& z, const std::vector<std::int64_t>& pixels)
    : z_(z), pixels_(pixels), far_(pixels.size(), kInfinity) {
    owner_.resize(size());
    nearest_.resize(size());
    second_.resize(size());
    if (std::is_integral_v<D>) return;
    double top = 0.0;
    for (std::size_t a = 0; a < z.dims(); ++a)
        for (std::size_t i = 0; i < size(); ++i) top = std::max(top, std::fabs(z[a][i]));
    round_ = rounder(sum_grain(top, size()));
}

template <class D>
void Swaps<D>::measure(State& state) const {
    state.d2.resize(state.pivots.size() * size());
    for (std::size_t j = 0; j < state.pivots.size(); ++j)
        closer({z_.data(), size(), z_.dims(), state.at[j].data(), far_.data(), &state.d2[j * size()]});
}

template <class D>
void Swaps<D>::find_owners(const State& state) {
    std::copy_n(state.d2.begin(), size(), nearest_.begin());
    std::fill(second_.begin(), second_.end(), kInfinity);
    std::fill(owner_.begin(), owner_.end(), std::size_t{0});
    for (std::size_t j = 1; j < state.pivots.size(); ++j) {
        const double* d2 = &state.d2[j * size()];
        for (std::size_t i = 0; i < size(); ++i) {
            const bool nearer = d2[i] < nearest_[i];
            second_[i] = nearer ? nearest_[i] : std::min(second_[i], d2[i]);
            owner_[i] = nearer ? j : owner_[i];
            nearest_[i] = nearer ? d2[i] : nearest_[i];
        }
    }
}

template <class D>
void Swaps<D>::move_to_medoids(State& state) const {
    const std::size_t k = state.pivots.size(), dims = z_.dims();
    std::vector<double> count(k, 0.0), sums(k * dims, 0.0), best(k, kInfinity);
    std::vector<std::size_t> medoid(k);
    for (std::size_t i = 0; i < size(); ++i) {
        ++count[owner_[i]];
        for (std::size_t a = 0; a < dims; ++a) sums[owner_[i] * dims + a] += (z_[a][i] + round_) - round_;
    }
    if (!std::is_integral_v<D>)
        for (std::size_t s = 0; s < sums.size(); ++s)
            sums[s] = count[s / dims] > 0.0 ? sums[s] / count[s / dims] : 0.0;
    for (std::size_t i = 0; i < size(); ++i) {
        const std::size_t own = owner_[i];
        double key = 0.0;
        for (std::size_t a = 0; a < dims; ++a) {
            const double x = z_[a][i], sum = sums[own * dims + a];
            // Σ d² to all members, less what is the same for each: of integers exact, of reals by the mean.
            if (std::is_integral_v<D>) {
                key += x * (count[own] * x - 2.0 * sum);
            } else {
                key += (x - sum) * (x - sum);
            }
        }
        if (key < best[own]) {
            best[own] = key;
            medoid[own] = i;
        }
    }
    for (std::size_t j = 0; j < k; ++j) {
        if (count[j] == 0.0) continue;
        state.pivots[j] = pixels_[medoid[j]];
        for (std::size_t a = 0; a < dims; ++a) state.at[j][a] = z_[a][medoid[j]];
    }
}

template <class D>
D Swaps<D>::total() const {
    D sum = 0;
    for (const double value : nearest_) sum += static_cast<D>(value);
    return sum;
}

template <class D>
void Swaps<D>::settle(State& state) {
    poll();
    for (int i = 0; i < kSettling; ++i) {
        measure(state);
        find_owners(state);
        move_to_medoids(state);
    }
    measure(state);
    find_owners(state);
    state.objective = total();
}

// By which pivot's loss the objective grows least, if a point at the squared distances `drawn` comes in.
template <class D>
std::size_t Swaps<D>::least_missed(std::size_t k, const std::vector<double>& drawn) const {
    std::vector<double> missed(k, 0.0);
    for (std::size_t i = 0; i < size(); ++i)
        missed[owner_[i]] += std::min(second_[i], drawn[i]) - std::min(nearest_[i], drawn[i]);
    return static_cast<std::size_t>(std::min_element(missed.begin(), missed.end()) - missed.begin());
}

template <class D>
std::vector<std::int64_t> Swaps<D>::search(std::vector<std::int64_t> pivots,
                                           std::vector<std::vector<double>> coordinates, SplitMix64& rng) {
    const std::size_t k = pivots.size();
    State now{std::move(pivots), std::move(coordinates), {}, 0}, trial;
    settle(now);
    std::vector<double> drawn(size());
    for (std::size_t swap = 0; swap < std::min(kSwaps * k, kMostSwaps) && now.objective > 0; ++swap) {
        if (swap > 0) find_owners(now);
        const std::size_t pick = weighted_pick(nearest_, now.objective, rng);
        std::vector<double> at(z_.dims());
        for (std::size_t a = 0; a < at.size(); ++a) at[a] = z_[a][pick];
        closer({z_.data(), size(), z_.dims(), at.data(), far_.data(), drawn.data()});
        const std::size_t out = least_missed(k, drawn);
        trial.pivots = now.pivots;
        trial.at = now.at;
        trial.pivots[out] = pixels_[pick];
        trial.at[out] = at;
        settle(trial);
        if (trial.objective < now.objective) std::swap(now, trial);
    }
    return now.pivots;
}

template class Swaps<std::int64_t>;
template class Swaps<double>;

}  // namespace fastpgs
