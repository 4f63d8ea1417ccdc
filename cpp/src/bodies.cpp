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

constexpr double LOWEST = 0.25;  // of the highest peak of its part: lower ones are the outline's unrest

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

void mean_of_line(const double* line, std::ptrdiff_t stride, std::ptrdiff_t length, int size, Beyond beyond,
                  std::vector<double>& room, double* out) {
    const std::ptrdiff_t half = size / 2;
    room.assign(z(length + 2 * half), 0.0);
    for (std::ptrdiff_t i = 0; i < length; ++i) room[z(half + i)] = line[i * stride];
    if (beyond == Beyond::mirror)
        for (std::ptrdiff_t i = 0; i < half; ++i) {
            // A line shorter than the margin is mirrored again and again.
            const std::ptrdiff_t period = 2 * length;
            const std::ptrdiff_t before = (i % period + period) % period, after = (length + i) % period;
            const auto fold = [&](std::ptrdiff_t at) { return at < length ? at : period - 1 - at; };
            room[z(half - 1 - i)] = line[fold(before) * stride];
            room[z(half + length + i)] = line[fold(after) * stride];
        }
    double sum = 0.0;
    for (int i = 0; i < size; ++i) sum += room[static_cast<std::size_t>(i)];
    out[0] = sum / size;
    for (std::ptrdiff_t i = 1; i < length; ++i) {
        sum += room[z(i + size - 1)] - room[z(i - 1)];
        out[i * stride] = sum / size;
    }
}

}  // namespace

void box_mean(const double* plane, std::ptrdiff_t rows, std::ptrdiff_t cols, int size, Beyond beyond,
              double* out) {
    std::vector<double> room, between(z(rows * cols));
    for (std::ptrdiff_t c = 0; c < cols; ++c) {
        poll(z(c), 16);
        mean_of_line(plane + c, cols, rows, size, beyond, room, &between[z(c)]);
    }
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        poll(z(r), 16);
        mean_of_line(&between[z(r * cols)], 1, cols, size, beyond, room, out + r * cols);
    }
}

void markers(const double* distance, const std::int32_t* region, std::ptrdiff_t rows, std::ptrdiff_t cols,
             double neck, std::int32_t* out) {
    std::fill_n(out, rows * cols, 0);
    std::vector<double> smooth(z(rows * cols));
    box_mean(distance, rows, cols, 3, Beyond::zero, smooth.data());
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

}  // namespace fastpgs::bodies
