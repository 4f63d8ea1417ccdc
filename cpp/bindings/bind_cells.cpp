// Shapes and stain features for fastpgs.cells.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>

#include "arrays.hpp"
#include "fastpgs/bodies.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/measures.hpp"
#include "fastpgs/outlines.hpp"
#include "fastpgs/reach.hpp"
#include "fastpgs/redness.hpp"
#include "fastpgs/shapes.hpp"
#include "fastpgs/stain.hpp"

namespace fastpgs::bindings {

namespace {

using ByteArray = py::array_t<std::uint8_t, py::array::c_style>;
using ShortArray = py::array_t<std::int16_t, py::array::c_style>;
using FloatArray = py::array_t<float, py::array::c_style>;
using DoubleArray = py::array_t<double, py::array::c_style>;
using IndexArray = py::array_t<std::int64_t, py::array::c_style>;

template <typename Array>
void same_shape(const Array& array, py::ssize_t rows, py::ssize_t cols, const char* name) {
    if (array.ndim() != 2 || array.shape(0) != rows || array.shape(1) != cols)
        throw std::invalid_argument(std::string(name) + " must have shape (" + std::to_string(rows) + ", " +
                                    std::to_string(cols) + ")");
}

const std::uint8_t* bytes_of(const MaskArray& mask) {
    return reinterpret_cast<const std::uint8_t*>(mask.data());
}
std::uint8_t* bytes_of(MaskArray& mask) { return reinterpret_cast<std::uint8_t*>(mask.mutable_data()); }

shapes::Mask mask_of(const MaskArray& mask) {
    if (mask.ndim() != 2 || mask.size() == 0)
        throw std::invalid_argument("mask must be a non-empty array of two dimensions");
    return {bytes_of(mask), mask.shape(0), mask.shape(1)};
}

// A function of a mask (and more) that makes another mask.
template <typename Function>
MaskArray make_mask(const MaskArray& mask, Function&& function) {
    const shapes::Mask in = mask_of(mask);
    MaskArray out({in.rows, in.cols});
    std::uint8_t* data = bytes_of(out);
    const Released released;
    function(in, data);
    return out;
}

std::tuple<LabelArray, std::int32_t> label(const MaskArray& mask) {
    const shapes::Mask in = mask_of(mask);
    LabelArray parts({in.rows, in.cols});
    std::int32_t* data = parts.mutable_data();
    std::int32_t n = 0;
    {
        const Released released;
        n = shapes::label(in, data);
    }
    return {parts, n};
}

std::tuple<DoubleArray, IndexArray> nearest(const MaskArray& mask) {
    const shapes::Mask in = mask_of(mask);
    DoubleArray out({in.rows, in.cols});
    IndexArray index({in.rows, in.cols});
    double* distance = out.mutable_data();
    std::int64_t* at = index.mutable_data();
    {
        const Released released;
        std::vector<std::ptrdiff_t> found(static_cast<std::size_t>(in.size()));
        shapes::nearest(shapes::pack(in), distance, found.data());
        std::copy(found.begin(), found.end(), at);
    }
    return {out, index};
}

DoubleArray distance(const MaskArray& mask) {
    const shapes::Mask in = mask_of(mask);
    DoubleArray out({in.rows, in.cols});
    double* data = out.mutable_data();
    const Released released;
    shapes::distance(shapes::pack(in), data);
    return out;
}

LabelArray flood(const MaskArray& mask, const DoubleArray& levels, const LabelArray& markers) {
    const shapes::Mask in = mask_of(mask);
    same_shape(levels, in.rows, in.cols, "levels");
    same_shape(markers, in.rows, in.cols, "markers");
    LabelArray out({in.rows, in.cols});
    std::copy_n(markers.data(), in.size(), out.mutable_data());
    std::int32_t* data = out.mutable_data();
    const double* level = levels.data();
    const Released released;
    shapes::flood(in, level, data);
    return out;
}

MaskArray cut_tongues(const MaskArray& mask, const MaskArray& kept, double core, double length, double neck) {
    const shapes::Mask in = mask_of(mask);
    same_shape(kept, in.rows, in.cols, "kept");
    return make_mask(mask, [&](shapes::Mask whole, std::uint8_t* out) {
        shapes::cut_tongues(whole, bytes_of(kept), {core, length, neck}, out);
    });
}

outlines::Rules rules_of(const py::dict& given) {
    outlines::Rules rules;
    const auto number = [&](const char* name) { return given[name].cast<double>(); };
    rules.radius = number("radius");
    rules.edge = number("edge");
    rules.closing = number("closing");
    rules.smooth = number("smooth");
    rules.lobe = number("lobe");
    rules.contrast = number("contrast");
    rules.skin = number("skin");
    rules.rim = number("rim");
    rules.opening = number("opening");
    rules.vacuole = number("vacuole");
    rules.outline = number("outline");
    rules.solid = number("solid");
    rules.tongue = {number("tongue_core"), number("tongue_length"), number("tongue_neck")};
    rules.faintest = number("faintest");
    if (given.contains("typical_depth")) rules.typical_depth = number("typical_depth");
    rules.reaches = given["reaches"].cast<std::vector<double>>();
    return rules;
}

stain::Picture picture_of(const ByteArray& rgb) {
    if (rgb.ndim() != 3 || rgb.shape(2) != 3 || rgb.size() == 0)
        throw std::invalid_argument("rgb must be a non-empty array of shape (H, W, 3)");
    return {rgb.data(), rgb.shape(0), rgb.shape(1)};
}

std::tuple<LabelArray, LabelArray> draw_cells(const LabelArray& bodies, std::int32_t n,
                                              const MaskArray& nuclei, const DoubleArray& reach,
                                              const ShortArray& depth, const ByteArray& features,
                                              const py::dict& given) {
    const shapes::Mask rough = mask_of(nuclei);
    same_shape(bodies, rough.rows, rough.cols, "bodies");
    same_shape(reach, rough.rows, rough.cols, "reach");
    same_shape(depth, rough.rows, rough.cols, "depth");
    const stain::Picture colours = picture_of(features);
    if (colours.rows != rough.rows || colours.cols != rough.cols)
        throw std::invalid_argument("features must have shape (" + std::to_string(rough.rows) + ", " +
                                    std::to_string(rough.cols) + ", 3)");
    const outlines::Rules rules = rules_of(given);
    LabelArray cells({rough.rows, rough.cols}), inner({rough.rows, rough.cols});
    std::int32_t *cell = cells.mutable_data(), *nucleus = inner.mutable_data();
    const outlines::Field field{rough.rows,   rough.cols,   bodies.data(), rough.data,
                                reach.data(), depth.data(), colours.rgb};
    const Released released;
    std::fill_n(cell, rough.size(), 0);
    std::fill_n(nucleus, rough.size(), 0);
    outlines::draw(field, n, rules, cell, nucleus);
    return {cells, inner};
}

py::object black_surround(const ByteArray& rgb, int dark) {
    const stain::Picture picture = picture_of(rgb);
    MaskArray mask({picture.rows, picture.cols});
    std::uint8_t* data = bytes_of(mask);
    bool found = false;
    {
        const Released released;
        found = stain::black_surround(picture, dark, data);
    }
    return found ? py::object(mask) : py::none();
}

DoubleArray background(const ByteArray& rgb, const std::optional<MaskArray>& valid) {
    const stain::Picture picture = picture_of(rgb);
    const std::uint8_t* used = nullptr;
    if (valid) {
        same_shape(*valid, picture.rows, picture.cols, "valid");
        used = bytes_of(*valid);
        if (shapes::count({used, picture.rows, picture.cols}) == 0)
            throw std::invalid_argument("valid must hold a pixel");
    }
    DoubleArray white(3);
    double* data = white.mutable_data();
    const Released released;
    stain::background(picture, used, data);
    return white;
}

std::tuple<ByteArray, ShortArray, ShortArray, FloatArray> stain_planes(const ByteArray& rgb,
                                                                       const DoubleArray& white, int offset,
                                                                       bool grey) {
    const stain::Picture picture = picture_of(rgb);
    if (white.size() != 3) throw std::invalid_argument("white must hold three levels");
    ByteArray features({picture.rows, picture.cols, std::ptrdiff_t{3}});
    ShortArray score({picture.rows, picture.cols}), depth({picture.rows, picture.cols});
    FloatArray strength({picture.rows, picture.cols});
    const stain::Planes out{features.mutable_data(), score.mutable_data(), depth.mutable_data(),
                            strength.mutable_data()};
    const double* balance = white.data();
    const Released released;
    stain::planes(picture, balance, offset, grey, out);
    return {features, score, depth, strength};
}

std::vector<std::int64_t> spread_pivots(const ShortArray& score, const MaskArray& valid, int k) {
    const shapes::Mask used = mask_of(valid);
    same_shape(score, used.rows, used.cols, "score");
    if (k < 2) throw std::invalid_argument("k must be at least 2, got " + std::to_string(k));
    for (std::ptrdiff_t i = 0; i < used.size(); ++i)
        if (score.data()[i] < -255 || score.data()[i] > 255)
            throw std::invalid_argument("scores must lie in [-255, 255]");
    const Released released;
    return stain::spread(score.data(), used.data, used.size(), k);
}

LabelArray body_markers(const DoubleArray& distance, const MaskArray& region, double neck) {
    const shapes::Mask where = mask_of(region);
    same_shape(distance, where.rows, where.cols, "distance");
    LabelArray out({where.rows, where.cols});
    std::int32_t* data = out.mutable_data();
    const Released released;
    bodies::markers(distance.data(), shapes::components(shapes::pack(where)), where.rows, where.cols, neck,
                    data);
    return out;
}

LabelArray merge_bodies(const LabelArray& given, const MaskArray& nuclei, double vacuole, double most,
                        double nearly_convex) {
    const shapes::Mask rough = mask_of(nuclei);
    same_shape(given, rough.rows, rough.cols, "bodies");
    LabelArray out({rough.rows, rough.cols});
    std::int32_t* data = out.mutable_data();
    std::copy_n(given.data(), rough.size(), data);
    const Released released;
    bodies::merge(data, shapes::pack(rough), {vacuole, most, nearly_convex});
    return out;
}

std::tuple<LabelArray, std::int32_t, double> split_bodies(const MaskArray& region, const MaskArray& nuclei,
                                                          const py::dict& given, double typical) {
    const shapes::Mask where = mask_of(region), rough = mask_of(nuclei);
    same_shape(nuclei, where.rows, where.cols, "nuclei");
    const auto number = [&](const char* name) { return given[name].cast<double>(); };
    const bodies::SplitRules rules{number("neck"),
                                   number("least"),
                                   {number("vacuole"), number("most"), number("nearly_convex")},
                                   number("smallest")};
    LabelArray out({where.rows, where.cols});
    std::int32_t* data = out.mutable_data();
    std::int32_t n = 0;
    {
        const Released released;
        n = bodies::split(shapes::pack(where), shapes::pack(rough), rules, typical, data);
    }
    return {out, n, typical};
}

std::tuple<DoubleArray, LabelArray, std::vector<double>, std::vector<double>> nuclear_reach(
    const MaskArray& nuclei) {
    const shapes::Mask rough = mask_of(nuclei);
    if (shapes::count(rough) == 0) throw std::invalid_argument("nuclei must hold a pixel");
    DoubleArray distance({rough.rows, rough.cols});
    LabelArray own({rough.rows, rough.cols});
    double* away = distance.mutable_data();
    std::int32_t* part = own.mutable_data();
    reach::Radii radii;
    {
        const Released released;
        radii = reach::measure(rough, away, part);
    }
    return {distance, own, radii.part, radii.whole};
}

// Of each group 0..n: pixels, and the sums of the score and of the three features.
IndexArray group_sums(const LabelArray& groups, std::int32_t n, const ShortArray& score,
                      const ByteArray& features) {
    const stain::Picture picture = picture_of(features);
    same_shape(groups, picture.rows, picture.cols, "groups");
    same_shape(score, picture.rows, picture.cols, "score");
    std::vector<std::int64_t> sums(static_cast<std::size_t>(5 * (n + 1)), 0);
    const std::int32_t* group = groups.data();
    const std::int16_t* scores = score.data();
    {
        const Released released;
        for (std::ptrdiff_t i = 0; i < picture.size(); ++i) {
            poll(static_cast<std::size_t>(i), std::size_t{1} << 16);
            if (group[i] < 0 || group[i] > n)
                throw std::invalid_argument("groups must lie in [0, " + std::to_string(n) + "], got " +
                                            std::to_string(group[i]));
            std::int64_t* own = sums.data() + 5 * group[i];
            const std::uint8_t* colour = picture.rgb + 3 * i;
            ++own[0];
            own[1] += scores[i];
            for (int c = 0; c < 3; ++c) own[2 + c] += colour[c];
        }
    }
    IndexArray out({static_cast<py::ssize_t>(n) + 1, py::ssize_t{5}});
    std::copy(sums.begin(), sums.end(), out.mutable_data());
    return out;
}

// Whole numbers and sums of products of each cell 1..n, in the order of measures::Cell.
std::tuple<IndexArray, DoubleArray> cell_sums(const LabelArray& labels, const LabelArray& nuclei,
                                              const ByteArray& rgb, std::int32_t n) {
    const stain::Picture picture = picture_of(rgb);
    same_shape(labels, picture.rows, picture.cols, "labels");
    same_shape(nuclei, picture.rows, picture.cols, "nuclei");
    std::vector<measures::Cell> cells;
    {
        const std::int32_t *own = labels.data(), *inner = nuclei.data();
        const Released released;
        for (std::ptrdiff_t i = 0; i < picture.size(); ++i)
            if (own[i] > n)
                throw std::invalid_argument("labels must be at most " + std::to_string(n) + ", got " +
                                            std::to_string(own[i]));
        cells = measures::measure(own, inner, picture.rgb, picture.rows, picture.cols, n);
    }
    const auto count = static_cast<py::ssize_t>(cells.size());
    IndexArray whole({count, py::ssize_t{16}});
    DoubleArray products({count, py::ssize_t{5}});
    std::int64_t* to = whole.mutable_data();
    double* product = products.mutable_data();
    for (const measures::Cell& c : cells) {
        for (const std::int64_t value :
             {c.top, c.left, c.bottom, c.right, c.area, c.nucleus_area, c.rows, c.cols, c.colour[0],
              c.colour[1], c.colour[2], c.nucleus_colour[0], c.nucleus_colour[1], c.nucleus_colour[2],
              c.green_steps, c.green_neighbours})
            *to++ = value;
        for (const double value : {c.rows_rows, c.cols_cols, c.rows_cols, c.perimeter, c.green_green})
            *product++ = value;
    }
    return {whole, products};
}

redness::Model model_of(const ByteArray& features, const MaskArray& near, const MaskArray& red,
                        double outlier) {
    const stain::Picture picture = picture_of(features);
    same_shape(near, picture.rows, picture.cols, "near");
    same_shape(red, picture.rows, picture.cols, "red");
    redness::Colours around, far;
    for (std::ptrdiff_t i = 0; i < picture.size(); ++i) {
        const std::uint8_t* colour = picture.rgb + 3 * i;
        if (near.data()[i]) around.insert(around.end(), colour, colour + 3);
        if (red.data()[i]) far.insert(far.end(), colour, colour + 3);
    }
    if (around.size() < 6 || far.size() < 6)
        throw std::invalid_argument("near and red must hold two pixels each");
    const Released released;
    return redness::fit(around, far, outlier);
}

DoubleArray odds_by(const ByteArray& features, const redness::Model& model, double most, int size) {
    const stain::Picture picture = picture_of(features);
    if (size < 1 || size % 2 == 0)
        throw std::invalid_argument("size must be odd, got " + std::to_string(size));
    DoubleArray out({picture.rows, picture.cols});
    double* data = out.mutable_data();
    const Released released;
    std::vector<double> odds(static_cast<std::size_t>(picture.size()));
    for (std::ptrdiff_t i = 0; i < picture.size(); ++i) {
        const std::uint8_t* colour = picture.rgb + 3 * i;
        const double own = model.weights[0] * colour[0] + model.weights[1] * colour[1] +
                           model.weights[2] * colour[2] + model.bias;
        odds[static_cast<std::size_t>(i)] = std::clamp(own, -most, most);
    }
    bodies::box_mean(odds.data(), picture.rows, picture.cols, size, bodies::Beyond::mirror, data);
    return out;
}

std::tuple<DoubleArray, double> colour_odds(const ByteArray& features, const MaskArray& near,
                                            const MaskArray& red, double outlier, double most, int size) {
    const redness::Model model = model_of(features, near, red, outlier);
    return {odds_by(features, model, most, size), model.sure};
}

// Three weights, the bias, and how well the two are told apart.
std::vector<double> colour_model(const ByteArray& features, const MaskArray& near, const MaskArray& red,
                                 double outlier) {
    const redness::Model model = model_of(features, near, red, outlier);
    return {model.weights[0], model.weights[1], model.weights[2], model.bias, model.sure};
}

DoubleArray model_odds(const ByteArray& features, const std::vector<double>& model, double most, int size) {
    if (model.size() != 4)
        throw std::invalid_argument("model must hold three weights and a bias, got " +
                                    std::to_string(model.size()) + " numbers");
    return odds_by(features, {{model[0], model[1], model[2]}, model[3], 0.0}, most, size);
}

}  // namespace

void bind_cells(py::module_& module) {
    using namespace py::literals;
    module.def("label", &label, "mask"_a.noconvert());
    module.def("distance", &distance, "mask"_a.noconvert());
    module.def("nearest", &nearest, "mask"_a.noconvert());
    module.def("flood", &flood, "mask"_a.noconvert(), "levels"_a.noconvert(), "markers"_a.noconvert());
    module.def(
        "fill_holes",
        [](const MaskArray& mask, double largest) {
            return make_mask(
                mask, [&](shapes::Mask in, std::uint8_t* out) { shapes::fill_holes(in, largest, out); });
        },
        "mask"_a.noconvert(), "largest"_a);
    module.def(
        "touching",
        [](const MaskArray& mask, const MaskArray& seed) {
            same_shape(seed, mask_of(mask).rows, mask_of(mask).cols, "seed");
            const std::uint8_t* data = bytes_of(seed);
            return make_mask(mask,
                             [&](shapes::Mask in, std::uint8_t* out) { shapes::touching(in, data, out); });
        },
        "mask"_a.noconvert(), "seed"_a.noconvert());
    const auto disc = [&](const char* name, void (*function)(shapes::Mask, double, std::uint8_t*)) {
        module.def(
            name,
            [function](const MaskArray& mask, double radius) {
                if (!(radius >= 0 && radius < 60000))
                    throw std::invalid_argument("radius must be in [0, 60000), got " +
                                                std::to_string(radius));
                return make_mask(mask,
                                 [&](shapes::Mask in, std::uint8_t* out) { function(in, radius, out); });
            },
            "mask"_a.noconvert(), "radius"_a);
    };
    disc("erode_disc", shapes::erode_disc);
    disc("open_disc", shapes::open_disc);
    disc("close_disc", shapes::close_disc);
    module.def(
        "hull_area", [](const MaskArray& mask) { return shapes::hull_area(shapes::pack(mask_of(mask))); },
        "mask"_a.noconvert());
    module.def(
        "solidity", [](const MaskArray& mask) { return shapes::solidity(shapes::pack(mask_of(mask))); },
        "mask"_a.noconvert());
    module.def("cut_tongues", &cut_tongues, "mask"_a.noconvert(), "kept"_a.noconvert(), "core"_a, "length"_a,
               "neck"_a);
    module.def("draw_cells", &draw_cells, "bodies"_a.noconvert(), "n"_a, "nuclei"_a.noconvert(),
               "reach"_a.noconvert(), "depth"_a.noconvert(), "features"_a.noconvert(), "rules"_a);
    module.def("body_markers", &body_markers, "distance"_a.noconvert(), "region"_a.noconvert(), "neck"_a);
    module.def("merge_bodies", &merge_bodies, "bodies"_a.noconvert(), "nuclei"_a.noconvert(), "vacuole"_a,
               "most"_a, "nearly_convex"_a);
    module.def("split_bodies", &split_bodies, "region"_a.noconvert(), "nuclei"_a.noconvert(), "rules"_a,
               "typical"_a);
    module.def("nuclear_reach", &nuclear_reach, "nuclei"_a.noconvert());
    module.def("group_sums", &group_sums, "groups"_a.noconvert(), "n"_a, "score"_a.noconvert(),
               "features"_a.noconvert());
    module.def("cell_sums", &cell_sums, "labels"_a.noconvert(), "nuclei"_a.noconvert(), "rgb"_a.noconvert(),
               "n"_a);
    module.def("colour_odds", &colour_odds, "features"_a.noconvert(), "near"_a.noconvert(),
               "red"_a.noconvert(), "outlier"_a, "most"_a, "size"_a);
    module.def("colour_model", &colour_model, "features"_a.noconvert(), "near"_a.noconvert(),
               "red"_a.noconvert(), "outlier"_a);
    module.def("model_odds", &model_odds, "features"_a.noconvert(), "model"_a, "most"_a, "size"_a);
    module.def("black_surround", &black_surround, "rgb"_a.noconvert(), "dark"_a);
    module.def("background", &background, "rgb"_a.noconvert(), "valid"_a.noconvert());
    module.def("stain_planes", &stain_planes, "rgb"_a.noconvert(), "white"_a.noconvert(), "offset"_a,
               "grey"_a);
    module.def("spread_pivots", &spread_pivots, "score"_a.noconvert(), "valid"_a.noconvert(), "k"_a);
}

}  // namespace fastpgs::bindings
