#include "fastpgs/redness.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "fastpgs/bits.hpp"
#include "fastpgs/crew.hpp"
#include "fastpgs/plane_kernels.hpp"
#include "moments.hpp"

namespace fastpgs::redness {

namespace {

using colour::dot;
using colour::inverse;
using colour::Matrix;
using colour::Moments;
using colour::times;
using colour::Vector;

constexpr double RED_WIDTH = 9.0;     // added to the variances of red cells, levels squared
constexpr double SHARED_WIDTH = 4.0;  // and to those of the discriminant
constexpr double FEW = 0.1;           // share of strange colours below which the strangest tenth is taken
constexpr int ROUNDS = 5;

using shapes::Word;
using Flags = std::vector<Word>;  // a bit each

Vector median(const Colours& colours) {
    // Colours side by side are alike: counted in turns, none waits for the one before.
    std::array<std::array<std::array<std::uint32_t, 256>, 3>, 2> turns{};
    const std::size_t number = colours.size() / 3;
    const std::uint8_t* colour = colours.data();
    for (std::size_t i = 0; i < number; ++i, colour += 3)
        for (std::size_t channel = 0; channel < 3; ++channel) ++turns[i % 2][channel][colour[channel]];
    Vector out;
    for (std::size_t channel = 0; channel < 3; ++channel) {
        const auto& one = turns[0][channel];
        const auto& other = turns[1][channel];
        const auto at = [&](std::size_t rank) {
            std::size_t level = 0;
            for (std::size_t seen = one[0] + other[0]; seen <= rank; seen += one[level] + other[level])
                ++level;
            return static_cast<double>(level);
        };
        out[channel] = (at((number - 1) / 2) + at(number / 2)) / 2.0;
    }
    return out;
}

// Which values are above a limit.
void above(const std::vector<double>& values, double limit, Flags& out) {
    out.resize((values.size() + 63) / 64);
    fastpgs::above(LimitArgs<double>{values.data(), limit, values.size(), out.data()});
}

std::size_t count(const Flags& flags) {
    return static_cast<std::size_t>(plane_kernels().population(flags.data(), flags.size()));
}

// Which of `near` are unlike red cells, whose moments are `all`, and what share of them.
double strange(const Colours& near, const Vector& centre, const Moments& all, double outlier, Flags& chosen) {
    Matrix spread = all.scatter();
    for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 3; ++j)
            spread[i][j] = spread[i][j] / static_cast<double>(all.number - 1) + (i == j ? RED_WIDTH : 0.0);
    spread = inverse(spread);
    std::vector<double> distance(near.size() / 3);
    QuadraticArgs args{};
    args.triples = near.data();
    args.n = distance.size();
    args.out = distance.data();
    for (std::size_t i = 0; i < 3; ++i) {
        args.centre[i] = centre[i];
        std::copy(spread[i].begin(), spread[i].end(), args.spread[i]);
    }
    plane_kernels().quadratic(args);
    above(distance, outlier, chosen);
    const double share = static_cast<double>(count(chosen)) / static_cast<double>(distance.size());
    if (share < FEW) {
        std::vector<double> ordered = distance;
        const double at = 0.9 * static_cast<double>(ordered.size() - 1);
        const auto low = static_cast<std::size_t>(at);
        const auto middle = ordered.begin() + static_cast<std::ptrdiff_t>(low);
        std::nth_element(ordered.begin(), middle, ordered.end());
        const double next = low + 1 < ordered.size() ? *std::min_element(middle + 1, ordered.end()) : *middle;
        const double least = *middle + (next - *middle) * (at - static_cast<double>(low));
        std::fill(chosen.begin(), chosen.end(), 0);
        for (std::size_t i = 0; i < distance.size(); ++i)
            chosen[i / 64] |= static_cast<Word>(distance[i] >= least) << i % 64;
    }
    return share;
}

// Moments of the colours that are flagged, for which there is room. Flags side by side are alike: runs are
// taken at once.
Moments moments_of(const Colours& colours, const Flags& flags, Colours& room) {
    std::uint8_t* to = room.data();
    const auto take = [&](std::size_t first, std::size_t n) {
        std::memcpy(to, colours.data() + 3 * first, 3 * n);
        to += 3 * n;
    };
    for (std::size_t w = 0; w < flags.size(); ++w) {
        int from = 0;
        for (Word left = flags[w]; left != 0;) {
            const int skipped = shapes::lowest(left);
            left >>= skipped;
            from += skipped;
            const int n = left == ~Word{0} ? 64 : shapes::lowest(~left);
            take(64 * w + static_cast<std::size_t>(from), static_cast<std::size_t>(n));
            left = n == 64 ? 0 : left >> n;
            from += n;
        }
    }
    Moments moments;
    moments.add(room.data(), static_cast<std::size_t>(to - room.data()) / 3);
    return moments;
}

}  // namespace

Model fit(const Colours& near, const Colours& red, double outlier) {
    Moments far;
    Vector centre;
    beside([&] { far.add(red.data(), red.size() / 3); }, [&] { centre = median(red); });
    Flags chosen, again, gained, lost;
    const double share = strange(near, centre, far, outlier, chosen);
    const std::size_t number = near.size() / 3;
    std::vector<double> odds(number);
    Colours room(near.size());
    Moments own = moments_of(near, chosen, room);
    Model model{};
    double apart = 0.0;
    for (int round = 0; round < ROUNDS; ++round) {
        const Vector a = own.mean(), b = far.mean();
        Matrix pooled = own.scatter();
        const Matrix other = far.scatter();
        for (std::size_t i = 0; i < 3; ++i)
            for (std::size_t j = 0; j < 3; ++j)
                pooled[i][j] = (pooled[i][j] + other[i][j]) / static_cast<double>(own.number + far.number) +
                               (i == j ? SHARED_WIDTH : 0.0);
        const Vector off{a[0] - b[0], a[1] - b[1], a[2] - b[2]};
        const Vector weights = times(inverse(pooled), off);
        model.bias = -0.5 * dot(weights, {a[0] + b[0], a[1] + b[1], a[2] + b[2]});
        std::copy(weights.begin(), weights.end(), model.weights);
        apart = std::sqrt(dot(weights, off));
        linear(LinearArgs<double>{near.data(),
                                  number,
                                  {weights[0], weights[1], weights[2]},
                                  model.bias,
                                  std::numeric_limits<double>::infinity(),
                                  odds.data()});
        above(odds, 0.0, again);
        if (static_cast<double>(count(again)) < std::max(0.05 * static_cast<double>(number), 3.0) ||
            again == chosen)
            break;
        // Few change sides: only those are counted anew.
        gained = again;
        lost = chosen;
        for (std::size_t w = 0; w < again.size(); ++w) {
            gained[w] &= ~chosen[w];
            lost[w] &= ~again[w];
        }
        own += moments_of(near, gained, room);
        own -= moments_of(near, lost, room);
        chosen.swap(again);
    }
    model.sure = apart * share;
    return model;
}

}  // namespace fastpgs::redness
