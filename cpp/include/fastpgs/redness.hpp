// Cytoplasm against red cells by colour: Fisher's linear discriminant between what is near nuclei and what is
// far.
#pragma once

#include <cstdint>
#include <vector>

namespace fastpgs::redness {

using Colours = std::vector<std::uint8_t>;  // triples

struct Model {
    double weights[3];
    double bias;  // positive: cytoplasm
    double sure;  // how well the two are told apart
};

// `near` are colours around nuclei, `red` those far from them, at least two of each; `outlier` is the squared
// Mahalanobis distance from which on a colour is not a red cell's.
Model fit(const Colours& near, const Colours& red, double outlier);

}  // namespace fastpgs::redness
