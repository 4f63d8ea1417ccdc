#include "fastpgs/bodies.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "fastpgs/crew.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/plane_kernels.hpp"

namespace fastpgs::bodies {

namespace {

using shapes::Bits;
using shapes::Box;
using shapes::Parts;
using shapes::Run;

constexpr double LOWEST = 0.25;  // of the highest peak of its part: lower ones are the outline's unrest

constexpr double FINE = 4096.0;  // of a pixel

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

// Means of 3 x 3 distances, in fractions of a pixel: whole numbers, so that no tie is broken by rounding that
// depends on where a cell lies. Known around the parts only.
class Smooth {
  public:
    Smooth(const std::int32_t* squares, const Parts& parts, std::ptrdiff_t rows, std::ptrdiff_t cols) {
        if (parts.n == 0) return;
        const Box box = shapes::box_of(parts);
        top_ = box.top - MARGIN;
        left_ = box.left - MARGIN;
        stride_ = box.cols() + 2 * MARGIN;
        values_.assign(z((box.rows() + 2 * MARGIN) * stride_), -1);  // beyond the frame
        const Box known{std::max<std::ptrdiff_t>(top_, 0), std::max<std::ptrdiff_t>(left_, 0),
                        std::min(box.bottom + MARGIN, rows), std::min(box.right + MARGIN, cols)};
        share(known.rows(), rows_worth(known.cols()), [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
            fill(squares, {known.top + begin, known.left, known.top + end, known.right}, rows, cols);
        });
    }

    const std::int32_t* row(std::ptrdiff_t r, std::ptrdiff_t c) const { return values_.data() + at(r, c); }
    std::ptrdiff_t stride() const { return stride_; }
    std::int32_t operator()(std::ptrdiff_t r, std::ptrdiff_t c) const { return *row(r, c); }

  private:
    static constexpr std::ptrdiff_t MARGIN = 2;  // as far as peaks look around
    static constexpr double MOST = std::numeric_limits<std::int32_t>::max() - 1.0;

    std::ptrdiff_t at(std::ptrdiff_t r, std::ptrdiff_t c) const { return (r - top_) * stride_ + c - left_; }

    void fill(const std::int32_t* squares, const Box& known, std::ptrdiff_t rows, std::ptrdiff_t cols) {
        // Of three rows the distances, a pixel more on each side; beyond the frame they are 0.
        const auto width = z(known.cols() + 2);
        std::vector<double> lines(3 * width, 0.0), sums(width), means(width);
        const std::ptrdiff_t first = std::max<std::ptrdiff_t>(known.left - 1, 0);
        const std::ptrdiff_t last = std::min(known.right + 1, cols);
        const auto line = [&](std::ptrdiff_t r) { return lines.data() + z((r + 3) % 3) * width; };
        const auto load = [&](std::ptrdiff_t r) {
            double* own = line(r);
            if (r < 0 || r >= rows)
                std::fill_n(own, width, 0.0);
            else
                plane_kernels().roots(
                    {squares + r * cols + first, z(last - first), 1.0, own + (first - known.left + 1)});
        };
        load(known.top - 1);
        load(known.top);
        for (std::ptrdiff_t r = known.top; r < known.bottom; ++r) {
            poll(z(r), 16);
            load(r + 1);
            const std::array<const double*, 3> column{line(r - 1), line(r), line(r + 1)};
            sum_lines(SumLinesArgs<double>{column.data(), 3, width, 1.0, sums.data()});
            const std::array<const double*, 3> beside{sums.data(), sums.data() + 1, sums.data() + 2};
            sum_lines(SumLinesArgs<double>{beside.data(), 3, width - 2, 1.0, means.data()});
            std::int32_t* to = values_.data() + at(r, known.left);
            for (std::size_t i = 0; i + 2 < width; ++i)
                to[i] = static_cast<std::int32_t>(std::min(means[i] * (FINE / 9.0), MOST) + 0.5);
        }
    }

