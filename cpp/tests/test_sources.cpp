// Tiles and colours against plain pixels: the same pivots, iterations, objective and labels to the bit.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
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

struct Outcome {
    Pivots<std::int32_t> pivots;
    Iterated iterated;
    Assigned assigned;
    std::vector<std::int32_t> labels;
};

Outcome run(Source<std::int32_t>& source, Pivots<std::int32_t> pivots, std::vector<std::int32_t>& labels) {
    Outcome out;
    out.iterated = source.iterate(pivots);
    for (std::size_t j = 0; j < pivots.raster.size(); ++j) pivots.raster[j] = source.locate(pivots, j);
    out.pivots = std::move(pivots);
    // Another order than they were found in, as by luma.
    std::vector<std::int32_t> turned;
    for (std::size_t j = out.pivots.raster.size(); j-- > 0;)
        turned.insert(turned.end(), out.pivots.z.begin() + static_cast<std::ptrdiff_t>(3 * j),
                      out.pivots.z.begin() + static_cast<std::ptrdiff_t>(3 * j + 3));
    out.assigned = source.assign(turned);
    source.write_labels();
    out.labels = labels;
    return out;
}

void compare(Kind kind, std::size_t height, std::size_t width, const Params& params, bool masked) {
    const std::vector<std::uint8_t> data = make_image(kind, height, width, params.seed);
    const ImageView image{data.data(), PixelType::u8, height, width, 3};
    std::vector<std::uint8_t> used(image.pixels());
    SplitMix64 rng(99);
    for (auto& one : used) one = rng.below(3) > 0;
    const MaskView mask{masked ? used.data() : nullptr};
    const FeatureSpace space = feature_space(image, params);
    const auto raster = seed_pivots(image, mask, space, params, true, 0);
    if (raster.size() < static_cast<std::size_t>(params.k)) return;
    Pivots<std::int32_t> pivots;
    pivots.raster = raster;
    pivots.point.assign(raster.size(), 0);
    for (const std::int64_t pixel : raster) {
        std::int32_t x[3];
        std::int32_t* out[3] = {x, x + 1, x + 2};
        gather_features(image, space, &pixel, 1, out);
        pivots.z.insert(pivots.z.end(), x, x + 3);
    }
    std::vector<std::int32_t> labels(image.pixels(), -7);
    const Task task{image, mask, space, params, params.threads, true, labels.data()};
    const Outcome expected = run(*make_pixels<std::int32_t>(task), pivots, labels);
    const std::string name = std::to_string(static_cast<int>(kind)) + " " + std::to_string(height) + "x" +
                             std::to_string(width) + " k " + std::to_string(params.k) +
                             (params.features == Features::lab ? " lab" : " rgb") +
                             (masked ? " masked" : "") + (params.threshold ? " limited" : "");
    const auto agrees = [&](std::unique_ptr<Source<std::int32_t>> source, const std::string& which) {
        if (source == nullptr) return;
        ++compared;
        std::fill(labels.begin(), labels.end(), -7);
        const Outcome got = run(*source, pivots, labels);
        check(got.pivots.z == expected.pivots.z && got.pivots.raster == expected.pivots.raster,
              which + " pivots " + name);
        check(got.iterated.n_iter == expected.iterated.n_iter &&
                  got.iterated.converged == expected.iterated.converged,
              which + " iterations " + name);
        check(got.assigned.inertia == expected.assigned.inertia &&
                  got.assigned.empty == expected.assigned.empty,
              which + " objective " + name);
        check(got.labels == expected.labels, which + " labels " + name);
    };
    agrees(make_tiles(task), "tiles");
    agrees(make_colours<std::int32_t>(task), "colours");
}

}  // namespace

int main() {
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
                    compare(kind, height, width, params, false);
                    compare(kind, height, width, params, true);
                }
    // Beyond 2^21 pixels tiles are longer, and several threads share them.
    for (const Features features : {Features::rgb, Features::lab}) {
        Params params;
        params.k = 4;
        params.features = features;
        params.max_iter = 3;
        params.threads = 2;
        compare(Kind::smooth, 1451, 1459, params, false);
    }
    std::printf("%s path, %d comparisons, %d failures\n", kernels().name, compared, failures);
    return failures == 0 && compared > 1000 ? EXIT_SUCCESS : EXIT_FAILURE;
}
