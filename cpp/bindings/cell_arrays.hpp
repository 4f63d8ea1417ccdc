// Array types of fastpgs.cells, and views of them.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "fastpgs/measures.hpp"
#include "fastpgs/reach.hpp"
#include "fastpgs/shapes.hpp"
#include "fastpgs/stain.hpp"

namespace fastpgs::bindings {

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

inline const std::uint8_t* bytes_of(const MaskArray& mask) {
    return reinterpret_cast<const std::uint8_t*>(mask.data());
}
inline std::uint8_t* bytes_of(MaskArray& mask) {
    return reinterpret_cast<std::uint8_t*>(mask.mutable_data());
}

inline shapes::Mask mask_of(const MaskArray& mask) {
    if (mask.ndim() != 2 || mask.size() == 0)
        throw std::invalid_argument("mask must be a non-empty array of two dimensions");
    return {bytes_of(mask), mask.shape(0), mask.shape(1)};
}

// A function of a mask (and more) that makes another mask.
template <typename Function>
MaskArray make_mask(const MaskArray& mask, Function&& function) {
    const shapes::Mask in = mask_of(mask);
    MaskArray out = new_plane<bool>({in.rows, in.cols});
    std::uint8_t* data = bytes_of(out);
    const Released released(in.size());
    function(in, data);
    return out;
}

// Distances from a single nucleus of a given radius, by their squares in pixels.
inline reach::Away away_of(const LabelArray& squares, double radius) {
    return {reach::Nearest(squares.data(), squares.shape(0), squares.shape(1)), {0.0, radius}};
}

// The columns of `fastpgs.cells.table.measure` for the cells of a picture of that size.
// Where cells are and how large: some columns of `table_of`.
py::dict places_of(const std::vector<measures::Cell>& cells);
py::dict table_of(const std::vector<measures::Cell>& cells, std::ptrdiff_t rows, std::ptrdiff_t cols);

inline stain::Picture picture_of(const ByteArray& rgb) {
    if (rgb.ndim() != 3 || rgb.shape(2) != 3 || rgb.size() == 0)
        throw std::invalid_argument("rgb must be a non-empty array of shape (H, W, 3)");
    return {rgb.data(), rgb.shape(0), rgb.shape(1)};
}

}  // namespace fastpgs::bindings
