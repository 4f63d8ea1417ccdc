// Each block of 2 x 2 pixels (`.` in, ` ` out, or the other way round) holds up to two steps between the
// middles of its sides; all steps together close to rings, with the cell on their right.
//
//      top
//    a  |  b        a alone: top -> left        a, b: right -> left
//  left-+-right     b alone: right -> top       and so on
//    c  |  d
//     bottom
#include "fastpgs/rings.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include "fastpgs/block.hpp"

namespace fastpgs::rings {

namespace {

enum Side : std::uint8_t { top, left, right, bottom };
struct Step {
    Side from, to;
};
struct Steps {
    int n;
    std::array<Step, 2> steps;
};

// By which of a, b, c, d (bits 0 to 3) are in.
constexpr std::array<Steps, 16> kSteps{{
    {0, {}},
    {1, {{{top, left}}}},
    {1, {{{right, top}}}},
    {1, {{{right, left}}}},
    {1, {{{left, bottom}}}},
    {1, {{{top, bottom}}}},
    {2, {{{right, top}, {left, bottom}}}},
    {1, {{{right, bottom}}}},
    {1, {{{bottom, right}}}},
    {2, {{{top, left}, {bottom, right}}}},
    {1, {{{bottom, top}}}},
    {1, {{{bottom, left}}}},
    {1, {{{left, right}}}},
    {1, {{{top, right}}}},
    {1, {{{left, top}}}},
    {0, {}},
}};

constexpr std::uint64_t kWithin = 0x0f0f0f0f0f0f0f0f;  // eight blocks of pixels that are all in

std::size_t z(std::ptrdiff_t n) { return static_cast<std::size_t>(n); }

// The box with a frame of one pixel: block (r, c) has pixel (r, c) of the frame in its upper left corner. The
// middle between a pixel and its right neighbour has the number 2 * pixel, to its lower neighbour the next.
class Tracer {
  public:
    Tracer(const std::int32_t* labels, std::ptrdiff_t cols) : labels_(labels), cols_(cols) {}

    void trace(shapes::Box box, std::int32_t label, Outlines& out) {
        box_ = box;
        label_ = label;
        wide_ = box.cols() + 2;
        find_steps();
        found_.clear();
        corners_.clear();
        for (const std::ptrdiff_t start : starts_)  // each ring once, from any of its points
            if (next_[z(start)] >= 0) follow(start);
        std::sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) {
            return a.area != b.area ? a.area > b.area : a.first < b.first;
        });
        for (const Found& ring : found_) {
            out.points.insert(out.points.end(), corners_.begin() + ring.begin, corners_.begin() + ring.end);
            out.rings.push_back(static_cast<std::int64_t>(out.points.size()));
        }
    }

  private:
    struct Place {  // in half pixels
        std::int64_t x, y;
    };
    struct Found {
        std::int64_t area;          // positive where the cell lies within
        std::ptrdiff_t first;       // number of its first middle
        std::ptrdiff_t begin, end;  // of its corners
    };

    // Every step there is, by the number that it begins at; `next_` is read only where that has written.
    void find_steps() {
        starts_.clear();
        const std::size_t wide = z(wide_), middles = 2 * wide * z(box_.rows() + 2);
        if (middles > room_) {
            next_ = Block<std::ptrdiff_t>(middles);
            room_ = middles;
        }
        above_.assign(wide, 0);
        below_.assign(wide, 0);
        kinds_.assign(wide + sizeof kWithin, 0);
        for (std::ptrdiff_t r = 0; r <= box_.rows(); ++r) {
            std::swap(above_, below_);
            read_row(r);
            const std::uint8_t *above = above_.data(), *below = below_.data();
            std::uint8_t* kind = kinds_.data();
            for (std::size_t c = 0; c + 1 < wide; ++c)
                kind[c] = static_cast<std::uint8_t>(above[c] | above[c + 1] << 1 | below[c] << 2 |
                                                    below[c + 1] << 3);
            for (std::size_t c = 0; c + 1 < wide; c += sizeof kWithin) {
                std::uint64_t eight = 0;
                std::memcpy(&eight, kind + c, sizeof eight);
                if (eight == 0 || eight == kWithin) continue;
                for (std::size_t i = c; i < std::min(c + sizeof eight, wide - 1); ++i)
                    add_steps(r, static_cast<std::ptrdiff_t>(i), kSteps[kind[i]]);
            }
        }
    }

