#include "fastpgs/odds.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "fastpgs/crew.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/plane_kernels.hpp"

namespace fastpgs::odds {

namespace {

using shapes::Bits;
using shapes::Word;

constexpr double MOST_PRIOR = 4.0;                                    // what distance says at most, in logits
constexpr double UNIT = std::numeric_limits<float>::epsilon() / 2.0;  // what one rounding changes at most

// Where a line's position `i`, which may lie beyond its ends, is found: a line shorter than the margin is
// mirrored again and again.
std::ptrdiff_t mirrored(std::ptrdiff_t i, std::ptrdiff_t length) {
    if (i >= 0 && i < length) return i;
    const std::ptrdiff_t period = 2 * length, at = ((i % period) + period) % period;
    return at < length ? at : period - 1 - at;
}

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

double clipped(double value, double most) { return std::min(std::max(value, -most), most); }

// Odds of the colours of one row, with `half` mirrored pixels to either side.
class Rows {
  public:
    Rows(stain::Picture picture, const redness::Model& model, double most, std::ptrdiff_t half)
        : picture_(picture), half_(half), line_(z(picture.cols + 2 * half)) {
        linear_.n = z(picture.cols);
        for (std::size_t i = 0; i < 3; ++i) linear_.weights[i] = static_cast<float>(model.weights[i]);
        linear_.bias = static_cast<float>(model.bias);
        linear_.most = static_cast<float>(most);
        linear_.out = line_.data() + half;
        for (std::ptrdiff_t off = 0; off <= 2 * half; ++off) moved_.push_back(line_.data() + off);
    }

    // Sums over 2 half + 1 columns.
    void sum(std::ptrdiff_t r, float* out) {
        linear_.triples = picture_.rgb + 3 * r * picture_.cols;
        linear(linear_);
        float* own = line_.data() + half_;
        for (std::ptrdiff_t i = 1; i <= half_; ++i) {
            own[-i] = own[mirrored(-i, picture_.cols)];
            own[picture_.cols - 1 + i] = own[mirrored(picture_.cols - 1 + i, picture_.cols)];
        }
        sum_lines(SumLinesArgs<float>{moved_.data(), moved_.size(), z(picture_.cols), 1.0F, out});
    }

