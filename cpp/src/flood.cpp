// Watershed by flooding (Beucher & Meyer 1993). Among equal levels the older pixel goes first; markers are
// the oldest, in raster order. A component with one label is that label's, whatever the levels.
#include <algorithm>
#include <array>
#include <iterator>
#include <queue>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

namespace {

constexpr std::int32_t SEVERAL = -1;

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

// A box of a picture with a pixel more on each side, so that nobody looks beyond it.
struct Grid {
    Box box;

    std::ptrdiff_t stride() const { return box.cols() + 2; }
    std::ptrdiff_t size() const { return (box.rows() + 2) * stride(); }
    std::ptrdiff_t at(std::ptrdiff_t r, std::ptrdiff_t c) const {
        return (r - box.top + 1) * stride() + c - box.left + 1;
    }
    std::ptrdiff_t row(std::ptrdiff_t i) const { return i / stride() - 1 + box.top; }
    std::ptrdiff_t col(std::ptrdiff_t i) const { return i % stride() - 1 + box.left; }
};

// Any levels, level_of(row, col): a heap.
template <class LevelOf>
class Heap {
  public:
    Heap(Grid grid, LevelOf level_of) : grid_(grid), level_of_(level_of) {}

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

    double level(std::ptrdiff_t i) const { return level_of_(grid_.row(i), grid_.col(i)); }

    Grid grid_;
    LevelOf level_of_;
    std::priority_queue<Pixel> queue_;
    std::int64_t age_ = 0;
    double now_ = 0.0;
};

// Squares of distances, the greatest first: whole numbers, each with a list of its own, oldest first.
class Buckets {
  public:
    Buckets(Grid grid, std::int32_t most, const std::vector<Run>& runs, const std::int32_t* squares,
            std::ptrdiff_t cols)
        : lists_(static_cast<std::size_t>(most) + 1), pixels_(z(grid.size())), now_(most) {
        for (const Run& run : runs) {
            const std::int32_t* own = squares + run.row * cols + run.begin;
            Pixel* pixel = pixels_.data() + grid.at(run.row, run.begin);
            for (std::int32_t i = 0; i < run.end - run.begin; ++i) pixel[i].square = own[i];
        }
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

    std::vector<List> lists_;
    Block<Pixel> pixels_;
    std::int32_t now_;
    std::int64_t waiting_ = 0;
};

// What is flooded: marks, and walls around them.
class Basin {
  public:
    static constexpr std::int32_t DRY = 0, WALL = -1;

    Basin(const std::vector<Run>& runs, Grid grid) : runs_(runs), grid_(grid), marks_(z(grid.size())) {
        std::fill_n(marks_.data(), grid.size(), WALL);
    }

    // Of the pixels from one on.
    std::int32_t* marks(std::ptrdiff_t r, std::ptrdiff_t c) { return marks_.data() + grid_.at(r, c); }

    template <class Queue>
    void spread(Queue& queue) {
        std::int32_t* mark = marks_.data();
        const std::array<std::ptrdiff_t, 4> sides{-grid_.stride(), -1, 1, grid_.stride()};
        for (const Run& run : runs_)
            for (std::ptrdiff_t at = grid_.at(run.row, run.begin), end = at + run.end - run.begin; at < end;
                 ++at)
                if (mark[at] != DRY && std::any_of(sides.begin(), sides.end(),
                                                   [&](auto side) { return mark[at + side] == DRY; }))
                    queue.push(at);
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
    }

  private:
    const std::vector<Run>& runs_;
    Grid grid_;
    Block<std::int32_t> marks_;
};

// Of each part its only label, SEVERAL, or 0.
class Only {
  public:
    explicit Only(const Parts& parts) : only_(static_cast<std::size_t>(parts.n) + 1, 0) {}

    void note(std::int32_t part, std::int32_t label) {
        std::int32_t& own = only_[static_cast<std::size_t>(part)];
        own = own == 0 || own == label ? label : SEVERAL;
    }
    std::int32_t operator[](std::int32_t part) const { return only_[static_cast<std::size_t>(part)]; }

