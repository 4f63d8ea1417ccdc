// A 3x3 convolution with bias and parametric leaky ReLU on float32 maps, for crops judged on processors
// without matrix units. Winograd's minimal filtering F(4x4, 3x3) (Lavin & Gray 2016,
// doi:10.1109/CVPR.2016.435) needs a quarter of the products of the plain sum.
#pragma once

#include <cstddef>
#include <vector>

namespace fastpgs {

struct Conv3Kernels;

// Maps lie channel last: x[((i * height + row) * width + column) * channels + channel].
struct Conv3Maps {
    const float* x;  // (n, height, width, c_first)
    const float*
        second;  // further maps (n, height, width, c_in - c_first), as if joined to x by channel; or null
    std::size_t c_first;  // c_in without a second source
    float* y;             // (n, height + 2 * padding - 2, width + 2 * padding - 2, c_out)
    std::size_t n;        //
    std::size_t height, width;
    std::size_t padding;  // 0 or 1 rows and columns of zeros on each side
};

// The weights of one layer, transformed once. Const and free of state: many threads may run one layer.
class Conv3 {
  public:
    // weight (c_out, c_in, 3, 3), bias (c_out), slope (c_out): what values below zero are multiplied by.
    // Throws std::runtime_error where `conv3_kernels` is null.
    Conv3(const float* weight, const float* bias, const float* slope, std::size_t c_in, std::size_t c_out);

    // One thread; the same bits for an input whatever it is batched with.
    void run(const Conv3Maps& maps) const;

    std::size_t c_in() const { return c_in_; }
    std::size_t c_out() const { return c_out_; }

  private:
    const Conv3Kernels* kernels_;
    std::size_t c_in_, c_out_;
    std::vector<float> packed_;        // (36, panels, c_in, panel)
    std::vector<float> bias_, slope_;  // padded to whole panels
};

// A transposed 2x2 convolution of stride 2: each pixel becomes four.
class Up2 {
  public:
    // weight (c_in, c_out, 2, 2), bias (c_out). Throws std::runtime_error where `conv3_kernels` is null.
    Up2(const float* weight, const float* bias, std::size_t c_in, std::size_t c_out);

    // x (n, height, width, c_in) to y (n, 2 height, 2 width, c_out). One thread.
    void run(const float* x, std::size_t n, std::size_t height, std::size_t width, float* y) const;

    std::size_t c_in() const { return c_in_; }
    std::size_t c_out() const { return c_out_; }

  private:
    const Conv3Kernels* kernels_;
    std::size_t c_in_, c_out_;
    std::vector<float> packed_;  // (4, panels, c_in, panel)
    std::vector<float> bias_;    // padded to whole panels
};

// The largest of each 2x2 pixels, as in torch.nn.MaxPool2d(2): (n, height, width, channels) to (n, height /
// 2, width / 2, channels). Throws as above.
void pool2(const float* x, std::size_t n, std::size_t height, std::size_t width, std::size_t channels,
           float* y);

// A fully connected layer: x (n, c_in) times weight (c_in, c_out), plus bias (c_out), to y (n, c_out). The
// same bits for a row whatever it is batched with.
void dense(const float* x, std::size_t n, std::size_t c_in, const float* weight, const float* bias,
           std::size_t c_out, float* y);

// What one instruction set brings; null where this processor has none that pays (x86-64 with AVX2 and FMA).
struct Conv3Kernels {
    const char* name;
    std::size_t panel;  // output channels that one product yields
    std::size_t (*scratch)(const Conv3Maps& maps, std::size_t c_in, std::size_t c_out);  // floats to work in
    void (*up)(const float* x, std::size_t rows, std::size_t width, const float* packed, const float* bias,
               std::size_t c_in, std::size_t c_out, float* y);  // of n * height rows
    // Largest of each 2x2 pixels: x (rows, 2, width, 2, channels) to y (rows, width, channels). An odd last
    // row is not part of x; an odd last column is `odd` = 1.
    void (*pool)(const float* x, std::size_t rows, std::size_t width, std::size_t odd, std::size_t channels,
                 float* y);
    void (*run)(const Conv3Maps& maps, const float* packed, const float* bias, const float* slope,
                std::size_t c_in, std::size_t c_out, float* scratch);  // scratch: on a cache line's border
};
const Conv3Kernels* conv3_kernels();

}  // namespace fastpgs
