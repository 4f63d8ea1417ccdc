// fastpgs._core: a table of contents.
#include <pybind11/pybind11.h>
#include <pythread.h>

#include <exception>

#include "arrays.hpp"

namespace fastpgs::bindings {

namespace {
unsigned long main_thread = 0;
}  // namespace

bool on_main_thread() { return PyThread_get_thread_ident() == main_thread; }

void bind_interrupts() {
    main_thread = py::module_::import("threading").attr("main_thread")().attr("ident").cast<unsigned long>();
    py::register_exception_translator([](std::exception_ptr error) {
        try {
            if (error) std::rethrow_exception(error);
        } catch (const Interrupted&) {
            if (PyErr_Occurred() == nullptr) PyErr_SetNone(PyExc_KeyboardInterrupt);
        }
    });
}

void bind_segment(py::module_& module);
void bind_shapes(py::module_& module);
void bind_stain(py::module_& module);
void bind_cells(py::module_& module);
void bind_search(py::module_& module);
void bind_table(py::module_& module);
void bind_build(py::module_& module);
void bind_conv3(py::module_& module);
void bind_light(py::module_& module);
void bind_crops(py::module_& module);
void bind_paths(py::module_& module);

}  // namespace fastpgs::bindings

PYBIND11_MODULE(_core, module) {
    module.doc() = "The C++ core of fastpgs. Private: use the functions of the package.";
    fastpgs::bindings::bind_interrupts();
    fastpgs::bindings::bind_segment(module);
    fastpgs::bindings::bind_shapes(module);
    fastpgs::bindings::bind_stain(module);
    fastpgs::bindings::bind_cells(module);
    fastpgs::bindings::bind_search(module);
    fastpgs::bindings::bind_table(module);
    fastpgs::bindings::bind_build(module);
    fastpgs::bindings::bind_conv3(module);
    fastpgs::bindings::bind_light(module);
    fastpgs::bindings::bind_crops(module);
    fastpgs::bindings::bind_paths(module);
}
