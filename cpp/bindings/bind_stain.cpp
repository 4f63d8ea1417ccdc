// Stain features and the colours of cytoplasm, for fastpgs.cells.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>

#include "cell_arrays.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/nuclear.hpp"
#include "fastpgs/odds.hpp"
#include "fastpgs/redness.hpp"
#include "fastpgs/stain.hpp"

namespace fastpgs::bindings {

namespace {

py::object black_surround(const ByteArray& rgb, int dark) {
    const stain::Picture picture = picture_of(rgb);
    shapes::Bits surround;
    bool found = false;
    {
        const Released released;
        found = stain::black_surround(picture, dark, surround);
    }
    if (!found) return py::none();
    MaskArray mask({picture.rows, picture.cols});
    shapes::unpack(surround, bytes_of(mask), picture.cols);
    return mask;
}

DoubleArray background(const ByteArray& rgb, const std::optional<MaskArray>& valid) {
    const stain::Picture picture = picture_of(rgb);
    shapes::Bits used;
    if (valid) {
        same_shape(*valid, picture.rows, picture.cols, "valid");
        used = shapes::pack(mask_of(*valid));
        if (!used.any()) throw std::invalid_argument("valid must hold a pixel");
    }
    DoubleArray white(3);
    double* data = white.mutable_data();
    const Released released;
    stain::background(picture, valid ? &used : nullptr, data);
    return white;
}

std::tuple<ByteArray, ShortArray, ShortArray, FloatArray> stain_planes(const ByteArray& rgb,
                                                                       const DoubleArray& white, int offset,
                                                                       bool grey) {
    const stain::Picture picture = picture_of(rgb);
    if (white.size() != 3) throw std::invalid_argument("white must hold three levels");
    ByteArray features = new_plane<std::uint8_t>({picture.rows, picture.cols, 3});
    ShortArray score = new_plane<std::int16_t>({picture.rows, picture.cols}),
               depth = new_plane<std::int16_t>({picture.rows, picture.cols});
    FloatArray strength = new_plane<float>({picture.rows, picture.cols});
    const stain::Planes out{features.mutable_data(), score.mutable_data(), depth.mutable_data(),
                            strength.mutable_data()};
    const double* balance = white.data();
    const Released released;
    stain::planes(picture, balance, offset, grey, out);
    return {features, score, depth, strength};
}

std::vector<std::int64_t> spread_pivots(const ShortArray& score, const MaskArray& valid, int k) {
    const shapes::Mask used = mask_of(valid);
    same_shape(score, used.rows, used.cols, "score");
    if (k < 2) throw std::invalid_argument("k must be at least 2, got " + std::to_string(k));
    const std::int16_t* scores = score.data();
    const Released released;
    std::int16_t lowest = 0, highest = 0;
    for (std::ptrdiff_t i = 0; i < used.size(); ++i) {
        lowest = std::min(lowest, scores[i]);
        highest = std::max(highest, scores[i]);
    }
    if (lowest < -255 || highest > 255)
        throw std::invalid_argument("scores must lie in [-255, 255], got " + std::to_string(lowest) + " to " +
                                    std::to_string(highest));
    return stain::spread(scores, shapes::pack(used), k);
}

redness::Model model_of(const ByteArray& features, const MaskArray& near, const MaskArray& red,
                        double outlier) {
    const stain::Picture picture = picture_of(features);
    same_shape(near, picture.rows, picture.cols, "near");
    same_shape(red, picture.rows, picture.cols, "red");
    redness::Colours around, far;
    const auto gather = [&](const MaskArray& from, redness::Colours& colours) {
        shapes::each_run(shapes::pack(mask_of(from)),
                         [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
                             const std::uint8_t* row = picture.rgb + 3 * r * picture.cols;
                             colours.insert(colours.end(), row + 3 * begin, row + 3 * end);
                         });
    };
    gather(near, around);
    gather(red, far);
    if (around.size() < 6 || far.size() < 6)
        throw std::invalid_argument("near and red must hold two pixels each");
    const Released released;
    return redness::fit(around, far, outlier);
}

// Three weights, the bias, and how well the two are told apart.
std::vector<double> colour_model(const ByteArray& features, const MaskArray& near, const MaskArray& red,
                                 double outlier) {
    const redness::Model model = model_of(features, near, red, outlier);
    return {model.weights[0], model.weights[1], model.weights[2], model.bias, model.sure};
}

odds::Odds odds_by(const ByteArray& features, const std::vector<double>& model, double most, int size) {
    const stain::Picture picture = picture_of(features);
    if (model.size() != 4)
        throw std::invalid_argument("model must hold three weights and a bias, got " +
                                    std::to_string(model.size()) + " numbers");
    if (size < 1 || size % 2 == 0)
        throw std::invalid_argument("size must be odd, got " + std::to_string(size));
    return {picture, {{model[0], model[1], model[2]}, model[3], 0.0}, most, size};
}

// For tests: each pixel's odds, and whether they are above 0.
std::tuple<DoubleArray, MaskArray> model_odds(const ByteArray& features, const std::vector<double>& model,
                                              double most, int size) {
    const odds::Odds odds = odds_by(features, model, most, size);
    const py::ssize_t rows = features.shape(0), cols = features.shape(1);
    DoubleArray all = new_plane<double>({rows, cols});
    MaskArray above = new_plane<bool>({rows, cols});
    double* data = all.mutable_data();
    for (py::ssize_t r = 0; r < rows; ++r)
        for (py::ssize_t c = 0; c < cols; ++c) *data++ = odds.at(r, c);
    shapes::unpack(odds.above_zero(shapes::Bits(rows, cols).outside()), bytes_of(above), cols);
    return {all, above};
}

// For tests: the pixels that odds and distances from a nucleus of a given radius, by their squares, take for
// a red cell's.
MaskArray against(const ByteArray& features, const std::vector<double>& model, double most, int size,
                  const LabelArray& squares, double radius, double even) {
    const odds::Odds odds = odds_by(features, model, most, size);
    const py::ssize_t rows = features.shape(0), cols = features.shape(1);
    same_shape(squares, rows, cols, "squares");
    const reach::Away away = away_of(squares, radius);
    MaskArray out = new_plane<bool>({rows, cols});
    std::uint8_t* data = bytes_of(out);
    const Released released;
    shapes::unpack(odds.against(away, even, shapes::Bits(rows, cols).outside()), data, cols);
    return out;
}

// Whether each pixel's nearest pivot (Eq. 4), one a row, is one of those for which nuclear[pivot] holds.
MaskArray nearest_is_nuclear(const ByteArray& features, const ByteArray& pivots, const MaskArray& chosen,
                             float lenient) {
    const stain::Picture picture = picture_of(features);
    if (pivots.ndim() != 2 || pivots.shape(1) != 3 || chosen.ndim() != 1 ||
        chosen.shape(0) != pivots.shape(0))
        throw std::invalid_argument("pivots must have shape (k, 3) and nuclear (k,)");
    const std::uint8_t* flags = bytes_of(chosen);
    nuclear::Colours nuclei, others;
    for (py::ssize_t i = 0; i < pivots.shape(0); ++i)
        (flags[i] ? nuclei : others).push_back({pivots.at(i, 0), pivots.at(i, 1), pivots.at(i, 2)});
    MaskArray out = new_plane<bool>({picture.rows, picture.cols});
    std::uint8_t* data = bytes_of(out);
    const Released released;
    nuclear::nearest(picture, nuclei, others, lenient, data);
    return out;
}

// As numpy.median rounds it; a nan where no pixel is chosen.
float median(const FloatArray& plane, const MaskArray& where) {
    const shapes::Mask chosen = mask_of(where);
    same_shape(plane, chosen.rows, chosen.cols, "plane");
    const float* values = plane.data();
    const Released released(chosen.size());
    return stain::median(values, shapes::pack(chosen));
}

}  // namespace

void bind_stain(py::module_& module) {
    using namespace py::literals;
    module.def("nearest_is_nuclear", &nearest_is_nuclear, "features"_a.noconvert(), "pivots"_a.noconvert(),
               "nuclear"_a.noconvert(), "lenient"_a);
    module.def("colour_model", &colour_model, "features"_a.noconvert(), "near"_a.noconvert(),
               "red"_a.noconvert(), "outlier"_a);
    module.def("model_odds", &model_odds, "features"_a.noconvert(), "model"_a, "most"_a, "size"_a);
    module.def("black_surround", &black_surround, "rgb"_a.noconvert(), "dark"_a);
    module.def("background", &background, "rgb"_a.noconvert(), "valid"_a.noconvert());
    module.def("stain_planes", &stain_planes, "rgb"_a.noconvert(), "white"_a.noconvert(), "offset"_a,
               "grey"_a);
    module.def("spread_pivots", &spread_pivots, "score"_a.noconvert(), "valid"_a.noconvert(), "k"_a);
    module.def("against", &against, "features"_a.noconvert(), "model"_a, "most"_a, "size"_a,
               "squares"_a.noconvert(), "radius"_a, "even"_a);
    module.def("median", &median, "plane"_a.noconvert(), "where"_a.noconvert());
}

}  // namespace fastpgs::bindings
