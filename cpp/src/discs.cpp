// Erosion, opening and closing with a disc of any radius, on rows of bits: a disc is a stack of lines, and a
// row eroded by a line is the row and-ed with itself, shifted by ever larger steps.
#include <algorithm>
#include <cmath>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

namespace {

using Word = std::uint64_t;
constexpr std::ptrdiff_t BITS = 64;

// A mask of bits; those beyond the last column are set, as all that lies beyond the frame.
struct Grid {
    std::ptrdiff_t rows, cols, width;
    std::vector<Word> words;

    Grid(std::ptrdiff_t rows_, std::ptrdiff_t cols_)
        : rows(rows_),
          cols(cols_),
          width((cols_ + BITS - 1) / BITS),
          words(static_cast<std::size_t>(rows_ * width), ~Word{0}) {}
    Word* row(std::ptrdiff_t r) { return words.data() + r * width; }
    const Word* row(std::ptrdiff_t r) const { return words.data() + r * width; }
    std::ptrdiff_t used(std::ptrdiff_t word) const { return std::min(BITS, cols - word * BITS); }
    Word inside(std::ptrdiff_t word) const {
        return used(word) == BITS ? ~Word{0} : (Word{1} << used(word)) - 1;
    }
};

Grid pack(Mask mask, const Box& box) {
    Grid grid(box.rows(), box.cols());
    for (std::ptrdiff_t r = 0; r < grid.rows; ++r) {
        const std::uint8_t* from = mask.data + (box.top + r) * mask.cols + box.left;
        for (std::ptrdiff_t w = 0; w < grid.width; ++w, from += BITS) {
            const std::ptrdiff_t used = grid.used(w);
            Word word = 0;
            for (std::ptrdiff_t bit = 0; bit < used; ++bit) word |= static_cast<Word>(from[bit] != 0) << bit;
            grid.row(r)[w] = word | ~grid.inside(w);
        }
    }
    return grid;
}

void unpack(const Grid& grid, std::uint8_t* out, std::ptrdiff_t stride) {
    for (std::ptrdiff_t r = 0; r < grid.rows; ++r) {
        std::uint8_t* to = out + r * stride;
        for (std::ptrdiff_t w = 0; w < grid.width; ++w, to += BITS) {
            const std::ptrdiff_t used = grid.used(w);
            const Word word = grid.row(r)[w];
            for (std::ptrdiff_t bit = 0; bit < used; ++bit)
                to[bit] = static_cast<std::uint8_t>((word >> bit) & 1);
        }
    }
}

// Half the width of a disc in the rows 0, 1, 2, ... from its middle, as far as a grid goes.
std::vector<std::ptrdiff_t> half_widths(double radius, std::ptrdiff_t rows, std::ptrdiff_t cols) {
    std::vector<std::ptrdiff_t> half;
    const auto last = std::min(static_cast<std::int64_t>(radius), static_cast<std::int64_t>(rows - 1));
    for (std::int64_t row = 0; row <= last; ++row) {
        const auto square = static_cast<std::int64_t>(radius * radius - static_cast<double>(row * row));
        auto width = static_cast<std::int64_t>(std::sqrt(static_cast<double>(square)));
        while (width * width > square) --width;
        while ((width + 1) * (width + 1) <= square) ++width;
        half.push_back(static_cast<std::ptrdiff_t>(std::min<std::int64_t>(width, cols)));
    }
    return half;
}

// to[c] &= from[c + step] (negative: to the left); what lies beyond is set.
void and_shifted(const Word* from, Word* to, std::ptrdiff_t width, std::ptrdiff_t step) {
    const std::ptrdiff_t size = step < 0 ? -step : step, whole = size / BITS, part = size % BITS;
    const auto at = [&](std::ptrdiff_t w) { return w < 0 || w >= width ? ~Word{0} : from[w]; };
    for (std::ptrdiff_t w = 0; w < width; ++w) {
        const std::ptrdiff_t near = step > 0 ? w + whole : w - whole, far = step > 0 ? near + 1 : near - 1;
        Word word = at(near);
        if (part > 0)
            word = step > 0 ? (word >> part) | (at(far) << (BITS - part))
                            : (word << part) | (at(far) >> (BITS - part));
        to[w] &= word;
    }
}

// Each row eroded by a line of `half` pixels to either side.
void erode_rows(const Grid& grid, std::ptrdiff_t half, Grid& out) {
    out.words = grid.words;
    const std::ptrdiff_t width = grid.width;
    std::vector<Word> side(static_cast<std::size_t>(width)), before(side);
    for (std::ptrdiff_t r = 0; r < grid.rows; ++r) {
        poll(static_cast<std::size_t>(r), 64);
        for (const std::ptrdiff_t sign : {1, -1}) {
            std::copy_n(grid.row(r), width, side.begin());
            for (std::ptrdiff_t reach = 0; reach < half;) {
                const std::ptrdiff_t step = std::min(reach + 1, half - reach);
                before = side;
                and_shifted(before.data(), side.data(), width, sign * step);
                reach += step;
            }
            for (std::ptrdiff_t w = 0; w < width; ++w) out.row(r)[w] &= side[static_cast<std::size_t>(w)];
        }
    }
}

Grid erode(const Grid& grid, double radius) {
    Grid out(grid.rows, grid.cols), lines(grid.rows, grid.cols);
    const auto half = half_widths(radius, grid.rows, grid.cols);
    for (std::size_t i = 0; i < half.size(); ++i) {
        poll();
        if (i == 0 || half[i] != half[i - 1]) erode_rows(grid, half[i], lines);
        const auto off = static_cast<std::ptrdiff_t>(i) * grid.width;
        const auto size = static_cast<std::ptrdiff_t>(grid.words.size()) - off;
        Word* to = out.words.data();
        const Word* from = lines.words.data();
        for (std::ptrdiff_t w = 0; w < size; ++w) {
            to[w] &= from[w + off];
            to[w + off] &= from[w];
        }
    }
    return out;
}

}  // namespace

void erode_disc(Mask mask, double radius, std::uint8_t* out) {
    if (mask.size() == 0) return;
    unpack(erode(pack(mask, {0, 0, mask.rows, mask.cols}), radius), out, mask.cols);
}

void open_disc(Mask mask, double radius, std::uint8_t* out) {
    std::fill_n(out, mask.size(), std::uint8_t{0});
    Box box;
    // A border of one pixel outside the mask is all that an opening has to see.
    if (!box_of(mask, 1, box)) return;
    Grid grid = pack(mask, box);
    Grid core = erode(grid, radius);
    bool any = false;
    for (std::ptrdiff_t r = 0; r < core.rows; ++r)
        for (std::ptrdiff_t w = 0; w < core.width; ++w) {
            Word& word = core.row(r)[w];
            any = any || (word & core.inside(w)) != 0;
            word = ~word | ~core.inside(w);
        }
    if (!any) return;
    const Grid back = erode(core, radius);
    for (std::size_t i = 0; i < grid.words.size(); ++i) grid.words[i] &= ~back.words[i];
    unpack(grid, out + box.top * mask.cols + box.left, mask.cols);
}

void close_disc(Mask mask, double radius, std::uint8_t* out) {
    Bytes outside(static_cast<std::size_t>(mask.size()));
    for (std::size_t i = 0; i < outside.size(); ++i) outside[i] = mask.data[i] == 0;
    open_disc({outside.data(), mask.rows, mask.cols}, radius, out);
    for (std::ptrdiff_t i = 0; i < mask.size(); ++i) out[i] = !out[i];
}

}  // namespace fastpgs::shapes
