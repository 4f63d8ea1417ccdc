// How pictures and crops were taken, for fastpgs.inference.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

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

// How much the blocks of JPEG stand out.
double picture_blocks(const ByteArray& rgb) {
    const stain::Picture picture = picture_of(rgb);
    const Released released;
    return light::blockiness(light::steps(light::Luma(picture)));
}

// `picture_light` and `picture_blocks`, of a luminance that is made once.
std::tuple<DoubleArray, double, double, double> picture_look(const ByteArray& rgb) {
    const stain::Picture picture = picture_of(rgb);
    light::Light found{};
    double blocks = 0.0;
    {
        const Released released;
        const light::Luma lights(picture);
        found = light::measure(picture, lights);
        blocks = light::blockiness(light::steps(lights));
    }
    return {doubles(found.level.data(), found.level.size()), found.brightest, found.spread, blocks};
}

int channels_of(const ByteArray& crops, py::ssize_t smallest) {
    const bool coloured = crops.ndim() == 4 && crops.shape(3) == 3;
    if (!(coloured || crops.ndim() == 3) || crops.shape(0) < 1 || crops.shape(1) < smallest ||
        crops.shape(1) != crops.shape(2))
        throw std::invalid_argument("crops must have shape (n, S, S) or (n, S, S, 3), n >= 1 and S >= " +
                                    std::to_string(smallest));
    return coloured ? 3 : 1;
}

// Differences (second, down, across) and levels (mean and spread, a channel each) of crops.
std::tuple<double, double, double, std::vector<double>, std::vector<double>> crop_look(
    const ByteArray& crops) {
    const int channels = channels_of(crops, 3);
    if (crops.shape(1) > 2048) throw std::invalid_argument("crops must have at most 2048 pixels a side");
    light::Differences found{};
    light::Levels levels;
    {
        const Released released(crops.size());
        found = light::differences(crops.data(), crops.shape(0), crops.shape(1), channels);
        levels = light::levels(crops.data(), crops.shape(0), crops.shape(1), channels);
    }
    return {found.second, found.down, found.across, levels.mean, levels.spread};
}

}  // namespace

void bind_light(py::module_& module) {
    using py::literals::operator""_a;
    module.def("picture_light", &picture_light, "rgb"_a.noconvert());
    module.def("picture_steps", &picture_steps, "rgb"_a.noconvert());
    module.def("picture_blocks", &picture_blocks, "rgb"_a.noconvert());
    module.def("picture_look", &picture_look, "rgb"_a.noconvert());
    module.def("crop_look", &crop_look, "crops"_a.noconvert());
}

}  // namespace fastpgs::bindings
