// Tests of the core alone, no Python: exactness by brute force, threads, exceptions, memory (under
// sanitizers).
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "fastpgs/features.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/kernels.hpp"
#include "fastpgs/lab.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/quota.hpp"
#include "fastpgs/random.hpp"
#include "fastpgs/segment.hpp"

namespace {

using namespace fastpgs;

int failures = 0;

void check(bool ok, const char* text, int line) {
    if (ok) return;
    ++failures;
    std::printf("line %d: %s\n", line, text);
}

#define CHECK(condition) check((condition), #condition, __LINE__)

struct Image {
    std::vector<std::uint8_t> data;
    ImageView view;
};

Image random_image(std::size_t height, std::size_t width, std::size_t channels, int colours,
                   std::uint64_t seed) {
    Image image;
    SplitMix64 rng(seed);
    image.data.resize(height * width * channels);
    for (auto& value : image.data)
        value = static_cast<std::uint8_t>(rng.below(static_cast<std::uint64_t>(colours)) * 255 /
                                          static_cast<std::uint64_t>(colours - 1));
    image.view = {image.data.data(), PixelType::u8, height, width, channels};
    return image;
}

std::int64_t distance2(const Image& image, std::size_t a, std::size_t b) {
    std::int64_t total = 0;
    for (std::size_t c = 0; c < image.view.channels; ++c) {
        const std::int64_t d = static_cast<std::int64_t>(image.data[a * image.view.channels + c]) -
                               image.data[b * image.view.channels + c];
        total += d * d;
    }
    return total;
}

// Labels and pivots by the definition: every pair of pixels, no identity, no vectors.
void test_against_brute_force() {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const Image image = random_image(9, 11, 3, seed % 2 == 0 ? 4 : 256, seed);
        Params params;
        params.features = Features::rgb;
        params.k = 3;
        params.seed = seed;
        std::vector<std::int32_t> labels(image.view.pixels());
        const Result result = segment(image.view, {}, params, labels.data());
        CHECK(result.converged);
        double inertia = 0.0;
        for (std::size_t i = 0; i < labels.size(); ++i) {
            std::int64_t best = std::numeric_limits<std::int64_t>::max();
            std::int32_t label = 0;
            for (std::size_t j = 0; j < 3; ++j) {
                const std::int64_t d = distance2(image, i, static_cast<std::size_t>(result.pivots[j]));
                if (d < best) {
                    best = d;
                    label = static_cast<std::int32_t>(j + 1);
                }
            }
            CHECK(labels[i] == label);
            inertia += static_cast<double>(best);
        }
        CHECK(result.inertia == inertia);
        // With few colours, pixels tie between pivots, and final labels number the pivots anew.
        if (seed % 2 == 0) continue;
        for (std::int32_t j = 1; j <= 3; ++j) {
            std::int64_t least = std::numeric_limits<std::int64_t>::max();
            std::size_t medoid = 0;
            for (std::size_t i = 0; i < labels.size(); ++i) {
                if (labels[i] != j) continue;
                std::int64_t cost = 0;
                for (std::size_t l = 0; l < labels.size(); ++l)
                    if (labels[l] == j) cost += distance2(image, i, l);
                if (cost < least) {
                    least = cost;
                    medoid = i;
                }
            }
            CHECK(static_cast<std::int64_t>(medoid) == result.pivots[static_cast<std::size_t>(j - 1)]);
        }
    }
}

void test_threads_do_not_matter() {
    const Image image = random_image(801, 657, 3, 256, 7);
    for (const Features features : {Features::lab, Features::rgb, Features::gray, Features::xy}) {
        Params params;
        params.features = features;
        params.k = 5;
        params.max_iter = 5;
        std::vector<std::int32_t> expected(image.view.pixels()), labels(image.view.pixels());
        params.threads = 1;
        const Result one = segment(image.view, {}, params, expected.data());
        for (const int threads : {2, 7}) {
            params.threads = threads;
            const Result many = segment(image.view, {}, params, labels.data());
            CHECK(labels == expected);
            CHECK(many.pivots == one.pivots);
            CHECK(many.inertia == one.inertia);
        }
    }
}

