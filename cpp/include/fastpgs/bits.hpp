// Binary images of 64 pixels a word, and what their rows are made of: runs.
//
// A mask of 300 x 300 bytes is 12 kB as bits, which stay in the fastest cache, and one instruction looks at
// 64 pixels of it at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastpgs/crew.hpp"

namespace fastpgs::shapes {

using Word = std::uint64_t;

// Index of the lowest bit that is set; the word must not be 0.
inline int lowest(Word word) {
#if defined(__GNUC__)
    return __builtin_ctzll(word);
#else
    int at = 0;
    for (; (word & 1) == 0; word >>= 1) ++at;
    return at;
#endif
}

inline int highest(Word word) {
#if defined(__GNUC__)
    return 63 - __builtin_clzll(word);
#else
    int at = 0;
    for (; word > 1; word >>= 1) ++at;
    return at;
#endif
}

inline int population(Word word) {
    word -= word >> 1 & 0x5555555555555555U;
    word = (word & 0x3333333333333333U) + (word >> 2 & 0x3333333333333333U);
    return static_cast<int>(((word + (word >> 4)) & 0x0F0F0F0F0F0F0F0FU) * 0x0101010101010101U >> 56);
}

// rows x cols pixels; each row begins with a word, and bits beyond its last pixel are 0.
struct Bits {
    static constexpr std::ptrdiff_t kWord = 64;

    std::ptrdiff_t rows = 0, cols = 0, width = 0;  // width: words a row
    std::vector<Word> words;

    Bits() = default;
    Bits(std::ptrdiff_t rows_, std::ptrdiff_t cols_)
        : rows(rows_),
          cols(cols_),
          width((cols_ + kWord - 1) / kWord),
          words(static_cast<std::size_t>(rows_ * width), 0) {}

    Word* row(std::ptrdiff_t r) { return words.data() + r * width; }
    const Word* row(std::ptrdiff_t r) const { return words.data() + r * width; }
    bool at(std::ptrdiff_t r, std::ptrdiff_t c) const { return row(r)[c / kWord] >> (c % kWord) & 1; }
    // The bits of a row's last word that are pixels.
    Word tail() const { return ~Word{0} >> (width * kWord - cols); }

    bool any() const;
    bool any(std::ptrdiff_t r) const;  // in a row
    std::int64_t count() const;

    // Pixels begin..end of a row.
    void set(std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end);
    std::int64_t count(std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) const;

    // The following want images of one size.
    Bits& operator&=(const Bits& other);
    Bits& operator|=(const Bits& other);
    Bits& subtract(const Bits& other);  // without the other's pixels
    Bits outside() const;               // the pixels that are not set
};

// From the flags of 64 pixels, 0 or not; of fewer for the last word of a row.
Word gather(const std::uint8_t* flags, std::ptrdiff_t used);

// A window of rows x cols bytes, `stride` apart, and back (0 or 1).
Bits pack(const std::uint8_t* bytes, std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t stride);
void unpack(const Bits& bits, std::uint8_t* bytes, std::ptrdiff_t stride);

// One pixel more on the four sides.
Bits grown(const Bits& bits);

// A part of an image.
Bits cropped(const Bits& bits, std::ptrdiff_t top, std::ptrdiff_t left, std::ptrdiff_t rows,
             std::ptrdiff_t cols);

// The rows r..last of the pixels of a window of numbers for which `holds` holds.
template <class Number, class Holds>
void mark_where(const Number* numbers, std::ptrdiff_t stride, Holds holds, std::ptrdiff_t r,
                std::ptrdiff_t last, Bits& bits) {
    std::uint8_t flags[Bits::kWord];
    for (; r < last; ++r)
        for (std::ptrdiff_t w = 0; w < bits.width; ++w) {
            const Number* from = numbers + r * stride + w * Bits::kWord;
            const std::ptrdiff_t used = bits.cols - w * Bits::kWord;
            if (used >= Bits::kWord) {
                for (std::ptrdiff_t i = 0; i < Bits::kWord; ++i) flags[i] = holds(from[i]);
                bits.row(r)[w] = gather(flags, Bits::kWord);
            } else {
                for (std::ptrdiff_t i = 0; i < used; ++i) flags[i] = holds(from[i]);
                bits.row(r)[w] = gather(flags, used);
            }
        }
}

// All of them.
template <class Number, class Holds>
Bits where(const Number* numbers, std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t stride,
           Holds holds) {
    Bits bits(rows, cols);
    share(rows, rows_worth(cols), [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        mark_where(numbers, stride, holds, begin, end, bits);
    });
    return bits;
}

// The pixels of a window of numbers whose number is one of a few.
Bits members(const std::int32_t* numbers, std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t stride,
             const std::vector<std::int32_t>& of);

// The pixels of a mask whose numbers, one a pixel, are above a limit.
Bits above(const Bits& among, const double* numbers, double limit);
Bits above(const Bits& among, const float* numbers, float limit);

// Calls visit(begin, end) for each run of set pixels of a row.
template <class Visit>
void each_run(const Bits& bits, std::ptrdiff_t r, Visit visit) {
    const Word* row = bits.row(r);
    std::ptrdiff_t begin = -1;
    Word before = 0;  // the last pixel of the word before
    for (std::ptrdiff_t w = 0; w < bits.width; ++w) {
        Word changes = row[w] ^ (row[w] << 1 | before);
        before = row[w] >> 63;
        for (; changes != 0; changes &= changes - 1) {
            const std::ptrdiff_t at = w * Bits::kWord + lowest(changes);
            if (begin < 0) {
                begin = at;
            } else {
                visit(begin, at);
                begin = -1;
            }
        }
    }
    if (begin >= 0) visit(begin, bits.cols);
}

// Calls visit(row, begin, end) for each run, in raster order.
template <class Visit>
void each_run(const Bits& bits, Visit visit) {
    for (std::ptrdiff_t r = 0; r < bits.rows; ++r)
        each_run(bits, r, [&](std::ptrdiff_t begin, std::ptrdiff_t end) { visit(r, begin, end); });
}

struct Run {
    std::int32_t row, begin, end;
    std::int32_t part;  // the component it belongs to, from 1
};

// 4-connected components, numbered 1..n in raster order of their first pixels.
struct Parts {
    std::vector<Run> runs;  // in raster order
    std::int32_t n = 0;

    std::vector<std::int64_t> areas() const;  // of the parts 0..n; part 0 has none
    // The runs of the parts for which keep[part] is not 0, added to an image.
    void draw(const std::vector<std::uint8_t>& keep, Bits& onto) const;
};

Parts components(const Bits& bits);

// The first run of a row or of a later one, of runs in raster order.
std::vector<Run>::const_iterator first_in(const std::vector<Run>& runs, std::ptrdiff_t row);

// What runs in raster order, none over another, have in common with an image: runs of the same parts.
std::vector<Run> common(const std::vector<Run>& runs, const Bits& bits);

// Calls touch(one, other) for runs, given in raster order, that lie side by side or above one another.
template <class Touch>
void each_contact(const std::vector<Run>& runs, Touch touch) {
    std::size_t above = 0, row = 0;  // the first run above that may touch, and the first of this row
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const Run& own = runs[i];
        if (own.row != runs[row].row) {
            above = own.row == runs[row].row + 1 ? row : i;
            row = i;
        }
        if (i > row && runs[i - 1].end == own.begin) touch(runs[i - 1], own);
        while (above < row && runs[above].end <= own.begin) ++above;
        for (std::size_t j = above; j < row && runs[j].begin < own.end; ++j) touch(runs[j], own);
    }
}

}  // namespace fastpgs::shapes
