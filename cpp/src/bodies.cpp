#include "fastpgs/bodies.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "fastpgs/interrupt.hpp"

namespace fastpgs::bodies {

namespace {

using shapes::Box;
using shapes::Bytes;
using shapes::Mask;

constexpr double LOWEST = 0.25;  // of the highest peak of its part: lower ones are the outline's unrest

constexpr double FINE = 4096.0;  // of a pixel

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

struct Peak {
    std::ptrdiff_t row, col;
    double height;
    std::int32_t part;
};

// The least value on the straight line between two pixels.
double lowest_between(const double* plane, std::ptrdiff_t cols, const Peak& a, const Peak& b) {
    const std::ptrdiff_t steps = std::max(std::abs(a.row - b.row), std::abs(a.col - b.col));
    double lowest = plane[b.row * cols + b.col];
    if (steps == 0) return lowest;
    const double down = static_cast<double>(b.row - a.row) / static_cast<double>(steps);
    const double right = static_cast<double>(b.col - a.col) / static_cast<double>(steps);
    for (std::ptrdiff_t i = 0; i < steps; ++i) {
        const auto at = static_cast<double>(i);
        const auto row = static_cast<std::ptrdiff_t>(std::nearbyint(at * down + static_cast<double>(a.row)));
        const auto col = static_cast<std::ptrdiff_t>(std::nearbyint(at * right + static_cast<double>(a.col)));
        lowest = std::min(lowest, plane[row * cols + col]);
    }
    return lowest;
}

// Pixels that are the highest of the 5 x 5 around them, in raster order.
std::vector<Peak> peaks_of(const double* plane, const std::int32_t* region, std::ptrdiff_t rows,
                           std::ptrdiff_t cols) {
    std::vector<Peak> peaks;
    for (std::ptrdiff_t r = 0; r < rows; ++r)
        for (std::ptrdiff_t c = 0; c < cols; ++c) {
            const std::ptrdiff_t i = r * cols + c;
            if (region[i] <= 0) continue;
            bool highest = true;
            for (std::ptrdiff_t y = std::max<std::ptrdiff_t>(r - 2, 0);
                 highest && y <= std::min(r + 2, rows - 1); ++y)
                for (std::ptrdiff_t x = std::max<std::ptrdiff_t>(c - 2, 0); x <= std::min(c + 2, cols - 1);
                     ++x)
                    if (plane[y * cols + x] > plane[i]) {
                        highest = false;
                        break;
                    }
            if (highest) peaks.push_back({r, c, plane[i], region[i]});
        }
    return peaks;
}

std::set<std::pair<std::int32_t, std::int32_t>> contacts(const std::int32_t* bodies, std::ptrdiff_t rows,
                                                         std::ptrdiff_t cols) {
    std::set<std::pair<std::int32_t, std::int32_t>> pairs;
    const auto add = [&](std::int32_t a, std::int32_t b) {
        if (a > 0 && b > 0 && a != b) pairs.emplace(std::min(a, b), std::max(a, b));
    };
    for (std::ptrdiff_t r = 0; r < rows; ++r)
        for (std::ptrdiff_t c = 0; c < cols; ++c) {
            const std::int32_t* own = bodies + r * cols + c;
            if (r + 1 < rows) add(own[0], own[cols]);
            if (c + 1 < cols) add(own[0], own[1]);
        }
    return pairs;
}

// By how much the union of two bodies is more solid than one cell needs to be.
double excess(const std::int32_t* bodies, const std::uint8_t* nuclei, std::ptrdiff_t rows,
              std::ptrdiff_t cols, const Box& both, std::int32_t a, std::int32_t b, const MergeRules& rules) {
    const Box box{std::max<std::ptrdiff_t>(both.top - 1, 0), std::max<std::ptrdiff_t>(both.left - 1, 0),
                  std::min(both.bottom + 1, rows), std::min(both.right + 1, cols)};
    const auto size = z(box.rows() * box.cols());
    Bytes where(size), filled(size);
    std::int64_t nucleus = 0;
    for (std::ptrdiff_t r = 0; r < box.rows(); ++r)
        for (std::ptrdiff_t c = 0; c < box.cols(); ++c) {
            const std::ptrdiff_t i = (box.top + r) * cols + box.left + c;
            const bool inside = bodies[i] == a || bodies[i] == b;
            where[z(r * box.cols() + c)] = inside;
            nucleus += inside && nuclei[i];
        }
    shapes::fill_holes({where.data(), box.rows(), box.cols()}, rules.vacuole, filled.data());
    const shapes::Mask whole{filled.data(), box.rows(), box.cols()};
    const double share = static_cast<double>(nucleus) / static_cast<double>(shapes::count(whole));
    double needed = std::clamp(0.8 + 0.5 * (share - 0.55), 0.7, rules.nearly_convex);
    if (static_cast<double>(nucleus) > rules.most) needed = rules.nearly_convex;
    return shapes::solidity(whole) - needed;
}

// Where the line's position `i`, which may lie beyond its ends, is found: a line shorter than the margin is
// mirrored again and again. -1: nowhere, it counts as 0.
std::ptrdiff_t place(std::ptrdiff_t i, std::ptrdiff_t length, Beyond beyond) {
    if (i >= 0 && i < length) return i;
    if (beyond == Beyond::zero) return -1;
    const std::ptrdiff_t period = 2 * length, at = ((i % period) + period) % period;
    return at < length ? at : period - 1 - at;
}

void mean_of_row(const double* line, std::ptrdiff_t length, int size, Beyond beyond,
                 std::vector<double>& room, double* out) {
    const std::ptrdiff_t half = size / 2;
    room.resize(z(length + 2 * half));
    std::copy_n(line, length, room.begin() + half);
    for (std::ptrdiff_t i = 0; i < half; ++i) {
        const std::ptrdiff_t before = place(-1 - i, length, beyond),
                             after = place(length + i, length, beyond);
        room[z(half - 1 - i)] = before < 0 ? 0.0 : line[before];
        room[z(half + length + i)] = after < 0 ? 0.0 : line[after];
    }
    double sum = 0.0;
    for (int i = 0; i < size; ++i) sum += room[static_cast<std::size_t>(i)];
    out[0] = sum / size;
    for (std::ptrdiff_t i = 1; i < length; ++i) {
        sum += room[z(i + size - 1)] - room[z(i - 1)];
        out[i] = sum / size;
    }
}

// The same down all columns at once.
void mean_of_columns(const double* plane, std::ptrdiff_t rows, std::ptrdiff_t cols, int size, Beyond beyond,
                     double* out) {
    const std::ptrdiff_t half = size / 2;
    const std::vector<double> zeros(z(cols), 0.0);
    const auto row = [&](std::ptrdiff_t r) {
        const std::ptrdiff_t at = place(r, rows, beyond);
        return at < 0 ? zeros.data() : plane + at * cols;
    };
    std::vector<double> sum(z(cols), 0.0);
    for (std::ptrdiff_t i = -half; i <= half; ++i) {
        const double* own = row(i);
        for (std::ptrdiff_t c = 0; c < cols; ++c) sum[z(c)] += own[c];
    }
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        poll(z(r), 16);
        if (r > 0) {
            const double *next = row(r + half), *last = row(r - half - 1);
            for (std::ptrdiff_t c = 0; c < cols; ++c) sum[z(c)] += next[c] - last[c];
        }
        for (std::ptrdiff_t c = 0; c < cols; ++c) out[r * cols + c] = sum[z(c)] / size;
    }
}

}  // namespace

