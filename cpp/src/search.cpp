#include "fastpgs/search.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "fastpgs/bodies.hpp"
#include "fastpgs/crew.hpp"
#include "fastpgs/evenness.hpp"
#include "fastpgs/outlines.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::search {

namespace {

using nuclei::Seeds;
using shapes::Bits;

constexpr double PI = 3.141592653589793;
constexpr std::ptrdiff_t SHARED = 16384;  // pixels: no helper is worth waking for fewer
constexpr double WHOLE = 0.3;  // of a disc of the typical radius: smaller parts are no nuclei of their own

std::vector<std::int64_t> part_areas(const Bits& bits) { return shapes::components(bits).areas(); }

// Whether the light of a picture is uneven; if so, the picture under even light.
bool even_light(const staining::Given& given, const staining::Rules& rules, Block<std::uint8_t>& evened) {
    const evenness::Rules which{rules.uneven, rules.shadow, rules.rough, rules.rough_part};
    const auto light = evenness::measure(given.picture, given.mask, static_cast<int>(rules.dark), which);
    if (light) evened = evenness::evened(given.picture, *light);
    return light.has_value();
}

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
                nuclei::Found& own, Found& found) {
    found.stain = staining::stain(given, rules.stain, single, nullptr,
                                  [&](const staining::Stain& stain, const stain::Ready& ready) {
                                      own.groups = nuclei::prepare(stain, start, ready);
                                  });
    nuclei::find(found.stain, rules.nuclei, start, own);
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

// What grows from the seeds; `own`, if they were found by the picture's own pivots.
void find_region(Found& found, const Rules& rules, const Reference* reference, nuclei::Found* own) {
    Seeds& seeds = *found.seeds;
    double dark = 0.0;
    Aside darkening([&] {
        if (!reference) dark = found.stain.median(seeds.nuclei);
    });
    // In a window of a crowded slide, chains of neighbouring lobes end where the window does: there only the
    // next neighbours and theirs are looked at.
    reach::Reach around = reach::measure(seeds.nuclei, reference != nullptr);
    darkening.finish();
    if (own) seeds.pivots.ground = own->ground();
    found.region = cytoplasm::find(found.stain, seeds, rules.cytoplasm, std::move(around), dark,
                                   reference ? &reference->tone : nullptr);
}

// Tells touching cells apart: each body with enough nucleus grows over the whole region. Then outline and
// nucleus of each, and the box that all lie in.
std::pair<outlines::Drawing, shapes::Box> split_and_draw(Found& found, const Rules& rules, double neck,
                                                         const Reference* reference) {
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
    const bodies::SplitRules splitting{
        neck,
        rules.nuclei.part * disc,
        {rules.cytoplasm.vacuole * disc, most, rules.cells.nearly_convex, rules.cells.contact},
        rules.cells.smallest};
    const staining::Stain& stain = found.stain;
    found.body = reference ? reference->body : -1.0;
    const shapes::Parts cells = bodies::split(found.region->mask, seeds.nuclei, splitting, found.body);
    const outlines::Field field{stain.rows,           stain.cols,         cells,
                                seeds.nuclei,         found.region->away, stain.depth.data(),
                                stain.features.data()};
    outlines::Drawing drawn = outlines::draw(field, drawing(rules, seeds.radius, stain.surround, reference));
    found.edge = drawn.typical.edge;
    return {std::move(drawn), cells.runs.empty()
                                  ? shapes::Box{}
                                  : shapes::box_of(cells).wider(outlines::MARGIN, stain.rows, stain.cols)};
}

// Cells and nuclei into their planes, which are 0 before, and what is measured of them.
void write_and_measure(const outlines::Drawing& drawn, const shapes::Box& box, const stain::Picture& picture,
                       bool measured, std::int32_t* labels, std::int32_t* nuclei, Found& found) {
    Aside writing([&] { drawn.write(&outlines::Drawn::cell, picture.cols, labels); });
    drawn.write(&outlines::Drawn::nucleus, picture.cols, nuclei);
    measures::Runs runs;
    if (drawn.apart()) {
        runs = {drawn.runs(), drawn.nuclear_runs()};
    } else {
        writing.finish();
        runs = measures::runs_of(labels, nuclei, picture.cols, box);
    }
    if (measured)
        found.cells = measures::measure(runs, {nuclei, picture.rgb, picture.rows, picture.cols});
    else
        found.cells = measures::locate(runs, picture.rows, picture.cols);
    writing.finish();
}

}  // namespace

Found find(const staining::Given& given, const Rules& rules, const Options& options,
           const Reference* reference, std::int32_t* labels, std::int32_t* nuclei) {
    const int threads = resolve_threads(options.start.threads);
    const Shift shift(given.picture.size() < SHARED ? 1 : threads);
    Aside clearing([&] {
        std::fill_n(labels, given.picture.size(), 0);
        std::fill_n(nuclei, given.picture.size(), 0);
    });
    Found found;
    std::optional<nuclei::Found> own;
    Block<std::uint8_t> evened;
    staining::Given seen = given;
    if (options.even && !reference && even_light(given, rules.stain, evened))
        seen.picture.rgb = evened.data();
    if (reference) {
        found.stain = staining::stain(seen, rules.stain, true, &reference->white);
        found.seeds = nuclei::find(found.stain, rules.nuclei,
                                   nuclei::Known{reference->pivots, reference->radius, reference->part});
    } else {
        find_seeds(seen, rules, options.start, true, own.emplace(), found);
        if (found.stain.surround && !is_alone(found, rules.cells))
            find_seeds(seen, rules, options.start, false, own.emplace(), found);
    }
    if (found.seeds) find_region(found, rules, reference, own ? &*own : nullptr);
    own.reset();  // nobody looks at the picture aside any more
    clearing.finish();
    if (!found.seeds) return found;
    const auto [drawn, box] = split_and_draw(found, rules, options.neck, reference);
    write_and_measure(drawn, box, given.picture, options.measured, labels, nuclei, found);
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
