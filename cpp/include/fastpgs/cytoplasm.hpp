// Cytoplasm: grown connectedly from the nucleus outward, through what is stained and no red cell.
//
// Cytoplasm and red cells may be equally dark, and touch. What tells them apart is where their colours occur:
// red cells' colours far from every nucleus, cytoplasm's near one. From the far ones a red-cell pivot with
// its spread is taken; near pixels outside that spread start a cytoplasm pivot; both then settle as a linear
// discriminant. How well they are told apart decides how far cytoplasm may reach.
#pragma once

#include <optional>

#include "fastpgs/bits.hpp"
#include "fastpgs/nuclei.hpp"
#include "fastpgs/reach.hpp"
#include "fastpgs/redness.hpp"
#include "fastpgs/staining.hpp"

namespace fastpgs::cytoplasm {

// The Python package documents them: fastpgs.cells.rules.
struct Rules {
    double edge, faint, near, far, frame, blob, red, opening;
    double tongue_core, tongue_length, tongue_neck;
    double hole, alone, alone_opening, outline, vacuole, pale, outlier, even, reach, halo, most_odds;
};

// The colours of an image's cytoplasm.
struct Tone {
    double dark = 0;                      // median strength of the rough nuclei
    double level = 0;                     // median strength of cytoplasm
    std::optional<redness::Model> model;  // tells cytoplasm from red cells, where there are any
    double limit = 0;                     // how far cytoplasm reaches, in nuclear radii
};

// Where the cells are.
struct Region {
    shapes::Bits mask;  // nuclei and cytoplasm
    reach::Away away;   // distance from the nucleus in nuclear radii
    Tone tone;
};

// Grows all nuclei of an image into whole cells, not yet told apart. `around` and `dark`, which is the
// tone's, are those of the seeds. With `known`, the tone of the whole that the image is a window of, none is
// measured of the image itself.
Region find(const staining::Stain& stain, const nuclei::Seeds& seeds, const Rules& rules, reach::Reach around,
            double dark, const Tone* known);

// Stained blobs around nuclei that touch neither other cells nor the frame, do not reach `rules.reach`, and
// are nearly convex, as one cell is. Whatever its colour, all of such a blob is cell. `opening` pixels:
// narrower contacts do not count.
shapes::Bits alone(const shapes::Bits& stained, const shapes::Bits& nuclei, const reach::Away& away,
                   const Rules& rules, double radius, double opening);

}  // namespace fastpgs::cytoplasm
