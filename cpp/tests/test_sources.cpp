// Tiles, tiles of reals and colours against plain pixels: the same pivots, iterations, objective and labels
// to the bit.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "fastpgs/kernels.hpp"
#include "fastpgs/random.hpp"
#include "fastpgs/seeding.hpp"
#include "fastpgs/source.hpp"

namespace {

using namespace fastpgs;

int failures = 0, compared = 0;

void check(bool ok, const std::string& text) {
    if (ok) return;
    ++failures;
    std::printf("FAILED: %s\n", text.c_str());
}

// Random colours, few or many; smooth ones, whose tiles are owned; flat ones.
enum class Kind { noise, few, smooth, two_halves };

std::vector<std::uint8_t> make_image(Kind kind, std::size_t height, std::size_t width, std::uint64_t seed) {
    std::vector<std::uint8_t> data(height * width * 3);
    SplitMix64 rng(seed);
    for (std::size_t i = 0; i < height * width; ++i) {
        const std::size_t row = i / width, col = i % width;
        for (std::size_t c = 0; c < 3; ++c) {
            std::uint64_t value = 0;
            switch (kind) {
                case Kind::noise:
                    value = rng.below(256);
                    break;
                case Kind::few:
                    value = 60 * rng.below(4);
                    break;
                case Kind::smooth:
                    value = (row * (c + 1) + col * (3 - c)) * 250 / (4 * (height + width)) + rng.below(3);
                    break;
                case Kind::two_halves:
                    value = col * 2 < width ? 255 : rng.below(2);
                    break;
            }
            data[3 * i + c] = static_cast<std::uint8_t>(value);
        }
    }
    return data;
}

template <class T>
struct Outcome {
    Pivots<T> pivots;
    Iterated iterated;
    Assigned assigned;
    std::vector<std::int32_t> labels;
};

template <class T>
Outcome<T> run(Source<T>& source, Pivots<T> pivots, std::vector<std::int32_t>& labels) {
    Outcome<T> out;
    out.iterated = source.iterate(pivots);
    for (std::size_t j = 0; j < pivots.raster.size(); ++j) pivots.raster[j] = source.locate(pivots, j);
    out.pivots = std::move(pivots);
    // Another order than they were found in, as by luma.
    const std::size_t k = out.pivots.raster.size(), dims = out.pivots.z.size() / k;
    std::vector<T> turned;
    for (std::size_t j = k; j-- > 0;)
        turned.insert(turned.end(), out.pivots.z.begin() + static_cast<std::ptrdiff_t>(dims * j),
                      out.pivots.z.begin() + static_cast<std::ptrdiff_t>(dims * (j + 1)));
    out.assigned = source.assign(turned, true);
    source.write_labels();
    out.labels = labels;
    return out;
}

// Made one at a time: until they label, some keep what they counted in the labels.
template <class T>
std::vector<std::pair<const char*, std::unique_ptr<Source<T>> (*)(const Task&)>> makers() {
    if constexpr (std::is_same_v<T, double>)
        return {{"real tiles", make_real_tiles},
                {"mapped groups", make_mapped_groups},
                {"colours", make_colours<double>}};
    else
        return {
            {"tiles", make_tiles}, {"groups", make_colour_groups}, {"colours", make_colours<std::int32_t>}};
}

template <class T>
void compare(const std::string& name, const ImageView& image, const Params& params, bool masked) {
    std::vector<std::uint8_t> used(image.pixels());
    SplitMix64 rng(99);
    for (auto& one : used) one = rng.below(3) > 0;
    const MaskView mask{masked ? used.data() : nullptr};
    const FeatureSpace space = feature_space(image, params);
    const bool exact = space.integer && space.map == nullptr && params.update == Update::medoid;
    const auto raster = seed_pivots(image, mask, space, params, exact, 0);
    if (raster.size() < static_cast<std::size_t>(params.k)) return;
    Pivots<T> pivots;
    pivots.raster = raster;
    pivots.point.assign(raster.size(), 0);
    for (const std::int64_t pixel : raster) {
        T x[kMaxDims];
        T* out[kMaxDims];
        for (std::size_t a = 0; a < space.dims; ++a) out[a] = x + a;
        gather_features(image, space, &pixel, 1, out);
        pivots.z.insert(pivots.z.end(), x, x + space.dims);
    }
    std::vector<std::int32_t> labels(image.pixels(), -7);
    const Task task{image, mask, space, params, params.threads, exact, labels.data()};
    const Outcome<T> expected = run(*make_pixels<T>(task), pivots, labels);
    const std::string text = name + " " + std::to_string(image.height) + "x" + std::to_string(image.width) +
                             " k " + std::to_string(params.k) + (masked ? " masked" : "") +
                             (params.threshold ? " limited" : "") +
                             (params.update == Update::mean ? " mean" : "");
    for (const auto& [which, make] : makers<T>()) {
        std::fill(labels.begin(), labels.end(), -7);
        const std::unique_ptr<Source<T>> source = make(task);
        if (source == nullptr) continue;
        ++compared;
        const Outcome<T> got = run(*source, pivots, labels);
        const std::string where = std::string(" of ") + which + ": " + text;
        check(got.pivots.z == expected.pivots.z && got.pivots.raster == expected.pivots.raster,
              "pivots" + where);
        check(got.iterated.n_iter == expected.iterated.n_iter &&
                  got.iterated.converged == expected.iterated.converged,
              "iterations" + where);
        check(got.assigned.inertia == expected.assigned.inertia &&
                  got.assigned.empty == expected.assigned.empty,
              "objective" + where);
        check(got.labels == expected.labels, "labels" + where);
    }
}

// Spaces whose squared distances fit 31 bits.
void compare_narrow(Kind kind, std::size_t height, std::size_t width, const Params& params) {
    const std::vector<std::uint8_t> data = make_image(kind, height, width, params.seed);
    const ImageView image{data.data(), PixelType::u8, height, width, 3};
    const std::string name =
        std::to_string(static_cast<int>(kind)) + (params.features == Features::lab ? " lab" : " rgb");
    for (const bool masked : {false, true}) compare<std::int32_t>(name, image, params, masked);
}

// The others: 16 bits, reals, one to seven channels, maps, positions, means.
void compare_wide(Kind kind, std::size_t height, std::size_t width, Params params) {
    const std::vector<std::uint8_t> data = make_image(kind, height, width, params.seed);
    SplitMix64 rng(params.seed);
    std::vector<std::uint16_t> words;
    std::vector<float> reals;
    std::vector<double> far;
    for (const std::uint8_t value : data) {
        words.push_back(
            static_cast<std::uint16_t>(kind == Kind::few ? value * 257 : value * 256 + rng.below(256)));
        reals.push_back(kind == Kind::few
                            ? static_cast<float>(value) / 255.0F
                            : (static_cast<float>(value) + static_cast<float>(rng.uniform())) / 256.0F);
        far.push_back(1e9 + 1e-3 * value);
    }
    const auto view = [&](const void* pixels, PixelType type, std::size_t channels) {
        return ImageView{pixels, type, height, width * 3 / channels, channels};
    };
    const auto both = [&](const std::string& name, const ImageView& image) {
        for (const bool masked : {false, true}) compare<double>(name, image, params, masked);
    };
    const std::string name = std::to_string(static_cast<int>(kind));
    params.features = Features::rgb;
    both(name + " u16", view(words.data(), PixelType::u16, 3));
    both(name + " f32", view(reals.data(), PixelType::f32, 3));
    params.positions = true;
    params.map.assign(25, 0.0);
    for (std::size_t a = 0; a < 5; ++a) params.map[a * 6] = a < 3 ? 1.0 : 0.37;
    both(name + " positions", view(data.data(), PixelType::u8, 3));
    params.positions = false;
    params.map = {0.05078125, 0.0, 0.0, -0.109375, 0.1298828125, 0.0, 0.01953125, -0.0703125, 0.08984375};
    both(name + " mapped", view(data.data(), PixelType::u8, 3));
    params.features = Features::lab;
    both(name + " mapped lab", view(data.data(), PixelType::u8, 3));
    params.map.clear();
    params.features = Features::xy;
    both(name + " xy", view(data.data(), PixelType::u8, 3));
    params.features = Features::raw;
    both(name + " far", view(far.data(), PixelType::f64, 3));
    if (width % 7 == 0) both(name + " u16 of 7", view(words.data(), PixelType::u16, 7));
    params.features = Features::gray;
    both(name + " grey u16", view(words.data(), PixelType::u16, 1));
}

}  // namespace