void box_mean(const double* plane, std::ptrdiff_t rows, std::ptrdiff_t cols, int size, Beyond beyond,
              double* out) {
    std::vector<double> room, between(z(rows * cols));
    mean_of_columns(plane, rows, cols, size, beyond, between.data());
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        poll(z(r), 16);
        mean_of_row(&between[z(r * cols)], cols, size, beyond, room, out + r * cols);
    }
}

void markers(const double* distance, const std::int32_t* region, std::ptrdiff_t rows, std::ptrdiff_t cols,
             double neck, std::int32_t* out) {
    std::fill_n(out, rows * cols, 0);
    std::vector<double> smooth(z(rows * cols));
    box_mean(distance, rows, cols, 3, Beyond::zero, smooth.data());
    // Running sums leave rounding that depends on where a cell lies in its window; it must break no tie.
    for (double& value : smooth) value = std::nearbyint(value * FINE) / FINE;
    std::vector<double> largest(1, 0.0);
    for (std::ptrdiff_t i = 0; i < rows * cols; ++i) {
        const auto part = static_cast<std::size_t>(region[i]);
        if (part >= largest.size()) largest.resize(part + 1, 0.0);
        largest[part] = std::max(largest[part], smooth[z(i)]);
    }
    std::vector<Peak> peaks = peaks_of(smooth.data(), region, rows, cols);
    peaks.erase(
        std::remove_if(peaks.begin(), peaks.end(),
                       [&](const Peak& peak) {
                           return !(peak.height >= LOWEST * largest[static_cast<std::size_t>(peak.part)]);
                       }),
        peaks.end());
    std::stable_sort(peaks.begin(), peaks.end(),
                     [](const Peak& a, const Peak& b) { return a.height > b.height; });
    std::vector<std::size_t> body(peaks.size());
    std::iota(body.begin(), body.end(), std::size_t{0});
    for (std::size_t i = 0; i < peaks.size();
         ++i) {  // from the highest peak down, each joins the best earlier one
        poll();
        double best = neck;
        for (std::size_t j = 0; j < i; ++j) {
            if (peaks[j].part != peaks[i].part) continue;
            const double ratio = lowest_between(smooth.data(), cols, peaks[i], peaks[j]) / peaks[i].height;
            if (ratio >= best) {
                best = ratio;
                body[i] = body[j];
            }
        }
        out[peaks[i].row * cols + peaks[i].col] = static_cast<std::int32_t>(body[i]) + 1;
    }
}

