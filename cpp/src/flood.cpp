// Watershed by flooding (Beucher & Meyer 1993). Among equal levels the older pixel goes first; markers are
// the oldest, in raster order. A component with one label is that label's, whatever the levels.
#include <algorithm>
#include <queue>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

namespace {

constexpr std::int32_t SEVERAL = -1;

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

// Any levels: a heap.
class Heap {
  public:
    explicit Heap(const double* levels) : levels_(levels) {}

    bool empty() const { return queue_.empty(); }
    void push(std::ptrdiff_t i) { queue_.push({levels_[i], age_++, i}); }
    // Water that has risen to a level does not fall behind it.
    void push_after(std::ptrdiff_t i) { queue_.push({std::max(levels_[i], now_), age_++, i}); }
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

    const double* levels_;
    std::priority_queue<Pixel> queue_;
    std::int64_t age_ = 0;
    double now_ = 0.0;
};

// Distances, the greatest first: their squares are integers, each with a list of its own, oldest first.
class Buckets {
  public:
    Buckets(const double* distances, std::int64_t most, std::ptrdiff_t size)
        : distances_(distances), lists_(static_cast<std::size_t>(most) + 1), next_(z(size)), now_(most) {}

    static std::int64_t square(double distance) {
        return static_cast<std::int64_t>(distance * distance + 0.5);
    }

    bool empty() const { return waiting_ == 0; }
    void push(std::ptrdiff_t i) { append(square(distances_[i]), i); }
    void push_after(std::ptrdiff_t i) { append(std::min(square(distances_[i]), now_), i); }
    std::ptrdiff_t pop() {
        while (lists_[static_cast<std::size_t>(now_)].first < 0) --now_;
        List& own = lists_[static_cast<std::size_t>(now_)];
        const std::int32_t i = own.first;
        own.first = i == own.last ? -1 : next_[z(i)];
        --waiting_;
        return i;
    }

  private:
    struct List {
        std::int32_t first = -1, last = -1;
    };

    void append(std::int64_t square, std::ptrdiff_t i) {
        List& own = lists_[static_cast<std::size_t>(square)];
        const auto pixel = static_cast<std::int32_t>(i);
        if (own.first < 0)
            own.first = pixel;
        else
            next_[z(own.last)] = pixel;
        own.last = pixel;
        ++waiting_;
    }

    const double* distances_;
    std::vector<List> lists_;
    Block<std::int32_t> next_;
    std::int64_t now_, waiting_ = 0;
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
void spread(const Bits& mask, const Parts& parts, const std::vector<std::int32_t>& only, Queue& queue,
            std::int32_t* markers) {
    const std::ptrdiff_t rows = mask.rows, cols = mask.cols;
    const auto each_dry_side = [&](std::ptrdiff_t r, std::ptrdiff_t c, auto&& visit) {
        const std::ptrdiff_t i = r * cols + c;
        const auto look = [&](bool inside, std::ptrdiff_t y, std::ptrdiff_t x, std::ptrdiff_t side) {
            if (inside && !markers[side] && mask.at(y, x)) visit(side);
        };
        look(r > 0, r - 1, c, i - cols);
        look(c > 0, r, c - 1, i - 1);
        look(c + 1 < cols, r, c + 1, i + 1);
        look(r + 1 < rows, r + 1, c, i + cols);
    };
    for (const Run& run : parts.runs) {
        if (only[static_cast<std::size_t>(run.part)] != SEVERAL) continue;
        for (std::ptrdiff_t c = run.begin; c < run.end; ++c) {
            bool open = false;
            if (!markers[run.row * cols + c]) continue;
            each_dry_side(run.row, c, [&](std::ptrdiff_t) { open = true; });
            if (open) queue.push(run.row * cols + c);
        }
    }
    for (std::size_t taken = 0; !queue.empty(); ++taken) {
        poll(taken, 4096);
        const std::ptrdiff_t i = queue.pop();
        each_dry_side(i / cols, i % cols, [&](std::ptrdiff_t side) {
            markers[side] = markers[i];
            queue.push_after(side);
        });
    }
}

}  // namespace

void flood(Mask mask, const double* levels, std::int32_t* markers) {
    const Bits bits = pack(mask);
    const Parts parts = components(bits);
    const auto only = fill_single(parts, mask.rows, mask.cols, markers);
    Heap queue(levels);
    spread(bits, parts, only, queue, markers);
}

void flood_from_within(const Bits& mask, const Parts& parts, const double* distances, std::int32_t* markers) {
    const std::ptrdiff_t size = mask.rows * mask.cols;
    const auto only = fill_single(parts, mask.rows, mask.cols, markers);
    double most = -1.0;
    for (const Run& run : parts.runs)
        if (only[static_cast<std::size_t>(run.part)] == SEVERAL) {
            const double* own = distances + run.row * mask.cols;
            for (std::ptrdiff_t c = run.begin; c < run.end; ++c) most = std::max(most, own[c]);
        }
    if (most < 0.0) return;
    // In a strip, where nothing limits distances but its length, there may be more squares than pixels.
    if (most * most <= 16.0 * static_cast<double>(size) && size < (std::ptrdiff_t{1} << 31)) {
        Buckets queue(distances, Buckets::square(most), size);
        return spread(mask, parts, only, queue, markers);
    }
    std::vector<double> levels(z(size));
    std::transform(distances, distances + size, levels.begin(), [](double own) { return -own; });
    Heap queue(levels.data());
    spread(mask, parts, only, queue, markers);
}

}  // namespace fastpgs::shapes
