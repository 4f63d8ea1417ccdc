#include "fastpgs/conv3.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "fastpgs/kernels.hpp"

namespace fastpgs {

#ifdef FASTPGS_X86_PATHS
namespace avx2_path {
extern const Conv3Kernels conv3_table;
}
namespace avx512_path {
extern const Conv3Kernels conv3_table;
}
namespace avx512vnni_path {
extern const Conv3Kernels conv3_table;
}
#endif

const Conv3Kernels* conv3_kernels() {
#ifdef FASTPGS_X86_PATHS
    __builtin_cpu_init();
    if (std::strcmp(kernels().name, "avx512") == 0)
        return __builtin_cpu_supports("avx512vnni") ? &avx512vnni_path::conv3_table
                                                    : &avx512_path::conv3_table;
    if (std::strcmp(kernels().name, "avx2") == 0 && __builtin_cpu_supports("fma"))
        return &avx2_path::conv3_table;
#endif
    return nullptr;
}

namespace {

constexpr std::size_t kTile = 6;
constexpr std::size_t kFewChannels = 4;  // of which the plain sum is faster: crops have one or three
constexpr double kFilter[kTile][3] = {{1. / 4, 0, 0},
                                      {-1. / 6, -1. / 6, -1. / 6},
                                      {-1. / 6, 1. / 6, -1. / 6},
                                      {1. / 24, 1. / 12, 1. / 6},
                                      {1. / 24, -1. / 12, 1. / 6},
                                      {0, 0, 1}};

const Conv3Kernels* required_kernels() {
    const Conv3Kernels* found = conv3_kernels();
    if (found == nullptr) throw std::runtime_error("this processor lacks AVX2 and FMA");
    return found;
}

double transformed(const float* filter, std::size_t row, std::size_t column) {
    double sum = 0;
    for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 3; ++j)
            sum += kFilter[row][i] * static_cast<double>(filter[3 * i + j]) * kFilter[column][j];
    return sum;
}

// (36, c_out, c_in)
std::vector<float> all_transformed(const float* weight, std::size_t c_in, std::size_t c_out) {
    std::vector<float> all(kTile * kTile * c_out * c_in);
    float* to = all.data();
    for (std::size_t row = 0; row < kTile; ++row)
        for (std::size_t column = 0; column < kTile; ++column)
            for (std::size_t i = 0; i < c_out * c_in; ++i)
                *to++ = static_cast<float>(transformed(weight + i * 9, row, column));
    return all;
}

// (c_out, 3, 3, c_in)
std::vector<float> by_pixel(const float* weight, std::size_t c_in, std::size_t c_out) {
    std::vector<float> all(9 * c_out * c_in);
    for (std::size_t out = 0; out < c_out; ++out)
        for (std::size_t in = 0; in < c_in; ++in)
            for (std::size_t pixel = 0; pixel < 9; ++pixel)
                all[(out * 9 + pixel) * c_in + in] = weight[(out * c_in + in) * 9 + pixel];
    return all;
}

std::vector<float> by_corner(const float* weight, std::size_t c_in, std::size_t c_out) {
    std::vector<float> all(4 * c_out * c_in);
    for (std::size_t corner = 0; corner < 4; ++corner)
        for (std::size_t out = 0; out < c_out; ++out)
            for (std::size_t in = 0; in < c_in; ++in)
                all[(corner * c_out + out) * c_in + in] = weight[(in * c_out + out) * 4 + corner];
    return all;
}

std::vector<float> whole_panels(const float* values, std::size_t n, std::size_t panel) {
    std::vector<float> padded((n + panel - 1) / panel * panel, 0.0f);
    std::copy(values, values + n, padded.begin());
    return padded;
}

// What weights are divided by to become integers: none beyond sixteen bits, and no sum of as many products as
// are added up beyond 31, whatever is rounded up.
double grain(const float* weights, std::size_t n) {
    constexpr double sixteen_bits = 32767, thirty_one_bits = 2147483647;
    constexpr double room = thirty_one_bits / kInt16Most - kInt16Channels / 2.0;
    double largest = 0;
    for (std::size_t start = 0; start < n; start += kInt16Channels) {
        double sum = 0;
        for (std::size_t i = start; i < std::min(n, start + kInt16Channels); ++i) {
            const double size = std::abs(static_cast<double>(weights[i]));
            if (!std::isfinite(size)) throw std::invalid_argument("expected finite weights");
            sum += size;
            largest = std::max(largest, size / sixteen_bits);
        }
        largest = std::max(largest, sum / room);
    }
    return largest;
}

// The sum of a[i] b[i], eight sums side by side.
float product(const float* a, const float* b, std::size_t n) {
    constexpr std::size_t lanes = 8;
    float sums[lanes] = {};
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes)
        for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
    for (std::size_t lane = 0; i < n; ++i, ++lane) sums[lane] += a[i] * b[i];
    for (std::size_t half = lanes / 2; half > 0; half /= 2)
        for (std::size_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
    return sums[0];
}

// Kept by the thread, on a cache line's border: fresh pages would cost more than the sums.
float* own_scratch(std::size_t size) {
    static thread_local std::vector<float> scratch;
    constexpr std::size_t line = 64;
    size += line / sizeof(float);
    if (scratch.size() < size) scratch.resize(size);
    const std::size_t skew = (line - reinterpret_cast<std::uintptr_t>(scratch.data()) % line) % line;
    return scratch.data() + skew / sizeof(float);
}

}  // namespace

