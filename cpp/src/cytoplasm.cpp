#include "fastpgs/cytoplasm.hpp"

#include <algorithm>
#include <utility>

#include "fastpgs/crew.hpp"
#include "fastpgs/odds.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::cytoplasm {

namespace {

using nuclei::Seeds;
using shapes::Bits;
using staining::Stain;

constexpr double PI = 3.141592653589793;
constexpr double CONTACT = 0.08;  // radii: what is nearer to a nucleus is its blurred edge
constexpr std::int64_t FEW = 20;  // pixels: no more tell no colour
constexpr double TOLD = 0.45;     // how well cytoplasm and red cells are told apart where it begins to count
constexpr double STEEP = 10.0;    // radii that cytoplasm may reach farther for each more
constexpr double SMALL_NUCLEUS = 25.0;  // pixels: below this radius odds are averaged over fewer pixels

// Growing one image's cytoplasm: what is known of the image, and the steps.
class Grower {
  public:
    Grower(const Stain& stain, const Seeds& seeds, const Rules& rules, const reach::Away& away)
        : stain_(stain),
          seeds_(seeds),
          rules_(rules),
          away_(away),
          square_(seeds.radius * seeds.radius),
          around_(seeds.nuclei.outside()) {
        around_ &= stain.valid;
    }

    // Pixels of no nucleus that are stained, where cytoplasm is of a level.
    Bits stained(double level) const { return stain_.stronger(mixed(rules_.edge, level), around_); }

    void find_odds(const redness::Model& model) {
        odds_ = odds::Odds(stain_.colours(), model, rules_.most_odds, seeds_.radius < SMALL_NUCLEUS ? 3 : 5);
    }

    // The tone of the image, whose nuclei are so dark, and its odds where red cells must be told apart.
    Tone measure(double dark) {
        Bits ring = stain_.stronger(mixed(rules_.faint, dark), around_);
        ring = farther(nearer(ring, rules_.near), CONTACT);
        redness::Colours near;
        Aside looking([&] { near = colours(ring); });
        const bool enough = ring.count() > FEW;
        Tone tone{dark, enough ? stain_.median(ring) : dark, std::nullopt, rules_.reach};
        if (!enough) return tone;
        const std::optional<Bits> red = red_cells(stained(tone.level));
        if (!red || stain_.median(*red) - ground() <= rules_.pale * (tone.level - ground())) return tone;
        // Pixels near nuclei that are no red cell's start a cytoplasm pivot; both settle as Fisher's
        // discriminant.
        const redness::Colours far = colours(*red);
        looking.finish();
        tone.model = redness::fit(near, far, rules_.outlier);
        find_odds(*tone.model);
        const Bits told = odds_.above_zero(ring);
        if (told.count() > FEW) tone.level = stain_.median(told);
        tone.limit =
            std::min(std::max(rules_.halo + STEEP * (tone.model->sure - TOLD), rules_.halo), rules_.reach);
        return tone;
    }

    // Nuclei have parts of such radii.
    Bits grow(const Tone& tone, const std::vector<double>& radius) const {
        Bits stained = this->stained(tone.level);
        const double opening = std::max(1.0, rules_.opening * seeds_.radius);
        const bool untold = tone.limit == rules_.halo;
        std::optional<Bits> blobs;
        if (tone.model) {
            const double contact = untold ? std::max(1.0, rules_.alone_opening * seeds_.radius) : opening;
            Aside apart(
                [&] { blobs = alone(stained, seeds_.nuclei, away_, rules_, seeds_.radius, contact); });
            Bits red = odds_.against(away_, rules_.even, stained);
            red = shapes::open_disc(red, std::max(1.0, rules_.red * seeds_.radius));
            apart.finish();
            stained.subtract(red);
        }
        if (untold)
            stained = away_.beside(stained, radius, rules_.halo);
        else
            stained = nearer(stained, tone.limit);
        if (blobs) stained |= *blobs;
        Bits mask = shapes::open_disc(stained |= seeds_.nuclei, opening);
        mask = shapes::fill_holes(mask |= seeds_.nuclei, rules_.hole * PI * square_);
        Bits seen = seeds_.nuclei;
        return shapes::touching(mask &= stain_.valid, seen &= stain_.valid);
    }

  private:
    double ground() const { return seeds_.pivots.ground; }
    // So far from the background to a strength.
    double mixed(double share, double strength) const { return ground() + share * (strength - ground()); }

    Bits nearer(const Bits& among, double limit) const { return away_.below(among, limit); }
    Bits farther(const Bits& among, double limit) const { return away_.above(among, limit); }

    // Stained blobs far from every nucleus, if there are enough.
    std::optional<Bits> red_cells(const Bits& stained) const {
        const double enough =
            std::min(0.3 * PI * square_, 0.015 * static_cast<double>(stain_.colours().size()));
        const double width = rules_.blob * seeds_.radius;
        const auto many = [&](const Bits& blobs) {
            return blobs.count() > 1 && static_cast<double>(blobs.count()) >= enough;
        };
        Bits blobs = shapes::open_disc(farther(stained, rules_.far), width);
        if (many(blobs)) return blobs;
        blobs = shapes::touching_frame(shapes::open_disc(farther(stained, rules_.frame), width));
        if (many(blobs)) return blobs;
        return std::nullopt;
    }

    redness::Colours colours(const Bits& of) const {
        redness::Colours out;
        out.reserve(static_cast<std::size_t>(3 * of.count()));
        shapes::each_run(of, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
            const std::uint8_t* row = stain_.features.data() + 3 * r * stain_.cols;
            out.insert(out.end(), row + 3 * begin, row + 3 * end);
        });
        return out;
    }

    const Stain& stain_;
    const Seeds& seeds_;
    const Rules& rules_;
    const reach::Away& away_;
    double square_;  // of the typical radius
    Bits around_;    // pixels to be looked at that are of no nucleus
    odds::Odds odds_;
};

}  // namespace

Bits alone(const Bits& stained, const Bits& nuclei, const reach::Away& away, const Rules& rules,
           double radius, double opening) {
    Bits whole = stained;
    whole = shapes::open_disc(whole |= nuclei, opening);
    whole = shapes::fill_holes(whole |= nuclei, rules.vacuole * PI * (radius * radius));
    Bits beyond = whole;
    beyond.subtract(away.below(whole, rules.reach));
    Bits out = shapes::parts_alone(whole, nuclei, beyond, rules.alone);
    return out &= stained;
}

Region find(const Stain& stain, const Seeds& seeds, const Rules& rules, reach::Reach around, double dark,
            const Tone* known) {
    Region region;
    region.away = std::move(around.away);
    if (stain.surround) {
        region.tone = {dark, dark, std::nullopt, rules.reach};
        Bits whole = stain.valid;
        region.mask = shapes::touching(whole |= seeds.nuclei, seeds.nuclei);
        return region;
    }
    Grower grower(stain, seeds, rules, region.away);
    if (known) {
        region.tone = *known;
        if (known->model) grower.find_odds(*known->model);
    } else {
        region.tone = grower.measure(dark);
    }
    region.mask = grower.grow(region.tone, around.radii.part);
    return region;
}

}  // namespace fastpgs::cytoplasm