    // The runs of parts with several labels.
    std::vector<Run> several(const Parts& parts) const {
        std::vector<Run> out;
        std::copy_if(parts.runs.begin(), parts.runs.end(), std::back_inserter(out),
                     [this](const Run& run) { return (*this)[run.part] == SEVERAL; });
        return out;
    }

  private:
    std::vector<std::int32_t> only_;
};

}  // namespace

void flood(Mask mask, const double* levels, std::int32_t* markers) {
    const std::ptrdiff_t cols = mask.cols;
    const Parts parts = components(pack(mask));
    Only only(parts);
    for (const Run& run : parts.runs)
        for (std::ptrdiff_t i = run.row * cols + run.begin; i < run.row * cols + run.end; ++i)
            if (markers[i] != 0) only.note(run.part, markers[i]);
    const std::vector<Run> several = only.several(parts);
    const Grid grid{{0, 0, mask.rows, cols}};
    Basin basin(several, grid);
    for (const Run& run : several)
        std::copy_n(markers + run.row * cols + run.begin, run.end - run.begin,
                    basin.marks(run.row, run.begin));
    Heap queue(grid, [=](std::ptrdiff_t r, std::ptrdiff_t c) { return levels[r * cols + c]; });
    basin.spread(queue);
    std::fill_n(markers, mask.size(), 0);
    for (const Run& run : parts.runs) {
        std::int32_t* own = markers + run.row * cols + run.begin;
        if (only[run.part] == SEVERAL)
            std::copy_n(basin.marks(run.row, run.begin), run.end - run.begin, own);
        else
            std::fill_n(own, run.end - run.begin, only[run.part]);
    }
}

namespace {

// Calls visit(run, marker) for the markers, in raster order, that lie in runs of parts.
template <class Visit>
void each_marker(const Parts& parts, const std::vector<Run>& markers, Visit visit) {
    auto around = parts.runs.begin();
    for (const Run& marker : markers) {
        while (around->row < marker.row || around->end <= marker.begin) ++around;
        visit(*around, marker);
    }
}

void spread_from_within(Grid grid, const std::vector<Run>& runs, const std::int32_t* squares,
                        std::ptrdiff_t cols, Basin& basin) {
    std::int32_t most = 0;
    for (const Run& run : runs) {
        const std::int32_t* own = squares + run.row * cols;
        most = std::max(most, *std::max_element(own + run.begin, own + run.end));
    }
    // In a strip, where nothing limits distances but its length, there may be more squares than pixels.
    if (most <= 16 * grid.size() && grid.size() < (std::ptrdiff_t{1} << 27)) {
        Buckets queue(grid, most, runs, squares, cols);
        return basin.spread(queue);
    }
    Heap queue(grid, [=](std::ptrdiff_t r, std::ptrdiff_t c) {
        return -static_cast<double>(squares[r * cols + c]);
    });
    basin.spread(queue);
}

}  // namespace

Parts flood_from_within(const Parts& parts, const std::vector<Run>& markers, const std::int32_t* squares,
                        std::ptrdiff_t cols) {
    Only only(parts);
    each_marker(parts, markers, [&](const Run& run, const Run& marker) { only.note(run.part, marker.part); });
    const Parts several{only.several(parts), parts.n};
    const Grid grid{several.runs.empty() ? Box{} : box_of(several)};
    Basin basin(several.runs, grid);
    const auto mark = [&](const Run& run, std::int32_t label) {
        std::fill_n(basin.marks(run.row, run.begin), run.end - run.begin, label);
    };
    for (const Run& run : several.runs) mark(run, Basin::DRY);
    if (!several.runs.empty()) {
        each_marker(parts, markers, [&](const Run& run, const Run& marker) {
            if (only[run.part] == SEVERAL) mark(marker, marker.part);
        });
        spread_from_within(grid, several.runs, squares, cols, basin);
    }
    Parts out;
    for (const Run& run : parts.runs)
        if (only[run.part] == SEVERAL)
            append_runs(basin.marks(run.row, run.begin), run, out.runs);
        else if (only[run.part] != 0)
            out.runs.push_back({run.row, run.begin, run.end, only[run.part]});
    for (const Run& run : out.runs) out.n = std::max(out.n, run.part);
    return out;
}

}  // namespace fastpgs::shapes
