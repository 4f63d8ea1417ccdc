// What is nearest in a row: the lower envelope of parabolas, and how distances along a row are squared.
// Included by distance.cpp, which tells of the method.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "fastpgs/plane_kernels.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

constexpr std::int32_t kNone = 1 << 29;  // from here on there is no pixel outside in a column

// The columns of a row that have a pixel outside and are nearest somewhere.
class Envelope {
  public:
    explicit Envelope(std::ptrdiff_t cols)
        : corners_(static_cast<std::size_t>((cols + Bits::kWord - 1) / Bits::kWord)),
          site_(static_cast<std::size_t>(cols)),
          height_(static_cast<std::size_t>(cols)) {}

    // Of the columns `first` to `last`; false where none has a pixel outside.
    bool fit(const std::int32_t* g, std::ptrdiff_t first, std::ptrdiff_t last) {
        n_ = 0;
        add(g, static_cast<std::int32_t>(first));
        if (last == first) return n_ > 0;
        // A corner of the hull lies below its neighbours' chord; many columns do not.
        const std::ptrdiff_t between = last - first - 1;
        plane_kernels().corners({g + first + 1, static_cast<std::size_t>(between), corners_.data()});
        for (std::ptrdiff_t from = 0; from < between; from += Bits::kWord)
            for (Word word = corners_[static_cast<std::size_t>(from / Bits::kWord)]; word != 0;
                 word &= word - 1)
                add(g, static_cast<std::int32_t>(first + 1 + from + lowest(word)));
        add(g, static_cast<std::int32_t>(last));
        return n_ > 0;
    }

    // Calls visit(begin, end, nearest column) for stretches of the columns begin..end; of several columns
    // equally near, the first counts.
    template <class Visit>
    void each_stretch(std::ptrdiff_t begin, std::ptrdiff_t end, Visit visit) const {
        const std::int32_t* site = site_.data();
        const std::int64_t* height = height_.data();
        std::ptrdiff_t from = begin;
        for (std::ptrdiff_t i = 0; i < n_ && from < end; ++i) {
            std::ptrdiff_t to = end;
            if (i + 1 < n_) {
                // The next column is nearer from where 2 x (next - own) exceeds the difference of their
                // heights.
                const std::int64_t rise = height[i + 1] - height[i];
                const std::int64_t run = site[i + 1] - site[i];
                to = std::min<std::ptrdiff_t>(end, floor_half(rise, run) + 1);
            }
            if (to <= from) continue;
            visit(from, to, static_cast<std::ptrdiff_t>(site[i]));
            from = to;
        }
    }

  private:
    // Of rise / (2 run), for run > 0, both far below 2^53: a division of doubles takes less time, and mostly
    // none is needed.
    static std::int64_t floor_half(std::int64_t rise, std::int64_t run) {
        if (run == 1) return (rise - (rise & 1)) / 2;
        run *= 2;
        const auto quotient = static_cast<std::int64_t>(static_cast<double>(rise) / static_cast<double>(run));
        return quotient - (quotient * run > rise);
    }

    void add(const std::int32_t* g, std::int32_t s) {
        if (g[s] >= kNone) return;
        std::int32_t* site = site_.data();
        std::int64_t* height = height_.data();
        const std::int64_t own = static_cast<std::int64_t>(s) * s + static_cast<std::int64_t>(g[s]) * g[s];
        while (n_ >= 2) {
            const std::int64_t top = site[n_ - 1], under = site[n_ - 2];
            if ((own - height[n_ - 1]) * (top - under) > (height[n_ - 1] - height[n_ - 2]) * (s - top)) break;
            --n_;
        }
        site[n_] = s;
        height[n_++] = own;
    }

    std::vector<Word> corners_;  // columns below their neighbours' chord
    std::vector<std::int32_t> site_;
    std::vector<std::int64_t> height_;  // of sites
    std::ptrdiff_t n_ = 0;
};

// Where a squared distance and a column fit one whole number, as they do in pictures of 720 x 720 pixels: the
// squares of distances along a row, as such numbers.
class SiteSquares {
  public:
    static constexpr std::int64_t kLimit = std::int64_t{1} << 30;
    static constexpr std::ptrdiff_t kMargin = 16;

    SiteSquares(std::ptrdiff_t rows, std::ptrdiff_t cols) {
        while (std::int64_t{1} << bits_ < cols) ++bits_;
        fits_ = (rows * rows + cols * cols) << bits_ < kLimit;
        if (!fits_) return;
        middle_ = cols + kMargin;
        squares_.reserve(static_cast<std::size_t>(2 * middle_ + 1));
        for (std::int64_t side = -middle_; side <= middle_; ++side)
            squares_.push_back(
                static_cast<std::int32_t>(std::min<std::int64_t>(side * side << bits_, kLimit - 1)));
    }

