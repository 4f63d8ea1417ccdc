#include "fastpgs/bodies.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "fastpgs/interrupt.hpp"

namespace fastpgs::bodies {

namespace {

using shapes::Bits;
using shapes::Box;
using shapes::Mask;
using shapes::Parts;
using shapes::Run;

constexpr double LOWEST = 0.25;  // of the highest peak of its part: lower ones are the outline's unrest

constexpr double FINE = 4096.0;  // of a pixel

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

// Means of 3 x 3 distances, in fractions of a pixel: whole numbers, so that no tie is broken by rounding that
// depends on where a cell lies. Known around the parts only.
class Smooth {
  public:
    Smooth(const double* distance, const Parts& parts, std::ptrdiff_t rows, std::ptrdiff_t cols) {
        top_ = rows;
        left_ = cols;
        std::ptrdiff_t bottom = 0, right = 0;
        for (const Run& run : parts.runs) {
            top_ = std::min<std::ptrdiff_t>(top_, run.row);
            left_ = std::min<std::ptrdiff_t>(left_, run.begin);
            bottom = run.row + 1;
            right = std::max<std::ptrdiff_t>(right, run.end);
        }
        if (parts.n == 0) return;
        stride_ = right - left_ + 2 * MARGIN;
        top_ -= MARGIN;
        left_ -= MARGIN;
        values_.assign(z((bottom + MARGIN - top_) * stride_), -1);  // beyond the frame
        const std::ptrdiff_t first = std::max<std::ptrdiff_t>(left_, 0),
                             last = std::min(right + MARGIN, cols);
        std::vector<double> sums(z(last - first + 2), 0.0);
        const std::vector<double> nothing(z(cols), 0.0);
        const auto row = [&](std::ptrdiff_t r) {
            return r < 0 || r >= rows ? nothing.data() : distance + r * cols;
        };
        for (std::ptrdiff_t r = std::max<std::ptrdiff_t>(top_, 0); r < std::min(bottom + MARGIN, rows); ++r) {
            poll(z(r), 16);
            const double *above = row(r - 1), *own = row(r), *below = row(r + 1);
            const auto column = [&](std::ptrdiff_t c) { return above[c] + own[c] + below[c]; };
            double* sum = sums.data() + 1;  // of column first + i at i
            sum[-1] = first > 0 ? column(first - 1) : 0.0;
            sum[last - first] = last < cols ? column(last) : 0.0;
            for (std::ptrdiff_t c = first; c < last; ++c) sum[c - first] = column(c);
            std::int32_t* to = values_.data() + at(r, first);
            for (std::ptrdiff_t i = 0; i < last - first; ++i) {
                const double mean = (sum[i - 1] + sum[i] + sum[i + 1]) * (FINE / 9.0);
                to[i] = static_cast<std::int32_t>(std::min(mean, MOST) + 0.5);
            }
        }
    }

    const std::int32_t* row(std::ptrdiff_t r, std::ptrdiff_t c) const { return values_.data() + at(r, c); }
    std::ptrdiff_t stride() const { return stride_; }
    std::int32_t operator()(std::ptrdiff_t r, std::ptrdiff_t c) const { return *row(r, c); }

  private:
    static constexpr std::ptrdiff_t MARGIN = 2;  // as far as peaks look around
    static constexpr double MOST = std::numeric_limits<std::int32_t>::max() - 1.0;

    std::ptrdiff_t at(std::ptrdiff_t r, std::ptrdiff_t c) const { return (r - top_) * stride_ + c - left_; }

