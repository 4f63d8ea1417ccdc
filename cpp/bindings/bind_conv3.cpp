#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "arrays.hpp"
#include "fastpgs/conv3.hpp"
#include "fastpgs/network.hpp"

namespace fastpgs::bindings {

namespace {

using Floats = py::array_t<float, py::array::c_style>;

Numbers numbers_of(const std::string& name) {
    if (name == "fp32") return Numbers::fp32;
    if (name == "int16") return Numbers::int16;
    throw std::invalid_argument("numbers must be fp32 or int16, got '" + name + "'");
}

Conv3 make(const Floats& weight, const Floats& bias, const Floats& slope, const std::string& numbers) {
    if (weight.ndim() != 4 || weight.shape(2) != 3 || weight.shape(3) != 3 || weight.shape(0) == 0 ||
        weight.shape(1) == 0)
        throw std::invalid_argument("weight must have shape (c_out, c_in, 3, 3)");
    if (bias.ndim() != 1 || slope.ndim() != 1 || bias.shape(0) != weight.shape(0) ||
        slope.shape(0) != weight.shape(0))
        throw std::invalid_argument("bias and slope must have shape (c_out,)");
    return {weight.data(),
            bias.data(),
            slope.data(),
            static_cast<std::size_t>(weight.shape(1)),
            static_cast<std::size_t>(weight.shape(0)),
            numbers_of(numbers)};
}

std::string shape_of(const py::array& x) {
    std::string text;
    for (py::ssize_t axis = 0; axis < x.ndim(); ++axis)
        text += (axis == 0 ? "(" : ", ") + std::to_string(x.shape(axis));
    return text + ")";
}

void expect_maps(const Floats& x, std::size_t channels) {
    if (x.ndim() != 4 || static_cast<std::size_t>(x.shape(3)) != channels)
        throw std::invalid_argument("expected maps of shape (n, height, width, " + std::to_string(channels) +
                                    "), got " + shape_of(x));
}

std::size_t size_of(const Floats& x, py::ssize_t axis) { return static_cast<std::size_t>(x.shape(axis)); }

View view_of(const Floats& x) {
    View view;
    view.x = x.data();
    view.height = size_of(x, 1);
    view.width = size_of(x, 2);
    view.channels = size_of(x, 3);
    return view;
}

Floats run(const Conv3& layer, const Floats& x, int padding, const std::optional<Floats>& second) {
    if (padding != 0 && padding != 1)
        throw std::invalid_argument("padding must be 0 or 1, got " + std::to_string(padding));
    if (x.ndim() != 4) throw std::invalid_argument("expected maps of 4 dimensions, got " + shape_of(x));
    if (second) {
        if (size_of(x, 3) > layer.c_in()) expect_maps(x, layer.c_in());
        expect_maps(*second, layer.c_in() - size_of(x, 3));
        for (py::ssize_t axis = 0; axis < 3; ++axis)
            if (second->shape(axis) != x.shape(axis))
                throw std::invalid_argument("maps of two sizes: " + shape_of(x) + " and " +
                                            shape_of(*second));
    } else {
        expect_maps(x, layer.c_in());
    }
    const py::ssize_t height = x.shape(1) + 2 * padding - 2, width = x.shape(2) + 2 * padding - 2;
    if (height < 1 || width < 1) throw std::invalid_argument("maps are too small: " + shape_of(x));
    Floats y({x.shape(0), height, width, static_cast<py::ssize_t>(layer.c_out())});
    Conv3Maps maps{};
    maps.first = view_of(x);
    if (second) maps.second = view_of(*second);
    maps.y = y.mutable_data();
    maps.n = size_of(x, 0);
    maps.height = size_of(x, 1);
    maps.width = size_of(x, 2);
    maps.padding = static_cast<std::size_t>(padding);
    const Released released;
    layer.run(maps);
    return y;
}

Up2 make_up(const Floats& weight, const Floats& bias, const std::string& numbers) {
    if (weight.ndim() != 4 || weight.shape(2) != 2 || weight.shape(3) != 2 || weight.size() == 0)
        throw std::invalid_argument("weight must have shape (c_in, c_out, 2, 2), got " + shape_of(weight));
    if (bias.ndim() != 1 || bias.shape(0) != weight.shape(1))
        throw std::invalid_argument("bias must have shape (c_out,), got " + shape_of(bias));
    return {weight.data(), bias.data(), size_of(weight, 0), size_of(weight, 1), numbers_of(numbers)};
}

Floats run_up(const Up2& layer, const Floats& x) {
    expect_maps(x, layer.c_in());
    Floats y({x.shape(0), 2 * x.shape(1), 2 * x.shape(2), static_cast<py::ssize_t>(layer.c_out())});
    const float* from = x.data();
    float* to = y.mutable_data();
    const Released released;
    layer.run(from, size_of(x, 0), size_of(x, 1), size_of(x, 2), to);
    return y;
}

Floats run_pool(const Floats& x) {
    if (x.ndim() != 4) throw std::invalid_argument("expected maps of 4 dimensions, got " + shape_of(x));
    Floats y({x.shape(0), x.shape(1) / 2, x.shape(2) / 2, x.shape(3)});
    const float* from = x.data();
    float* to = y.mutable_data();
    const Released released;
    pool2(from, size_of(x, 0), size_of(x, 1), size_of(x, 2), size_of(x, 3), to);
    return y;
}

Floats run_dense(const Floats& x, const Floats& weight, const Floats& bias) {
    if (x.ndim() != 2 || weight.ndim() != 2 || bias.ndim() != 1 || x.shape(1) != weight.shape(0) ||
        bias.shape(0) != weight.shape(1))
        throw std::invalid_argument("expected x (n, c_in), weight (c_in, c_out) and bias (c_out), got " +
                                    shape_of(x) + ", " + shape_of(weight) + " and " + shape_of(bias));
    Floats y({x.shape(0), weight.shape(1)});
    const float *from = x.data(), *matrix = weight.data(), *offset = bias.data();
    float* to = y.mutable_data();
    const Released released;
    dense(from, size_of(x, 0), size_of(x, 1), matrix, offset, size_of(weight, 1), to);
    return y;
}

std::vector<float> values_of(const Floats& array) { return {array.data(), array.data() + array.size()}; }

Network::Dense dense_of(const Floats& weight, const Floats& bias) {
    if (weight.ndim() != 2 || bias.ndim() != 1 || weight.shape(1) != bias.shape(0))
        throw std::invalid_argument("expected weight (c_in, c_out) and bias (c_out), got " +
                                    shape_of(weight) + " and " + shape_of(bias));
    return {values_of(weight), values_of(bias)};
}

std::size_t add_conv(Network& network, const Conv3& layer, std::size_t padding, std::size_t from,
                     std::optional<std::size_t> second) {
    return second ? network.conv(layer, padding, from, *second) : network.conv(layer, padding, from);
}

void add_head(Network& network, const std::vector<std::size_t>& from, const Floats& weight,
              const Floats& bias, const Floats& slope, const Floats& last_weight, const Floats& last_bias) {
    network.head(from, dense_of(weight, bias), values_of(slope), dense_of(last_weight, last_bias));
}

void add_pixelwise(Network& network, std::size_t from, const Floats& weight, float bias) {
    if (weight.ndim() != 1)
        throw std::invalid_argument("expected weights of shape (channels,), got " + shape_of(weight));
    network.pixelwise(from, values_of(weight), bias);
}

// Logits, embeddings, and the mask where it is wanted, of crops that `run` is given.
template <class Array, class Run>
std::tuple<Floats, Floats, std::optional<Floats>> run_network(const Network& network, const Array& crops,
                                                              bool masks, const Run& run) {
    if (crops.ndim() != 4 || static_cast<std::size_t>(crops.shape(3)) != network.channels())
        throw std::invalid_argument("expected input of shape (n, height, width, " +
                                    std::to_string(network.channels()) + "), got " + shape_of(crops));
    const py::ssize_t n = crops.shape(0);
    const auto height = static_cast<std::size_t>(crops.shape(1)),
               width = static_cast<std::size_t>(crops.shape(2));
    Floats logits({n, static_cast<py::ssize_t>(network.classes())});
    Floats embeddings({n, static_cast<py::ssize_t>(network.hidden())});
    std::optional<Floats> mask;
    if (masks) {
        const Network::Size size = network.mask_size(height, width);
        mask.emplace(std::vector<py::ssize_t>{n, static_cast<py::ssize_t>(size.height),
                                              static_cast<py::ssize_t>(size.width)});
    }
    const Network::Outputs out{logits.mutable_data(), embeddings.mutable_data(),
                               mask ? mask->mutable_data() : nullptr};
    {
        const auto* data = crops.data();
        const Released released;
        run(data, static_cast<std::size_t>(n), height, width, out);
    }
    return {logits, embeddings, mask};
}

auto run_numbers(const Network& network, const Floats& x, bool masks) {
    return run_network(network, x, masks,
                       [&](const float* data, std::size_t n, std::size_t height, std::size_t width,
                           const Network::Outputs& out) { network.run(data, n, height, width, out); });
}

auto run_levels(const Network& network, const py::array_t<std::uint8_t, py::array::c_style>& crops,
                const Floats& table, bool masks) {
    if (table.ndim() != 2 || table.shape(0) != 256 ||
        static_cast<std::size_t>(table.shape(1)) != network.channels())
        throw std::invalid_argument("expected a table of shape (256, " + std::to_string(network.channels()) +
                                    "), got " + shape_of(table));
    const float* numbers = table.data();
    return run_network(
        network, crops, masks,
        [&](const std::uint8_t* data, std::size_t n, std::size_t height, std::size_t width,
            const Network::Outputs& out) { network.run(data, numbers, n, height, width, out); });
}

}  // namespace

void bind_conv3(py::module_& module) {
    module.def("conv3_path", [] {
        const Conv3Kernels* kernels = conv3_kernels();
        return kernels == nullptr ? std::string() : std::string(kernels->name);
    });
    py::class_<Conv3>(module, "Conv3")
        .def(py::init(&make), py::arg("weight"), py::arg("bias"), py::arg("slope"),
             py::arg("numbers") = "fp32")
        .def("run", &run, py::arg("x"), py::arg("padding"), py::arg("second") = py::none());
    py::class_<Up2>(module, "Up2")
        .def(py::init(&make_up), py::arg("weight"), py::arg("bias"), py::arg("numbers") = "fp32")
        .def("run", &run_up, py::arg("x"));
    py::class_<Network>(module, "Network")
        .def(py::init<std::size_t>(), py::arg("channels"))
        .def("conv", &add_conv, py::arg("layer"), py::arg("padding"), py::arg("source"),
             py::arg("second") = py::none())
        .def("up", &Network::up, py::arg("layer"), py::arg("source"))
        .def("pool", &Network::pool, py::arg("source"))
        .def("enlarge", &Network::enlarge, py::arg("source"), py::arg("times"))
        .def("head", &add_head, py::arg("sources"), py::arg("weight"), py::arg("bias"), py::arg("slope"),
             py::arg("last_weight"), py::arg("last_bias"))
        .def("pixelwise", &add_pixelwise, py::arg("source"), py::arg("weight"), py::arg("bias"))
        .def("run", &run_numbers, py::arg("x"), py::arg("masks"))
        .def("run", &run_levels, py::arg("crops").noconvert(), py::arg("table").noconvert(),
             py::arg("masks"));
    module.def("pool2", &run_pool, py::arg("x"));
    module.def("dense", &run_dense, py::arg("x"), py::arg("weight"), py::arg("bias"));
}

}  // namespace fastpgs::bindings
