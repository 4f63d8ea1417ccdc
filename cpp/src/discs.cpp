// Erosion, opening and closing with a disc of any radius, on rows of bits.
//
// A disc is a row of columns, shorter and shorter towards both ends. Eroding by a column is and-ing rows,
// whole words at a time, and each column is eroded from the shorter one before it. The outermost columns come
// first: whatever is known so far moves one pixel to the left and to the right and meets the next longer
// column, so that in the end each column has moved as far as it lies from the middle. (Moved less far, a
// short column asks for nothing that the longer one there does not ask for as well.)
#include <algorithm>
#include <cmath>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/plane_kernels.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

namespace {

// Half the height of a disc in the columns 0, 1, 2, ... from its middle, as far as a grid goes.
std::vector<std::ptrdiff_t> half_heights(double radius, std::ptrdiff_t rows, std::ptrdiff_t cols) {
    std::vector<std::ptrdiff_t> half;
    const auto last = std::min(static_cast<std::int64_t>(radius), static_cast<std::int64_t>(cols - 1));
    for (std::int64_t col = 0; col <= last; ++col) {
        const auto square = static_cast<std::int64_t>(radius * radius - static_cast<double>(col * col));
        auto height = static_cast<std::int64_t>(std::sqrt(static_cast<double>(square)));
        while (height * height > square) --height;
        while ((height + 1) * (height + 1) <= square) ++height;
        half.push_back(static_cast<std::ptrdiff_t>(std::min<std::int64_t>(height, rows - 1)));
    }
    return half;
}

// Rows with as many set bits between them as a disc is wide: what is beyond the frame counts as inside, and
// rows do not reach one another.
class Field {
  public:
    Field(std::ptrdiff_t rows, std::ptrdiff_t width, std::size_t columns)
        : rows_(rows),
          width_(width),
          pad_(1 + static_cast<std::ptrdiff_t>(columns) / Bits::kWord),
          words_(static_cast<std::size_t>(pad_ + rows * stride()), ~Word{0}) {}

    Word* row(std::ptrdiff_t r) { return words_.data() + pad_ + r * stride(); }

    // Sets what lies between the rows, where anything may be left of an erosion.
    void set_gaps() {
        for (std::ptrdiff_t r = -1; r < rows_; ++r) std::fill_n(row(r) + width_, pad_, ~Word{0});
    }

    void erode(const std::vector<std::ptrdiff_t>& half) {
        std::vector<Word> columns = words_, known, next(words_.size(), ~Word{0});
        std::ptrdiff_t height = 0;
        const auto grow_columns = [&](std::ptrdiff_t to) {
            while (height < to) {
                const auto off = static_cast<std::size_t>(++height * stride());
                plane_kernels().meet({words_.data(), off, words_.size(), columns.data()});
            }
        };
        grow_columns(half.back());
        known = columns;
        for (std::size_t column = half.size() - 1; column > 0; --column) {
            poll();
            grow_columns(half[column - 1]);
            plane_kernels().narrow({known.data(), columns.data(), words_.size(), next.data()});
            known.swap(next);
        }
        words_.swap(known);
    }

  private:
    std::ptrdiff_t stride() const { return width_ + pad_; }

    std::ptrdiff_t rows_, width_, pad_;
    std::vector<Word> words_;  // begins and ends with a gap
};

// The words of each row that hold the mask and a pixel around it; false for an empty mask.
struct Window {
    std::ptrdiff_t top = 0, bottom = 0, first = 0, last = 0;  // rows; words: half-open

    explicit Window(const Bits& bits) : top(bits.rows), first(bits.width) {
        for (std::ptrdiff_t r = 0; r < bits.rows; ++r) {
            const Word* row = bits.row(r);
            std::ptrdiff_t begin = 0, end = bits.width;
            while (begin < end && row[begin] == 0) ++begin;
            if (begin == end) continue;
            while (row[end - 1] == 0) --end;
            top = std::min(top, r);
            bottom = r + 1;
            first = std::min(first, begin - static_cast<std::ptrdiff_t>(row[begin] & 1));
            last = std::max(last, end + static_cast<std::ptrdiff_t>(row[end - 1] >> 63));
        }
        top = std::max<std::ptrdiff_t>(top - 1, 0);
        bottom = std::min(bottom + 1, bits.rows);
        first = std::max<std::ptrdiff_t>(first, 0);
        last = std::min(last, bits.width);
    }
    bool empty() const { return bottom <= top || last <= first; }
    std::ptrdiff_t rows() const { return bottom - top; }
    std::ptrdiff_t width() const { return last - first; }
};

}  // namespace

Bits erode_disc(const Bits& bits, double radius) {
    Bits out(bits.rows, bits.cols);
    if (bits.words.empty()) return out;
    const auto half = half_heights(radius, bits.rows, bits.cols);
    Field field(bits.rows, bits.width, half.size());
    for (std::ptrdiff_t r = 0; r < bits.rows; ++r) {
        std::copy_n(bits.row(r), bits.width, field.row(r));
        field.row(r)[bits.width - 1] |= ~bits.tail();
    }
    field.erode(half);
    for (std::ptrdiff_t r = 0; r < bits.rows; ++r) {
        std::copy_n(field.row(r), bits.width, out.row(r));
        out.row(r)[bits.width - 1] &= bits.tail();
    }
    return out;
}

Bits open_disc(const Bits& bits, double radius) {
    Bits out(bits.rows, bits.cols);
    // A border of one pixel outside the mask is all that an opening has to see.
    const Window window(bits);
    if (window.empty()) return out;
    const auto half = half_heights(radius, window.rows(), window.width() * Bits::kWord);
    Field field(window.rows(), window.width(), half.size());
    const Word tail = window.last == bits.width ? bits.tail() : ~Word{0};
    for (std::ptrdiff_t r = 0; r < window.rows(); ++r) {
        std::copy_n(bits.row(window.top + r) + window.first, window.width(), field.row(r));
        field.row(r)[window.width() - 1] |= ~tail;
    }
    field.erode(half);
    Word any = 0;
    for (std::ptrdiff_t r = 0; r < window.rows(); ++r) {
        Word* row = field.row(r);
        row[window.width() - 1] &= tail;
        for (std::ptrdiff_t w = 0; w < window.width(); ++w) {
            any |= row[w];
            row[w] = ~row[w];
        }
    }
    if (any == 0) return out;
    field.set_gaps();
    field.erode(half);
    for (std::ptrdiff_t r = 0; r < window.rows(); ++r) {
        const Word* from = bits.row(window.top + r) + window.first;
        Word* to = out.row(window.top + r) + window.first;
        for (std::ptrdiff_t w = 0; w < window.width(); ++w) to[w] = from[w] & ~field.row(r)[w];
    }
    return out;
}

Bits close_disc(const Bits& bits, double radius) { return open_disc(bits.outside(), radius).outside(); }

}  // namespace fastpgs::shapes