    std::ptrdiff_t top_, left_, stride_ = 0;
    std::vector<std::int32_t> values_;
};

struct Peak {
    std::ptrdiff_t row, col;
    std::int32_t height, part;
};

// The least value on the straight line between two pixels, or one below `enough` where there is any.
std::int32_t lowest_between(const Smooth& plane, const Peak& a, const Peak& b, std::int32_t enough) {
    const std::ptrdiff_t steps = std::max(std::abs(a.row - b.row), std::abs(a.col - b.col));
    std::int32_t lowest = plane(b.row, b.col);
    if (steps == 0) return lowest;
    const double down = static_cast<double>(b.row - a.row) / static_cast<double>(steps);
    const double right = static_cast<double>(b.col - a.col) / static_cast<double>(steps);
    for (std::ptrdiff_t i = 0; i < steps && lowest >= enough; ++i) {
        const auto at = static_cast<double>(i);
        const auto row = static_cast<std::ptrdiff_t>(std::nearbyint(at * down + static_cast<double>(a.row)));
        const auto col = static_cast<std::ptrdiff_t>(std::nearbyint(at * right + static_cast<double>(a.col)));
        lowest = std::min(lowest, plane(row, col));
    }
    return lowest;
}

// Pixels of the parts that are the highest of the 5 x 5 around them, in raster order, but for those that are
// far lower than their part.
std::vector<Peak> peaks_of(const Smooth& plane, const Parts& parts) {
    std::vector<Peak> peaks;
    std::vector<std::int32_t> largest(static_cast<std::size_t>(parts.n) + 1, 0);
    const auto highest_around = [&](const std::int32_t* own) {
        for (std::ptrdiff_t y = -2; y <= 2; ++y)
            for (std::ptrdiff_t x = -2; x <= 2; ++x)
                if (own[y * plane.stride() + x] > *own) return false;
        return true;
    };
    std::vector<std::uint8_t> flags;
    for (const Run& run : parts.runs) {
        const std::int32_t* own = plane.row(run.row, run.begin);
        const std::int32_t *above = own - plane.stride(), *below = own + plane.stride();
        const std::ptrdiff_t length = run.end - run.begin;
        flags.resize(z(length));
        std::int32_t& most = largest[static_cast<std::size_t>(run.part)];
        for (std::ptrdiff_t i = 0; i < length; ++i) {
            most = std::max(most, own[i]);
            flags[z(i)] =
                (own[i] >= own[i - 1]) & (own[i] >= own[i + 1]) & (own[i] >= above[i]) & (own[i] >= below[i]);
        }
        for (std::ptrdiff_t i = 0; i < length; ++i)
            if (flags[z(i)] && highest_around(own + i))
                peaks.push_back({run.row, run.begin + i, own[i], run.part});
    }
    const auto low = [&](const Peak& peak) {
        return !(peak.height >= LOWEST * largest[static_cast<std::size_t>(peak.part)]);
    };
    peaks.erase(std::remove_if(peaks.begin(), peaks.end(), low), peaks.end());
    return peaks;
}

}  // namespace

void markers(const double* distance, const Parts& parts, std::ptrdiff_t rows, std::ptrdiff_t cols,
             double neck, std::int32_t* out) {
    std::fill_n(out, rows * cols, 0);
    const Smooth smooth(distance, parts, rows, cols);
    std::vector<Peak> peaks = peaks_of(smooth, parts);
    std::stable_sort(peaks.begin(), peaks.end(),
                     [](const Peak& a, const Peak& b) { return a.height > b.height; });
    std::vector<std::size_t> body(peaks.size());
    std::iota(body.begin(), body.end(), std::size_t{0});
    for (std::size_t i = 0; i < peaks.size();
         ++i) {  // from the highest peak down, each joins the best earlier one
        poll();
        double best = -1.0;
        // Of equally good ones the last counts. Nothing is better than 1, which on a plateau the neighbour
        // is: where nothing limits distances, all pixels are peaks.
        for (std::size_t j = i; j-- > 0 && best < 1.0;) {
            if (peaks[j].part != peaks[i].part) continue;
            // What is lower than this, and the more so what is lower by rounding's worth, is too low.
            const auto height = static_cast<double>(peaks[i].height);
            const auto enough = static_cast<std::int32_t>(std::max(neck, best) * height) - 1;
            const double ratio =
                static_cast<double>(lowest_between(smooth, peaks[i], peaks[j], enough)) / height;
            if (ratio >= neck && ratio > best) {
                best = ratio;
                body[i] = body[j];
            }
        }
        out[peaks[i].row * cols + peaks[i].col] = static_cast<std::int32_t>(body[i]) + 1;
    }
}

namespace {

// Bodies that are rejoined: what is known of each, and which touch.
class Merging {
  public:
    Merging(std::int32_t* bodies, const Bits& nuclei, const MergeRules& rules)
        : bodies_(bodies), nuclei_(nuclei), rules_(rules) {
        const std::ptrdiff_t rows = nuclei.rows, cols = nuclei.cols;
        const Bits some = shapes::where(bodies, rows, cols, cols, [](std::int32_t body) { return body > 0; });
        shapes::each_run(some, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
            const std::int32_t* own = bodies + r * cols;
            for (std::ptrdiff_t c = begin; c < end; ++c) {
                note(own[c], r, c);
                if (c + 1 < end) touch(own[c], own[c + 1]);
                if (r + 1 < rows) touch(own[c], own[c + cols]);
            }
        });
    }

