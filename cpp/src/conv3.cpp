#include "fastpgs/conv3.hpp"

#include <algorithm>
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
#endif

const Conv3Kernels* conv3_kernels() {
#ifdef FASTPGS_X86_PATHS
    __builtin_cpu_init();
    if (std::strcmp(kernels().name, "avx512") == 0) return &avx512_path::conv3_table;
    if (std::strcmp(kernels().name, "avx2") == 0 && __builtin_cpu_supports("fma"))
        return &avx2_path::conv3_table;
#endif
    return nullptr;
}

namespace {

constexpr std::size_t kTile = 6;
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

}  // namespace

Conv3::Conv3(const float* weight, const float* bias, const float* slope, std::size_t c_in, std::size_t c_out)
    : kernels_(required_kernels()), c_in_(c_in), c_out_(c_out) {
    const std::size_t panel = kernels_->panel;
    const std::size_t panels = (c_out + panel - 1) / panel;
    packed_.assign(kTile * kTile * panels * c_in * panel, 0.0f);
    for (std::size_t row = 0; row < kTile; ++row)
        for (std::size_t column = 0; column < kTile; ++column)
            for (std::size_t out = 0; out < c_out; ++out)
                for (std::size_t in = 0; in < c_in; ++in) {
                    const std::size_t place =
                        (((row * kTile + column) * panels + out / panel) * c_in + in) * panel + out % panel;
                    packed_[place] =
                        static_cast<float>(transformed(weight + (out * c_in + in) * 9, row, column));
                }
    bias_.assign(panels * panel, 0.0f);
    slope_.assign(panels * panel, 0.0f);
    std::copy(bias, bias + c_out, bias_.begin());
    std::copy(slope, slope + c_out, slope_.begin());
}

void Conv3::run(const Conv3Maps& maps) const {
    if (maps.n == 0) return;
    // Kept by the thread: fresh pages would cost more than the sums.
    static thread_local std::vector<float> scratch;
    constexpr std::size_t line = 64;
    const std::size_t size = kernels_->scratch(maps, c_in_, c_out_) + line / sizeof(float);
    if (scratch.size() < size) scratch.resize(size);
    const std::size_t skew = (line - reinterpret_cast<std::uintptr_t>(scratch.data()) % line) % line;
    kernels_->run(maps, packed_.data(), bias_.data(), slope_.data(), c_in_, c_out_,
                  scratch.data() + skew / sizeof(float));
}

Up2::Up2(const float* weight, const float* bias, std::size_t c_in, std::size_t c_out)
    : kernels_(required_kernels()), c_in_(c_in), c_out_(c_out) {
    const std::size_t panel = kernels_->panel;
    const std::size_t panels = (c_out + panel - 1) / panel;
    packed_.assign(4 * panels * c_in * panel, 0.0f);
    for (std::size_t corner = 0; corner < 4; ++corner)
        for (std::size_t in = 0; in < c_in; ++in)
            for (std::size_t out = 0; out < c_out; ++out)
                packed_[((corner * panels + out / panel) * c_in + in) * panel + out % panel] =
                    weight[(in * c_out + out) * 4 + corner];
    bias_.assign(panels * panel, 0.0f);
    std::copy(bias, bias + c_out, bias_.begin());
}

void Up2::run(const float* x, std::size_t n, std::size_t height, std::size_t width, float* y) const {
    kernels_->up(x, n * height, width, packed_.data(), bias_.data(), c_in_, c_out_, y);
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
        std::copy(bias, bias + c_out, y);
        for (std::size_t in = 0; in < c_in; ++in)
            for (std::size_t out = 0; out < c_out; ++out) y[out] += x[in] * weight[in * c_out + out];
    }
}

}  // namespace fastpgs
