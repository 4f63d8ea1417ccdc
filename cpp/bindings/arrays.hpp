// Array types of the Python boundary, named once; _core.pyi mirrors them.
#pragma once

#include <pybind11/numpy.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "fastpgs/block.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/views.hpp"

namespace fastpgs::bindings {

namespace py = pybind11;

using LabelArray = py::array_t<std::int32_t, py::array::c_style>;
using MaskArray = py::array_t<bool, py::array::c_style>;

// Whether the thread that imported the module as Python's main one, which alone runs signal handlers, is this
// one.
bool on_main_thread();

// Runs Python's handlers of signals that have come; true if one raised, which is then the error to report.
inline bool signalled() {
    const py::gil_scoped_acquire acquire;
    return PyErr_CheckSignals() != 0;
}

// Pixels below which a light piece of work on masks keeps Python's lock: some ten microseconds, less than it
// may take to wake the thread that waits for the lock, and to be woken again.
constexpr std::ptrdiff_t kBrief = 1 << 14;

// Python goes on while the core works; Ctrl-C ends the work where the core polls.
class Released {
  public:
    Released() : Released(kBrief) {}
    // For work whose time is that of some looks at so many pixels.
    explicit Released(std::ptrdiff_t pixels) : listener_(on_main_thread() ? &signalled : nullptr) {
        if (pixels >= kBrief) release_.emplace();
    }

  private:
    std::optional<py::gil_scoped_release> release_;
    Listener listener_;
};

// An array in memory that the thread keeps for the next one when nobody needs it any more; not cleared.
template <typename T>
py::array_t<T, py::array::c_style> new_plane(std::vector<py::ssize_t> shape) {
    std::size_t n = 1;
    for (const py::ssize_t side : shape) n *= static_cast<std::size_t>(side);
    auto block = std::make_unique<Block<T>>(n);
    T* data = block->data();
    const py::capsule owner(block.get(), [](void* held) { delete static_cast<Block<T>*>(held); });
    block.release();
    return py::array_t<T, py::array::c_style>(std::move(shape), data, owner);
}

// A view of a C-contiguous array of shape (H, W) or (H, W, C). The array must outlive it.
inline ImageView image_view(const py::array& array) {
    if (array.ndim() != 2 && array.ndim() != 3)
        throw std::invalid_argument("image must have 2 or 3 dimensions, got " + std::to_string(array.ndim()));
    if (!(array.flags() & py::array::c_style)) throw std::invalid_argument("image must be C-contiguous");
    ImageView view;
    view.data = array.data();
    view.height = static_cast<std::size_t>(array.shape(0));
    view.width = static_cast<std::size_t>(array.shape(1));
    view.channels = array.ndim() == 3 ? static_cast<std::size_t>(array.shape(2)) : 1;
    if (py::isinstance<py::array_t<std::uint8_t>>(array))
        view.type = PixelType::u8;
    else if (py::isinstance<py::array_t<std::uint16_t>>(array))
        view.type = PixelType::u16;
    else if (py::isinstance<py::array_t<float>>(array))
        view.type = PixelType::f32;
    else if (py::isinstance<py::array_t<double>>(array))
        view.type = PixelType::f64;
    else
        throw std::invalid_argument("image must be of native uint8, uint16, float32 or float64, got " +
                                    py::str(array.dtype()).cast<std::string>());
    return view;
}

inline MaskView mask_view(const py::object& mask, const ImageView& image) {
    if (mask.is_none()) return {};
    // A conversion would make a copy that dies with this function.
    if (!py::isinstance<MaskArray>(mask))
        throw std::invalid_argument("mask must be a C-contiguous array of bool");
    const auto array = py::reinterpret_borrow<MaskArray>(mask);
    if (array.ndim() != 2 || static_cast<std::size_t>(array.shape(0)) != image.height ||
        static_cast<std::size_t>(array.shape(1)) != image.width)
        throw std::invalid_argument("mask must have the image's shape");
    return {reinterpret_cast<const std::uint8_t*>(array.data())};
}

}  // namespace fastpgs::bindings
