// Watershed by flooding (Beucher & Meyer 1993). Among equal levels the older pixel goes first, and where age
// is equal too, which happens among markers only, a binary heap decides: the same one as in scikit-image, so
// that both give the same labels.
#include <algorithm>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

namespace {

struct Pixel {
    double level;
    std::int64_t age;
    std::ptrdiff_t index;
    bool before(const Pixel& other) const {
        return level != other.level ? level < other.level : age < other.age;
    }
};

class Heap {
  public:
    bool empty() const { return items.empty(); }

    void push(const Pixel& pixel) {
        items.push_back(pixel);
        for (std::size_t child = items.size() - 1; child > 0;) {
            const std::size_t parent = (child + 1) / 2 - 1;
            if (!items[child].before(items[parent])) break;
            std::swap(items[child], items[parent]);
            child = parent;
        }
    }

    Pixel pop() {
        const Pixel first = items.front();
        items.front() = items.back();
        items.pop_back();
        for (std::size_t i = 0;;) {
            std::size_t smallest = i;
            const std::size_t l = 2 * i + 1, r = 2 * i + 2;
            if (l < items.size() && items[l].before(items[i])) smallest = l;
            if (r < items.size() && items[r].before(items[smallest])) smallest = r;
            if (smallest == i) break;
            std::swap(items[i], items[smallest]);
            i = smallest;
        }
        return first;
    }

  private:
    std::vector<Pixel> items;
};

}  // namespace

void flood(Mask mask, const double* levels, std::int32_t* markers) {
    Heap heap;
    for (std::ptrdiff_t i = 0; i < mask.size(); ++i) {
        if (!mask.data[i]) markers[i] = 0;
        if (markers[i]) heap.push({levels[i], 0, i});
    }
    std::int64_t age = 1;
    while (!heap.empty()) {
        poll(static_cast<std::size_t>(age), 4096);
        const Pixel pixel = heap.pop();
        const std::ptrdiff_t r = pixel.index / mask.cols, c = pixel.index % mask.cols;
        const auto visit = [&](bool inside, std::ptrdiff_t index) {
            if (!inside || !mask.data[index] || markers[index]) return;
            markers[index] = markers[pixel.index];
            // Water that has risen to a level does not fall behind it.
            heap.push({std::max(levels[index], pixel.level), ++age, index});
        };
        visit(r > 0, pixel.index - mask.cols);
        visit(c > 0, pixel.index - 1);
        visit(c + 1 < mask.cols, pixel.index + 1);
        visit(r + 1 < mask.rows, pixel.index + mask.cols);
    }
}

}  // namespace fastpgs::shapes