void test_growing_reaches_neighbours_only() {
    Image image;
    image.data.assign(5 * 9, 200);
    for (const std::size_t pixel : {10U, 11U, 19U, 15U, 16U}) image.data[pixel] = 10;
    image.view = {image.data.data(), PixelType::u8, 5, 9, 1};
    Params params;
    params.features = Features::gray;
    params.k = 2;
    params.threshold = 25.0;
    params.connectivity = 1;
    params.want_clusters = true;
    std::vector<std::int32_t> labels(image.view.pixels());
    const Result result = segment(image.view, {}, params, labels.data());
    CHECK(labels[10] == 1 && labels[11] == 1 && labels[19] == 1);
    CHECK(labels[15] == 0 && labels[16] == 0);
    CHECK(result.clusters[10] == 1 && result.clusters[15] == 0 && result.clusters[45 + 0] == 1);
}

void test_masks_and_batch() {
    const Image image = random_image(64, 40, 3, 256, 3);
    std::vector<std::uint8_t> mask(image.view.pixels(), 0);
    for (std::size_t i = 500; i < 2000; ++i) mask[i] = 1;
    Params params;
    std::vector<std::vector<std::int32_t>> labels(6, std::vector<std::int32_t>(image.view.pixels(), -1));
    std::vector<Job> jobs;
    for (std::size_t i = 0; i < labels.size(); ++i)
        jobs.push_back({image.view, i % 2 == 0 ? MaskView{} : MaskView{mask.data()}, labels[i].data()});
    segment_batch(jobs, params, 3);
    CHECK(labels[0] == labels[2] && labels[1] == labels[5]);
    CHECK(labels[1][499] == 0 && labels[1][500] > 0 && labels[1][2000] == 0 && labels[0][499] > 0);
}

void test_too_few_colours_are_reported() {
    const Image image = random_image(20, 20, 1, 2, 1);
    Params params;
    params.features = Features::gray;
    params.k = 3;
    std::vector<std::int32_t> labels(image.view.pixels());
    for (const Init init : {Init::plus_plus, Init::random, Init::given}) {
        params.init = init;
        params.given = {0, 1, 2};
        CHECK(segment(image.view, {}, params, labels.data()).distinct == 2);
    }
}

// Wherever it lies: in blocks and beyond them, with pivots that tiles serve and with more.
void test_values_beyond_their_bounds_are_reported() {
    constexpr std::size_t kHeight = 41, kWidth = 101;
    SplitMix64 rng(2);
    std::vector<float> sound(kHeight * kWidth * 3);
    for (float& value : sound) value = static_cast<float>(rng.uniform());
    std::vector<std::int32_t> labels(kHeight * kWidth);
    const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                         -1e-7F, 1.0000001F, 1e30F};
    for (const int k : {3, 40}) {
        Params params;
        params.features = Features::rgb;
        params.k = k;
        params.max_iter = 3;
        params.bounds = {0.0, 1.0};
        CHECK(!segment({sound.data(), PixelType::f32, kHeight, kWidth, 3}, {}, params, labels.data()).beyond);
        for (const std::size_t place :
             {std::size_t{0}, std::size_t{3 * kWidth - 1}, 3 * kWidth * 20 + 50, sound.size() - 1}) {
            for (const float value : bad) {
                std::vector<float> image = sound;
                image[place] = value;
                CHECK(segment({image.data(), PixelType::f32, kHeight, kWidth, 3}, {}, params, labels.data())
                          .beyond);
            }
        }
    }
}

void test_lab_is_exact_where_it_must_be() {
    for (int level = 0; level < 256; ++level) {
        const auto v = static_cast<std::uint8_t>(level);
        const auto grey = lab_of(v, v, v);
        CHECK(grey[1] == 0 && grey[2] == 0);
    }
    CHECK(lab_of(0, 0, 0)[0] == 0);
    CHECK(lab_of(255, 255, 255)[0] == 6400);
    const auto red = lab_of(255, 0, 0);  // 53.24, 80.09, 67.20
    CHECK(std::abs(red[0] / 64.0 - 53.24) < 0.1 && std::abs(red[1] / 64.0 - 80.09) < 0.1 &&
          std::abs(red[2] / 64.0 - 67.20) < 0.1);
}

