// Exact Euclidean distances (Meijster, Roerdink & Hesselink 2000): along columns first, then the lower
// envelope of each row's parabolas. Squared, the distance of column x to the pixel outside that lies g rows
// from column s is (x - s)^2 + g^2; less x^2, which all have in common, that is a line in x, so the envelope
// is the lower hull of the points (s, s^2 + g^2), which takes no division.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

namespace {

constexpr std::int32_t kNone = 1 << 29;  // from here on there is no pixel outside in a column

// The columns of a row that have a pixel outside and are nearest somewhere.
class Envelope {
  public:
    explicit Envelope(std::ptrdiff_t cols)
        : site_(static_cast<std::size_t>(cols)), height_(static_cast<std::size_t>(cols)) {}

    // Of the columns `first` to `last`; false where none has a pixel outside.
    bool fit(const std::int32_t* g, std::int64_t first, std::int64_t last) {
        std::ptrdiff_t n = 0;
        std::int64_t *site = site_.data(), *height = height_.data();
        for (std::int64_t s = first; s <= last; ++s) {
            if (g[s] >= kNone) continue;
            const std::int64_t own = s * s + static_cast<std::int64_t>(g[s]) * g[s];
            while (n >= 2 && (own - height[n - 1]) * (site[n - 1] - site[n - 2]) <=
                                 (height[n - 1] - height[n - 2]) * (s - site[n - 1]))
                --n;
            site[n] = s;
            height[n++] = own;
        }
        n_ = n;
        at_ = 0;
        return n > 0;
    }

    // The nearest column, of several the first; asked from left to right.
    std::int64_t nearest(std::int64_t x) {
        const std::int64_t *site = site_.data(), *height = height_.data();
        while (at_ + 1 < n_ && height[at_ + 1] - height[at_] < 2 * x * (site[at_ + 1] - site[at_])) ++at_;
        return site[at_];
    }

  private:
    std::vector<std::int64_t> site_, height_;
    std::ptrdiff_t n_ = 0, at_ = 0;
};

}  // namespace

Outside::Outside(const Bits& inside) : rows_(inside.rows), cols_(inside.cols) {
    g_.resize(static_cast<std::size_t>(rows_ * cols_));
    const Bits outside = inside.outside();
    const auto clear = [&](std::ptrdiff_t r, std::int32_t* own) {
        each_run(outside, r,
                 [&](std::ptrdiff_t begin, std::ptrdiff_t end) { std::fill(own + begin, own + end, 0); });
    };
    std::vector<std::int32_t> since(static_cast<std::size_t>(cols_), kNone);
    std::int32_t* last = since.data();
    for (std::ptrdiff_t r = 0; r < rows_; ++r) {
        std::int32_t* own = g_.data() + r * cols_;
        for (std::ptrdiff_t c = 0; c < cols_; ++c) own[c] = last[c] + 1;
        clear(r, own);
        last = own;
    }
    std::fill(since.begin(), since.end(), kNone);
    last = since.data();
    for (std::ptrdiff_t r = rows_ - 1; r >= 0; --r) {
        std::int32_t* own = g_.data() + r * cols_;
        for (std::ptrdiff_t c = 0; c < cols_; ++c) ++last[c];
        clear(r, last);
        for (std::ptrdiff_t c = 0; c < cols_; ++c) own[c] = std::min(own[c], last[c]);
    }
}

std::int64_t Outside::square(std::ptrdiff_t r, std::ptrdiff_t c) const {
    const std::int32_t* g = row(r);
    const auto longer = static_cast<std::int64_t>(std::max(rows_, cols_));
    std::int64_t best = g[c] < kNone ? static_cast<std::int64_t>(g[c]) * g[c] : -1;
    const auto look = [&](std::int64_t at, std::int64_t off) {
        if (at < 0 || at >= cols_ || g[at] >= kNone) return;
        const std::int64_t own = off * off + static_cast<std::int64_t>(g[at]) * g[at];
        if (best < 0 || own < best) best = own;
    };
    for (std::int64_t off = 1; off < cols_ && (best < 0 || off * off < best); ++off) {
        look(c - off, off);
        look(c + off, off);
    }
    return best < 0 ? longer * longer : best;
}

