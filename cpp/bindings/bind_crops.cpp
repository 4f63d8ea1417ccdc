// Crops of cells, for fastpgs.cells.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "cell_arrays.hpp"
#include "fastpgs/crops.hpp"

namespace fastpgs::bindings {

namespace {

constexpr double WIDEST = 1 << 24;  // pixels of the image that a crop may span

template <typename T>
using Plane = py::array_t<T, py::array::c_style>;

// One crop (size, size, C) round the middle of each box, on the pixel grid; with labels, which go with ids,
// only of the pixels that bear its id.
template <typename T>
Plane<T> cut_crops(const Plane<T>& image, const IndexArray& tops, const IndexArray& lefts,
                   const IndexArray& bottoms, const IndexArray& rights, py::ssize_t size, double zoom,
                   const Plane<T>& fill, const std::optional<LabelArray>& labels,
                   const std::optional<LabelArray>& ids) {
    if (image.ndim() != 3 || fill.ndim() != 1 || fill.size() != image.shape(2))
        throw std::invalid_argument("image must have shape (H, W, C) and fill (C,)");
    if (size < 1 || !std::isfinite(zoom) || zoom <= 0.0)
        throw std::invalid_argument("size must be at least 1 and zoom finite and above 0");
    if (static_cast<double>(size) / zoom > WIDEST)
        throw std::invalid_argument("a crop may span 2**24 pixels of the image, not the " +
                                    std::to_string(static_cast<double>(size) / zoom) + " of size / zoom");
    const py::ssize_t n = tops.size();
    for (const IndexArray* side : {&tops, &lefts, &bottoms, &rights})
        if (side->ndim() != 1 || side->size() != n)
            throw std::invalid_argument("the sides of boxes must be of one length");
    if (labels.has_value() != ids.has_value() || (ids && ids->size() != n))
        throw std::invalid_argument("ids, one for each box, go with labels");
    if (labels) same_shape(*labels, image.shape(0), image.shape(1), "labels");
    Plane<T> out({n, size, size, image.shape(2)});
    T* data = out.mutable_data();
    const crops::Image<T> from{image.data(), image.shape(0), image.shape(1), image.shape(2)};
    const crops::Cut<T> how{size, zoom, fill.data(), labels ? labels->data() : nullptr};
    // On the grid, so that at zoom 1 no pixel moves by half of its side.
    const auto corner = [half = static_cast<double>(size) / zoom / 2.0](std::int64_t one,
                                                                        std::int64_t other) {
        return static_cast<std::int64_t>(std::floor(static_cast<double>(one + other) / 2.0 - half));
    };
    const std::int64_t *top = tops.data(), *left = lefts.data(), *bottom = bottoms.data(),
                       *right = rights.data();
    const std::int32_t* id = ids ? ids->data() : nullptr;
    const Released released(out.size());
    for (py::ssize_t i = 0; i < n; ++i)
        crops::cut(from, how, corner(top[i], bottom[i]), corner(left[i], right[i]), id ? id[i] : 0,
                   data + i * size * size * from.channels);
    return out;
}

template <typename T>
void bind_type(py::module_& module) {
    using py::literals::operator""_a;
    module.def("cut_crops", &cut_crops<T>, "image"_a.noconvert(), "tops"_a.noconvert(), "lefts"_a.noconvert(),
               "bottoms"_a.noconvert(), "rights"_a.noconvert(), "size"_a, "zoom"_a, "fill"_a.noconvert(),
               "labels"_a.noconvert() = py::none(), "ids"_a.noconvert() = py::none());
}

}  // namespace

void bind_crops(py::module_& module) {
    bind_type<std::uint8_t>(module);
    bind_type<std::uint16_t>(module);
    bind_type<float>(module);
    bind_type<double>(module);
}

}  // namespace fastpgs::bindings