void merge(std::int32_t* bodies, const std::uint8_t* nuclei, std::ptrdiff_t rows, std::ptrdiff_t cols,
           const MergeRules& rules) {
    std::int32_t most = 0;
    for (std::ptrdiff_t i = 0; i < rows * cols; ++i) most = std::max(most, bodies[i]);
    std::vector<Box> box(static_cast<std::size_t>(most) + 1, Box{rows, cols, 0, 0});
    for (std::ptrdiff_t r = 0; r < rows; ++r)
        for (std::ptrdiff_t c = 0; c < cols; ++c) {
            if (bodies[r * cols + c] <= 0) continue;
            Box& own = box[static_cast<std::size_t>(bodies[r * cols + c])];
            own = {std::min(own.top, r), std::min(own.left, c), std::max(own.bottom, r + 1),
                   std::max(own.right, c + 1)};
        }
    const auto joined = [&](std::int32_t a, std::int32_t b) {
        const Box &p = box[static_cast<std::size_t>(a)], &q = box[static_cast<std::size_t>(b)];
        return Box{std::min(p.top, q.top), std::min(p.left, q.left), std::max(p.bottom, q.bottom),
                   std::max(p.right, q.right)};
    };
    while (true) {
        double best = 0.0;
        std::pair<std::int32_t, std::int32_t> chosen{0, 0};
        for (const auto& [a, b] : contacts(bodies, rows, cols)) {
            poll();
            const double own = excess(bodies, nuclei, rows, cols, joined(a, b), a, b, rules);
            if (own > best) {
                best = own;
                chosen = {a, b};
            }
        }
        if (chosen.first == 0) return;
        for (std::ptrdiff_t i = 0; i < rows * cols; ++i)
            if (bodies[i] == chosen.second) bodies[i] = chosen.first;
        box[static_cast<std::size_t>(chosen.first)] = joined(chosen.first, chosen.second);
    }
}

namespace {

// Pixels of nucleus in each of the bodies 0..n; body 0 has none.
std::vector<std::int64_t> nuclear_areas(const std::int32_t* bodies, Mask nuclei) {
    std::vector<std::int64_t> area(1, 0);
    for (std::ptrdiff_t i = 0; i < nuclei.size(); ++i) {
        const auto own = static_cast<std::size_t>(bodies[i]);
        if (own >= area.size()) area.resize(own + 1, 0);
        area[own] += nuclei.data[i] != 0;
    }
    area[0] = 0;
    return area;
}

// The area-weighted median: half of all area lies in smaller parts.
double typical(std::vector<std::int64_t> areas) {
    std::sort(areas.begin(), areas.end());
    const std::int64_t total = std::accumulate(areas.begin(), areas.end(), std::int64_t{0});
    std::int64_t sum = 0;
    for (const std::int64_t area : areas)
        if (static_cast<double>(sum += area) >= static_cast<double>(total) / 2.0 && total > 0)
            return static_cast<double>(area);
    return 0.0;
}

}  // namespace

std::int32_t split(Mask region, Mask nuclei, const SplitRules& rules, double& typical_body,
                   std::int32_t* bodies) {
    const std::ptrdiff_t rows = region.rows, cols = region.cols, size = region.size();
    std::vector<std::int32_t> parts(z(size));
    shapes::label(region, parts.data());
    std::vector<double> levels(z(size));
    shapes::distance(region, levels.data());
    markers(levels.data(), parts.data(), rows, cols, rules.neck, bodies);
    for (double& level : levels) level = -level;
    shapes::flood(region, levels.data(), bodies);
    auto area = nuclear_areas(bodies, nuclei);
    for (std::ptrdiff_t i = 0; i < size; ++i)
        if (static_cast<double>(area[static_cast<std::size_t>(bodies[i])]) < rules.least) bodies[i] = 0;
    merge(bodies, nuclei.data, rows, cols, rules.merging);
    area = nuclear_areas(bodies, nuclei);
    if (typical_body < 0) typical_body = typical(area);
    std::int32_t n = 0;
    std::vector<std::int32_t> number(area.size(), 0);
    for (std::size_t i = 1; i < area.size(); ++i)
        if (static_cast<double>(area[i]) >= rules.smallest * typical_body) number[i] = ++n;
    for (std::ptrdiff_t i = 0; i < size; ++i)
        bodies[i] = nuclei.data[i] ? number[static_cast<std::size_t>(bodies[i])] : 0;
    shapes::flood(region, levels.data(), bodies);
    return n;
}

}  // namespace fastpgs::bodies
