#include "fastpgs/swaps.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "fastpgs/features.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/real_kernels.hpp"
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
    : z_(z), pixels_(pixels), kernels_(real_kernels().swaps) {
    if (std::is_integral_v<D>) return;
    double top = 0.0;
    for (std::size_t a = 0; a < z.dims(); ++a)
        for (std::size_t i = 0; i < size(); ++i) top = std::max(top, std::fabs(z[a][i]));
    round_ = rounder(sum_grain(top, size()));
}

template <class D>
void Swaps<D>::measure(State& state) const {
    for (std::size_t j = 0; j < state.pivots.size(); ++j) {
        if (state.rows[j]) continue;
        state.rows[j] = std::make_shared<Block<double>>(size());
        kernels_.away({z_.data(), size(), z_.dims(), state.at[j].data(), state.rows[j]->data()});
    }
}

template <class D>
double Swaps<D>::find_owners(State& state) const {
    std::vector<const double*> rows;
    for (const Row& row : state.rows) rows.push_back(row->data());
    return kernels_.two_nearest(
        {rows.data(), size(), rows.size(), state.nearest.data(), state.second.data(), state.owner.data()});
}

template <class D>
void Swaps<D>::State::follow(const State& other) {
    pivots = other.pivots;
    at = other.at;
    rows = other.rows;
    members = other.members;
    sums = other.sums;
    central = other.central;
}

// Sums move with the points that change hands; clusters that hold the same points as before keep their
// medoids.
template <class D>
void Swaps<D>::move_to_medoids(State& state) const {
    const std::size_t width = z_.dims() + 1;
    constexpr std::size_t kRun = 16;  // most runs stay as they are
    for (std::size_t i = 0; i < size(); ++i) {
        if (i % kRun == 0) {
            const std::size_t bytes = std::min(kRun, size() - i) * sizeof(double);
            if (std::memcmp(&state.owner[i], &state.members[i], bytes) == 0) {
                i += kRun - 1;
                continue;
            }
        }
        if (state.owner[i] == state.members[i]) continue;
        const auto from = static_cast<std::size_t>(state.members[i]);
        const auto to = static_cast<std::size_t>(state.owner[i]);
        state.members[i] = state.owner[i];
        state.central[from] = state.central[to] = 0;
        state.sums[from * width] -= 1.0;
        state.sums[to * width] += 1.0;
        for (std::size_t a = 0; a + 1 < width; ++a) {
            const double x = (z_[a][i] + round_) - round_;
            state.sums[from * width + 1 + a] -= x;
            state.sums[to * width + 1 + a] += x;
        }
    }
    for (std::size_t j = 0; j < state.pivots.size(); ++j)
        if (state.central[j] == 0) move_to_medoid(state, j);
}

template <class D>
void Swaps<D>::move_to_medoid(State& state, std::size_t j) const {
    const std::size_t dims = z_.dims();
    const double* sums = state.sums.data() + j * (dims + 1);
    if (sums[0] == 0.0) return;
    // Σ d² to all members, less what is the same for each: of integers exact, of reals by the mean.
    constexpr bool kIntegral = std::is_integral_v<D>;
    double shift[kMaxDims];
    for (std::size_t a = 0; a < dims; ++a) shift[a] = kIntegral ? 2.0 * sums[1 + a] : sums[1 + a] / sums[0];
    const std::size_t medoid = kernels_.central({z_.data(), size(), dims, state.owner.data(),
                                                 static_cast<double>(j), kIntegral ? sums[0] : 0.0, shift});
    const std::size_t point = medoid < size() ? medoid : 0;  // where keys overflow
    state.central[j] = 1;
    state.pivots[j] = pixels_[point];
    bool moved = false;
    for (std::size_t a = 0; a < dims; ++a) {
        moved |= state.at[j][a] != z_[a][point];
        state.at[j][a] = z_[a][point];
    }
    if (moved) state.rows[j] = nullptr;
}

template <class D>
void Swaps<D>::settle(State& state) const {
    poll();
    for (int i = 0; i < kSettling; ++i) {
        measure(state);
        find_owners(state);
        move_to_medoids(state);
    }
    measure(state);
    const double sum = find_owners(state);
    state.objective = static_cast<D>(sum);
    if (std::is_integral_v<D>) return;
    state.objective = 0;  // of reals from first to last
    for (const double value : state.nearest) state.objective += static_cast<D>(value);
}

// By which pivot's loss the objective grows least, if a point at the squared distances `drawn` comes in.
template <class D>
std::size_t Swaps<D>::least_missed(const State& state, const double* drawn) const {
    std::vector<double> missed(state.pivots.size(), 0.0);
    for (std::size_t i = 0; i < size(); ++i)
        missed[static_cast<std::size_t>(state.owner[i])] +=
            std::min(state.second[i], drawn[i]) - std::min(state.nearest[i], drawn[i]);
    return static_cast<std::size_t>(std::min_element(missed.begin(), missed.end()) - missed.begin());
}

template <class D>
std::vector<std::int64_t> Swaps<D>::search(std::vector<std::int64_t> pivots,
                                           std::vector<std::vector<double>> coordinates, SplitMix64& rng) {
    const std::size_t k = pivots.size();
    State now, trial;
    for (State* state : {&now, &trial})
        for (auto* found : {&state->owner, &state->nearest, &state->second}) found->resize(size());
    now.pivots = std::move(pivots);
    now.at = std::move(coordinates);
    now.rows.resize(k);
    // All points are the first cluster's, until owners are known.
    now.members.resize(size());
    now.sums.assign(k * (z_.dims() + 1), 0.0);
    now.sums[0] = static_cast<double>(size());
    for (std::size_t a = 0; a < z_.dims(); ++a)
        for (std::size_t i = 0; i < size(); ++i) now.sums[1 + a] += (z_[a][i] + round_) - round_;
    now.central.resize(k);
    settle(now);
    for (std::size_t swap = 0; swap < std::min(kSwaps * k, kMostSwaps) && now.objective > 0; ++swap) {
        const std::size_t pick = weighted_pick(now.nearest, now.objective, rng);
        std::vector<double> at(z_.dims());
        for (std::size_t a = 0; a < at.size(); ++a) at[a] = z_[a][pick];
        const Row drawn = std::make_shared<Block<double>>(size());
        kernels_.away({z_.data(), size(), z_.dims(), at.data(), drawn->data()});
        const std::size_t out = least_missed(now, drawn->data());
        trial.follow(now);
        trial.pivots[out] = pixels_[pick];
        trial.at[out] = at;
        trial.rows[out] = drawn;
        trial.central[out] = 0;
        settle(trial);
        if (trial.objective < now.objective) std::swap(now, trial);
    }
    return now.pivots;
}

template class Swaps<std::int64_t>;
template class Swaps<double>;

}  // namespace fastpgs
