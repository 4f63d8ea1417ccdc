// Watershed by flooding (Beucher & Meyer 1993). Among equal levels the older pixel goes first; markers are
// the oldest, in raster order. A component with one label is that label's, whatever the levels.
#include <algorithm>
#include <queue>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

namespace {

struct Pixel {
    double level;
    std::int64_t age;
    std::ptrdiff_t index;
    bool operator<(const Pixel& other) const {  // the queue's top is the greatest
        return level != other.level ? level > other.level : age > other.age;
    }
};

constexpr std::int32_t SEVERAL = -1;

// Gives the components with at most one label to it; returns the parts, and their label or SEVERAL.
std::vector<std::int32_t> fill_single(Mask mask, std::int32_t* markers, std::vector<std::int32_t>& parts) {
    parts.resize(static_cast<std::size_t>(mask.size()));
    const std::int32_t n = label(mask, parts.data());
    std::vector<std::int32_t> only(static_cast<std::size_t>(n) + 1, 0);
    for (std::ptrdiff_t i = 0; i < mask.size(); ++i) {
        if (!mask.data[i] || !markers[i]) continue;
        std::int32_t& own = only[static_cast<std::size_t>(parts[static_cast<std::size_t>(i)])];
        own = own == 0 || own == markers[i] ? markers[i] : SEVERAL;
    }
    only[0] = 0;
    for (std::ptrdiff_t i = 0; i < mask.size(); ++i) {
        const std::int32_t own = only[static_cast<std::size_t>(parts[static_cast<std::size_t>(i)])];
        if (own != SEVERAL) markers[i] = own;
    }
    return only;
}

}  // namespace

void flood(Mask mask, const double* levels, std::int32_t* markers) {
    std::vector<std::int32_t> parts;
    const std::vector<std::int32_t> only = fill_single(mask, markers, parts);
    const std::ptrdiff_t rows = mask.rows, cols = mask.cols;
    std::priority_queue<Pixel> queue;
    std::int64_t age = 0;
    std::size_t taken = 0;
    const auto dry = [&](bool inside, std::ptrdiff_t i) { return inside && mask.data[i] && !markers[i]; };
    const auto each_side = [&](std::ptrdiff_t i, auto&& visit) {
        const std::ptrdiff_t r = i / cols, c = i % cols;
        visit(r > 0, i - cols);
        visit(c > 0, i - 1);
        visit(c + 1 < cols, i + 1);
        visit(r + 1 < rows, i + cols);
    };
    for (std::ptrdiff_t i = 0; i < mask.size(); ++i) {
        if (!markers[i] || only[static_cast<std::size_t>(parts[static_cast<std::size_t>(i)])] != SEVERAL)
            continue;
        bool open = false;
        each_side(i, [&](bool inside, std::ptrdiff_t side) { open = open || dry(inside, side); });
        if (open) queue.push({levels[i], age++, i});
    }
    while (!queue.empty()) {
        poll(taken++, 4096);
        const Pixel pixel = queue.top();
        queue.pop();
        each_side(pixel.index, [&](bool inside, std::ptrdiff_t side) {
            if (!dry(inside, side)) return;
            markers[side] = markers[pixel.index];
            // Water that has risen to a level does not fall behind it.
            queue.push({std::max(levels[side], pixel.level), age++, side});
        });
    }
}

}  // namespace fastpgs::shapes
