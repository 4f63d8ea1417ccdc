// Watershed by flooding (Beucher & Meyer 1993). Among equal levels the older pixel goes first; markers are
// the oldest, in raster order. A component with one label is that label's, whatever the levels.
#include <algorithm>
#include <array>
#include <queue>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

namespace {

constexpr std::int32_t SEVERAL = -1;

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

// A picture with a pixel more on each side, so that nobody looks beyond it.
struct Grid {
    std::ptrdiff_t rows, cols;

    std::ptrdiff_t stride() const { return cols + 2; }
    std::ptrdiff_t size() const { return (rows + 2) * stride(); }
    std::ptrdiff_t at(std::ptrdiff_t r, std::ptrdiff_t c) const { return (r + 1) * stride() + c + 1; }
};

// Any levels: a heap.
class Heap {
  public:
    Heap(const double* levels, Grid grid) : levels_(levels), grid_(grid) {}

    void expect(const Run&) {}
    bool empty() const { return queue_.empty(); }
    void push(std::ptrdiff_t i) { queue_.push({level(i), age_++, i}); }
    // Water that has risen to a level does not fall behind it.
    void push_after(std::ptrdiff_t i) { queue_.push({std::max(level(i), now_), age_++, i}); }
    std::ptrdiff_t pop() {
        const Pixel pixel = queue_.top();
        queue_.pop();
        now_ = pixel.level;
        return pixel.index;
    }

  private:
    struct Pixel {
        double level;
        std::int64_t age;
        std::ptrdiff_t index;
        bool operator<(const Pixel& other) const {  // the queue's top is the greatest
            return level != other.level ? level > other.level : age > other.age;
        }
    };

    double level(std::ptrdiff_t i) const {
        return levels_[(i / grid_.stride() - 1) * grid_.cols + i % grid_.stride() - 1];
    }

    const double* levels_;
    Grid grid_;
    std::priority_queue<Pixel> queue_;
    std::int64_t age_ = 0;
    double now_ = 0.0;
};

// Distances, the greatest first: their squares are integers, each with a list of its own, oldest first.
class Buckets {
  public:
    Buckets(const double* distances, Grid grid, std::int32_t most)
        : distances_(distances),
          grid_(grid),
          lists_(static_cast<std::size_t>(most) + 1),
          pixels_(z(grid.size())),
          now_(most) {}

    static std::int32_t square(double distance) {
        return static_cast<std::int32_t>(distance * distance + 0.5);
    }

    // The pixels of a run may come.
    void expect(const Run& run) {
        const double* own = distances_ + run.row * grid_.cols + run.begin;
        Pixel* pixel = pixels_.data() + grid_.at(run.row, run.begin);
        for (std::int32_t i = 0; i < run.end - run.begin; ++i) pixel[i].square = square(own[i]);
    }
    bool empty() const { return waiting_ == 0; }
    void push(std::ptrdiff_t i) { append(pixels_[z(i)].square, i); }
    void push_after(std::ptrdiff_t i) { append(std::min(pixels_[z(i)].square, now_), i); }
    std::ptrdiff_t pop() {
        while (lists_[static_cast<std::size_t>(now_)].first < 0) --now_;
        List& own = lists_[static_cast<std::size_t>(now_)];
        const std::int32_t i = own.first;
        own.first = i == own.last ? -1 : pixels_[z(i)].next;
        --waiting_;
        return i;
    }

  private:
    struct List {
        std::int32_t first = -1, last = -1;
    };
    struct Pixel {
        std::int32_t square, next;
    };

    void append(std::int32_t square, std::ptrdiff_t i) {
        List& own = lists_[static_cast<std::size_t>(square)];
        const auto pixel = static_cast<std::int32_t>(i);
        if (own.first < 0)
            own.first = pixel;
        else
            pixels_[z(own.last)].next = pixel;
        own.last = pixel;
        ++waiting_;
    }

