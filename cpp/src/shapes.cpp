#include "fastpgs/shapes.hpp"

#include <algorithm>
#include <numeric>

#include "fastpgs/interrupt.hpp"

namespace fastpgs::shapes {

namespace {

struct Point {
    std::int64_t row, col;
};
using Chain = std::vector<Point>;

// Twice the signed area of the triangle o, a, b.
std::int64_t cross(const Point& o, const Point& a, const Point& b) {
    return (a.row - o.row) * (b.col - o.col) - (a.col - o.col) * (b.row - o.row);
}

void add(Chain& chain, Point point, int side) {
    std::size_t n = chain.size();
    while (n >= 2 && side * cross(chain[n - 2], chain[n - 1], point) <= 0) --n;
    chain.resize(n);
    chain.push_back(point);
}

}  // namespace

std::int32_t label(Mask mask, std::int32_t* out) {
    const Parts parts = components(pack(mask));
    write_labels(parts, mask.rows, mask.cols, out);
    return parts.n;
}

void write_labels(const Parts& parts, std::ptrdiff_t rows, std::ptrdiff_t cols, std::int32_t* out) {
    std::fill_n(out, rows * cols, 0);
    for (const Run& run : parts.runs)
        std::fill_n(out + run.row * cols + run.begin, run.end - run.begin, run.part);
}

Parts runs_of(const std::int32_t* labels, std::ptrdiff_t rows, std::ptrdiff_t cols) {
    Parts out;
    for (std::ptrdiff_t r = 0; r < rows; ++r)
        append_runs(labels + r * cols, {static_cast<std::int32_t>(r), 0, static_cast<std::int32_t>(cols), 0},
                    out.runs);
    for (const Run& run : out.runs) out.n = std::max(out.n, run.part);
    return out;
}

void append_runs(const std::int32_t* labels, const Run& of, std::vector<Run>& runs) {
    for (std::int32_t begin = of.begin, end = begin; begin < of.end; begin = end) {
        const std::int32_t own = labels[begin - of.begin];
        while (end < of.end && labels[end - of.begin] == own) ++end;
        if (own != 0) runs.push_back({of.row, begin, end, own});
    }
}

namespace {

void widen(Box& box, const Run& run) {
    box = {std::min<std::ptrdiff_t>(box.top, run.row), std::min<std::ptrdiff_t>(box.left, run.begin),
           std::max<std::ptrdiff_t>(box.bottom, run.row + 1), std::max<std::ptrdiff_t>(box.right, run.end)};
}

constexpr Box kNowhere{std::numeric_limits<std::ptrdiff_t>::max(), std::numeric_limits<std::ptrdiff_t>::max(),
                       0, 0};

}  // namespace

std::vector<Box> boxes_of(const Parts& parts) {
    std::vector<Box> boxes(static_cast<std::size_t>(parts.n) + 1, kNowhere);
    for (const Run& run : parts.runs) widen(boxes[static_cast<std::size_t>(run.part)], run);
    return boxes;
}

Box box_of(const Parts& parts) {
    Box box = kNowhere;
    for (const Run& run : parts.runs) widen(box, run);
    return box;
}

double typical_area(std::vector<std::int64_t> areas) {
    std::sort(areas.begin(), areas.end());
    const std::int64_t total = std::accumulate(areas.begin(), areas.end(), std::int64_t{0});
    std::int64_t sum = 0;
    for (const std::int64_t area : areas)
        if (static_cast<double>(sum += area) >= static_cast<double>(total) / 2.0 && total > 0)
            return static_cast<double>(area);
    return 0.0;
}

Bits fill_holes(const Bits& bits, double largest) {
    const Parts gaps = components(bits.outside());
    const auto area = gaps.areas();
    Bytes hole(area.size());
    for (std::size_t i = 1; i < area.size(); ++i) hole[i] = static_cast<double>(area[i]) <= largest;
    for (const Run& run : gaps.runs)
        if (run.row == 0 || run.row == bits.rows - 1 || run.begin == 0 || run.end == bits.cols)
            hole[static_cast<std::size_t>(run.part)] = 0;
    Bits out = bits;
    gaps.draw(hole, out);
    return out;
}

Bits touching(const Bits& bits, const Bits& seed) {
    const Parts parts = components(bits);
    Bytes keep(static_cast<std::size_t>(parts.n) + 1);
    for (const Run& run : parts.runs) {
        std::uint8_t& own = keep[static_cast<std::size_t>(run.part)];
        own = own || seed.count(run.row, run.begin, run.end) > 0;
    }
    Bits out(bits.rows, bits.cols);
    parts.draw(keep, out);
    return out;
}

Bits touching_frame(const Bits& bits) {
    const Parts parts = components(bits);
    Bytes keep(static_cast<std::size_t>(parts.n) + 1);
    for (const Run& run : parts.runs)
        if (run.row == 0 || run.row == bits.rows - 1 || run.begin == 0 || run.end == bits.cols)
            keep[static_cast<std::size_t>(run.part)] = 1;
    Bits out(bits.rows, bits.cols);
    parts.draw(keep, out);
    return out;
}

double hull_area(const Bits& bits) {
    // The hull's corners are among the corners of each row's ends. Andrew's monotone chain over rows: the
    // left chain and the right one, then the area between them.
    Chain left, right;
    left.reserve(static_cast<std::size_t>(2 * bits.rows));
    right.reserve(static_cast<std::size_t>(2 * bits.rows));
    for (std::ptrdiff_t r = 0; r < bits.rows; ++r) {
        const Word* row = bits.row(r);
        std::ptrdiff_t begin = 0, end = bits.width;
        while (begin < end && row[begin] == 0) ++begin;
        if (begin == end) continue;
        while (row[end - 1] == 0) --end;
        const std::ptrdiff_t first = begin * Bits::kWord + lowest(row[begin]);
        const std::ptrdiff_t last = (end - 1) * Bits::kWord + highest(row[end - 1]) + 1;
        for (const std::ptrdiff_t y : {r, r + 1}) {
            add(left, {y, first}, 1);
            add(right, {y, last}, -1);
        }
    }
    std::int64_t twice = 0;
    const auto sum = [&](const Chain& chain, int sign) {
        for (std::size_t i = 1; i < chain.size(); ++i)
            twice += sign * (chain[i].row - chain[i - 1].row) * (chain[i].col + chain[i - 1].col);
    };
    sum(right, 1);
    sum(left, -1);
    return static_cast<double>(twice) / 2.0;
}

double solidity(const Bits& bits) {
    const double hull = hull_area(bits);
    return hull > 0 ? std::min(static_cast<double>(bits.count()) / hull, 1.0) : 0.0;
}

Bits parts_alone(const Bits& bits, const Bits& seed, const Bits& beyond, double least) {
    const Parts parts = components(bits);
    Bytes held(static_cast<std::size_t>(parts.n) + 1), lost(held.size());
    for (const Run& run : parts.runs) {
        const auto own = static_cast<std::size_t>(run.part);
        held[own] = held[own] || seed.count(run.row, run.begin, run.end) > 0;
        lost[own] = lost[own] || run.row == 0 || run.row == bits.rows - 1 || run.begin == 0 ||
                    run.end == bits.cols || beyond.count(run.row, run.begin, run.end) > 0;
    }
    Bits out(bits.rows, bits.cols);
    for (std::size_t i = 1; i < held.size(); ++i) {
        if (!held[i] || lost[i]) continue;
        Bytes only(held.size());
        only[i] = 1;
        Bits part(bits.rows, bits.cols);
        parts.draw(only, part);
        if (solidity(part) >= least) out |= part;
    }
    return out;
}

// The same of bytes.

void fill_holes(Mask mask, double largest, std::uint8_t* out) {
    unpack(fill_holes(pack(mask), largest), out, mask.cols);
}
void touching(Mask mask, const std::uint8_t* seed, std::uint8_t* out) {
    unpack(touching(pack(mask), pack({seed, mask.rows, mask.cols})), out, mask.cols);
}
void erode_disc(Mask mask, double radius, std::uint8_t* out) {
    unpack(erode_disc(pack(mask), radius), out, mask.cols);
}
void open_disc(Mask mask, double radius, std::uint8_t* out) {
    unpack(open_disc(pack(mask), radius), out, mask.cols);
}
void close_disc(Mask mask, double radius, std::uint8_t* out) {
    unpack(close_disc(pack(mask), radius), out, mask.cols);
}

}  // namespace fastpgs::shapes
