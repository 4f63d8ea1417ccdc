// From nuclei and their surroundings to cells, and their sums, for fastpgs.cells.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>

#include "cell_arrays.hpp"
#include "fastpgs/bodies.hpp"
#include "fastpgs/outlines.hpp"
#include "fastpgs/reach.hpp"
#include "fastpgs/rings.hpp"

namespace fastpgs::bindings {

namespace {

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
    rules.vague = number("vague");
    rules.opening = number("opening");
    rules.vacuole = number("vacuole");
    rules.outline = number("outline");
    rules.solid = number("solid");
    rules.tongue = {number("tongue_core"), number("tongue_length"), number("tongue_neck")};
    rules.faintest = number("faintest");
    rules.pale = number("pale");
    rules.blurred = number("blurred");
    if (given.contains("typical_depth"))
        rules.typical = outlines::Typical{number("typical_depth"), number("typical_edge")};
    rules.reaches = given["reaches"].cast<std::vector<double>>();
    return rules;
}

std::tuple<LabelArray, LabelArray, double> draw_cells(const LabelArray& bodies, std::int32_t n,
                                                      const MaskArray& nuclei, const LabelArray& squares,
                                                      const ShortArray& depth, const ByteArray& features,
                                                      const py::dict& given) {
    const shapes::Mask rough = mask_of(nuclei);
    same_shape(bodies, rough.rows, rough.cols, "bodies");
    same_shape(squares, rough.rows, rough.cols, "squares");
    same_shape(depth, rough.rows, rough.cols, "depth");
    const stain::Picture colours = picture_of(features);
    if (colours.rows != rough.rows || colours.cols != rough.cols)
        throw std::invalid_argument("features must have shape (" + std::to_string(rough.rows) + ", " +
                                    std::to_string(rough.cols) + ", 3)");
    const outlines::Rules rules = rules_of(given);
    LabelArray cells = new_plane<std::int32_t>({rough.rows, rough.cols}),
               inner = new_plane<std::int32_t>({rough.rows, rough.cols});
    std::int32_t *cell = cells.mutable_data(), *nucleus = inner.mutable_data();
    const reach::Away away = away_of(squares, rules.radius);
    const Released released;
    shapes::Parts cells_of = shapes::runs_of(bodies.data(), rough.rows, rough.cols);
    cells_of.n = n;
    const shapes::Bits seeds = shapes::pack(rough);
    const outlines::Field field{rough.rows, rough.cols, cells_of, seeds, away, depth.data(), colours.rgb};
    std::fill_n(cell, rough.size(), 0);
    std::fill_n(nucleus, rough.size(), 0);
    const outlines::Drawing drawn = outlines::draw(field, rules);
    drawn.write(&outlines::Drawn::cell, rough.cols, cell);
    drawn.write(&outlines::Drawn::nucleus, rough.cols, nucleus);
    return {cells, inner, drawn.typical.edge};
}

LabelArray body_markers(const MaskArray& region, double neck) {
    const shapes::Mask where = mask_of(region);
    LabelArray out({where.rows, where.cols});
    std::int32_t* data = out.mutable_data();
    const Released released;
    const shapes::Bits bits = shapes::pack(where);
    std::vector<std::int32_t> squares(static_cast<std::size_t>(where.size()));
    shapes::squares(bits, squares.data());
    const auto found =
        bodies::markers(squares.data(), shapes::components(bits), where.rows, where.cols, neck);
    shapes::write_labels({found, 0}, where.rows, where.cols, data);
    return out;
}

LabelArray merge_bodies(const LabelArray& given, const MaskArray& region, const MaskArray& nuclei,
                        double vacuole, double most, double nearly_convex, double contact) {
    const shapes::Mask where = mask_of(region), rough = mask_of(nuclei);
    same_shape(given, rough.rows, rough.cols, "bodies");
    same_shape(region, rough.rows, rough.cols, "region");
    LabelArray out({rough.rows, rough.cols});
    std::int32_t* data = out.mutable_data();
    const Released released;
    shapes::Parts cells = shapes::runs_of(given.data(), rough.rows, rough.cols);
    std::vector<std::int32_t> squares(static_cast<std::size_t>(rough.rows * rough.cols));
    shapes::squares(shapes::pack(where), squares.data());
    bodies::merge(cells, shapes::pack(rough), squares.data(), {vacuole, most, nearly_convex, contact});
    shapes::write_labels(cells, rough.rows, rough.cols, data);
    return out;
}

std::tuple<LabelArray, std::int32_t, double> split_bodies(const MaskArray& region, const MaskArray& nuclei,
                                                          const py::dict& given, double typical) {
    const shapes::Mask where = mask_of(region), rough = mask_of(nuclei);
    same_shape(nuclei, where.rows, where.cols, "nuclei");
    const auto number = [&](const char* name) { return given[name].cast<double>(); };
    const bodies::SplitRules rules{
        number("neck"),
        number("least"),
        {number("vacuole"), number("most"), number("nearly_convex"), number("contact")},
        number("smallest")};
    LabelArray out = new_plane<std::int32_t>({where.rows, where.cols});
    std::int32_t* data = out.mutable_data();
    shapes::Parts cells;
    {
        const Released released;
        cells = bodies::split(shapes::pack(where), shapes::pack(rough), rules, typical);
        shapes::write_labels(cells, where.rows, where.cols, data);
    }
    return {out, cells.n, typical};
}

std::tuple<DoubleArray, MaskArray> nuclear_reach(const MaskArray& nuclei, bool near, double halo) {
    const shapes::Mask rough = mask_of(nuclei);
    DoubleArray away = new_plane<double>({rough.rows, rough.cols});
    MaskArray around = new_plane<bool>({rough.rows, rough.cols});
    double* distance = away.mutable_data();
    std::uint8_t* out = bytes_of(around);
    {
        const Released released;
        const reach::Reach found = reach::measure(shapes::pack(rough), near);
        for (std::ptrdiff_t r = 0; r < rough.rows; ++r)
            found.away.distances(r, 0, rough.cols, distance + r * rough.cols);
        const shapes::Bits all = shapes::Bits(rough.rows, rough.cols).outside();
        shapes::unpack(found.away.beside(all, found.radii.part, halo), out, rough.cols);
    }
    return {away, around};
}

IndexArray indices(const std::vector<std::int64_t>& values) {
    IndexArray array(static_cast<py::ssize_t>(values.size()));
    std::copy(values.begin(), values.end(), array.mutable_data());
    return array;
}

// Outer rings of each label within its box: points (p, 2) x, y, where each ring begins in them, where each
// label begins in the rings.
std::tuple<FloatArray, IndexArray, IndexArray> trace_rings(const LabelArray& labels, const IndexArray& ids,
                                                           const IndexArray& boxes) {
    if (labels.ndim() != 2) throw std::invalid_argument("labels must have two dimensions");
    if (ids.ndim() != 1 || boxes.ndim() != 2 || boxes.shape(0) != ids.shape(0) || boxes.shape(1) != 4)
        throw std::invalid_argument("ids must have shape (n,) and boxes (n, 4)");
    const std::ptrdiff_t rows = labels.shape(0), cols = labels.shape(1);
    std::vector<rings::Cell> cells;
    for (py::ssize_t i = 0; i < ids.size(); ++i) {
        const std::int64_t* side = boxes.data(i, 0);
        const shapes::Box box{side[0], side[1], side[2], side[3]};
        if (box.top < 0 || box.left < 0 || box.bottom > rows || box.right > cols)
            throw std::invalid_argument("boxes must lie within labels of shape (" + std::to_string(rows) +
                                        ", " + std::to_string(cols) + ")");
        cells.push_back({static_cast<std::int32_t>(ids.at(i)), box});
    }
    rings::Outlines found;
    {
        const std::int32_t* data = labels.data();
        const Released released;
        found = rings::outer(data, cols, cells);
    }
    FloatArray points({static_cast<py::ssize_t>(found.points.size()), py::ssize_t{2}});
    float* to = points.mutable_data();
    for (const rings::Point& point : found.points) {
        *to++ = point.x;
        *to++ = point.y;
    }
    return {points, indices(found.rings), indices(found.cells)};
}

}  // namespace

void bind_cells(py::module_& module) {
    using namespace py::literals;
    module.def("draw_cells", &draw_cells, "bodies"_a.noconvert(), "n"_a, "nuclei"_a.noconvert(),
               "squares"_a.noconvert(), "depth"_a.noconvert(), "features"_a.noconvert(), "rules"_a);
    module.def("body_markers", &body_markers, "region"_a.noconvert(), "neck"_a);
    module.def("merge_bodies", &merge_bodies, "bodies"_a.noconvert(), "region"_a.noconvert(),
               "nuclei"_a.noconvert(), "vacuole"_a, "most"_a, "nearly_convex"_a, "contact"_a);
    module.def("split_bodies", &split_bodies, "region"_a.noconvert(), "nuclei"_a.noconvert(), "rules"_a,
               "typical"_a);
    module.def("nuclear_reach", &nuclear_reach, "nuclei"_a.noconvert(), "near"_a, "halo"_a);
    module.def("trace_rings", &trace_rings, "labels"_a.noconvert(), "ids"_a, "boxes"_a);
}

}  // namespace fastpgs::bindings