    const double* distances_;
    Grid grid_;
    std::vector<List> lists_;
    Block<Pixel> pixels_;
    std::int32_t now_;
    std::int64_t waiting_ = 0;
};

// Of each part its only label, SEVERAL, or 0; a part with one label is filled with it, and what lies outside
// of all parts is cleared.
std::vector<std::int32_t> fill_single(const Parts& parts, std::ptrdiff_t rows, std::ptrdiff_t cols,
                                      std::int32_t* markers) {
    std::vector<std::int32_t> only(static_cast<std::size_t>(parts.n) + 1, 0);
    for (const Run& run : parts.runs) {
        std::int32_t& own = only[static_cast<std::size_t>(run.part)];
        const std::int32_t* marker = markers + run.row * cols;
        for (std::ptrdiff_t c = run.begin; c < run.end; ++c)
            if (marker[c] != 0) own = own == 0 || own == marker[c] ? marker[c] : SEVERAL;
    }
    std::int32_t* clear = markers;
    for (const Run& run : parts.runs) {
        std::int32_t* begin = markers + run.row * cols + run.begin;
        std::int32_t* end = begin + (run.end - run.begin);
        std::fill(clear, begin, 0);
        if (only[static_cast<std::size_t>(run.part)] != SEVERAL)
            std::fill(begin, end, only[static_cast<std::size_t>(run.part)]);
        clear = end;
    }
    std::fill(clear, markers + rows * cols, 0);
    return only;
}

template <class Queue>
void spread(Grid grid, const Parts& parts, const std::vector<std::int32_t>& only, Queue& queue,
            std::int32_t* markers) {
    constexpr std::int32_t DRY = 0, WALL = -1;
    Block<std::int32_t> marks(z(grid.size()));
    std::int32_t* mark = marks.data();
    std::fill_n(mark, grid.size(), WALL);
    const auto each_run = [&](auto&& visit) {
        for (const Run& run : parts.runs)
            if (only[static_cast<std::size_t>(run.part)] == SEVERAL)
                visit(run, markers + run.row * grid.cols + run.begin, grid.at(run.row, run.begin));
    };
    each_run([&](const Run& run, const std::int32_t* own, std::ptrdiff_t at) {
        std::copy_n(own, run.end - run.begin, mark + at);
        queue.expect(run);
    });
    const std::array<std::ptrdiff_t, 4> sides{-grid.stride(), -1, 1, grid.stride()};
    each_run([&](const Run& run, const std::int32_t*, std::ptrdiff_t at) {
        for (const std::ptrdiff_t end = at + run.end - run.begin; at < end; ++at)
            if (mark[at] != DRY &&
                std::any_of(sides.begin(), sides.end(), [&](auto side) { return mark[at + side] == DRY; }))
                queue.push(at);
    });
    for (std::size_t taken = 0; !queue.empty(); ++taken) {
        poll(taken, 4096);
        const std::ptrdiff_t at = queue.pop();
        const std::int32_t own = mark[at];
        for (const std::ptrdiff_t side : sides)
            if (mark[at + side] == DRY) {
                mark[at + side] = own;
                queue.push_after(at + side);
            }
    }
    each_run([&](const Run& run, std::int32_t* own, std::ptrdiff_t at) {
        std::copy_n(mark + at, run.end - run.begin, own);
    });
}

}  // namespace

void flood(Mask mask, const double* levels, std::int32_t* markers) {
    const Parts parts = components(pack(mask));
    const auto only = fill_single(parts, mask.rows, mask.cols, markers);
    const Grid grid{mask.rows, mask.cols};
    Heap queue(levels, grid);
    spread(grid, parts, only, queue, markers);
}

void flood_from_within(const Bits& mask, const Parts& parts, const double* distances, std::int32_t* markers) {
    const auto only = fill_single(parts, mask.rows, mask.cols, markers);
    double most = -1.0;
    for (const Run& run : parts.runs)
        if (only[static_cast<std::size_t>(run.part)] == SEVERAL) {
            const double* own = distances + run.row * mask.cols;
            for (std::ptrdiff_t c = run.begin; c < run.end; ++c) most = std::max(most, own[c]);
        }
    if (most < 0.0) return;
    const Grid grid{mask.rows, mask.cols};
    // In a strip, where nothing limits distances but its length, there may be more squares than pixels.
    if (most * most <= 16.0 * static_cast<double>(mask.rows * mask.cols) &&
        grid.size() < (std::ptrdiff_t{1} << 27)) {
        Buckets queue(distances, grid, Buckets::square(most));
        return spread(grid, parts, only, queue, markers);
    }
    std::vector<double> levels(z(mask.rows * mask.cols));
    std::transform(distances, distances + levels.size(), levels.begin(), [](double own) { return -own; });
    Heap queue(levels.data(), grid);
    spread(grid, parts, only, queue, markers);
}

}  // namespace fastpgs::shapes
