// The layers of conv3.hpp in the order in which they run, as one piece of work: from crops to logits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastpgs/block.hpp"
#include "fastpgs/conv3.hpp"

namespace fastpgs {

// Maps are numbered as they are made; number 0 are the crops. Built by one thread; then const, and many
// threads may run it, each on memory that it keeps: maps are given back when the last layer that reads them
// has run.
class Network {
  public:
    struct Size {
        std::size_t height, width, channels;
        std::size_t values() const { return height * width * channels; }
    };
    struct Dense {
        std::vector<float> weight, bias;  // (c_in, c_out), (c_out)
    };
    // What is asked of n crops: logits (n, classes), embeddings (n, hidden) and, unless null, what
    // `pixelwise` makes of maps (n, height, width).
    struct Outputs {
        float *logits, *embeddings, *mask;
    };

    // channels: of the crops.
    explicit Network(std::size_t channels);

    // Each adds a layer that reads maps, and returns the number of those it makes. They throw
    // std::invalid_argument for maps that are not there, and channels that do not fit.
    //
    // A convolution, of two maps as if they were joined, the middle of the larger one. Padding: 0 or 1.
    std::size_t conv(const Conv3& layer, std::size_t padding, std::size_t from);
    std::size_t conv(const Conv3& layer, std::size_t padding, std::size_t from, std::size_t second);
    std::size_t up(const Up2& layer, std::size_t from);
    std::size_t pool(std::size_t from);  // `pool2`
    // Each pixel becomes times x times: a view, which convolutions read without a copy.
    std::size_t enlarge(std::size_t from, std::size_t times);

    // What ends it: the means of some maps through two layers, the first with a slope (hidden) for values
    // below zero.
    void head(const std::vector<std::size_t>& from, Dense first, std::vector<float> slope, Dense second);

    // A number a pixel of some maps: their channels by weights, plus a bias.
    void pixelwise(std::size_t from, std::vector<float> weight, float bias);

    // Size of what `pixelwise` makes of crops of a size. Throws std::invalid_argument where it was not asked
    // to.
    Size mask_size(std::size_t height, std::size_t width) const;

    // Sizes of all maps for crops of a size. Throws std::invalid_argument where they become too small.
    std::vector<Size> sizes(std::size_t height, std::size_t width) const;

    // One thread; the same bits for a crop whatever it is batched with. x (n, height, width, channels).
    // Throws as `sizes` and `mask_size` do.
    void run(const float* x, std::size_t n, std::size_t height, std::size_t width, const Outputs& out) const;
    // Crops of bytes, which stand for the numbers of a table (256, channels).
    void run(const std::uint8_t* crops, const float* table, std::size_t n, std::size_t height,
             std::size_t width, const Outputs& out) const;

    std::size_t channels() const { return channels_[0]; }
    std::size_t hidden() const { return first_.bias.size(); }
    std::size_t classes() const { return second_.bias.size(); }

  private:
    enum class Kind { conv, up, pool, enlarge };
    struct Step {
        Kind kind;
        std::size_t layer;  // which of its kind
        std::size_t from, second;
        std::size_t padding, times;
    };
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    std::size_t channels_of(std::size_t map) const;
    std::size_t add(const Step& step, std::size_t channels);
    void read_by(std::size_t map, std::size_t step);
    void step(const Step& step, std::size_t n, const std::vector<View>& maps, const Size& size,
              float* y) const;
    template <class Run>
    void in_groups(std::size_t n, const std::vector<Size>& sizes, const Outputs& out, const Run& run) const;
    void run_on(const float* x, std::size_t n, const std::vector<Size>& sizes, const Outputs& out) const;
    void judge(const std::vector<View>& maps, const std::vector<Size>& sizes, std::size_t n,
               const Outputs& out) const;

    std::vector<Conv3> convolutions_;
    std::vector<Up2> ups_;
    std::vector<Step> steps_;
    std::vector<std::size_t> channels_;  // of each map
    std::vector<std::size_t> last_use_;  // of each map: the step; steps_.size() for what the head reads
    std::vector<std::size_t> heads_;
    std::size_t masked_ = kNone;  // the map that `pixelwise` reads
    std::vector<float> mask_weight_;
    float mask_bias_ = 0;
    Dense first_, second_;
    std::vector<float> slope_;
};

}  // namespace fastpgs
