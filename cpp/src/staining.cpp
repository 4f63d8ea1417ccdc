#include "fastpgs/staining.hpp"

#include <optional>
#include <utility>

#include "fastpgs/shapes.hpp"

namespace fastpgs::staining {

using shapes::Bits;

Stain stain(const Given& given, const Rules& rules, bool single, const White* white) {
    return stain(given, rules, single, white, [](const Stain&, const stain::Ready&) {});
}

Stain stain(const Given& given, const Rules& rules, bool single, const White* white, const Beside& beside) {
    const stain::Picture picture = given.picture;
    Stain out;
    out.rows = picture.rows;
    out.cols = picture.cols;
    out.grey = given.grey;
    std::optional<Bits> valid;
    if (given.mask) valid = *given.mask;
    Bits surround;
    if (!white && stain::black_surround(picture, static_cast<int>(rules.dark), surround)) {
        out.surround = single;
        Bits inside = surround.outside();
        if (!single) inside = shapes::erode_disc(inside, rules.rim);
        if (valid)
            *valid &= inside;
        else
            valid = std::move(inside);
    }
    if (white)
        out.white = *white;
    else if (out.surround || (valid && !valid->any()))
        out.white = {255.0, 255.0, 255.0};
    else
        stain::background(picture, valid ? &*valid : nullptr, out.white.data());
    const auto size = static_cast<std::size_t>(picture.size());
    out.features = Block<std::uint8_t>(3 * size);
    if (!white) out.score = Block<std::int16_t>(size);
    out.depth = Block<std::int16_t>(size);
    out.strength = Block<float>(size);
    out.valid = valid ? std::move(*valid) : Bits(picture.rows, picture.cols).outside();
    stain::planes(
        picture, out.white.data(), static_cast<int>(rules.offset), given.grey,
        {out.features.data(), out.score.data(), out.depth.data(), out.strength.data()},
        {[&](const stain::Ready& ready) { beside(out, ready); }, &out.valid, white ? nullptr : &out.scores});
    return out;
}

}  // namespace fastpgs::staining
