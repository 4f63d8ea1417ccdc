// The whole search for cells, for fastpgs.cells.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>

#include "cell_arrays.hpp"
#include "fastpgs/search.hpp"

namespace fastpgs::bindings {

namespace {

using search::Found;
using search::Rules;

// Takes numbers out of a dict of rules by name; what is left over in the end has no meaning here.
class Taken {
  public:
    explicit Taken(const py::dict& given) : left_(given.attr("copy")()) {}

    template <class Value = double>
    Value operator()(const char* name) {
        return left_.attr("pop")(name).template cast<Value>();
    }
    void check() const {
        if (!left_.empty())
            throw std::invalid_argument("there are no rules " + py::str(py::list(left_)).cast<std::string>());
    }

  private:
    py::dict left_;
};

// Members of a struct of rules and their names.
template <class Struct>
struct Member {
    const char* name;
    double Struct::* value;
};
template <class Struct, std::size_t n>
void take(Taken& given, Struct& rules, const Member<Struct> (&members)[n]) {
    for (const Member<Struct>& member : members) rules.*member.value = given(member.name);
}

#define MEMBER(name) {#name, &Struct::name}

staining::Rules stain_rules(const py::dict& given) {
    using Struct = staining::Rules;
    static const Member<Struct> members[] = {MEMBER(offset), MEMBER(dark),  MEMBER(rim),       MEMBER(uneven),
                                             MEMBER(shadow), MEMBER(rough), MEMBER(rough_part)};
    Taken taken(given);
    Struct rules;
    take(taken, rules, members);
    taken.check();
    return rules;
}

nuclei::Rules nucleus_rules(const py::dict& given) {
    using Struct = nuclei::Rules;
    static const Member<Struct> members[] = {
        MEMBER(share),          MEMBER(sure),          MEMBER(purple_blue),
        MEMBER(purple_red),     MEMBER(pale),          MEMBER(lowest),
        MEMBER(stained),        MEMBER(redder),        MEMBER(violet),
        MEMBER(likely),         MEMBER(faint),         MEMBER(vivid_blue),
        MEMBER(vivid_red),      MEMBER(grey),          MEMBER(greyer),
        MEMBER(opening),        MEMBER(body),          MEMBER(part),
        MEMBER(hole),           MEMBER(edge),          MEMBER(closing),
        MEMBER(smooth),         MEMBER(lobe),          MEMBER(contrast),
        MEMBER(skin),           MEMBER(vague),         MEMBER(rim),
        MEMBER(faded),          MEMBER(faded_part),    MEMBER(coarse),
        MEMBER(coarse_closing), MEMBER(faded_stained), MEMBER(faded_rest)};
    Taken taken(given);
    Struct rules{};
    take(taken, rules, members);
    taken.check();
    return rules;
}

cytoplasm::Rules cytoplasm_rules(const py::dict& given) {
    using Struct = cytoplasm::Rules;
    static const Member<Struct> members[] = {
        MEMBER(edge),  MEMBER(faint),         MEMBER(near),          MEMBER(far),
        MEMBER(frame), MEMBER(blob),          MEMBER(red),           MEMBER(opening),
        MEMBER(hole),  MEMBER(tongue_core),   MEMBER(tongue_length), MEMBER(tongue_neck),
        MEMBER(alone), MEMBER(alone_opening), MEMBER(outline),       MEMBER(vacuole),
        MEMBER(pale),  MEMBER(outlier),       MEMBER(even),          MEMBER(reach),
        MEMBER(halo),  MEMBER(most_odds)};
    Taken taken(given);
    Struct rules{};
    take(taken, rules, members);
    taken.check();
    return rules;
}

search::CellRules cell_rules(const py::dict& given) {
    using Struct = search::CellRules;
    static const Member<Struct> members[] = {MEMBER(solid),       MEMBER(nearly_convex), MEMBER(contact),
                                             MEMBER(many),        MEMBER(largest),       MEMBER(faintest),
                                             MEMBER(pale),        MEMBER(blurred),       MEMBER(alone),
                                             MEMBER(alone_large), MEMBER(smallest)};
    Taken taken(given);
    Struct rules{};
    take(taken, rules, members);
    rules.reaches = taken.operator()<std::vector<double>>("reaches");
    taken.check();
    return rules;
}

#undef MEMBER

// A fastpgs.cells.Reference.
search::Reference reference_of(const py::object& given) {
    search::Reference out;
    const auto number = [](const py::object& of, const char* name) { return of.attr(name).cast<double>(); };
    const auto white =
        given.attr("white").cast<py::array_t<double, py::array::c_style | py::array::forcecast>>();
    if (white.size() != 3) throw std::invalid_argument("white must hold three levels");
    std::copy_n(white.data(), 3, out.white.begin());
    const py::object pivots = given.attr("pivots"), tone = given.attr("tone"), model = tone.attr("model");
    // Pixels of an image: nothing is rounded.
    const auto features =
        pivots.attr("features").cast<py::array_t<double, py::array::c_style | py::array::forcecast>>();
    const auto nuclear = pivots.attr("nuclear").cast<MaskArray>();
    if (features.ndim() != 2 || features.shape(1) != 3 || nuclear.ndim() != 1 ||
        nuclear.shape(0) != features.shape(0))
        throw std::invalid_argument("pivots must have shape (k, 3) and nuclear (k,)");
    for (py::ssize_t i = 0; i < features.shape(0); ++i) {
        const auto level = [&](py::ssize_t c) { return static_cast<std::uint8_t>(features.at(i, c)); };
        out.pivots.features.push_back({level(0), level(1), level(2)});
        out.pivots.nuclear.push_back(nuclear.at(i));
    }
    out.pivots.ground = number(pivots, "ground");
    out.tone = {number(tone, "dark"), number(tone, "level"), std::nullopt, number(tone, "limit")};
    if (!model.is_none()) {
        const auto values = model.cast<std::vector<double>>();
        if (values.size() != 4)
            throw std::invalid_argument("model must hold three weights and a bias, got " +
                                        std::to_string(values.size()) + " numbers");
        out.tone.model = redness::Model{{values[0], values[1], values[2]}, values[3], 0.0};
    }
    out.radius = number(given, "radius");
    out.part = number(given, "part");
    out.body = number(given, "body");
    out.depth = number(given, "depth");
    out.edge = number(given, "edge");
    out.many = given.attr("many").cast<bool>();
    return out;
}

std::tuple<LabelArray, LabelArray, Found> find_cells(const ByteArray& rgb, bool grey,
                                                     const std::optional<MaskArray>& mask, const Rules& rules,
                                                     double neck, int k, std::uint64_t seed, int threads,
                                                     const py::object& reference, bool measured, bool even) {
    staining::Given given{picture_of(rgb), nullptr, grey};
    if (given.picture.size() >= std::int64_t{1} << 31)
        throw std::invalid_argument("image must have fewer than 2**31 pixels, got " +
                                    std::to_string(given.picture.size()));
    if (mask) same_shape(*mask, given.picture.rows, given.picture.cols, "mask");
    const search::Options options{{k, seed, threads, rules.stain.offset}, neck, measured, even};
    std::optional<search::Reference> known;
    if (!reference.is_none()) known = reference_of(reference);
    LabelArray labels = new_plane<std::int32_t>({given.picture.rows, given.picture.cols}),
               nuclei = new_plane<std::int32_t>({given.picture.rows, given.picture.cols});
    std::int32_t *cell = labels.mutable_data(), *nucleus = nuclei.mutable_data();
    Found found;
    {
        const Released released;
        shapes::Bits used;
        if (mask) {
            used = shapes::pack(mask_of(*mask));
            given.mask = &used;
        }
        found = search::find(given, rules, options, known ? &*known : nullptr, cell, nucleus);
    }
    return {labels, nuclei, std::move(found)};
}

// Islands from afar: (H, W) numbers, (H, W) nearest numbers, (n, 4) boxes.
std::tuple<LabelArray, LabelArray, IndexArray> islands(const ByteArray& view, const Rules& rules,
                                                       const py::object& reference, float lenient,
                                                       double apart) {
    const staining::Given given{picture_of(view), nullptr, false};
    const search::Reference known = reference_of(reference);
    search::Islands found;
    {
        const Released released;
        found = search::find_islands(given, rules, known, lenient, apart);
    }
    const std::vector<py::ssize_t> shape{given.picture.rows, given.picture.cols};
    IndexArray boxes({static_cast<py::ssize_t>(found.boxes.size()), py::ssize_t{4}});
    std::int64_t* to = boxes.mutable_data();
    for (const shapes::Box& box : found.boxes)
        for (const std::ptrdiff_t side : {box.top, box.left, box.bottom, box.right}) *to++ = side;
    return {LabelArray(shape, found.islands.data()), LabelArray(shape, found.near.data()), boxes};
}

// The pixels that grew from nuclei, told apart or not; none where there are no nuclei.
MaskArray grown(const Found& found) {
    MaskArray out = new_plane<bool>({found.stain.rows, found.stain.cols});
    if (found.region)
        shapes::unpack(found.region->mask, bytes_of(out), found.stain.cols);
    else
        std::fill_n(bytes_of(out), out.size(), std::uint8_t{0});
    return out;
}

template <class Value, class Array = py::array_t<Value, py::array::c_style>>
Array array_of(std::vector<py::ssize_t> shape, const Value* values) {
    return Array(std::move(shape), values);
}

DoubleArray pivot_features(const Found& found) {
    const auto& features = found.seeds->pivots.features;
    DoubleArray out({static_cast<py::ssize_t>(features.size()), py::ssize_t{3}});
    double* to = out.mutable_data();
    for (const nuclei::Colour& colour : features) to = std::copy(colour.begin(), colour.end(), to);
    return out;
}

MaskArray pivots_nuclear(const Found& found) {
    const auto& nuclear = found.seeds->pivots.nuclear;
    MaskArray out(static_cast<py::ssize_t>(nuclear.size()));
    std::copy(nuclear.begin(), nuclear.end(), bytes_of(out));
    return out;
}

// (dark, level, model, limit), the model three weights and a bias.
py::tuple tone_of(const Found& found) {
    const cytoplasm::Tone& tone = found.region->tone;
    py::object model = py::none();
    if (tone.model) {
        const auto& weights = tone.model->weights;
        model = py::make_tuple(weights[0], weights[1], weights[2], tone.model->bias);
    }
    return py::make_tuple(tone.dark, tone.level, model, tone.limit);
}

// For tests: which pivots are nuclear, by their groups' means.
MaskArray nuclear_groups(const std::vector<double>& score, const std::vector<double>& green,
                         const std::vector<double>& blue, const std::vector<double>& red,
                         const std::vector<double>& part, const Rules& rules) {
    for (const auto* values : {&green, &blue, &red, &part})
        if (score.empty() || values->size() != score.size())
            throw std::invalid_argument("score, green, blue, red and part must have a value for each group");
    const auto chosen = nuclei::nuclear_groups({score, green, blue, red, part}, true, rules.nuclei);
    MaskArray out(static_cast<py::ssize_t>(chosen.size()));
    std::copy(chosen.begin(), chosen.end(), bytes_of(out));
    return out;
}

// For tests: blobs that stand alone.
MaskArray blobs_alone(const MaskArray& stained, const MaskArray& nuclei, const LabelArray& squares,
                      const Rules& rules, double radius, double opening) {
    const shapes::Mask rough = mask_of(nuclei);
    same_shape(squares, rough.rows, rough.cols, "squares");
    same_shape(stained, rough.rows, rough.cols, "stained");
    const reach::Away away = away_of(squares, radius);
    return make_mask(stained, [&](shapes::Mask in, std::uint8_t* out) {
        shapes::unpack(
            cytoplasm::alone(shapes::pack(in), shapes::pack(rough), away, rules.cytoplasm, radius, opening),
            out, in.cols);
    });
}

}  // namespace

void bind_search(py::module_& module) {
    using namespace py::literals;
    py::class_<Rules>(module, "SearchRules")
        .def(py::init([](const py::dict& stain, const py::dict& nuclei, const py::dict& cytoplasm,
                         const py::dict& cells) {
                 return Rules{stain_rules(stain), nucleus_rules(nuclei), cytoplasm_rules(cytoplasm),
                              cell_rules(cells)};
             }),
             "stain"_a, "nuclei"_a, "cytoplasm"_a, "cells"_a);
    py::class_<Found>(module, "SearchFound")
        .def_property_readonly("grown", &grown)
        .def_property_readonly("depth",
                               [](const Found& found) {
                                   return array_of({found.stain.rows, found.stain.cols},
                                                   found.stain.depth.data());
                               })
        .def_property_readonly("white",
                               [](const Found& found) { return array_of({3}, found.stain.white.data()); })
        .def_property_readonly("pivot_features", &pivot_features)
        .def_property_readonly("pivots_nuclear", &pivots_nuclear)
        .def_property_readonly("ground", [](const Found& found) { return found.seeds->pivots.ground; })
        .def_property_readonly("radius", [](const Found& found) { return found.seeds->radius; })
        .def_property_readonly("part", [](const Found& found) { return found.seeds->part; })
        .def_property_readonly("tone", &tone_of)
        .def_property_readonly(
            "table",
            [](const Found& found) { return table_of(found.cells, found.stain.rows, found.stain.cols); })
        .def_property_readonly("places", [](const Found& found) { return places_of(found.cells); })
        .def_readonly("body", &Found::body)
        .def_readonly("edge", &Found::edge)
        .def_readonly("many", &Found::many)
        .def_readonly("converged", &Found::converged);
    module.def("find_cells", &find_cells, "rgb"_a.noconvert(), "grey"_a, "mask"_a.noconvert(), "rules"_a,
               "neck"_a, "k"_a, "seed"_a, "threads"_a, "reference"_a, "measured"_a, "even"_a);
    module.def("islands", &islands, "view"_a.noconvert(), "rules"_a, "reference"_a, "lenient"_a, "apart"_a);
    module.def("nuclear_groups", &nuclear_groups, "score"_a, "green"_a, "blue"_a, "red"_a, "part"_a,
               "rules"_a);
    module.def("blobs_alone", &blobs_alone, "stained"_a.noconvert(), "nuclei"_a.noconvert(),
               "squares"_a.noconvert(), "rules"_a, "radius"_a, "opening"_a);
}

}  // namespace fastpgs::bindings
