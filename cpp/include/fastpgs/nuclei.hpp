// The rough nuclei of an image, all at once, by pivots.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "fastpgs/block.hpp"
#include "fastpgs/crew.hpp"
#include "fastpgs/palette.hpp"
#include "fastpgs/shapes.hpp"
#include "fastpgs/stained_colours.hpp"
#include "fastpgs/staining.hpp"

namespace fastpgs::nuclei {

// The Python package documents them: fastpgs.cells.rules.
struct Rules {
    double share, sure, purple_blue, purple_red, pale, lowest, stained, redder, violet, likely, faint;
    double vivid_blue, vivid_red, grey, greyer;
    double faded, faded_part, faded_stained, faded_rest;             // which pivots are nuclear
    double opening, coarse, coarse_closing, body, part, hole;        // of rough nuclei
    double edge, closing, smooth, lobe, contrast, skin, vague, rim;  // of the single one
};

using Colour = std::array<std::uint8_t, 3>;

struct Pivots {
    std::vector<Colour> features;       // stain features
    std::vector<std::uint8_t> nuclear;  // flags
    double ground = 0;                  // median strength of the background
};

// Means over the pixels of each pivot's group: the score, g, and the shares of u and v in g; and the group's
// share of all pixels. Group 0 stands for the pixels of none: its score is -inf, its g inf, its part 0.
struct Tints {
    std::vector<double> score, green, blue, red, part;
};

// Flags of the groups whose pivots are nuclear; `glass`: the picture shows some, which tells what is white.
//
// Red cells are salmon (little u) or grey-blue (little v), never purple: a pale nucleus beside very dark ones
// is told by that. Where light or dye turn all the picture purple, hue is compared within it: the dye of red
// cells keeps its hue however deep it is, nuclei are redder than what is paler. Where the whole stain is
// faded, or washed out by light, nuclei are what stands out from the rest of it.
std::vector<std::uint8_t> nuclear_groups(const Tints& tints, bool glass, const Rules& rules);

// Eq. 4 of the paper: the pixels whose nearest pivot is a nuclear one. With `lenient` above 1 a nuclear pivot
// may be farther by that factor, in squared distance.
shapes::Bits nearest(const staining::Stain& stain, const Pivots& pivots, float lenient);

// What is measured of a whole image before one looks at a window of it.
struct Known {
    const Pivots& pivots;
    double radius, part;
};

// How an image's own pivots are found.
struct Start {
    int k = 5;
    std::uint64_t seed = 0;
    int threads = 0;    // 0: all that are permitted
    double offset = 0;  // that of the stain features
};

// What the pivots tell of a whole image.
struct Seeds {
    shapes::Bits nuclei;
    double radius = 0;  // typical radius of a nucleus, pixels
    double part = 0;    // typical area of a rough nucleus, pixels
    Pivots pivots;
};

// The groups of pivots of a picture's stain features.
struct Groups {
    Block<std::int32_t> labels;     // of pixels, unless
    shapes::Bytes used;             // flags of pixels, if not all are
    bool ahead = false;             // colours have been counted,
    Counted counted;                // are not too many, and
    stain::StainedColours colours;  // tell all that one asks for
};
// As far as they can be told while features are made.
Groups prepare(const staining::Stain& stain, const Start& start, const stain::Ready& ready);

// What a search by a picture's own pivots finds. The median strength of the background is worked out aside,
// and looks at the picture and its groups.
class Found {
  public:
    std::optional<Seeds> seeds;  // where there are nuclei; their pivots' ground is not known yet
    bool converged = true;       // pivots came to rest
    Groups groups;               // from prepare()

    void find_ground(const staining::Stain& stain, std::uint8_t group);
    double ground();

  private:
    double ground_ = 0.0;
    std::unique_ptr<Aside> aside_;
};

void find(const staining::Stain& stain, const Rules& rules, const Start& start, Found& found);
std::optional<Seeds> find(const staining::Stain& stain, const Rules& rules, const Known& known);

}  // namespace fastpgs::nuclei
