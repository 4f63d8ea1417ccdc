// The core alone, for instruction counts and profiles: drive CASE SIZE [REPEATS [IMAGE]]
//
// Segments a smear-like picture made here from integers alone, or SIZE x SIZE raw bytes of RGB read from
// IMAGE, on one thread from three given pivots. Prints the least time, the iterations and a checksum of
// labels.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "fastpgs/random.hpp"
#include "fastpgs/segment.hpp"

namespace {

using namespace fastpgs;

// Discs of two tones on a light ground with noise.
std::vector<std::uint8_t> picture(std::size_t size) {
    const int tones[3][3] = {{229, 214, 222}, {204, 151, 166}, {95, 41, 129}};
    std::vector<std::uint8_t> out;
    out.reserve(size * size * 3);
    SplitMix64 rng(1);
    const std::size_t pitch = size / 4 + 1;
    for (std::size_t row = 0; row < size; ++row) {
        for (std::size_t col = 0; col < size; ++col) {
            const long y = static_cast<long>(row % pitch) - static_cast<long>(pitch / 2);
            const long x = static_cast<long>(col % pitch) - static_cast<long>(pitch / 2);
            const long d2 = x * x + y * y, r = static_cast<long>(pitch) * 2 / 5;
            const int* tone = tones[d2 * 3 < r * r ? 2 : d2 < r * r ? 1 : 0];
            for (int c = 0; c < 3; ++c) {
                const auto noise = static_cast<int>(rng.below(7) + rng.below(7) + rng.below(7)) - 9;
                out.push_back(static_cast<std::uint8_t>(tone[c] + noise));
            }
        }
    }
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "drive CASE SIZE [REPEATS [IMAGE]]\n");
        return 2;
    }
    const std::string name = argv[1];
    const std::size_t size = static_cast<std::size_t>(std::atol(argv[2])), n = size * size;
    const int repeats = argc > 3 ? std::atoi(argv[3]) : 1;
    std::vector<std::uint8_t> bytes;
    if (argc > 4) {
        bytes.resize(3 * n);
        std::ifstream(argv[4], std::ios::binary)
            .read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    } else {
        bytes = picture(size);
    }
    SplitMix64 rng(2);
    std::vector<std::uint16_t> words;
    std::vector<float> reals;
    ImageView image{bytes.data(), PixelType::u8, size, size, 3};
    Params params;
    params.features = Features::rgb;
    params.threads = 1;
    params.init = Init::given;
    params.want_inertia = false;
    const auto s = static_cast<std::int64_t>(size);
    params.given = {s / 5 * s + s / 5, s / 2 * s + s / 2, s / 2 * s + s / 4};
    if (name == "lab") {
        params.features = Features::lab;
    } else if (name == "k8") {
        params.k = 8;
        params.init = Init::plus_plus;
    } else if (name == "connected") {
        params.threshold = 900.0;
        params.connectivity = 1;
    } else if (name == "threshold") {
        params.threshold = 900.0;
    } else if (name == "mapped") {
        for (const int entry : {50, 0, 0, -110, 130, 0, 20, -70, 90}) params.map.push_back(entry / 1024.0);
    } else if (name == "spatial") {
        params.positions = true;
        params.map.assign(25, 0.0);
        for (std::size_t a = 0; a < 5; ++a) params.map[a * 6] = a < 3 ? 1.0 : 0.1;
    } else if (name == "uint16") {
        for (const std::uint8_t value : bytes)
            words.push_back(static_cast<std::uint16_t>(value * 256U + rng.below(256)));
        image = {words.data(), PixelType::u16, size, size, 3};
    } else if (name == "float32") {
        for (const std::uint8_t value : bytes)
            reals.push_back(static_cast<float>(value) / 256.0F + static_cast<float>(rng.uniform()) / 256.0F);
        image = {reals.data(), PixelType::f32, size, size, 3};
    } else if (name == "gray") {
        params.features = Features::gray;
    } else if (name != "rgb") {
        std::fprintf(stderr, "no case %s\n", name.c_str());
        return 2;
    }
    std::vector<std::int32_t> labels(n);
    Result result;
    double best = 1e9;
    for (int i = 0; i < repeats; ++i) {
        const std::clock_t begin = std::clock();  // of the process: one thread
        result = segment(image, {}, params, labels.data());
        best = std::min(best, 1e3 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
    std::uint64_t sum = 0;
    for (const std::int32_t label : labels) sum = sum * 31 + static_cast<std::uint64_t>(label);
    std::printf("%s %zu: %.3f ms, %d iterations, labels %016llx\n", name.c_str(), size, best, result.n_iter,
                static_cast<unsigned long long>(sum));
    return 0;
}