Weights::Weights(const std::vector<float>& values, std::size_t products, std::size_t c_in, std::size_t c_out,
                 std::size_t panel, Numbers numbers) {
    const std::size_t panels = (c_out + panel - 1) / panel, pairs = (c_in + 1) / 2;
    const bool whole = numbers == Numbers::int16;
    if (whole) {
        pairs_.assign(products * panels * panel * 2 * pairs, 0);
        scales_.assign(products * panels * panel, 0.0f);
    } else {
        floats_.assign(products * panels * panel * c_in, 0.0f);
    }
    for (std::size_t product = 0; product < products; ++product)
        for (std::size_t out = 0; out < c_out; ++out) {
            const float* from = values.data() + (product * c_out + out) * c_in;
            const std::size_t place = product * panels + out / panel, column = out % panel;
            if (!whole) {
                for (std::size_t in = 0; in < c_in; ++in)
                    floats_[(place * c_in + in) * panel + column] = from[in];
                continue;
            }
            const double scale = grain(from, c_in);
            scales_[place * panel + column] = static_cast<float>(scale);
            if (scale == 0) continue;
            for (std::size_t in = 0; in < c_in; ++in)
                pairs_[((place * pairs + in / 2) * panel + column) * 2 + in % 2] =
                    static_cast<std::int16_t>(std::lround(static_cast<double>(from[in]) / scale));
        }
}

Conv3::Conv3(const float* weight, const float* bias, const float* slope, std::size_t c_in, std::size_t c_out,
             Numbers numbers)
    : kernels_(required_kernels()),
      c_in_(c_in),
      c_out_(c_out),
      plain_(numbers == Numbers::fp32 && c_in <= kFewChannels),
      weights_(plain_ ? Weights(by_pixel(weight, c_in, c_out), 1, 9 * c_in, c_out, kernels_->panel, numbers)
                      : Weights(all_transformed(weight, c_in, c_out), kTile * kTile, c_in, c_out,
                                kernels_->panel, numbers)),
      bias_(whole_panels(bias, c_out, kernels_->panel)),
      slope_(whole_panels(slope, c_out, kernels_->panel)) {}

void Conv3::run(const Conv3Maps& maps) const {
    if (maps.n == 0) return;
    if (plain_)
        kernels_->plain_run(maps, weights_.floats(), bias_.data(), slope_.data(), c_in_, c_out_,
                            own_scratch(kernels_->plain_scratch(maps, c_in_)));
    else if (weights_.whole())
        kernels_->int16_run(maps, weights_.integers(), bias_.data(), slope_.data(), c_in_, c_out_,
                            own_scratch(kernels_->int16_scratch(maps, c_in_, c_out_)));
    else
        kernels_->run(maps, weights_.floats(), bias_.data(), slope_.data(), c_in_, c_out_,
                      own_scratch(kernels_->scratch(maps, c_in_, c_out_)));
}

Up2::Up2(const float* weight, const float* bias, std::size_t c_in, std::size_t c_out, Numbers numbers)
    : kernels_(required_kernels()),
      c_in_(c_in),
      c_out_(c_out),
      weights_(by_corner(weight, c_in, c_out), 4, c_in, c_out, kernels_->panel, numbers),
      bias_(whole_panels(bias, c_out, kernels_->panel)) {}

void Up2::run(const float* x, std::size_t n, std::size_t height, std::size_t width, float* y) const {
    if (weights_.whole())
        kernels_->int16_up(x, n * height, width, weights_.integers(), bias_.data(), c_in_, c_out_, y,
                           own_scratch(kernels_->int16_up_scratch(c_in_)));
    else
        kernels_->up(x, n * height, width, weights_.floats(), bias_.data(), c_in_, c_out_, y);
}

void pool2(const float* x, std::size_t n, std::size_t height, std::size_t width, std::size_t channels,
           float* y) {
    const Conv3Kernels* kernels = required_kernels();
    const std::size_t size = (height / 2) * (width / 2) * channels;
    if (height % 2 == 0)
        kernels->pool(x, n * (height / 2), width / 2, width % 2, channels, y);
    else
        for (std::size_t i = 0; i < n; ++i)
            kernels->pool(x + i * height * width * channels, height / 2, width / 2, width % 2, channels,
                          y + i * size);
}

void dense(const float* x, std::size_t n, std::size_t c_in, const float* weight, const float* bias,
           std::size_t c_out, float* y) {
    for (std::size_t i = 0; i < n; ++i, x += c_in, y += c_out) {
        if (c_out == 1) {
            *y = *bias + product(x, weight, c_in);
            continue;
        }
        std::copy(bias, bias + c_out, y);
        for (std::size_t in = 0; in < c_in; ++in)
            for (std::size_t out = 0; out < c_out; ++out) y[out] += x[in] * weight[in * c_out + out];
    }
}

}  // namespace fastpgs