    std::ptrdiff_t top_ = 0, left_ = 0, stride_ = 0;
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

// Pixels that are the highest of the 5 x 5 around them, in raster order; and the greatest height of each
// part.
struct Heights {
    std::vector<Peak> peaks;
    std::vector<std::int32_t> largest;
};

// Of the runs first..last of the parts.
Heights heights_of(const Smooth& plane, const Parts& parts, std::ptrdiff_t first, std::ptrdiff_t last) {
    Heights out;
    out.largest.assign(static_cast<std::size_t>(parts.n) + 1, 0);
    const auto highest_around = [&](const std::int32_t* own) {
        for (std::ptrdiff_t y = -2; y <= 2; ++y)
            for (std::ptrdiff_t x = -2; x <= 2; ++x)
                if (own[y * plane.stride() + x] > *own) return false;
        return true;
    };
    // Few are as high as their four neighbours.
    std::array<std::vector<shapes::Word>, 4> words;
    for (std::ptrdiff_t at = first; at < last; ++at) {
        const Run& run = parts.runs[z(at)];
        const std::int32_t* own = plane.row(run.row, run.begin);
        const std::ptrdiff_t length = run.end - run.begin;
        std::int32_t most = 0;
        for (std::ptrdiff_t i = 0; i < length; ++i) most = own[i] > most ? own[i] : most;
        std::int32_t& of_part = out.largest[static_cast<std::size_t>(run.part)];
        of_part = std::max(of_part, most);
        const std::array<std::ptrdiff_t, 4> sides{-plane.stride(), -1, 1, plane.stride()};
        for (std::size_t side = 0; side < sides.size(); ++side) {
            words[side].resize(z((length + Bits::kWord - 1) / Bits::kWord));
            at_most(AtMostArgs{own + sides[side], own, z(length), words[side].data()});
        }
        for (std::size_t w = 0; w < words[0].size(); ++w)
            for (shapes::Word word = words[0][w] & words[1][w] & words[2][w] & words[3][w]; word != 0;
                 word &= word - 1) {
                const std::ptrdiff_t i = static_cast<std::ptrdiff_t>(w) * Bits::kWord + shapes::lowest(word);
                if (highest_around(own + i)) out.peaks.push_back({run.row, run.begin + i, own[i], run.part});
            }
    }
    return out;
}

// The peaks of all parts, but for those that are far lower than their part.
std::vector<Peak> peaks_of(const Smooth& plane, const Parts& parts) {
    constexpr std::ptrdiff_t kWorth = 64;  // runs
    std::vector<Peak> peaks;
    std::vector<std::int32_t> largest(static_cast<std::size_t>(parts.n) + 1, 0);
    const auto of_runs = [&](std::ptrdiff_t first, std::ptrdiff_t last) {
        return heights_of(plane, parts, first, last);
    };
    for (const Heights& some : collect(static_cast<std::ptrdiff_t>(parts.runs.size()), kWorth, of_runs)) {
        peaks.insert(peaks.end(), some.peaks.begin(), some.peaks.end());
        for (std::size_t i = 0; i < largest.size(); ++i) largest[i] = std::max(largest[i], some.largest[i]);
    }
    const auto low = [&](const Peak& peak) {
        return !(peak.height >= LOWEST * largest[static_cast<std::size_t>(peak.part)]);
    };
    peaks.erase(std::remove_if(peaks.begin(), peaks.end(), low), peaks.end());
    return peaks;
}

}  // namespace

std::vector<Run> markers(const std::int32_t* squares, const Parts& parts, std::ptrdiff_t rows,
                         std::ptrdiff_t cols, double neck) {
    const Smooth smooth(squares, parts, rows, cols);
    std::vector<Peak> peaks = peaks_of(smooth, parts);
    std::stable_sort(peaks.begin(), peaks.end(),
                     [](const Peak& a, const Peak& b) { return a.height > b.height; });
    std::vector<Run> out;
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
        const auto col = static_cast<std::int32_t>(peaks[i].col);
        out.push_back(
            {static_cast<std::int32_t>(peaks[i].row), col, col + 1, static_cast<std::int32_t>(body[i]) + 1});
    }
    std::sort(out.begin(), out.end(),
              [](const Run& a, const Run& b) { return std::tie(a.row, a.begin) < std::tie(b.row, b.begin); });
    return out;
}

namespace {

// The box that holds two.
Box around(const Box& p, const Box& q) {
    return {std::min(p.top, q.top), std::min(p.left, q.left), std::max(p.bottom, q.bottom),
            std::max(p.right, q.right)};
}

// The line between a run and one below or right of it that it touches, from corner to corner of pixels.
Box line_between(const Run& a, const Run& b) {
    const std::ptrdiff_t row = b.row, begin = b.begin;
    if (a.row == b.row) return {row, begin, row + 1, begin};
    return {row, std::max(a.begin, b.begin), row, std::min(a.end, b.end)};
}

// Bodies that are rejoined: what is known of each, and which touch.
class Merging {
  public:
    Merging(Parts& bodies, const Bits& nuclei, const std::int32_t* squares, const MergeRules& rules)
        : bodies_(bodies), nuclei_(nuclei), rules_(rules) {
        shapes::each_contact(bodies.runs, [&](const Run& a, const Run& b) {
            if (a.part != b.part) touch(contacts_, {a.part, b.part}, {line_between(a, b), UNKNOWN});
        });
        if (contacts_.empty()) return;
        boxes_ = shapes::boxes_of(bodies);
        inner_.assign(boxes_.size(), 0);
        for (const Run& run : bodies.runs) {
            const std::int32_t* row = squares + run.row * nuclei.cols;
            std::int32_t& most = inner_[z(run.part)];
            most = std::max(most, *std::max_element(row + run.begin, row + run.end));
        }
    }

