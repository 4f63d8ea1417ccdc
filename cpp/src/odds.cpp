#include "fastpgs/odds.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "fastpgs/interrupt.hpp"

namespace fastpgs::odds {

namespace {

constexpr double MOST_PRIOR = 4.0;  // what distance says at most, in logits

// Where a line's position `i`, which may lie beyond its ends, is found: a line shorter than the margin is
// mirrored again and again.
std::ptrdiff_t mirrored(std::ptrdiff_t i, std::ptrdiff_t length) {
    if (i >= 0 && i < length) return i;
    const std::ptrdiff_t period = 2 * length, at = ((i % period) + period) % period;
    return at < length ? at : period - 1 - at;
}

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

// Odds of the colours of one row, with `half` mirrored pixels to either side.
class Rows {
  public:
    Rows(stain::Picture picture, const redness::Model& model, double most, std::ptrdiff_t half)
        : picture_(picture), bias_(model.bias), most_(most), half_(half), line_(z(picture.cols + 2 * half)) {
        for (std::size_t channel = 0; channel < 3; ++channel)
            for (std::size_t level = 0; level < 256; ++level)
                share_[channel][level] = model.weights[channel] * static_cast<double>(level);
    }

    // Sums over 2 half + 1 columns.
    void sum(std::ptrdiff_t r, double* out) {
        const std::uint8_t* colour = picture_.rgb + 3 * r * picture_.cols;
        double* own = line_.data() + half_;
        for (std::ptrdiff_t c = 0; c < picture_.cols; ++c, colour += 3)
            own[c] = share_[0][colour[0]] + share_[1][colour[1]] + share_[2][colour[2]] + bias_;
        for (std::ptrdiff_t c = 0; c < picture_.cols; ++c) own[c] = std::min(std::max(own[c], -most_), most_);
        for (std::ptrdiff_t i = 1; i <= half_; ++i) {
            own[-i] = own[mirrored(-i, picture_.cols)];
            own[picture_.cols - 1 + i] = own[mirrored(picture_.cols - 1 + i, picture_.cols)];
        }
        for (std::ptrdiff_t c = 0; c < picture_.cols; ++c) out[c] = own[c - half_];
        for (std::ptrdiff_t off = 1 - half_; off <= half_; ++off)
            for (std::ptrdiff_t c = 0; c < picture_.cols; ++c) out[c] += own[c + off];
    }

  private:
    stain::Picture picture_;
    double bias_, most_;
    std::ptrdiff_t half_;
    std::array<std::array<double, 256>, 3> share_;
    std::vector<double> line_;
};

}  // namespace

void by_colour(stain::Picture features, const redness::Model& model, double most, int size, double* out) {
    const std::ptrdiff_t rows = features.rows, cols = features.cols, half = size / 2;
    Rows source(features, model, most, half);
    std::vector<double> sums(z(size * cols));  // of the rows around the present one
    std::ptrdiff_t known = 0;
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        poll(z(r), 16);
        for (; known < std::min(r + half + 1, rows); ++known)
            source.sum(known, sums.data() + known % size * cols);
        double* own = out + r * cols;
        std::fill_n(own, cols, 0.0);
        for (std::ptrdiff_t off = -half; off <= half; ++off) {
            const double* sum = sums.data() + mirrored(r + off, rows) % size * cols;
            for (std::ptrdiff_t c = 0; c < cols; ++c) own[c] += sum[c];
        }
        const double all = static_cast<double>(size) * static_cast<double>(size);
        for (std::ptrdiff_t c = 0; c < cols; ++c) own[c] /= all;
    }
}

void against(const double* odds, const double* away, std::ptrdiff_t size, double even, std::uint8_t* out) {
    for (std::ptrdiff_t i = 0; i < size; ++i) {
        const double prior = std::min(std::max(2.0 * (even - away[i]), -MOST_PRIOR), MOST_PRIOR);
        out[i] = odds[i] + prior < 0.0;
    }
}

}  // namespace fastpgs::odds