  private:
    stain::Picture picture_;
    LinearArgs<float> linear_{};
    std::ptrdiff_t half_;
    std::vector<float> line_;
    std::vector<const float*> moved_;
};

}  // namespace

Odds::Odds(stain::Picture features, const redness::Model& model, double most, int size)
    : features_(features), model_(model), most_(most), size_(size), odds_(z(features.size())) {
    // Weights, products and sums of a colour are rounded eight times, sums of colours once each.
    double largest = std::abs(model.bias);
    for (const double weight : model.weights) largest += 255.0 * std::abs(weight);
    error_ = UNIT * (8.0 * largest + static_cast<double>(size_ * size_ + 4) * most);
    share(features.rows, std::max(4 * size_, rows_worth(features.cols)),
          [&](std::ptrdiff_t begin, std::ptrdiff_t end) { fill(begin, end); });
}

// The rows begin..end.
void Odds::fill(std::ptrdiff_t begin, std::ptrdiff_t end) {
    const std::ptrdiff_t rows = features_.rows, cols = features_.cols, half = size_ / 2;
    Rows source(features_, model_, most_, half);
    std::vector<float> sums(z(size_ * cols));  // of the rows around the present one
    std::vector<const float*> around(z(size_));
    const auto all = static_cast<float>(size_ * size_);
    std::ptrdiff_t known = std::max<std::ptrdiff_t>(begin - half, 0);
    for (std::ptrdiff_t r = begin; r < end; ++r) {
        poll(z(r), 16);
        for (; known < std::min(r + half + 1, rows); ++known)
            source.sum(known, sums.data() + known % size_ * cols);
        for (std::ptrdiff_t off = -half; off <= half; ++off)
            around[z(off + half)] = sums.data() + mirrored(r + off, rows) % size_ * cols;
        sum_lines(SumLinesArgs<float>{around.data(), around.size(), z(cols), all, odds_.data() + r * cols});
    }
}

double Odds::at(std::ptrdiff_t row, std::ptrdiff_t col) const {
    const std::ptrdiff_t half = size_ / 2;
    const double (&weights)[3] = model_.weights;
    double all = 0.0;
    for (std::ptrdiff_t down = -half; down <= half; ++down) {
        const std::uint8_t* line = features_.rgb + 3 * mirrored(row + down, features_.rows) * features_.cols;
        double sum = 0.0;
        for (std::ptrdiff_t right = -half; right <= half; ++right) {
            const std::uint8_t* own = line + 3 * mirrored(col + right, features_.cols);
            sum +=
                clipped(weights[0] * own[0] + weights[1] * own[1] + weights[2] * own[2] + model_.bias, most_);
        }
        all += sum;
    }
    return all / static_cast<double>(size_ * size_);
}

Bits Odds::above_zero(const Bits& among) const {
    const auto error = static_cast<float>(2.0 * error_);
    Bits sure = shapes::above(among, odds_.data(), error),
         unsure = shapes::above(among, odds_.data(), -error);
    shapes::each_run(unsure.subtract(sure), [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
        for (std::ptrdiff_t c = begin; c < end; ++c)
            if (at(r, c) > 0.0) sure.set(r, c, c + 1);
    });
    return sure;
}

Bits Odds::against(const reach::Away& away, double even, const Bits& among) const {
    Bits out(among.rows, among.cols);
    share(among.rows, rows_worth(among.cols), [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        rows_against(away, even, among, begin, end, out);
    });
    return out &= among;
}

// The rows row..last.
void Odds::rows_against(const reach::Away& away, double even, const Bits& among, std::ptrdiff_t row,
                        std::ptrdiff_t last, Bits& out) const {
    constexpr std::ptrdiff_t kWord = Bits::kWord;
    // Roots, products and sums of what is at most so large are rounded six times.
    const double error = error_ + UNIT * 6.0 * (2.0 * MOST_PRIOR + 4.0 * std::abs(even) + most_);
    const auto margin = static_cast<float>(2.0 * error);
    const auto is_red = [&](std::ptrdiff_t r, std::ptrdiff_t c) {
        double far = 0.0;
        away.distances(r, c, c + 1, &far);
        return at(r, c) + clipped(2.0 * (even - far), MOST_PRIOR) < 0.0;
    };
    std::vector<float> line(z(among.cols));
    std::vector<Word> perhaps(z(among.width));
    for (; row < last; ++row) {
        const Word* wanted = among.row(row);
        Word* red = out.row(row);
        for (std::ptrdiff_t w = 0, until = 0; w < among.width; w = until + 1) {
            until = w;
            if (wanted[w] == 0) continue;
            while (until + 1 < among.width && wanted[until + 1] != 0) ++until;
            const std::ptrdiff_t begin = w * kWord, end = std::min((until + 1) * kWord, among.cols);
            away.each_stretch(
                row, begin, end,
                [&](std::ptrdiff_t from, std::ptrdiff_t to, double radius, const std::int32_t* squares) {
                    plane_kernels().against({odds_.data() + row * among.cols + from, squares, z(to - from),
                                             static_cast<float>(2.0 / radius), static_cast<float>(2.0 * even),
                                             static_cast<float>(MOST_PRIOR), line.data() + from});
                });
            above(LimitArgs<float>{line.data() + begin, margin, z(end - begin), red + w});
            above(LimitArgs<float>{line.data() + begin, -margin, z(end - begin), perhaps.data()});
            for (std::ptrdiff_t i = w; i <= until; ++i)
                for (Word left = perhaps[z(i - w)] & ~red[i] & wanted[i]; left != 0; left &= left - 1) {
                    const int bit = shapes::lowest(left);
                    red[i] |= static_cast<Word>(is_red(row, i * kWord + bit)) << bit;
                }
        }
    }
}

}  // namespace fastpgs::odds