    // Joins the pair whose union is most solid for what it holds; false where none is solid enough.
    bool join() {
        double best = 0.0;
        Pair chosen{0, 0};
        for (auto& [pair, contact] : contacts_) {
            poll();
            if (std::isnan(contact.excess)) contact.excess = excess_of(pair, contact.line);
            if (contact.excess > best) {
                best = contact.excess;
                chosen = pair;
            }
        }
        if (chosen.first == 0) return false;
        const auto [kept, gone] = chosen;
        for (Run& run : bodies_.runs)
            if (run.part == gone) run.part = kept;
        boxes_[z(kept)] = joined(chosen);
        inner_[z(kept)] = std::max(inner_[z(kept)], inner_[z(gone)]);
        Contacts contacts;
        for (const auto& [pair, contact] : contacts_) {
            const Pair renamed{pair.first == gone ? kept : pair.first,
                               pair.second == gone ? kept : pair.second};
            const bool changed = renamed.first == kept || renamed.second == kept;
            if (renamed.first != renamed.second)
                touch(contacts, renamed, {contact.line, changed ? UNKNOWN : contact.excess});
        }
        contacts_.swap(contacts);
        return true;
    }

  private:
    using Pair = std::pair<std::int32_t, std::int32_t>;
    struct Contact {
        Box line;       // that it lies in, from corner to corner of pixels
        double excess;  // by how much the union is more solid than it needs to be, where known
    };
    using Contacts = std::map<Pair, Contact>;
    static constexpr double UNKNOWN = std::numeric_limits<double>::quiet_NaN();

    // One more stretch of what two bodies have in common.
    static void touch(Contacts& contacts, const Pair& pair, const Contact& contact) {
        const auto [at, added] = contacts.try_emplace(std::minmax(pair.first, pair.second), contact);
        if (!added) at->second.line = around(at->second.line, contact.line);
    }

    Box joined(const Pair& pair) const { return around(boxes_[z(pair.first)], boxes_[z(pair.second)]); }

    // Whether two bodies touch along less than the given share of the smaller one's width.
    bool narrow(const Pair& pair, const Box& line) const {
        const double length = std::hypot(static_cast<double>(line.rows()), static_cast<double>(line.cols()));
        const auto smaller = static_cast<double>(std::min(inner_[z(pair.first)], inner_[z(pair.second)]));
        return length < rules_.contact * 2.0 * std::sqrt(smaller);
    }