std::vector<double> inscribed_radii(const Bits& inside, const Parts& parts) {
    const Outside outside(inside);
    std::vector<std::int64_t> squares(static_cast<std::size_t>(parts.n) + 1, 0);
    for (const Run& run : parts.runs) {
        poll(static_cast<std::size_t>(run.row), 16);
        const std::int32_t* g = outside.row(run.row);
        std::int64_t& best = squares[static_cast<std::size_t>(run.part)];
        for (std::int32_t c = run.begin; c < run.end; ++c) {
            // No pixel is farther from the outside than along its row and its column.
            const std::int32_t left = run.begin > 0 ? c - run.begin + 1 : kNone;
            const std::int32_t right = run.end < inside.cols ? run.end - c : kNone;
            const std::int64_t most = std::min({left, right, g[c]});
            if (most * most > best) best = std::max(best, outside.square(run.row, c));
        }
    }
    std::vector<double> radii;
    for (const std::int64_t square : squares) radii.push_back(std::sqrt(static_cast<double>(square)));
    return radii;
}

double inscribed_radius(const Bits& inside) {
    const std::vector<double> radii = inscribed_radii(inside, components(inside));
    return *std::max_element(radii.begin(), radii.end());
}

void nearest(const Bits& inside, double* out, std::ptrdiff_t* index) {
    const std::ptrdiff_t rows = inside.rows, cols = inside.cols;
    const Outside outside(inside);
    Envelope envelope(cols);
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        poll(static_cast<std::size_t>(r), 16);
        const std::int32_t* g = outside.row(r);
        double* own = out + r * cols;
        std::fill_n(own, cols, 0.0);
        if (index) {
            std::ptrdiff_t* at = index + r * cols;
            for (std::ptrdiff_t c = 0; c < cols; ++c) at[c] = r * cols + c;
        }
        // A run of inside pixels has its nearest columns within it or beside it.
        each_run(inside, r, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
            if (!envelope.fit(g, std::max<std::ptrdiff_t>(begin - 1, 0), std::min(end, cols - 1))) {
                std::fill(own + begin, own + end, static_cast<double>(std::max(rows, cols)));
                if (index) std::fill(index + r * cols + begin, index + r * cols + end, std::ptrdiff_t{-1});
                return;
            }
            for (std::ptrdiff_t x = begin; x < end; ++x) {
                const std::int64_t s = envelope.nearest(x);
                own[x] = static_cast<double>((x - s) * (x - s) + static_cast<std::int64_t>(g[s]) * g[s]);
                if (index) {
                    const std::int64_t above = r - g[s];
                    const bool up = above >= 0 && !inside.at(above, s);
                    index[r * cols + x] = (up ? above : r + g[s]) * cols + s;
                }
            }
            for (std::ptrdiff_t x = begin; x < end; ++x) own[x] = std::sqrt(own[x]);
        });
    }
}

void distance(const Bits& inside, double* out) { nearest(inside, out, nullptr); }

std::vector<Run> nearest_parts(const Bits& bits, const Parts& parts, double* squares) {
    const std::ptrdiff_t rows = bits.rows, cols = bits.cols;
    std::vector<std::int32_t> part(static_cast<std::size_t>(rows * cols));
    write_labels(parts, rows, cols, part.data());
    const Outside outside(bits.outside());
    Envelope envelope(cols);
    std::vector<Run> stretches;
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        poll(static_cast<std::size_t>(r), 16);
        const std::int32_t* g = outside.row(r);
        double* own = squares + r * cols;
        if (!envelope.fit(g, 0, cols - 1)) throw std::invalid_argument("there must be a part");
        std::int64_t last = -1;
        for (std::ptrdiff_t x = 0; x < cols; ++x) {
            const std::int64_t s = envelope.nearest(x), height = g[s];
            own[x] = static_cast<double>((x - s) * (x - s) + height * height);
            if (s == last) continue;
            last = s;
            const std::int64_t above = r - height;
            const bool up = above >= 0 && bits.at(above, s);
            const std::int32_t nearest = part[static_cast<std::size_t>((up ? above : r + height) * cols + s)];
            if (x > 0 && stretches.back().part == nearest) continue;
            if (x > 0) stretches.back().end = static_cast<std::int32_t>(x);
            stretches.push_back({static_cast<std::int32_t>(r), static_cast<std::int32_t>(x),
                                 static_cast<std::int32_t>(cols), nearest});
        }
    }
    return stretches;
}

}  // namespace fastpgs::shapes
