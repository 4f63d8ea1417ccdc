// White cells of a stained smear: from a picture to labels, in one go.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "fastpgs/cytoplasm.hpp"
#include "fastpgs/measures.hpp"
#include "fastpgs/nuclei.hpp"
#include "fastpgs/shapes.hpp"
#include "fastpgs/staining.hpp"

namespace fastpgs::search {

// The Python package documents them: fastpgs.cells.rules.
struct CellRules {
    double solid, nearly_convex, contact, many, largest, faintest, pale, blurred, alone, alone_large,
        smallest;
    std::vector<double> reaches;
};

struct Rules {
    staining::Rules stain;
    nuclei::Rules nuclei;
    cytoplasm::Rules cytoplasm;
    CellRules cells;
};

// What was measured of a large picture, for the search of its windows.
struct Reference {
    staining::White white{};
    nuclei::Pivots pivots;
    cytoplasm::Tone tone;
    double radius = 0, part = 0, body = 0, depth = 0, edge = 0;
    bool many = false;
};

struct Options {
    nuclei::Start start;    // without a reference
    double neck = 0.9;      // touching cells are split where the passage is narrower than so many times the
                            // narrower one
    bool measured = false;  // cells are, not only located
    bool even = false;      // uneven light is evened, without a reference
};

// What was measured on the way.
struct Found {
    staining::Stain stain;
    std::optional<nuclei::Seeds> seeds;
    std::optional<cytoplasm::Region> region;  // where there are seeds
    double body = 0;                          // typical nuclear area of a cell
    double edge = 0;                          // typical steepness of depth along the outline of a cell
    bool many = false;                        // enough nuclei to tell how large one is
    bool converged = true;                    // pivots came to rest
    std::vector<measures::Cell> cells;
};

// Cells and their nuclei into `labels` and `nuclei`, rows x cols each, with the same numbers 1..n; 0: none.
// By the picture's own measures or, where there is a reference, by those of the whole that it is a window of.
Found find(const staining::Given& given, const Rules& rules, const Options& options,
           const Reference* reference, std::int32_t* labels, std::int32_t* nuclei);

// Islands of what looks like nuclei from afar, in a picture of fewer pixels.
struct Islands {
    std::vector<shapes::Box> boxes;     // of the islands 1..n
    std::vector<std::int32_t> islands;  // each pixel's number, 0: none
    std::vector<std::int32_t> near;     // each pixel's nearest island; 0 where there is none at all
};

// `lenient`: a pixel may be this much nearer to a pivot that is not nuclear, in squared distance. What lies
// within `apart` pixels of one another is one island.
Islands find_islands(const staining::Given& given, const Rules& rules, const Reference& reference,
                     float lenient, double apart);

}  // namespace fastpgs::search
