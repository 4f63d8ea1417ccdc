// How pictures and crops were taken, for fastpgs.inference.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "cell_arrays.hpp"
#include "fastpgs/light.hpp"

namespace fastpgs::bindings {

namespace {

DoubleArray doubles(const double* values, std::size_t n) {
    DoubleArray array(static_cast<py::ssize_t>(n));
    std::copy(values, values + n, array.mutable_data());
    return array;
}

std::tuple<DoubleArray, double, double> picture_light(const ByteArray& rgb) {
    const stain::Picture picture = picture_of(rgb);
    light::Light found{};
    {
        const Released released;
        found = light::measure(picture);
    }
    return {doubles(found.level.data(), found.level.size()), found.brightest, found.spread};
}

std::tuple<DoubleArray, DoubleArray> picture_steps(const ByteArray& rgb) {
    const stain::Picture picture = picture_of(rgb);
    light::Steps found;
    {
        const Released released;
        found = light::steps(picture);
    }
    return {doubles(found.across.data(), found.across.size()), doubles(found.down.data(), found.down.size())};
}

std::tuple<double, double, double> crop_differences(const ByteArray& crops) {
    const bool coloured = crops.ndim() == 4 && crops.shape(3) == 3;
    if (!(coloured || crops.ndim() == 3) || crops.shape(0) < 1 || crops.shape(1) < 3 ||
        crops.shape(1) != crops.shape(2))
        throw std::invalid_argument("crops must have shape (n, S, S) or (n, S, S, 3), n >= 1 and S >= 3");
    light::Differences found{};
    {
        const Released released;
        found = light::differences(crops.data(), crops.shape(0), crops.shape(1), coloured ? 3 : 1);
    }
    return {found.second, found.down, found.across};
}

}  // namespace

void bind_light(py::module_& module) {
    using py::literals::operator""_a;
    module.def("picture_light", &picture_light, "rgb"_a.noconvert());
    module.def("picture_steps", &picture_steps, "rgb"_a.noconvert());
    module.def("crop_differences", &crop_differences, "crops"_a.noconvert());
}

}  // namespace fastpgs::bindings
