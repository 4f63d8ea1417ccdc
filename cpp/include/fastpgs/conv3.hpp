// A 3x3 convolution with bias and parametric leaky ReLU on float32 maps, for crops judged on processors
// without matrix units. Winograd's minimal filtering F(4x4, 3x3) (Lavin & Gray 2016,
// doi:10.1109/CVPR.2016.435) needs a quarter of the products of the plain sum.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fastpgs {

struct Conv3Kernels;

// Maps of a layer, channel last: x (n, height, width, channels). What is seen of them is every pixel enlarged
// to times x times, from (top, left) of that on: larger maps, and the middle of some, are read where they
// lie.
struct View {
    const float* x = nullptr;
    std::size_t height = 0, width = 0, channels = 0;
    std::size_t times = 1, top = 0, left = 0;
};

struct Conv3Maps {
    View first,
        second;  // of which (height, width) is seen, as if joined by channel; the second may have no x
    float* y;    // (n, height + 2 * padding - 2, width + 2 * padding - 2, c_out)
    std::size_t n, height, width;
    std::size_t padding;  // 0 or 1 rows and columns of zeros on each side
};

// What products are made of. Sixteen-bit integers go twice as many at a time, and numbers are rounded by at
// most 2^-15 of the largest beside them (bfloat16: each by 2^-9 of itself).
enum class Numbers { fp32, int16 };

// Products of integers are summed as such over so many channels at most, then as floats: sums that 31 bits
// must hold leave that much more to the weights.
constexpr std::size_t kInt16Channels = 64;
// The largest integer that a number of a map becomes, which leaves weights about as fine.
constexpr float kInt16Most = 16383;

// Weights as integers.
struct Integers {
    const std::int16_t* pairs;  // (products, panels, pairs, panel, 2)
    const float* scales;  // (products, panels, panel): what products with a column are to be multiplied by
};

// The factors of some matrix products (c_in) x (c_in, c_out) as kernels read them, a panel of columns after
// the other: floats, or pairs of integers by twos of c_in, with what each column of them is to be multiplied
// by.
class Weights {
  public:
    // values (products, c_out, c_in). Throws std::invalid_argument for integers of what is not finite.
    Weights(const std::vector<float>& values, std::size_t products, std::size_t c_in, std::size_t c_out,
            std::size_t panel, Numbers numbers);

    bool whole() const { return !pairs_.empty(); }
    const float* floats() const { return floats_.data(); }  // (products, panels, c_in, panel)
    Integers integers() const { return {pairs_.data(), scales_.data()}; }

  private:
    std::vector<float> floats_, scales_;
    std::vector<std::int16_t> pairs_;
};

// The weights of one layer, transformed once. Const and free of state: many threads may run one layer.
class Conv3 {
  public:
    // weight (c_out, c_in, 3, 3), bias (c_out), slope (c_out): what values below zero are multiplied by.
    // Throws std::runtime_error where `conv3_kernels` is null, std::invalid_argument for integers and weights
    // that are not finite.
    Conv3(const float* weight, const float* bias, const float* slope, std::size_t c_in, std::size_t c_out,
          Numbers numbers = Numbers::fp32);

    // One thread; the same bits for an input whatever it is batched with.
    void run(const Conv3Maps& maps) const;

    std::size_t c_in() const { return c_in_; }
    std::size_t c_out() const { return c_out_; }

  private:
    const Conv3Kernels* kernels_;
    std::size_t c_in_, c_out_;
    bool plain_;                       // not by tiles
    Weights weights_;                  // of 36 planes, or of the 9 pixels that are summed
    std::vector<float> bias_, slope_;  // padded to whole panels
};

// A transposed 2x2 convolution of stride 2: each pixel becomes four.
class Up2 {
  public:
    // weight (c_in, c_out, 2, 2), bias (c_out). Throws as `Conv3` does.
    Up2(const float* weight, const float* bias, std::size_t c_in, std::size_t c_out,
        Numbers numbers = Numbers::fp32);

    // x (n, height, width, c_in) to y (n, 2 height, 2 width, c_out). One thread.
    void run(const float* x, std::size_t n, std::size_t height, std::size_t width, float* y) const;

    std::size_t c_in() const { return c_in_; }
    std::size_t c_out() const { return c_out_; }

  private:
    const Conv3Kernels* kernels_;
    std::size_t c_in_, c_out_;
    Weights weights_;          // of 4 corners
    std::vector<float> bias_;  // padded to whole panels
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
    // As the sum is written: packed (panels, 9 c_in, panel).
    std::size_t (*plain_scratch)(const Conv3Maps& maps, std::size_t c_in);
    void (*plain_run)(const Conv3Maps& maps, const float* packed, const float* bias, const float* slope,
                      std::size_t c_in, std::size_t c_out, float* scratch);
    // With integers.
    std::size_t (*int16_scratch)(const Conv3Maps& maps, std::size_t c_in, std::size_t c_out);
    std::size_t (*int16_up_scratch)(std::size_t c_in);
    void (*int16_run)(const Conv3Maps& maps, const Integers& weights, const float* bias, const float* slope,
                      std::size_t c_in, std::size_t c_out, float* scratch);
    void (*int16_up)(const float* x, std::size_t rows, std::size_t width, const Integers& weights,
                     const float* bias, std::size_t c_in, std::size_t c_out, float* y, float* scratch);
};
const Conv3Kernels* conv3_kernels();

}  // namespace fastpgs
