// Exact Euclidean distances (Meijster, Roerdink & Hesselink 2000): columns first, then lower envelopes of
// rows.
#include <algorithm>
#include <cmath>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

namespace {

// Floor of a / b for b > 0, both far below 2^53: a division of doubles takes half the time.
std::int64_t floor_div(std::int64_t a, std::int64_t b) {
    const auto quotient = static_cast<std::int64_t>(static_cast<double>(a) / static_cast<double>(b));
    return quotient - (quotient * b > a);
}

// Rows up (negative: down) to the nearest pixel outside in the column.
void columns(Mask mask, std::int32_t none, std::int32_t* up) {
    for (std::ptrdiff_t r = 0; r < mask.rows; ++r) {
        const std::uint8_t* row = mask.data + r * mask.cols;
        std::int32_t* own = up + r * mask.cols;
        const std::int32_t* above = own - mask.cols;
        for (std::ptrdiff_t c = 0; c < mask.cols; ++c)
            own[c] = !row[c] ? 0 : r == 0 ? none : std::min(above[c] + 1, none);
    }
    std::vector<std::int32_t> since(static_cast<std::size_t>(mask.cols), none);
    for (std::ptrdiff_t r = mask.rows - 1; r >= 0; --r) {
        const std::uint8_t* row = mask.data + r * mask.cols;
        std::int32_t* own = up + r * mask.cols;
        std::int32_t* below = since.data();
        for (std::ptrdiff_t c = 0; c < mask.cols; ++c) {
            below[c] = !row[c] ? 0 : std::min(below[c] + 1, none);
            own[c] = below[c] < own[c] ? -below[c] : own[c];
        }
    }
}

// The lower envelope of the parabolas of one row: which column is nearest, from which column on.
class Envelope {
  public:
    explicit Envelope(std::ptrdiff_t cols)
        : site(static_cast<std::size_t>(cols)), from(static_cast<std::size_t>(cols)) {}

    // Of the columns `first` to `last`, for the columns `first` up to `end`; false where no column has a
    // pixel outside.
    bool fit(const std::int32_t* g, std::int64_t first, std::int64_t last, std::int64_t end,
             std::int32_t none) {
        top = -1;
        for (std::int64_t s = first; s <= last; ++s) {
            if (g[s] == none) continue;
            const std::int64_t height = s * s + static_cast<std::int64_t>(g[s]) * g[s];
            std::int64_t start = first;
            while (top >= 0) {
                const std::int64_t other = site[static_cast<std::size_t>(top)];
                const std::int64_t its = other * other + static_cast<std::int64_t>(g[other]) * g[other];
                // The first column from which on `s` is strictly nearer than `other`.
                start = floor_div(height - its, 2 * (s - other)) + 1;
                if (start > from[static_cast<std::size_t>(top)]) break;
                --top;
            }
            if (top < 0) start = first;
            if (start >= end) continue;
            ++top;
            site[static_cast<std::size_t>(top)] = s;
            from[static_cast<std::size_t>(top)] = start;
        }
        at = top;
        return top >= 0;
    }

    // The nearest column; asked from the last column to the first.
    std::int64_t nearest(std::int64_t x) {
        while (from[static_cast<std::size_t>(at)] > x) --at;
        return site[static_cast<std::size_t>(at)];
    }

  private:
    std::vector<std::int64_t> site, from;
    std::ptrdiff_t top = -1, at = -1;
};

}  // namespace

void nearest(Mask mask, double* out, std::ptrdiff_t* index) {
    const std::ptrdiff_t rows = mask.rows, cols = mask.cols;
    const auto none = static_cast<std::int32_t>(rows + cols);  // beyond any distance along a column
    std::vector<std::int32_t> up(static_cast<std::size_t>(mask.size()));
    columns(mask, none, up.data());
    Envelope envelope(cols);
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        poll(static_cast<std::size_t>(r), 4);
        const std::int32_t* g = up.data() + r * cols;
        for (std::ptrdiff_t c = 0; c < cols;) {
            const std::ptrdiff_t i = r * cols + c;
            if (g[c] == 0) {
                out[i] = 0.0;
                if (index) index[i] = i;
                ++c;
                continue;
            }
            // A run of pixels inside: beyond the pixels outside at its ends no column is nearer.
            std::ptrdiff_t end = c + 1;
            while (end < cols && g[end] != 0) ++end;
            const bool any =
                envelope.fit(g, std::max<std::ptrdiff_t>(c - 1, 0), std::min(end, cols - 1), end, none);
            for (std::ptrdiff_t x = end - 1; x >= c; --x) {
                const std::ptrdiff_t to = r * cols + x;
                if (!any) {
                    out[to] = static_cast<double>(std::max(rows, cols));
                    if (index) index[to] = -1;
                    continue;
                }
                const std::int64_t s = envelope.nearest(x), height = g[s];
                out[to] = std::sqrt(static_cast<double>((x - s) * (x - s) + height * height));
                if (index) index[to] = (r - g[s]) * cols + s;
            }
            c = end;
        }
    }
}

void distance(Mask mask, double* out) { nearest(mask, out, nullptr); }

}  // namespace fastpgs::shapes