    // Which pixels of the box's row are in, as the frame's next row; none beyond the last.
    void read_row(std::ptrdiff_t r) {
        if (r == box_.rows()) {
            std::fill(below_.begin(), below_.end(), std::uint8_t{0});
            return;
        }
        const std::int32_t* row = labels_ + (box_.top + r) * cols_ + box_.left;
        const std::int32_t label = label_;
        std::uint8_t* in = below_.data() + 1;
        for (std::ptrdiff_t c = 0, cols = box_.cols(); c < cols; ++c) in[c] = row[c] == label;
    }

    void add_steps(std::ptrdiff_t r, std::ptrdiff_t c, const Steps& steps) {
        for (int i = 0; i < steps.n; ++i) {
            const Step step = steps.steps[static_cast<std::size_t>(i)];
            const std::ptrdiff_t from = middle(r, c, step.from);
            next_[z(from)] = middle(r, c, step.to);
            starts_.push_back(from);
        }
    }

    std::ptrdiff_t middle(std::ptrdiff_t r, std::ptrdiff_t c, Side side) const {
        const std::ptrdiff_t pixel = r * wide_ + c;
        switch (side) {
            case top:
                return 2 * pixel;
            case bottom:
                return 2 * (pixel + wide_);
            case left:
                return 2 * pixel + 1;
            case right:
                return 2 * (pixel + 1) + 1;
        }
        return 0;
    }

    // Goes round a ring and keeps its corners, if the cell lies within.
    void follow(std::ptrdiff_t start) {
        ring_.clear();
        for (std::ptrdiff_t now = start; next_[z(now)] >= 0; now = std::exchange(next_[z(now)], -1))
            ring_.push_back(now);
        std::rotate(ring_.begin(), std::min_element(ring_.begin(), ring_.end()), ring_.end());
        place_ring();
        std::int64_t area = 0;
        for (std::size_t i = 0; i + 1 < places_.size(); ++i)
            area += places_[i].x * places_[i + 1].y - places_[i + 1].x * places_[i].y;
        if (area <= 0) return;
        const auto begin = static_cast<std::ptrdiff_t>(corners_.size());
        add_corner(places_.front());
        for (std::size_t i = 1; i + 1 < places_.size(); ++i) {
            const Place &a = places_[i - 1], &b = places_[i], &c = places_[i + 1];
            if (b.x - a.x != c.x - b.x || b.y - a.y != c.y - b.y) add_corner(b);
        }
        add_corner(places_.back());
        found_.push_back({area, ring_.front(), begin, static_cast<std::ptrdiff_t>(corners_.size())});
    }

    // Where the ring's middles are, the first once more at the end.
    void place_ring() {
        places_.clear();
        const std::ptrdiff_t line = 2 * wide_;
        std::ptrdiff_t row = ring_.front() / line;
        for (const std::ptrdiff_t number : ring_) {
            while (number < line * row) --row;  // a step changes it by one at most
            while (number >= line * (row + 1)) ++row;
            const std::ptrdiff_t below = number % 2;
            places_.push_back(
                {2 * box_.left + number - line * row - 2 * below, 2 * (box_.top + row) - 1 + below});
        }
        places_.push_back(places_.front());
    }

    void add_corner(Place place) {
        corners_.push_back({static_cast<float>(static_cast<double>(place.x) / 2.0),
                            static_cast<float>(static_cast<double>(place.y) / 2.0)});
    }

    const std::int32_t* labels_;
    std::ptrdiff_t cols_;
    shapes::Box box_;
    std::int32_t label_ = 0;
    std::ptrdiff_t wide_ = 0;
    std::size_t room_ = 0;
    Block<std::ptrdiff_t> next_;
    std::vector<std::uint8_t> above_, below_, kinds_;
    std::vector<std::ptrdiff_t> starts_, ring_;
    std::vector<Place> places_;
    std::vector<Point> corners_;
    std::vector<Found> found_;
};

}  // namespace

Outlines outer(const std::int32_t* labels, std::ptrdiff_t cols, const std::vector<Cell>& cells) {
    Outlines out;
    Tracer tracer(labels, cols);
    for (const Cell& cell : cells) {
        if (cell.box.rows() > 0 && cell.box.cols() > 0) tracer.trace(cell.box, cell.label, out);
        out.cells.push_back(static_cast<std::int64_t>(out.rings.size()) - 1);
    }
    return out;
}

}  // namespace fastpgs::rings