    // Joins the pair whose union is most solid for what it holds; false where none is solid enough.
    bool join() {
        double best = 0.0;
        Pair chosen{0, 0};
        for (auto& [pair, excess] : contacts_) {
            poll();
            if (std::isnan(excess)) excess = excess_of(pair);
            if (excess > best) {
                best = excess;
                chosen = pair;
            }
        }
        if (chosen.first == 0) return false;
        const auto [kept, gone] = chosen;
        const Box& box = boxes_[static_cast<std::size_t>(gone)];
        for (std::ptrdiff_t r = box.top; r < box.bottom; ++r) {
            std::int32_t* own = bodies_ + r * nuclei_.cols;
            std::replace(own + box.left, own + box.right, gone, kept);
        }
        boxes_[static_cast<std::size_t>(kept)] = joined(chosen);
        std::map<Pair, double> contacts;
        for (const auto& [pair, excess] : contacts_) {
            const Pair renamed{pair.first == gone ? kept : pair.first,
                               pair.second == gone ? kept : pair.second};
            const bool changed = renamed.first == kept || renamed.second == kept;
            if (renamed.first != renamed.second)
                contacts[std::minmax(renamed.first, renamed.second)] = changed ? UNKNOWN : excess;
        }
        contacts_.swap(contacts);
        return true;
    }

  private:
    using Pair = std::pair<std::int32_t, std::int32_t>;
    static constexpr double UNKNOWN = std::numeric_limits<double>::quiet_NaN();

    void note(std::int32_t body, std::ptrdiff_t r, std::ptrdiff_t c) {
        const auto i = static_cast<std::size_t>(body);
        if (i >= boxes_.size()) boxes_.resize(i + 1, Box{nuclei_.rows, nuclei_.cols, 0, 0});
        Box& own = boxes_[i];
        own = {std::min(own.top, r), std::min(own.left, c), r + 1, std::max(own.right, c + 1)};
    }
    void touch(std::int32_t a, std::int32_t b) {
        if (b > 0 && a != b) contacts_.try_emplace(std::minmax(a, b), UNKNOWN);
    }
    Box joined(const Pair& pair) const {
        const Box &p = boxes_[static_cast<std::size_t>(pair.first)],
                  &q = boxes_[static_cast<std::size_t>(pair.second)];
        return {std::min(p.top, q.top), std::min(p.left, q.left), std::max(p.bottom, q.bottom),
                std::max(p.right, q.right)};
    }

    // By how much the union of two bodies is more solid than one cell needs to be.
    double excess_of(const Pair& pair) const {
        const Box both = joined(pair);
        const Box box{std::max<std::ptrdiff_t>(both.top - 1, 0), std::max<std::ptrdiff_t>(both.left - 1, 0),
                      std::min(both.bottom + 1, nuclei_.rows), std::min(both.right + 1, nuclei_.cols)};
        const Bits where =
            shapes::where(bodies_ + box.top * nuclei_.cols + box.left, box.rows(), box.cols(), nuclei_.cols,
                          [pair](std::int32_t body) { return body == pair.first || body == pair.second; });
        std::int64_t nucleus = 0;
        shapes::each_run(where, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
            nucleus += nuclei_.count(box.top + r, box.left + begin, box.left + end);
        });
        const Bits whole = shapes::fill_holes(where, rules_.vacuole);
        const double share = static_cast<double>(nucleus) / static_cast<double>(whole.count());
        double needed = std::clamp(0.8 + 0.5 * (share - 0.55), 0.7, rules_.nearly_convex);
        if (static_cast<double>(nucleus) > rules_.most) needed = rules_.nearly_convex;
        return shapes::solidity(whole) - needed;
    }