    // Whether the picture is small enough.
    bool fits() const { return fits_; }
    int bits() const { return bits_; }
    const std::int32_t* middle() const { return squares_.data() + middle_; }

  private:
    int bits_ = 0;
    bool fits_ = false;
    std::ptrdiff_t middle_ = 0;
    std::vector<std::int32_t> squares_;
};

// The same as an envelope by these: of all columns at once.
class Sites {
  public:
    Sites(const SiteSquares& squares, std::ptrdiff_t cols)
        : squares_(squares),
          bits_(squares.bits()),
          room_(static_cast<std::size_t>(2 * cols + 2 * SiteSquares::kMargin)),
          keys_(static_cast<std::size_t>(cols + SiteSquares::kMargin)),
          column_(keys_.size()),
          same_(static_cast<std::size_t>(cols / Bits::kWord + 1)) {}

    // Squared distances of the columns begin..end of a row from sites in the columns `first` to `last`; false
    // where there is none. If one wants to know, calls visit(begin, end, nearest column) as above.
    template <class Visit>
    bool find(const std::int32_t* g, std::ptrdiff_t first, std::ptrdiff_t last, std::ptrdiff_t begin,
              std::ptrdiff_t end, std::int32_t* row, bool wanted, Visit visit) {
        const auto n = static_cast<std::size_t>(end - begin);
        plane_kernels().nearest_sites({g + first, kNone, static_cast<std::size_t>(last - first + 1), bits_,
                                       squares_.middle(), begin - first, end - first, room_.data(),
                                       keys_.data(), row + begin});
        const std::int32_t* key = keys_.data();
        if (*key >= SiteSquares::kLimit) return false;
        if (!wanted) return true;
        const std::int32_t mask = (1 << bits_) - 1;
        std::int32_t* column = column_.data();
        for (std::size_t i = 0; i < n; ++i) column[i] = key[i] & mask;
        at_most(AtMostArgs{column + 1, column, n - 1, same_.data()});
        std::size_t from = 0;
        const auto stretch = [&](std::size_t to) {
            visit(begin + static_cast<std::ptrdiff_t>(from), begin + static_cast<std::ptrdiff_t>(to),
                  first + column[from]);
            from = to;
        };
        for (std::size_t at = 0; at + 1 < n; at += Bits::kWord) {
            Word changes = ~same_[at / Bits::kWord];
            if (n - 1 - at < Bits::kWord) changes &= (Word{1} << (n - 1 - at)) - 1;
            for (; changes != 0; changes &= changes - 1)
                stretch(at + static_cast<std::size_t>(lowest(changes)) + 1);
        }
        stretch(n);
        return true;
    }

  private:
    const SiteSquares& squares_;
    int bits_;
    std::vector<std::int32_t> room_, keys_, column_;
    std::vector<Word> same_;
};

// Squares of whole numbers less than `cols` in magnitude.
template <class Number>
class Squares {
  public:
    explicit Squares(std::ptrdiff_t cols) : cols_(cols), square_(static_cast<std::size_t>(2 * cols + kStep)) {
        for (std::size_t i = 0; i < square_.size(); ++i)
            square_[i] = of(static_cast<std::int64_t>(i) - static_cast<std::int64_t>(cols));
    }

    // Of a distance along a row or column.
    static Number of(std::int64_t side) {
        if constexpr (std::is_integral_v<Number>)
            return static_cast<Number>(std::min<std::int64_t>(side * side, kFarthest / 2));
        else
            return static_cast<Number>(side) * static_cast<Number>(side);
    }

    // Squared distances of the columns begin..end of a row whose nearest column is s, g rows away. Most
    // stretches are short: steps of one width, which may write as far as `room`, take less time.
    void fill(Number* row, std::ptrdiff_t begin, std::ptrdiff_t end, std::ptrdiff_t room, std::ptrdiff_t s,
              std::int32_t g) const {
        const Number height = of(g);
        const Number* square = square_.data() + cols_ - s;
        std::ptrdiff_t x = begin;
        for (; x < end && x + kStep <= room; x += kStep)
            for (std::ptrdiff_t i = x; i < x + kStep; ++i) row[i] = square[i] + height;
        for (; x < end; ++x) row[x] = square[x] + height;
    }

  private:
    static constexpr std::ptrdiff_t kStep = 8;

    std::ptrdiff_t cols_;
    std::vector<Number> square_;
};

}  // namespace fastpgs::shapes