    // By how much the union of two bodies is more solid than one cell needs to be.
    double excess_of(const Pair& pair, const Box& line) const {
        const Box both = joined(pair);
        const Box box{std::max<std::ptrdiff_t>(both.top - 1, 0), std::max<std::ptrdiff_t>(both.left - 1, 0),
                      std::min(both.bottom + 1, nuclei_.rows), std::min(both.right + 1, nuclei_.cols)};
        Bits where(box.rows(), box.cols());
        std::int64_t nucleus = 0;
        for (auto run = shapes::first_in(bodies_.runs, box.top);
             run != bodies_.runs.end() && run->row < box.bottom; ++run) {
            if (run->part != pair.first && run->part != pair.second) continue;
            where.set(run->row - box.top, run->begin - box.left, run->end - box.left);
            nucleus += nuclei_.count(run->row, run->begin, run->end);
        }
        const Bits whole = shapes::fill_holes(where, rules_.vacuole);
        const double share = static_cast<double>(nucleus) / static_cast<double>(whole.count());
        double needed = std::clamp(0.8 + 0.5 * (share - 0.55), 0.7, rules_.nearly_convex);
        if (static_cast<double>(nucleus) > rules_.most || narrow(pair, line)) needed = rules_.nearly_convex;
        return shapes::solidity(whole) - needed;
    }

    Parts& bodies_;
    const Bits& nuclei_;
    const MergeRules& rules_;
    std::vector<Box> boxes_;
    std::vector<std::int32_t> inner_;  // squared radius of each body's largest disc
    Contacts contacts_;
};

// Pixels of nucleus in each body up to the last one; body 0 has none.
std::vector<std::int64_t> nuclear_areas(const Parts& bodies, const Bits& nuclei) {
    std::int32_t most = 0;
    for (const Run& run : bodies.runs) most = std::max(most, run.part);
    std::vector<std::int64_t> area(static_cast<std::size_t>(most) + 1, 0);
    for (const Run& run : bodies.runs)
        area[static_cast<std::size_t>(run.part)] += nuclei.count(run.row, run.begin, run.end);
    return area;
}

// Numbers the bodies anew, without those whose number is 0.
void renumber(Parts& bodies, const std::vector<std::int32_t>& number) {
    for (Run& run : bodies.runs) run.part = number[static_cast<std::size_t>(run.part)];
    bodies.runs.erase(
        std::remove_if(bodies.runs.begin(), bodies.runs.end(), [](const Run& run) { return run.part == 0; }),
        bodies.runs.end());
}

}  // namespace

void merge(Parts& bodies, const Bits& nuclei, const std::int32_t* squares, const MergeRules& rules) {
    Merging merging(bodies, nuclei, squares, rules);
    while (merging.join()) poll();
}

Parts split(const Bits& region, const Bits& nuclei, const SplitRules& rules, double& typical_body) {
    const std::ptrdiff_t rows = region.rows, cols = region.cols;
    const Parts parts = shapes::components(region);
    Block<std::int32_t> squares(z(rows * cols));
    shapes::squares(region, squares.data());
    Parts bodies = shapes::flood_from_within(parts, markers(squares.data(), parts, rows, cols, rules.neck),
                                             squares.data(), cols);
    auto area = nuclear_areas(bodies, nuclei);
    std::vector<std::int32_t> number(area.size(), 0);
    for (std::size_t i = 1; i < area.size(); ++i)
        if (static_cast<double>(area[i]) >= rules.least) number[i] = static_cast<std::int32_t>(i);
    renumber(bodies, number);
    merge(bodies, nuclei, squares.data(), rules.merging);
    area = nuclear_areas(bodies, nuclei);
    if (typical_body < 0) typical_body = shapes::typical_area(area);
    std::int32_t n = 0;
    for (std::size_t i = 1; i < area.size(); ++i)
        number[i] = static_cast<double>(area[i]) >= rules.smallest * typical_body ? ++n : 0;
    renumber(bodies, number);
    bodies = shapes::flood_from_within(parts, shapes::common(bodies.runs, nuclei), squares.data(), cols);
    bodies.n = n;  // even of bodies without any nucleus
    return bodies;
}

}  // namespace fastpgs::bodies