// Levels of 8 bits, which lanes convert, and the same ones of 16, which go one by one.
void test_lab_of_all_kinds_of_pixels() {
    std::vector<std::uint8_t> bytes;
    for (int r = 0; r < 256; r += 5)
        for (int g = 0; g < 256; g += 3)
            for (int b = 0; b < 256; b += 7)
                for (const int level : {r, g, b}) bytes.push_back(static_cast<std::uint8_t>(level));
    const std::size_t n = bytes.size() / 3;
    std::vector<std::uint16_t> wide(bytes.size());
    std::vector<std::int64_t> all(n);
    std::vector<std::int32_t> a(n), b(n);
    for (std::size_t i = 0; i < wide.size(); ++i) wide[i] = static_cast<std::uint16_t>(257 * bytes[i]);
    for (std::size_t i = 0; i < n; ++i) {
        all[i] = static_cast<std::int64_t>(i);
        a[i] = bytes[3 * i] | bytes[3 * i + 1] << 16;
        b[i] = bytes[3 * i + 2] | 1 << 16;
    }
    const ImageView narrow_image{bytes.data(), PixelType::u8, 1, n, 3};
    const ImageView wide_image{wide.data(), PixelType::u16, 1, n, 3};
    std::vector<std::int32_t> one(n), other(n), one_of[3], other_of[3];
    read_lab_pairs(wide_image, 0, n, one.data(), other.data());
    for (std::size_t kind = 0; kind < 3; ++kind) {
        one_of[kind].resize(n);
        other_of[kind].resize(n);
    }
    for (std::size_t at = 0, length = 1; at < n; at += length, length = std::min(length + 1, n - at))
        read_lab_pairs(narrow_image, at, at + length, one_of[0].data() + at, other_of[0].data() + at);
    gather_lab_pairs(narrow_image, all.data(), n, one_of[1].data(), other_of[1].data());
    lab_of_pairs(a.data(), b.data(), n, one_of[2].data(), other_of[2].data());
    for (std::size_t kind = 0; kind < 3; ++kind) CHECK(one_of[kind] == one && other_of[kind] == other);
}

void test_exceptions_leave_parallel_regions() {
    for (const int threads : {1, 2, 7}) {
        bool caught = false;
        try {
            parallel_for(100, threads, [](std::size_t task) {
                if (task == 42) throw std::runtime_error("task 42");
            });
        } catch (const std::runtime_error& error) {
            caught = std::string(error.what()) == "task 42";
        }
        CHECK(caught);
    }
}

void test_callers_on_many_threads() {
    const Image image = random_image(120, 90, 3, 256, 11);
    Params params;
    params.threads = 2;
    std::vector<std::int32_t> expected(image.view.pixels());
    segment(image.view, {}, params, expected.data());
    std::vector<std::vector<std::int32_t>> labels(4, std::vector<std::int32_t>(image.view.pixels()));
    std::vector<std::thread> callers;
    for (auto& out : labels) callers.emplace_back([&] { segment(image.view, {}, params, out.data()); });
    for (auto& caller : callers) caller.join();
    for (const auto& out : labels) CHECK(out == expected);
}

// Work that only an interrupt ends.
bool ends(int threads, std::size_t tasks) {
    try {
        parallel_for(tasks, threads, [](std::size_t) {
            for (;;) poll();
        });
    } catch (const Interrupted&) {
        return true;
    }
    return false;
}

void test_work_ends_when_the_listener_wants_it() {
    poll();  // nobody listens
    for (const int threads : {1, 2, 7}) {
        const Listener listener([] { return true; });
        CHECK(ends(threads, 20));
    }
    {  // the calling thread has nothing to do, and still hears
        const Listener listener([] { return true; });
        bool ended = false;
        try {
            const std::thread::id caller = std::this_thread::get_id();
            std::atomic<int> begun{0};
            parallel_for(2, 2, [&](std::size_t) {
                ++begun;
                while (begun < 2 || std::this_thread::get_id() != caller) poll();
            });
        } catch (const Interrupted&) {
            ended = true;
        }
        CHECK(ended);
    }
    {
        const Listener listener([] { return false; });
        int sum = 0;
        parallel_for(3, 1, [&sum](std::size_t task) { sum += static_cast<int>(task); });
        CHECK(sum == 3);
        const Image image = random_image(60, 70, 3, 5, 1);
        std::vector<std::int32_t> labels(image.view.pixels()), expected(image.view.pixels());
        segment(image.view, {}, Params{}, labels.data());
        const Listener none(nullptr);
        segment(image.view, {}, Params{}, expected.data());
        CHECK(labels == expected);
    }
    poll();  // nobody listens any more
}

