// Exact Euclidean distances (Meijster, Roerdink & Hesselink 2000): columns first, then lower envelopes of
// rows.
#include <algorithm>
#include <cmath>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

namespace {

// Floor of a / b for b > 0.
std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

}  // namespace

void nearest(Mask mask, double* out, std::ptrdiff_t* index) {
    const std::ptrdiff_t rows = mask.rows, cols = mask.cols;
    const std::int64_t none = rows + cols;  // beyond any distance along a column
    // Rows up (negative: down) to the nearest pixel outside in the column.
    std::vector<std::int64_t> up(static_cast<std::size_t>(mask.size()));
    std::vector<std::int64_t> since(static_cast<std::size_t>(cols), none);
    for (std::ptrdiff_t i = 0; i < mask.size(); ++i) {
        poll(static_cast<std::size_t>(i), std::size_t{1} << 16);
        auto& run = since[static_cast<std::size_t>(i % cols)];
        run = !mask.data[i] ? 0 : std::min(run + 1, none);
        up[static_cast<std::size_t>(i)] = run;
    }
    std::fill(since.begin(), since.end(), none);
    for (std::ptrdiff_t i = mask.size() - 1; i >= 0; --i) {
        poll(static_cast<std::size_t>(i), std::size_t{1} << 16);
        auto& run = since[static_cast<std::size_t>(i % cols)];
        run = !mask.data[i] ? 0 : std::min(run + 1, none);
        if (run < up[static_cast<std::size_t>(i)]) up[static_cast<std::size_t>(i)] = -run;
    }
    std::vector<std::int64_t> site(static_cast<std::size_t>(cols)), from(static_cast<std::size_t>(cols));
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        poll(static_cast<std::size_t>(r), 4);
        const std::int64_t* g = up.data() + r * cols;
        const auto square = [&](std::int64_t x, std::int64_t s) { return (x - s) * (x - s) + g[s] * g[s]; };
        std::ptrdiff_t top = -1;
        for (std::int64_t s = 0; s < cols; ++s) {
            if (g[s] == none) continue;
            std::int64_t start = 0;
            while (top >= 0) {
                const std::int64_t other = site[static_cast<std::size_t>(top)];
                // The first column from which on `s` is strictly nearer than `other`.
                start =
                    floor_div(s * s - other * other + g[s] * g[s] - g[other] * g[other], 2 * (s - other)) + 1;
                if (start > from[static_cast<std::size_t>(top)]) break;
                --top;
            }
            if (top < 0) start = 0;
            if (start >= cols) continue;
            ++top;
            site[static_cast<std::size_t>(top)] = s;
            from[static_cast<std::size_t>(top)] = start;
        }
        std::ptrdiff_t at = top;
        for (std::int64_t x = cols - 1; x >= 0; --x) {
            const std::ptrdiff_t i = r * cols + x;
            if (top < 0) {
                out[i] = static_cast<double>(std::max(rows, cols));
                if (index) index[i] = -1;
                continue;
            }
            while (from[static_cast<std::size_t>(at)] > x) --at;
            const std::int64_t s = site[static_cast<std::size_t>(at)];
            out[i] = std::sqrt(static_cast<double>(square(x, s)));
            if (index) index[i] = (r - g[s]) * cols + s;
        }
    }
}

void distance(Mask mask, double* out) { nearest(mask, out, nullptr); }

}  // namespace fastpgs::shapes
