#include "fastpgs/redness.hpp"

#include <algorithm>
#include <array>
#include <cmath>

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

Vector median(const Colours& colours) {
    Vector out;
    const auto number = static_cast<std::int64_t>(colours.size() / 3);
    for (std::size_t channel = 0; channel < 3; ++channel) {
        std::array<std::int64_t, 256> count{};
        for (std::size_t i = channel; i < colours.size(); i += 3) ++count[colours[i]];
        const auto at = [&](std::int64_t rank) {
            std::size_t level = 0;
            for (std::int64_t seen = count[0]; seen <= rank; seen += count[level]) ++level;
            return static_cast<double>(level);
        };
        out[channel] = (at((number - 1) / 2) + at(number / 2)) / 2.0;
    }
    return out;
}

// Which of `near` are unlike `red`, and what share of them.
double strange(const Colours& near, const Colours& red, double outlier, std::vector<std::uint8_t>& chosen) {
    Moments all;
    for (std::size_t i = 0; i < red.size(); i += 3) all.add(&red[i]);
    Matrix spread = all.scatter();
    for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 3; ++j)
            spread[i][j] = spread[i][j] / static_cast<double>(all.number - 1) + (i == j ? RED_WIDTH : 0.0);
    spread = inverse(spread);
    const Vector centre = median(red);
    std::vector<double> distance(near.size() / 3);
    for (std::size_t i = 0; i < distance.size(); ++i) {
        Vector off;
        for (std::size_t c = 0; c < 3; ++c) off[c] = near[3 * i + c] - centre[c];
        distance[i] = dot(off, times(spread, off));
    }
    chosen.resize(distance.size());
    std::int64_t number = 0;
    for (std::size_t i = 0; i < distance.size(); ++i) number += chosen[i] = distance[i] > outlier;
    const double share = static_cast<double>(number) / static_cast<double>(distance.size());
    if (share < FEW) {
        std::vector<double> ordered = distance;
        const double at = 0.9 * static_cast<double>(ordered.size() - 1);
        const auto low = static_cast<std::size_t>(at);
        const auto middle = ordered.begin() + static_cast<std::ptrdiff_t>(low);
        std::nth_element(ordered.begin(), middle, ordered.end());
        const double next = low + 1 < ordered.size() ? *std::min_element(middle + 1, ordered.end()) : *middle;
        const double least = *middle + (next - *middle) * (at - static_cast<double>(low));
        for (std::size_t i = 0; i < distance.size(); ++i) chosen[i] = distance[i] >= least;
    }
    return share;
}

}  // namespace

Model fit(const Colours& near, const Colours& red, double outlier) {
    std::vector<std::uint8_t> chosen;
    const double share = strange(near, red, outlier, chosen);
    const std::size_t number = chosen.size();
    Moments far;
    for (std::size_t i = 0; i < red.size(); i += 3) far.add(&red[i]);
    Model model{};
    double apart = 0.0;
    for (int round = 0; round < ROUNDS; ++round) {
        Moments own;
        for (std::size_t i = 0; i < number; ++i)
            if (chosen[i]) own.add(&near[3 * i]);
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
        std::vector<std::uint8_t> again(number);
        std::size_t members = 0;
        for (std::size_t i = 0; i < number; ++i) {
            const std::uint8_t* colour = &near[3 * i];
            const double odds =
                weights[0] * colour[0] + weights[1] * colour[1] + weights[2] * colour[2] + model.bias;
            members += again[i] = odds > 0;
        }
        if (static_cast<double>(members) < std::max(0.05 * static_cast<double>(number), 3.0) ||
            again == chosen)
            break;
        chosen.swap(again);
    }
    model.sure = apart * share;
    return model;
}

}  // namespace fastpgs::redness
