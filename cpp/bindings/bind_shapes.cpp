// Shapes of binary images.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "cell_arrays.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::bindings {

namespace {

std::tuple<LabelArray, std::int32_t> label(const MaskArray& mask) {
    const shapes::Mask in = mask_of(mask);
    LabelArray parts = new_plane<std::int32_t>({in.rows, in.cols});
    std::int32_t* data = parts.mutable_data();
    std::int32_t n = 0;
    {
        const Released released(in.size());
        n = shapes::label(in, data);
    }
    return {parts, n};
}

std::tuple<DoubleArray, IndexArray> nearest(const MaskArray& mask) {
    const shapes::Mask in = mask_of(mask);
    DoubleArray out({in.rows, in.cols});
    IndexArray index({in.rows, in.cols});
    double* distance = out.mutable_data();
    std::int64_t* at = index.mutable_data();
    {
        const Released released;
        std::vector<std::ptrdiff_t> found(static_cast<std::size_t>(in.size()));
        shapes::nearest(shapes::pack(in), distance, found.data());
        std::copy(found.begin(), found.end(), at);
    }
    return {out, index};
}

DoubleArray distance(const MaskArray& mask) {
    const shapes::Mask in = mask_of(mask);
    DoubleArray out({in.rows, in.cols});
    double* data = out.mutable_data();
    const Released released;
    shapes::distance(shapes::pack(in), data);
    return out;
}

LabelArray flood(const MaskArray& mask, const DoubleArray& levels, const LabelArray& markers) {
    const shapes::Mask in = mask_of(mask);
    same_shape(levels, in.rows, in.cols, "levels");
    same_shape(markers, in.rows, in.cols, "markers");
    LabelArray out({in.rows, in.cols});
    std::copy_n(markers.data(), in.size(), out.mutable_data());
    std::int32_t* data = out.mutable_data();
    const double* level = levels.data();
    const Released released;
    shapes::flood(in, level, data);
    return out;
}

MaskArray cut_tongues(const MaskArray& mask, const MaskArray& kept, double core, double length, double neck) {
    const shapes::Mask in = mask_of(mask);
    same_shape(kept, in.rows, in.cols, "kept");
    return make_mask(mask, [&](shapes::Mask whole, std::uint8_t* out) {
        shapes::cut_tongues(whole, bytes_of(kept), {core, length, neck}, out);
    });
}

IndexArray part_areas(const MaskArray& mask) {
    const shapes::Mask in = mask_of(mask);
    std::vector<std::int64_t> area;
    {
        const Released released(in.size());
        area = shapes::components(shapes::pack(in)).areas();
    }
    return IndexArray(static_cast<py::ssize_t>(area.size()) - 1, area.data() + 1);
}

DoubleArray inscribed_radii(const MaskArray& mask) {
    const shapes::Mask in = mask_of(mask);
    std::vector<double> radii;
    {
        const Released released(in.size());
        const shapes::Bits bits = shapes::pack(in);
        for (const shapes::Inscribed& disc : shapes::inscribed(bits, shapes::components(bits)))
            radii.push_back(disc.radius);
    }
    return DoubleArray(static_cast<py::ssize_t>(radii.size()) - 1, radii.data() + 1);
}

}  // namespace

void bind_shapes(py::module_& module) {
    using namespace py::literals;
    module.def("label", &label, "mask"_a.noconvert());
    module.def("distance", &distance, "mask"_a.noconvert());
    module.def("nearest", &nearest, "mask"_a.noconvert());
    module.def("flood", &flood, "mask"_a.noconvert(), "levels"_a.noconvert(), "markers"_a.noconvert());
    module.def(
        "fill_holes",
        [](const MaskArray& mask, double largest) {
            return make_mask(
                mask, [&](shapes::Mask in, std::uint8_t* out) { shapes::fill_holes(in, largest, out); });
        },
        "mask"_a.noconvert(), "largest"_a);
    module.def(
        "touching",
        [](const MaskArray& mask, const MaskArray& seed) {
            same_shape(seed, mask_of(mask).rows, mask_of(mask).cols, "seed");
            const std::uint8_t* data = bytes_of(seed);
            return make_mask(mask,
                             [&](shapes::Mask in, std::uint8_t* out) { shapes::touching(in, data, out); });
        },
        "mask"_a.noconvert(), "seed"_a.noconvert());
    const auto disc = [&](const char* name, void (*function)(shapes::Mask, double, std::uint8_t*)) {
        module.def(
            name,
            [function](const MaskArray& mask, double radius) {
                if (!(radius >= 0 && radius < 60000))
                    throw std::invalid_argument("radius must be in [0, 60000), got " +
                                                std::to_string(radius));
                return make_mask(mask,
                                 [&](shapes::Mask in, std::uint8_t* out) { function(in, radius, out); });
            },
            "mask"_a.noconvert(), "radius"_a);
    };
    disc("erode_disc", shapes::erode_disc);
    disc("open_disc", shapes::open_disc);
    disc("close_disc", shapes::close_disc);
    module.def(
        "hull_area", [](const MaskArray& mask) { return shapes::hull_area(shapes::pack(mask_of(mask))); },
        "mask"_a.noconvert());
    module.def(
        "solidity", [](const MaskArray& mask) { return shapes::solidity(shapes::pack(mask_of(mask))); },
        "mask"_a.noconvert());
    module.def("cut_tongues", &cut_tongues, "mask"_a.noconvert(), "kept"_a.noconvert(), "core"_a, "length"_a,
               "neck"_a);
    module.def("part_areas", &part_areas, "mask"_a.noconvert());
    module.def("inscribed_radii", &inscribed_radii, "mask"_a.noconvert());
    module.def(
        "touching_frame",
        [](const MaskArray& mask) {
            return make_mask(mask, [](shapes::Mask in, std::uint8_t* out) {
                shapes::unpack(shapes::touching_frame(shapes::pack(in)), out, in.cols);
            });
        },
        "mask"_a.noconvert());
}

}  // namespace fastpgs::bindings