void test_quotas_of_control_groups() {
    namespace fs = std::filesystem;
    const fs::path home = fs::temp_directory_path() / ("fastpgs-quota-" + std::to_string(std::rand()));
    const auto write = [&home](const std::string& name, const std::string& text) {
        fs::create_directories((home / name).parent_path());
        std::ofstream(home / name) << text << '\n';
    };
    const auto cores = [&](const std::string& groups) {
        write("groups", groups);
        return cgroup_cores((home / "groups").string(), home.string());
    };
    CHECK(cgroup_cores((home / "nowhere").string(), home.string()) == 0);
    CHECK(cores("0::/a/b") == 0);
    write("cpu.max", "max 100000");
    CHECK(cores("0::/a/b") == 0);
    write("a/cpu.max", "350000 100000");
    CHECK(cores("0::/a/b") == 3);  // that of a group above
    write("a/b/cpu.max", "500000 100000");
    CHECK(cores("0::/a/b") == 3);  // the least
    write("a/b/cpu.max", "50000 100000");
    CHECK(cores("0::/a/b") == 1);  // never none
    CHECK(cores("0::/of/the/host") == 0);
    CHECK(cores("nonsense") == 0);
    write("cpu,cpuacct/x/cpu.cfs_quota_us", "-1");
    write("cpu,cpuacct/x/cpu.cfs_period_us", "100000");
    CHECK(cores("12:cpu,cpuacct:/x\n3:memory:/a\n0::/") == 0);
    write("cpu,cpuacct/x/cpu.cfs_quota_us", "250000");
    CHECK(cores("12:cpu,cpuacct:/x\n3:memory:/a\n0::/") == 2);
    CHECK(cores("3:cpuset:/x\n0::/") == 0);  // another controller
    write("cpu/cpu.cfs_quota_us", "400000");
    write("cpu/cpu.cfs_period_us", "100000");
    CHECK(cores("1:cpu:/docker/of/the/host") == 4);
    fs::remove_all(home);
}

void test_random_numbers() {
    SplitMix64 rng(1234567);  // the published sequence of this seed
    CHECK(rng.next() == 6457827717110365317ULL);
    CHECK(rng.next() == 3203168211198807973ULL);
    for (int i = 0; i < 1000; ++i) CHECK(rng.below(7) < 7);
}

}  // namespace

int main() {
    const std::pair<const char*, std::function<void()>> tests[] = {
        {"against brute force", test_against_brute_force},
        {"threads do not matter", test_threads_do_not_matter},
        {"growing reaches neighbours only", test_growing_reaches_neighbours_only},
        {"masks and batch", test_masks_and_batch},
        {"too few colours are reported", test_too_few_colours_are_reported},
        {"values beyond their bounds are reported", test_values_beyond_their_bounds_are_reported},
        {"lab is exact where it must be", test_lab_is_exact_where_it_must_be},
        {"lab of all kinds of pixels", test_lab_of_all_kinds_of_pixels},
        {"exceptions leave parallel regions", test_exceptions_leave_parallel_regions},
        {"callers on many threads", test_callers_on_many_threads},
        {"work ends when the listener wants it", test_work_ends_when_the_listener_wants_it},
        {"quotas of control groups", test_quotas_of_control_groups},
        {"random numbers", test_random_numbers},
    };
    int failed = 0, passed = 0;
    for (const auto& [name, test] : tests) {
        const int before = failures;
        test();
        const bool ok = failures == before;
        (ok ? passed : failed)++;
        std::printf("%s: %s\n", ok ? "ok" : "FAILED", name);
    }
    std::printf("%s path\n%d passed, %d failed\n", kernels().name, passed, failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
