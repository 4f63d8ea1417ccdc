#include "fastpgs/odds.hpp"

#include <algorithm>
#include <vector>

#include "fastpgs/crew.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/plane_kernels.hpp"

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
        : picture_(picture), half_(half), line_(z(picture.cols + 2 * half)) {
        linear_.n = z(picture.cols);
        std::copy_n(model.weights, 3, linear_.weights);
        linear_.bias = model.bias;
        linear_.most = most;
        linear_.out = line_.data() + half;
        for (std::ptrdiff_t off = 0; off <= 2 * half; ++off) moved_.push_back(line_.data() + off);
    }

    // Sums over 2 half + 1 columns.
    void sum(std::ptrdiff_t r, double* out) {
        linear_.triples = picture_.rgb + 3 * r * picture_.cols;
        plane_kernels().linear(linear_);
        double* own = line_.data() + half_;
        for (std::ptrdiff_t i = 1; i <= half_; ++i) {
            own[-i] = own[mirrored(-i, picture_.cols)];
            own[picture_.cols - 1 + i] = own[mirrored(picture_.cols - 1 + i, picture_.cols)];
        }
        plane_kernels().sum_lines({moved_.data(), moved_.size(), z(picture_.cols), 1.0, out});
    }

  private:
    stain::Picture picture_;
    LinearArgs linear_{};
    std::ptrdiff_t half_;
    std::vector<double> line_;
    std::vector<const double*> moved_;
};

}  // namespace

namespace {

// The rows begin..end.
void rows_by_colour(stain::Picture features, const redness::Model& model, double most, int size,
                    std::ptrdiff_t begin, std::ptrdiff_t end, double* out) {
    const std::ptrdiff_t rows = features.rows, cols = features.cols, half = size / 2;
    Rows source(features, model, most, half);
    std::vector<double> sums(z(size * cols));  // of the rows around the present one
    std::vector<const double*> around(z(size));
    const double all = static_cast<double>(size) * static_cast<double>(size);
    std::ptrdiff_t known = std::max<std::ptrdiff_t>(begin - half, 0);
    for (std::ptrdiff_t r = begin; r < end; ++r) {
        poll(z(r), 16);
        for (; known < std::min(r + half + 1, rows); ++known)
            source.sum(known, sums.data() + known % size * cols);
        for (std::ptrdiff_t off = -half; off <= half; ++off)
            around[z(off + half)] = sums.data() + mirrored(r + off, rows) % size * cols;
        plane_kernels().sum_lines({around.data(), around.size(), z(cols), all, out + r * cols});
    }
}

}  // namespace

void by_colour(stain::Picture features, const redness::Model& model, double most, int size, double* out) {
    share(features.rows, std::max(std::ptrdiff_t{4} * size, rows_worth(features.cols)),
          [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
              rows_by_colour(features, model, most, size, begin, end, out);
          });
}

namespace {

// Of the rows r..last.
void rows_against(const double* odds, const reach::Away& away, double even, const shapes::Bits& among,
                  std::ptrdiff_t r, std::ptrdiff_t last, shapes::Bits& out) {
    constexpr std::ptrdiff_t kWord = shapes::Bits::kWord;
    std::vector<double> line(z(among.cols));
    for (; r < last; ++r) {
        const shapes::Word* wanted = among.row(r);
        for (std::ptrdiff_t w = 0, until = 0; w < among.width; w = until + 1) {
            until = w;
            if (wanted[w] == 0) continue;
            while (until + 1 < among.width && wanted[until + 1] != 0) ++until;
            const std::ptrdiff_t begin = w * kWord, end = std::min((until + 1) * kWord, among.cols);
            away.distances(r, begin, end, line.data());
            plane_kernels().against({odds + r * among.cols + begin, line.data(), z(end - begin), even,
                                     MOST_PRIOR, out.row(r) + w});
        }
    }
}

}  // namespace

shapes::Bits against(const double* odds, const reach::Away& away, double even, const shapes::Bits& among) {
    shapes::Bits out(among.rows, among.cols);
    share(among.rows, rows_worth(among.cols), [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        rows_against(odds, away, even, among, begin, end, out);
    });
    return out &= among;
}

}  // namespace fastpgs::odds
