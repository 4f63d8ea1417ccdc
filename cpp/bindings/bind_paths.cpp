// Outlines as text, for fastpgs.report.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "cell_arrays.hpp"
#include "fastpgs/paths.hpp"

namespace fastpgs::bindings {

namespace {

// Whether offsets begin at 0 or later, never fall, and end within `most`.
bool ordered(const IndexArray& offsets, py::ssize_t most) {
    if (offsets.ndim() != 1 || offsets.size() < 1 || offsets.at(0) < 0) return false;
    for (py::ssize_t i = 1; i < offsets.size(); ++i)
        if (offsets.data()[i] < offsets.data()[i - 1]) return false;
    return offsets.data()[offsets.size() - 1] <= most;
}

std::vector<std::string> svg_paths(const FloatArray& points, const IndexArray& rings, const IndexArray& cells,
                                   const DoubleArray& scale, std::int64_t most) {
    if (points.ndim() != 2 || points.shape(1) != 2 || !ordered(rings, points.shape(0)) ||
        !ordered(cells, rings.size() - 1))
        throw std::invalid_argument(
            "expected points of shape (p, 2), rings that begin within them, in order, and"
            " cells that begin within the rings");
    if (scale.ndim() != 1 || scale.size() != cells.size() - 1 || most < 1)
        throw std::invalid_argument("expected a scale for each of " + std::to_string(cells.size() - 1) +
                                    " cells, and at least one point");
    const paths::Rings given{points.data(), rings.data(), cells.data(),
                             static_cast<std::size_t>(scale.size())};
    const double* by = scale.data();
    const Released released;
    return paths::draw(given, by, most);
}

}  // namespace

void bind_paths(py::module_& module) {
    using py::literals::operator""_a;
    module.def("svg_paths", &svg_paths, "points"_a, "rings"_a, "cells"_a, "scale"_a, "most"_a);
}

}  // namespace fastpgs::bindings
