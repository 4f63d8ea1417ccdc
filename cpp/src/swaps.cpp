#include "fastpgs/swaps.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "fastpgs/interrupt.hpp"

namespace fastpgs {

namespace {

constexpr std::size_t kSwaps = 2;       // a pivot
constexpr std::size_t kMostSwaps = 32;  // in all
constexpr int kSettling = 2;            // iterations after each

}  // namespace

template <class Sample>
Swaps<Sample>::Swaps(Sample& points) : points_(points), changed_(points.room()), from_(points.room()) {}

template <class Sample>
typename Swaps<Sample>::State Swaps<Sample>::new_state(std::size_t k, Value* rows) const {
    State state;
    for (std::size_t j = 0; j < k; ++j) state.rows.push_back(rows + j * points_.room());
    state.measured.resize(k);
    state.known.assign(k, 0);
    state.owners.assign(points_.room(), 0);
    state.sums.assign(k * points_.width(), 0);
    state.nearest = points_.weights();
    state.second = Block<Value>(points_.room());
    return state;
}

template <class Sample>
void Swaps<Sample>::follow(const State& from, State& to) const {
    to.pivots = from.pivots;
    to.owners = from.owners;
    to.sums = from.sums;
    for (std::size_t j = 0; j < from.rows.size(); ++j) {
        if (to.known[j] != 0 && to.measured[j] == from.measured[j]) continue;
        std::copy_n(from.rows[j], points_.room(), to.rows[j]);
        to.measured[j] = from.measured[j];
        to.known[j] = 1;
    }
}

template <class Sample>
void Swaps<Sample>::measure(State& state) const {
    for (std::size_t j = 0; j < state.pivots.size(); ++j) {
        if (state.known[j] != 0 && state.measured[j] == state.pivots[j].at) continue;
        points_.away(state.pivots[j].at, state.rows[j]);
        state.measured[j] = state.pivots[j].at;
        state.known[j] = 1;
    }
}

// Sums move with the points that change hands; clusters that hold the same points as before keep their
// medoids.
template <class Sample>
void Swaps<Sample>::find_owners(State& state, bool distances) const {
    NearestRowsArgs<Value> args{};
    args.rows = state.rows.data();
    args.k = state.pivots.size();
    args.owners = state.owners.data();
    args.changed = changed_.data();
    args.from = from_.data();
    args.nearest = distances ? state.nearest.of.data() : nullptr;
    args.second = state.second.data();
    points_.nearest(args);
    const std::size_t width = points_.width();
    for (std::size_t s = 0; s < args.n_changed; ++s) {
        const std::size_t i = changed_[s];
        if (i >= points_.size()) break;  // the last point again
        const auto from = static_cast<std::size_t>(from_[s]), to = static_cast<std::size_t>(state.owners[i]);
        points_.add(i, -1, state.sums.data() + from * width);
        points_.add(i, 1, state.sums.data() + to * width);
        state.pivots[from].central = state.pivots[to].central = false;
    }
}

// A pivot that is one of the points is a member of its cluster, where this has any: nothing is closer to it,
// and what is as close and precedes it would have all members.
template <class Sample>
void Swaps<Sample>::move_to_medoids(State& state) const {
    sought_.clear();
    for (std::size_t j = 0; j < state.pivots.size(); ++j) {
        const Pivot& pivot = state.pivots[j];
        if (pivot.central || state.sums[j * points_.width()] == 0) continue;
        sought_.push_back({j, pivot.among ? &pivot.at : nullptr, 0});
    }
    points_.find_medoids(state.owners.data(), state.sums.data(), sought_);
    for (const Sought<At>& one : sought_)
        state.pivots[one.cluster] = {points_.pixel(one.found), points_.at(one.found), true, true};
}

// False, and the rest is left undone, where the objective is not less than `bound`: most swaps are in vain,
// and the least distances alone tell it.
template <class Sample>
bool Swaps<Sample>::settle(State& state, const Total* bound) const {
    poll();
    for (int i = 0; i < kSettling; ++i) {
        measure(state);
        find_owners(state, false);
        move_to_medoids(state);
    }
    measure(state);
    if (bound != nullptr) {
        NearestRowsArgs<Value> args{};
        args.rows = state.rows.data();
        args.k = state.pivots.size();
        args.nearest = state.nearest.of.data();
        points_.nearest(args);
        if (!(points_.sum(state.nearest) < *bound)) return false;
    }
    find_owners(state, true);
    state.objective = points_.sum(state.nearest);
    return true;
}

// By which pivot's loss the objective grows least, if a point at the squared distances `drawn` comes in.
template <class Sample>
std::size_t Swaps<Sample>::least_missed(const State& state, const Value* drawn) const {
    Value* more = from_.data();
    points_.miss(state.nearest.of.data(), state.second.data(), drawn, more);
    const std::size_t k = state.pivots.size(), n = points_.size();
    const Value* owners = state.owners.data();
    // Integers may be added up in turns, so that a sum need not wait for itself.
    constexpr std::size_t kTurns = std::is_integral_v<Total> ? 4 : 1;
    std::vector<Member> missed(kTurns * k, 0);
    Member* const turns = missed.data();
    std::size_t i = 0;
    for (; i + kTurns <= n; i += kTurns)
        for (std::size_t turn = 0; turn < kTurns; ++turn)
            turns[kTurns * static_cast<std::size_t>(owners[i + turn]) + turn] += more[i + turn];
    for (; i < n; ++i) turns[kTurns * static_cast<std::size_t>(owners[i])] += more[i];
    for (std::size_t j = 0; j < k; ++j) {
        turns[j] = turns[kTurns * j];
        for (std::size_t turn = 1; turn < kTurns; ++turn) turns[j] += turns[kTurns * j + turn];
    }
    const auto end = missed.begin() + static_cast<std::ptrdiff_t>(k);
    return static_cast<std::size_t>(std::min_element(missed.begin(), end) - missed.begin());
}

template <class Sample>
std::vector<std::int64_t> Swaps<Sample>::search(std::vector<std::int64_t> pivots, std::vector<At> places,
                                                SplitMix64& rng) {
    const std::size_t k = pivots.size(), room = points_.room();
    Block<Value> rows((2 * k + 1) * room);
    State now = new_state(k, rows.data()), trial = new_state(k, rows.data() + k * room);
    Value* drawn = rows.data() + 2 * k * room;
    for (std::size_t j = 0; j < k; ++j) now.pivots.push_back({pivots[j], places[j], false, false});
    // All points are the first cluster's, until owners are known.
    for (std::size_t i = 0; i < points_.size(); ++i) points_.add(i, 1, now.sums.data());
    settle(now, nullptr);
    for (std::size_t swap = 0; swap < std::min(kSwaps * k, kMostSwaps) && now.objective > 0; ++swap) {
        const std::size_t pick = points_.pick(now.nearest, now.objective, rng);
        const At at = points_.at(pick);
        points_.away(at, drawn);
        const std::size_t out = least_missed(now, drawn);
        follow(now, trial);
        trial.pivots[out] = {points_.pixel(pick), at, false, true};
        std::swap(trial.rows[out], drawn);
        trial.measured[out] = at;
        if (settle(trial, &now.objective)) std::swap(now, trial);
    }
    for (std::size_t j = 0; j < k; ++j) pivots[j] = now.pivots[j].pixel;
    return pivots;
}

template class Swaps<WordSample>;
template class Swaps<RealSample<std::int64_t>>;
template class Swaps<RealSample<double>>;

}  // namespace fastpgs
