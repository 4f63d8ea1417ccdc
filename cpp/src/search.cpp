#include "fastpgs/search.hpp"

#include <algorithm>
#include <limits>

#include "fastpgs/bodies.hpp"
#include "fastpgs/crew.hpp"
#include "fastpgs/outlines.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::search {

namespace {

using nuclei::Seeds;
using shapes::Bits;

constexpr double PI = 3.141592653589793;
constexpr std::ptrdiff_t SHARED = 16384;   // pixels: no helper is worth waking for fewer,
constexpr std::ptrdiff_t CLEARED = 16384;  // and setting fewer to 0 is not worth sharing out
constexpr double WHOLE = 0.3;  // of a disc of the typical radius: smaller parts are no nuclei of their own

std::vector<std::int64_t> part_areas(const Bits& bits) { return shapes::components(bits).areas(); }

// Whether what lies within a black surround is one cell, not a field of them.
bool is_alone(const Found& found, const CellRules& rules) {
    if (!found.seeds) return false;
    const auto areas = part_areas(found.seeds->nuclei);
    const auto valid = static_cast<double>(found.stain.valid.count());
    const bool large = valid / static_cast<double>(found.stain.colours().size()) > 0.5;
    return static_cast<double>(*std::max_element(areas.begin(), areas.end())) >=
           (large ? rules.alone_large : rules.alone) * valid;
}

void find_seeds(const staining::Given& given, const Rules& rules, const nuclei::Start& start, bool single,
                Found& found) {
    found.stain = staining::stain(given, rules.stain, single, nullptr);
    nuclei::Found own = nuclei::find(found.stain, rules.nuclei, start);
    found.seeds = std::move(own.seeds);
    found.converged = found.converged && own.converged;
}

// How cells are drawn. A cell cut out on black is outlined already.
outlines::Rules drawing(const Rules& rules, double radius, bool surround, const Reference* reference) {
    const nuclei::Rules& nucleus = rules.nuclei;
    const cytoplasm::Rules& cell = rules.cytoplasm;
    outlines::Rules out;
    out.radius = radius;
    out.edge = nucleus.edge;
    out.closing = nucleus.closing;
    out.smooth = nucleus.smooth;
    out.lobe = nucleus.lobe;
    out.contrast = nucleus.contrast;
    out.skin = nucleus.skin;
    out.rim = nucleus.rim;
    out.vague = nucleus.vague;
    out.opening = std::max(1.0, cell.opening * radius);
    out.vacuole = cell.vacuole * PI * (radius * radius);
    out.outline = cell.outline;
    out.solid = surround ? 0.0 : rules.cells.solid;
    out.tongue = {cell.tongue_core, cell.tongue_length, cell.tongue_neck};
    out.faintest = rules.cells.faintest;
    out.pale = rules.cells.pale;
    out.blurred = surround ? 0.0 : rules.cells.blurred;
    if (reference) out.typical = outlines::Typical{reference->depth, reference->edge};
    out.reaches = rules.cells.reaches;
    return out;
}

// Tells touching cells apart: each body with enough nucleus grows over the whole region. Then outline and
// nucleus of each.
void split_and_draw(Found& found, const Rules& rules, double neck, const Reference* reference,
                    std::int32_t* labels, std::int32_t* nuclei) {
    const Seeds& seeds = *found.seeds;
    const double disc = PI * (seeds.radius * seeds.radius);
    if (reference) {
        found.many = reference->many;
    } else {
        // Only a field of many nuclei tells how large one is; a picture of one cell may hold nothing but
        // lobes.
        const auto areas = part_areas(seeds.nuclei);
        const auto large = std::count_if(areas.begin() + 1, areas.end(), [&](std::int64_t area) {
            return static_cast<double>(area) >= WHOLE * disc;
        });
        found.many = static_cast<double>(large) >= rules.cells.many;
    }
    const double most = found.many ? rules.cells.largest * disc : std::numeric_limits<double>::infinity();
    const bodies::SplitRules splitting{neck,
                                       rules.nuclei.part * disc,
                                       {rules.cytoplasm.vacuole * disc, most, rules.cells.nearly_convex},
                                       rules.cells.smallest};
    const staining::Stain& stain = found.stain;
    found.body = reference ? reference->body : -1.0;
    const shapes::Parts cells = bodies::split(found.region->mask, seeds.nuclei, splitting, found.body);
    const outlines::Field field{stain.rows,           stain.cols,         cells,
                                seeds.nuclei,         found.region->away, stain.depth.data(),
                                stain.features.data()};
    found.edge =
        outlines::draw(field, drawing(rules, seeds.radius, stain.surround, reference), labels, nuclei).edge;
}

}  // namespace

Found find(const staining::Given& given, const Rules& rules, const Options& options,
           const Reference* reference, std::int32_t* labels, std::int32_t* nuclei) {
    const int threads = resolve_threads(options.start.threads);
    const Shift shift(given.picture.size() < SHARED ? 1 : threads);
    Found found;
    if (reference) {
        found.stain = staining::stain(given, rules.stain, true, &reference->white);
        found.seeds = nuclei::find(found.stain, rules.nuclei,
                                   nuclei::Known{reference->pivots, reference->radius, reference->part});
    } else {
        find_seeds(given, rules, options.start, true, found);
        if (found.stain.surround && !is_alone(found, rules.cells))
            find_seeds(given, rules, options.start, false, found);
    }
    share(given.picture.size(), CLEARED, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        std::fill(labels + begin, labels + end, 0);
        std::fill(nuclei + begin, nuclei + end, 0);
    });
    if (found.seeds) {
        found.region = cytoplasm::find(found.stain, *found.seeds, rules.cytoplasm,
                                       reference ? &reference->tone : nullptr);
        split_and_draw(found, rules, options.neck, reference, labels, nuclei);
    }
    return found;
}

Islands find_islands(const staining::Given& given, const Rules& rules, const Reference& reference,
                     float lenient, double apart) {
    const staining::Stain stain = staining::stain(given, rules.stain, true, &reference.white);
    const std::ptrdiff_t rows = stain.rows, cols = stain.cols;
    Bits nuclear = nuclei::nearest(stain, reference.pivots, lenient);
    const auto size = static_cast<std::size_t>(rows * cols);
    Islands out;
    out.islands.assign(size, 0);
    out.near.assign(size, 0);
    if (!nuclear.any()) return out;
    Block<double> away(size);
    std::vector<std::ptrdiff_t> at(size);
    shapes::nearest(nuclear.outside(), away.data(), at.data());
    const shapes::Parts parts = shapes::components(
        shapes::where(away.data(), rows, cols, cols, [apart](double own) { return own <= apart; }));
    shapes::write_labels(parts, rows, cols, out.islands.data());
    for (std::size_t i = 0; i < size; ++i) out.near[i] = out.islands[static_cast<std::size_t>(at[i])];
    out.boxes = shapes::boxes_of(parts);
    out.boxes.erase(out.boxes.begin());
    return out;
}

}  // namespace fastpgs::search
