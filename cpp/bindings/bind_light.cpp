// How pictures and crops were taken, for fastpgs.inference.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <stdexcept>
#include <string>
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

DoubleArray doubles(const std::vector<double>& values) { return doubles(values.data(), values.size()); }

std::tuple<DoubleArray, double, double> picture_light(const ByteArray& rgb) {
    const stain::Picture picture = picture_of(rgb);
    light::Light found{};
    {
        const Released released;
        found = light::measure(picture, light::Luma(picture));
    }
    return {doubles(found.level.data(), found.level.size()), found.brightest, found.spread};
}

std::tuple<DoubleArray, DoubleArray> picture_steps(const ByteArray& rgb) {
    const stain::Picture picture = picture_of(rgb);
    light::Steps found;
    {
        const Released released;
        found = light::steps(light::Luma(picture));
    }
    return {doubles(found.across), doubles(found.down)};
}

// `picture_light` and `picture_steps`, of a luminance that is made once.
std::tuple<DoubleArray, double, double, DoubleArray, DoubleArray> picture_look(const ByteArray& rgb) {
    const stain::Picture picture = picture_of(rgb);
    light::Light found{};
    light::Steps steps;
    {
        const Released released;
        const light::Luma lights(picture);
        found = light::measure(picture, lights);
        steps = light::steps(lights);
    }
    return {doubles(found.level.data(), found.level.size()), found.brightest, found.spread,
            doubles(steps.across), doubles(steps.down)};
}

int channels_of(const ByteArray& crops, py::ssize_t smallest) {
    const bool coloured = crops.ndim() == 4 && crops.shape(3) == 3;
    if (!(coloured || crops.ndim() == 3) || crops.shape(0) < 1 || crops.shape(1) < smallest ||
        crops.shape(1) != crops.shape(2))
        throw std::invalid_argument("crops must have shape (n, S, S) or (n, S, S, 3), n >= 1 and S >= " +
                                    std::to_string(smallest));
    return coloured ? 3 : 1;
}

std::tuple<double, double, double> crop_differences(const ByteArray& crops) {
    const int channels = channels_of(crops, 3);
    light::Differences found{};
    {
        const Released released(crops.size());
        found = light::differences(crops.data(), crops.shape(0), crops.shape(1), channels);
    }
    return {found.second, found.down, found.across};
}

// Sums of the levels of each crop and of their squares, (n, C) each.
std::tuple<IndexArray, IndexArray> crop_levels(const ByteArray& crops) {
    const int channels = channels_of(crops, 1);
    if (crops.shape(1) >= 1 << 16)
        throw std::invalid_argument("crops must have less than 65536 pixels a side");
    light::Levels found;
    {
        const Released released(crops.size());
        found = light::levels(crops.data(), crops.shape(0), crops.shape(1), channels);
    }
    const auto array = [&](const std::vector<std::int64_t>& values) {
        IndexArray made({crops.shape(0), static_cast<py::ssize_t>(channels)});
        std::copy(values.begin(), values.end(), made.mutable_data());
        return made;
    };
    return {array(found.sums), array(found.squares)};
}

}  // namespace

void bind_light(py::module_& module) {
    using py::literals::operator""_a;
    module.def("picture_light", &picture_light, "rgb"_a.noconvert());
    module.def("picture_steps", &picture_steps, "rgb"_a.noconvert());
    module.def("picture_look", &picture_look, "rgb"_a.noconvert());
    module.def("crop_levels", &crop_levels, "crops"_a.noconvert());
    module.def("crop_differences", &crop_differences, "crops"_a.noconvert());
}

}  // namespace fastpgs::bindings
