// fastpgs._core: a table of contents.
#include <pybind11/pybind11.h>

namespace fastpgs::bindings {

void bind_segment(pybind11::module_& module);
void bind_cells(pybind11::module_& module);
void bind_build(pybind11::module_& module);
void bind_conv3(pybind11::module_& module);

}  // namespace fastpgs::bindings

PYBIND11_MODULE(_core, module) {
    module.doc() = "The C++ core of fastpgs. Private: use the functions of the package.";
    fastpgs::bindings::bind_segment(module);
    fastpgs::bindings::bind_cells(module);
    fastpgs::bindings::bind_build(module);
    fastpgs::bindings::bind_conv3(module);
}