    std::int32_t* bodies_;
    const Bits& nuclei_;
    const MergeRules& rules_;
    std::vector<Box> boxes_;
    std::map<Pair, double>
        contacts_;  // by how much each union is more solid than it needs to be, where known
};

// Pixels of nucleus in each of the bodies 0..n; body 0 has none.
std::vector<std::int64_t> nuclear_areas(const std::int32_t* bodies, const Parts& parts, const Bits& nuclei) {
    std::int32_t most = 0;
    for (const Run& run : parts.runs) {
        const std::int32_t* own = bodies + run.row * nuclei.cols;
        for (std::int32_t c = run.begin; c < run.end; ++c) most = std::max(most, own[c]);
    }
    std::vector<std::int64_t> area(static_cast<std::size_t>(most) + 1, 0);
    shapes::each_run(nuclei, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
        const std::int32_t* own = bodies + r * nuclei.cols;
        for (std::ptrdiff_t c = begin; c < end;) {  // neighbours are mostly of one body
            const std::int32_t body = own[c];
            const std::ptrdiff_t first = c;
            while (c < end && own[c] == body) ++c;
            area[static_cast<std::size_t>(body)] += c - first;
        }
    });
    area[0] = 0;
    return area;
}

}  // namespace

void merge(std::int32_t* bodies, const Bits& nuclei, const MergeRules& rules) {
    Merging merging(bodies, nuclei, rules);
    while (merging.join()) poll();
}

std::int32_t split(const Bits& region, const Bits& nuclei, const SplitRules& rules, double& typical_body,
                   std::int32_t* bodies) {
    const std::ptrdiff_t rows = region.rows, cols = region.cols;
    const Parts parts = shapes::components(region);
    Block<double> distances(z(rows * cols));
    shapes::distance(region, distances.data());
    markers(distances.data(), parts, rows, cols, rules.neck, bodies);
    shapes::flood_from_within(region, parts, distances.data(), bodies);
    auto area = nuclear_areas(bodies, parts, nuclei);
    const auto each_pixel = [&](auto&& change) {
        for (const Run& run : parts.runs)
            for (std::ptrdiff_t i = run.row * cols + run.begin; i < run.row * cols + run.end; ++i)
                change(bodies[i]);
    };
    each_pixel([&](std::int32_t& body) {
        if (static_cast<double>(area[static_cast<std::size_t>(body)]) < rules.least) body = 0;
    });
    const auto some = [&](std::int64_t own) { return own > 0 && static_cast<double>(own) >= rules.least; };
    if (rules.least <= 0.0 || std::count_if(area.begin(), area.end(), some) > 1)
        merge(bodies, nuclei, rules.merging);
    area = nuclear_areas(bodies, parts, nuclei);
    if (typical_body < 0) typical_body = shapes::typical_area(area);
    std::int32_t n = 0;
    std::vector<std::int32_t> number(area.size(), 0);
    for (std::size_t i = 1; i < area.size(); ++i)
        if (static_cast<double>(area[i]) >= rules.smallest * typical_body) number[i] = ++n;
    each_pixel([&](std::int32_t& body) { body = number[static_cast<std::size_t>(body)]; });
    Bits beside = region;
    shapes::each_run(beside.subtract(nuclei),
                     [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
                         std::fill(bodies + r * cols + begin, bodies + r * cols + end, 0);
                     });
    shapes::flood_from_within(region, parts, distances.data(), bodies);
    return n;
}

}  // namespace fastpgs::bodies
