#include <pybind11/native_enum.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>

#include "arrays.hpp"
#include "fastpgs/features.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/points.hpp"
#include "fastpgs/real_kernels.hpp"
#include "fastpgs/segment.hpp"

namespace fastpgs::bindings {

namespace {

LabelArray new_labels(const ImageView& image) {
    return new_plane<std::int32_t>(
        {static_cast<py::ssize_t>(image.height), static_cast<py::ssize_t>(image.width)});
}

Result segment_one(const py::array& image, const py::object& mask, const Params& params, LabelArray& labels) {
    const ImageView view = image_view(image);
    const MaskView used = mask_view(mask, view);
    labels = new_labels(view);
    std::int32_t* out = labels.mutable_data();
    const Released released;
    return segment(view, used, params, out);
}

py::tuple segment_many(const py::sequence& images, const py::sequence& masks, const Params& params,
                       int threads) {
    // The arrays are kept alive by the caller's lists until the GIL is held again.
    std::vector<Job> jobs;
    py::list labels;
    for (std::size_t i = 0; i < images.size(); ++i) {
        const ImageView view = image_view(images[i].cast<py::array>());
        LabelArray out = new_labels(view);
        const py::object mask = masks[i];
        jobs.push_back({view, mask_view(mask, view), out.mutable_data()});
        labels.append(out);
    }
    std::vector<Result> results;
    {
        const Released released;
        results = segment_batch(jobs, params, threads);
    }
    return py::make_tuple(labels, results);
}

// Coordinates of every pixel, (H, W, F), unmapped.
py::array_t<double> features(const py::array& image, const Params& params) {
    const ImageView view = image_view(image);
    FeatureSpace space = feature_space(view, params);
    space.map = nullptr;
    Planes<double> planes(space.dims, view.pixels());
    py::array_t<double> out({static_cast<py::ssize_t>(view.height), static_cast<py::ssize_t>(view.width),
                             static_cast<py::ssize_t>(space.dims)});
    double* data = out.mutable_data();
    const Released released;
    read_features(view, space, 0, view.pixels(), planes.data());
    for (std::size_t i = 0; i < view.pixels(); ++i)
        for (std::size_t a = 0; a < space.dims; ++a) data[i * space.dims + a] = planes[a][i];
    return out;
}

// Least values of the channels, then greatest.
std::vector<double> extents(const py::array& image) {
    const ImageView view = image_view(image);
    if (view.pixels() == 0 || view.channels > kMaxDims)
        throw std::invalid_argument("image must have pixels, and at most " + std::to_string(kMaxDims) +
                                    " channels");
    std::vector<double> out(2 * view.channels);
    const Released released(static_cast<std::ptrdiff_t>(view.pixels()));
    channel_extents(view, out.data(), out.data() + view.channels);
    return out;
}

// The levels that values in [0, 1] hold: of 8 bits if top is 255, of 16 if it is 65535; none if they hold
// anything farther from levels than the tolerance.
py::object levels(const py::array& values, int top, double tolerance) {
    const bool wide = py::isinstance<py::array_t<double>>(values);
    if (!wide && !py::isinstance<py::array_t<float>>(values))
        throw std::invalid_argument("values must be of float32 or float64");
    const auto address = reinterpret_cast<std::uintptr_t>(values.data());
    const bool aligned = address % static_cast<std::uintptr_t>(values.itemsize()) == 0;
    if ((values.flags() & py::array::c_style) == 0 || !aligned)
        throw std::invalid_argument("values must be C-contiguous and aligned");
    if (top != 255 && top != 65535)
        throw std::invalid_argument("top must be 255 or 65535, got " + std::to_string(top));
    const std::vector<py::ssize_t> shape(values.shape(), values.shape() + values.ndim());
    py::array out(top == 255 ? py::dtype::of<std::uint8_t>() : py::dtype::of<std::uint16_t>(), shape);
    const auto n = static_cast<std::size_t>(values.size());
    const LevelsArgs args{values.data(), wide, n, static_cast<double>(top), tolerance, out.mutable_data()};
    bool held = false;
    {
        const Released released(static_cast<std::ptrdiff_t>(n));
        held = real_kernels().levels(args);
    }
    return held ? py::object(out) : py::none();
}

py::tuple feature_moments(const py::array& image, const py::object& mask, const Params& params) {
    const ImageView view = image_view(image);
    const MaskView used = mask_view(mask, view);
    Moments out;
    {
        const Released released;
        out = moments(view, used, params);
    }
    return py::make_tuple(out.n, out.sums, out.products);
}

}  // namespace

void bind_segment(py::module_& module) {
    py::native_enum<Features>(module, "Features", "enum.Enum")
        .value("lab", Features::lab)
        .value("rgb", Features::rgb)
        .value("gray", Features::gray)
        .value("xy", Features::xy)
        .value("raw", Features::raw)
        .finalize();
    py::native_enum<Update>(module, "Update", "enum.Enum")
        .value("medoid", Update::medoid)
        .value("mean", Update::mean)
        .finalize();
    py::native_enum<Init>(module, "Init", "enum.Enum")
        .value("plus_plus", Init::plus_plus)
        .value("random", Init::random)
        .value("given", Init::given)
        .finalize();

    py::class_<Params>(module, "Params")
        .def(py::init<>())
        .def_readwrite("k", &Params::k)
        .def_readwrite("features", &Params::features)
        .def_readwrite("update", &Params::update)
        .def_readwrite("init", &Params::init)
        .def_readwrite("given", &Params::given)
        .def_readwrite("n_init", &Params::n_init)
        .def_readwrite("max_iter", &Params::max_iter)
        .def_readwrite("tol2", &Params::tol2)
        .def_readwrite("threshold", &Params::threshold)
        .def_readwrite("connectivity", &Params::connectivity)
        .def_readwrite("positions", &Params::positions)
        .def_readwrite("map", &Params::map)
        .def_readwrite("extents", &Params::extents)
        .def_readwrite("bounds", &Params::bounds)
        .def_readwrite("seed", &Params::seed)
        .def_readwrite("want_clusters", &Params::want_clusters)
        .def_readwrite("want_inertia", &Params::want_inertia)
        .def_readwrite("threads", &Params::threads);

    py::class_<Result>(module, "Result")
        .def_readonly("pivots", &Result::pivots)
        .def_readonly("pivot_features", &Result::pivot_features)
        .def_property_readonly("clusters",
                               [](const Result& result) {
                                   return py::array_t<std::uint8_t>(
                                       static_cast<py::ssize_t>(result.clusters.size()),
                                       result.clusters.data());
                               })
        .def_readonly("empty", &Result::empty)
        .def_readonly("dims", &Result::dims)
        .def_readonly("inertia", &Result::inertia)
        .def_readonly("n_iter", &Result::n_iter)
        .def_readonly("converged", &Result::converged)
        .def_readonly("distinct", &Result::distinct)
        .def_readonly("beyond", &Result::beyond);

    module.def(
        "segment",
        [](const py::array& image, const py::object& mask, const Params& params) {
            LabelArray labels;
            Result result = segment_one(image, mask, params, labels);
            return py::make_tuple(labels, std::move(result));
        },
        py::arg("image"), py::arg("mask"), py::arg("params"));
    module.def("segment_batch", &segment_many, py::arg("images"), py::arg("masks"), py::arg("params"),
               py::arg("threads"));
    module.def("features", &features, py::arg("image"), py::arg("params"));
    module.def("extents", &extents, py::arg("image"));
    module.def("levels", &levels, py::arg("values"), py::arg("top"), py::arg("tolerance"));
    module.def("moments", &feature_moments, py::arg("image"), py::arg("mask"), py::arg("params"));
    module.def("permitted_threads", &permitted_threads);
}

}  // namespace fastpgs::bindings
