// How far the pixels of an image lie from its nuclei, and how large those are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "fastpgs/block.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::reach {

// Radii of the nuclei 1..n in pixels; entry 0 is 0.
struct Radii {
    std::vector<double> part;  // of each connected part
    std::vector<double>
        whole;  // of the lobed nucleus it belongs to: lobes lie within one and a half of their radii
};

// How far each pixel lies from the nearest nucleus: the squared distance in pixels, and which nucleus it is.
class Nearest {
  public:
    Nearest() = default;
    // Of the components of a mask; there must be one.
    Nearest(const shapes::Bits& nuclei, const shapes::Parts& parts);
    // Distances to a single nucleus that are known.
    Nearest(const std::int32_t* squares, std::ptrdiff_t rows, std::ptrdiff_t cols);

    // Stretches of each row with one nearest nucleus, in raster order.
    const std::vector<shapes::Run>& stretches() const { return stretches_; }
    shapes::Box box() const { return {0, 0, static_cast<std::ptrdiff_t>(first_.size()) - 1, cols_}; }

    // The pixels of a box whose squared distance is at most most[nucleus]; of rows that `among`, as large as
    // the box, has no pixel of, if given, nothing is told.
    shapes::Bits at_most(const std::vector<std::int32_t>& most, const shapes::Box& box,
                         const shapes::Bits* among) const;
    // Calls visit(from, to, nucleus, squared distances) for stretches of the pixels begin..end of a row.
    template <class Visit>
    void each_stretch(std::ptrdiff_t row, std::ptrdiff_t begin, std::ptrdiff_t end, Visit visit) const {
        const auto r = static_cast<std::size_t>(row);
        for (std::size_t i = first_[r]; i < first_[r + 1]; ++i) {
            const std::ptrdiff_t from = std::max<std::ptrdiff_t>(begin, stretches_[i].begin),
                                 to = std::min<std::ptrdiff_t>(end, stretches_[i].end);
            if (from < to) visit(from, to, stretches_[i].part, squares_.data() + row * cols_ + from);
        }
    }

  private:
    void rows_at_most(const std::vector<std::int32_t>& most, const shapes::Box& box,
                      const shapes::Bits* among, std::ptrdiff_t r, std::ptrdiff_t last,
                      shapes::Bits& out) const;

    std::ptrdiff_t cols_ = 0;
    Block<std::int32_t> squares_;
    std::vector<shapes::Run> stretches_;
    std::vector<std::size_t> first_;  // stretch of each row; and their number
};

// The same in radii of the whole of the nucleus (at least 1 pixel). What is asked is mostly whether that is
// more than some limit, which squares tell without a root and a division.
class Away {
  public:
    Away() = default;
    Away(Nearest nearest, const std::vector<double>& whole);

    // The pixels of a mask that are nearer than a limit, or farther.
    shapes::Bits below(const shapes::Bits& among, double limit) const;
    shapes::Bits above(const shapes::Bits& among, double limit) const;
    // Those that are nearer than so many radii of the nearest part, whatever else belongs to its nucleus.
    shapes::Bits beside(const shapes::Bits& among, const std::vector<double>& radius, double limit) const;
    // The pixels of a box that are no farther.
    shapes::Bits within(const shapes::Box& box, double limit) const;

    // Of the pixels begin..end of a row.
    void distances(std::ptrdiff_t row, std::ptrdiff_t begin, std::ptrdiff_t end, double* out) const;
    // Calls visit(from, to, radius, squares in pixels) for stretches of them that have one radius.
    template <class Visit>
    void each_stretch(std::ptrdiff_t row, std::ptrdiff_t begin, std::ptrdiff_t end, Visit visit) const {
        nearest_.each_stretch(
            row, begin, end,
            [&](std::ptrdiff_t from, std::ptrdiff_t to, std::int32_t nucleus, const std::int32_t* squares) {
                visit(from, to, radius_[static_cast<std::size_t>(nucleus)], squares);
            });
    }

  private:
    std::vector<std::int32_t> squares_within(double limit, bool less) const;

    Nearest nearest_;
    std::vector<double> radius_;
};

struct Reach {
    Away away;
    Radii radii;
};

// There must be a nucleus. `near`: lobes are looked for among the next neighbours and theirs only; in a
// window of a crowded slide, chains of neighbours end where the window does.
Reach measure(const shapes::Bits& nuclei, bool near);

}  // namespace fastpgs::reach
