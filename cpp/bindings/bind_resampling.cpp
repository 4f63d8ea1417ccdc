// Crops of cells at another scale than the image's, for fastpgs.cells.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <tuple>

#include "cell_arrays.hpp"
#include "fastpgs/resampling.hpp"

namespace fastpgs::bindings {

namespace {

resampling::Taps taps_of(double start, py::ssize_t size, double zoom) {
    if (size < 1 || !std::isfinite(start) || !std::isfinite(zoom) || zoom <= 0.0)
        throw std::invalid_argument("start must be finite, size at least 1 and zoom finite and above 0");
    return {start, size, zoom};
}

// First pixel and number of pixels of what `size` output pixels show along one axis.
std::tuple<py::ssize_t, py::ssize_t> resampled_window(double start, py::ssize_t size, double zoom) {
    const resampling::Taps taps = taps_of(start, size, zoom);
    return {taps.origin, taps.extent};
}

template <typename Array>
Array resample(const Array& window, py::ssize_t size, double top, double left, double zoom) {
    const resampling::Taps down = taps_of(top, size, zoom);
    const resampling::Taps across = taps_of(left, size, zoom);
    if (window.ndim() != 3 || window.shape(0) != down.extent || window.shape(1) != across.extent)
        throw std::invalid_argument("window must have shape (" + std::to_string(down.extent) + ", " +
                                    std::to_string(across.extent) + ", C)");
    Array out({size, size, window.shape(2)});
    auto* data = out.mutable_data();
    const Released released(window.size() + out.size());
    resampling::resample(window.data(), down, across, window.shape(2), data);
    return out;
}

}  // namespace

void bind_resampling(py::module_& module) {
    using py::literals::operator""_a;
    module.def("resampled_window", &resampled_window, "start"_a, "size"_a, "zoom"_a);
    module.def("resample", &resample<ByteArray>, "window"_a.noconvert(), "size"_a, "top"_a, "left"_a,
               "zoom"_a);
    module.def("resample", &resample<DoubleArray>, "window"_a.noconvert(), "size"_a, "top"_a, "left"_a,
               "zoom"_a);
}

}  // namespace fastpgs::bindings
