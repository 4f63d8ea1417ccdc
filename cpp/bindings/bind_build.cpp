#include <pybind11/pybind11.h>

#include "fastpgs/kernels.hpp"
#include "fastpgs/parallel.hpp"

namespace fastpgs::bindings {

namespace py = pybind11;

void bind_build(py::module_& module) {
    module.def("build_info", [] {
        py::dict info;
        info["version"] = FASTPGS_VERSION;
#if defined(__clang__)
        info["compiler"] = "Clang " __clang_version__;
#elif defined(__GNUC__)
        info["compiler"] = "GCC " __VERSION__;
#elif defined(_MSC_VER)
        info["compiler"] = "MSVC " + std::to_string(_MSC_VER);
#else
        info["compiler"] = "unknown";
#endif
        info["openmp"] = has_openmp();
        info["simd"] = kernels().name;
        info["threads"] = permitted_threads();
        return info;
    });
}

}  // namespace fastpgs::bindings
