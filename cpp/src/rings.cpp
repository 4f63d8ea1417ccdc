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
#include <utility>

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

double area(const Ring& ring) {  // positive where the cell lies within
    double twice = 0;
    for (std::size_t i = 0; i + 1 < ring.size(); ++i)
        twice += static_cast<double>(ring[i].x) * static_cast<double>(ring[i + 1].y) -
                 static_cast<double>(ring[i + 1].x) * static_cast<double>(ring[i].y);
    return twice / 2.0;
}

// The ring without the points in the middle of straight runs; the first is kept, as the last is.
Ring corners(const Ring& ring) {
    Ring out{ring.front()};
    for (std::size_t i = 1; i + 1 < ring.size(); ++i) {
        const Point &a = ring[i - 1], &b = ring[i], &c = ring[i + 1];
        if (b.x - a.x != c.x - b.x || b.y - a.y != c.y - b.y) out.push_back(b);
    }
    out.push_back(ring.back());
    return out;
}

// The box with a frame of one pixel: block (r, c) has pixel (r, c) of the frame in its upper left corner.
class Walk {
  public:
    Walk(const std::int32_t* labels, std::ptrdiff_t cols, shapes::Box box, std::int32_t label)
        : labels_(labels), cols_(cols), box_(box), label_(label), wide_(box.cols() + 2) {
        next_.assign(static_cast<std::size_t>(2 * wide_ * (box.rows() + 2)), -1);
        for (std::ptrdiff_t r = 0; r <= box.rows(); ++r)
            for (std::ptrdiff_t c = 0; c <= box.cols(); ++c) {
                const int in = own(r, c) | own(r, c + 1) << 1 | own(r + 1, c) << 2 | own(r + 1, c + 1) << 3;
                const Steps& found = kSteps[static_cast<std::size_t>(in)];
                for (int i = 0; i < found.n; ++i) {
                    const Step step = found.steps[static_cast<std::size_t>(i)];
                    next_[at(middle(r, c, step.from))] = middle(r, c, step.to);
                }
            }
    }

    // Every ring once, by its first point in raster order.
    template <class Each>
    void each_ring(Each&& each) {
        for (std::size_t start = 0; start < next_.size(); ++start) {
            if (next_[start] < 0) continue;
            Ring ring;
            std::ptrdiff_t now = static_cast<std::ptrdiff_t>(start);
            while (next_[at(now)] >= 0) {
                ring.push_back(point(now));
                now = std::exchange(next_[at(now)], -1);
            }
            ring.push_back(ring.front());
            each(std::move(ring));
        }
    }

  private:
    static std::size_t at(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

    int own(std::ptrdiff_t r, std::ptrdiff_t c) const {
        const bool inside = r >= 1 && r <= box_.rows() && c >= 1 && c <= box_.cols();
        return inside && labels_[(r - 1 + box_.top) * cols_ + c - 1 + box_.left] == label_;
    }

    // Number of the middle between a pixel and its right (even) or lower (odd) neighbour.
    std::ptrdiff_t middle(std::ptrdiff_t r, std::ptrdiff_t c, Side side) const {
        switch (side) {
            case top:
                return 2 * (r * wide_ + c);
            case bottom:
                return 2 * ((r + 1) * wide_ + c);
            case left:
                return 2 * (r * wide_ + c) + 1;
            case right:
                return 2 * (r * wide_ + c + 1) + 1;
        }
        return 0;
    }

    Point point(std::ptrdiff_t number) const {
        const std::ptrdiff_t pixel = number / 2;
        const double row = static_cast<double>(pixel / wide_ - 1 + box_.top) + 0.5,
                     col = static_cast<double>(pixel % wide_ - 1 + box_.left) + 0.5;
        const bool below = number % 2;
        return {static_cast<float>(below ? col : col + 0.5), static_cast<float>(below ? row + 0.5 : row)};
    }

    const std::int32_t* labels_;
    std::ptrdiff_t cols_;
    shapes::Box box_;
    std::int32_t label_;
    std::ptrdiff_t wide_;
    std::vector<std::ptrdiff_t> next_;
};

}  // namespace

std::vector<Ring> outer(const std::int32_t* labels, std::ptrdiff_t cols, shapes::Box box,
                        std::int32_t label) {
    std::vector<Ring> out;
    if (box.rows() <= 0 || box.cols() <= 0) return out;
    Walk walk(labels, cols, box, label);
    walk.each_ring([&](Ring ring) {
        if (area(ring) > 0) out.push_back(corners(ring));
    });
    std::stable_sort(out.begin(), out.end(), [](const Ring& a, const Ring& b) { return area(a) > area(b); });
    return out;
}

}  // namespace fastpgs::rings