int main(int, char** argv) {
    // argv[1] is the path that FASTPGS_SIMD asks for; what this machine lacks, another run looks at.
    if (argv[1] != nullptr && std::string(argv[1]) != kernels().name) {
        std::printf("%s is not a path of this machine\n", argv[1]);
        return 77;
    }
    const std::pair<std::size_t, std::size_t> sizes[] = {{1, 3},  {3, 5},   {4, 4},    {17, 1},
                                                         {1, 67}, {40, 53}, {129, 127}};
    for (const Kind kind : {Kind::noise, Kind::few, Kind::smooth, Kind::two_halves})
        for (const auto& [height, width] : sizes)
            for (const int k : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 64})
                for (const Features features : {Features::rgb, Features::lab}) {
                    Params params;
                    params.k = k;
                    params.features = features;
                    params.seed = static_cast<std::uint64_t>(k) + width;
                    params.max_iter = 12;
                    params.threads = k % 3 + 1;
                    if (k % 4 == 1) params.threshold = features == Features::lab ? 640.0 * 640.0 : 2500.0;
                    compare_narrow(kind, height, width, params);
                }
    for (const Kind kind : {Kind::noise, Kind::few, Kind::smooth, Kind::two_halves})
        for (const auto& [height, width] :
             {sizes[0], sizes[2], sizes[4], std::pair{std::size_t{31}, std::size_t{35}},
              std::pair{std::size_t{8}, std::size_t{48}}})
            for (const int k : {1, 2, 3, 8, 32}) {
                Params params;
                params.k = k;
                params.seed = static_cast<std::uint64_t>(k) + width;
                params.max_iter = 12;
                params.threads = k % 3 + 1;
                compare_wide(kind, height, width, params);
                params.update = Update::mean;
                compare_wide(kind, height, width, params);
                params.threshold = 2500.0;
                compare_wide(kind, height, width, params);
                params.update = Update::medoid;
                compare_wide(kind, height, width, params);
            }
    // Beyond 2^21 pixels tiles are longer, and several threads share them. Flat halves are of colours that
    // occur more often than counters of a byte and sums of 32 bits hold.
    for (const Features features : {Features::rgb, Features::lab}) {
        Params params;
        params.k = 4;
        params.features = features;
        params.max_iter = 3;
        params.threads = 2;
        for (const Kind kind : {Kind::smooth, Kind::two_halves}) compare_narrow(kind, 1451, 1459, params);
    }
    std::printf("%s path, %d comparisons, %d failures\n", kernels().name, compared, failures);
    return failures == 0 && compared > 3000 ? EXIT_SUCCESS : EXIT_FAILURE;
}
