// Exact Euclidean distances (Meijster, Roerdink & Hesselink 2000): along columns first, then the lower
// envelope of each row's parabolas. Squared, the distance of column x to the pixel outside that lies g rows
// from column s is (x - s)^2 + g^2; less x^2, which all have in common, that is a line in x, so the envelope
// is the lower hull of the points (s, s^2 + g^2), which takes no division.
#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <type_traits>

#include "envelopes.hpp"
#include "fastpgs/crew.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/plane_kernels.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

namespace {

constexpr std::ptrdiff_t kHandedOver = std::ptrdiff_t{1} << 17;  // pixels

}  // namespace

Outside::Outside(const Bits& inside) : Outside(inside, {0, 0, inside.rows, inside.cols}) {}

Outside::Outside(const Bits& inside, const Box& box)
    : longer_(std::max(inside.rows, inside.cols)),
      box_(box),
      stride_((box.cols() + kLine - 1) / kLine * kLine),
      g_(static_cast<std::size_t>(box.rows() * stride_)) {
    const Bits outside = inside.outside();
    // Every piece looks at all runs: halves, and only of what takes longer to fill than to be handed over.
    const std::ptrdiff_t lines = stride_ / kLine,
                         worth = std::max(lines / 2, kHandedOver / kLine / (box.rows() + 1) + 1);
    share(lines, worth, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        look(outside, box.left + begin * kLine, std::min(box.left + end * kLine, box.right));
    });
}

// The columns first..last.
void Outside::look(const Bits& outside, std::ptrdiff_t first, std::ptrdiff_t last) {
    const std::ptrdiff_t cols = last - first;
    const auto row_of = [&](std::ptrdiff_t r) {
        return g_.data() + (r - box_.top) * stride_ + first - box_.left;
    };
    const std::vector<std::int32_t> none(static_cast<std::size_t>(cols), kNone);
    const std::int32_t* known = none.data();
    for (std::ptrdiff_t r = box_.top; r < box_.bottom; ++r) {
        std::int32_t* own = row_of(r);
        for (std::ptrdiff_t c = 0; c < cols; ++c) own[c] = known[c] + 1;
        each_run(outside, r, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
            begin = std::max(begin, first) - first;
            end = std::min(end, last) - first;
            if (begin < end) std::fill(own + begin, own + end, 0);
        });
        known = own;
    }
    // One that lies below is a row nearer to the row below.
    for (std::ptrdiff_t r = box_.bottom - 2; r >= box_.top; --r)
        plane_kernels().nearer({row_of(r + 1), static_cast<std::size_t>(cols), row_of(r)});
}

std::int64_t Outside::square(std::ptrdiff_t r, std::ptrdiff_t c) const {
    const std::int32_t* g = row(r) + c;
    const auto of = [](std::int64_t off, std::int64_t height) { return off * off + height * height; };
    std::int64_t best = of(0, g[0]);
    // Columns beyond `best` have nothing nearer; those without a pixel outside are farther than any image is
    // wide.
    const std::ptrdiff_t left = c - box_.left, right = box_.right - 1 - c, both = std::min(left, right);
    std::ptrdiff_t off = 1;
    for (; off <= both && off * off < best; ++off) best = std::min(best, of(off, std::min(g[-off], g[off])));
    for (; off <= left && off * off < best; ++off) best = std::min(best, of(off, g[-off]));
    for (; off <= right && off * off < best; ++off) best = std::min(best, of(off, g[off]));
    const std::int64_t longer = longer_;
    return best >= of(0, kNone) ? longer * longer : best;
}

namespace {

// The box of a mask, with a pixel more on each side where there is one: what is nearest to a pixel of the
// mask and outside lies beside one of it.
Box box_beside(const Bits& bits) {
    Box box{bits.rows, bits.cols, 0, 0};
    std::vector<Word> any(static_cast<std::size_t>(bits.width), 0);
    for (std::ptrdiff_t r = 0; r < bits.rows; ++r) {
        Word some = 0;
        for (std::size_t w = 0; w < any.size(); ++w) {
            const Word own = bits.row(r)[w];
            some |= own;
            any[w] |= own;
        }
        if (some == 0) continue;
        box.top = std::min(box.top, r);
        box.bottom = r + 1;
    }
    for (std::size_t w = 0; w < any.size(); ++w) {
        if (any[w] == 0) continue;
        const auto first = static_cast<std::ptrdiff_t>(w) * Bits::kWord;
        box.left = std::min(box.left, first + lowest(any[w]));
        box.right = first + highest(any[w]) + 1;
    }
    if (box.bottom == 0) return {};
    return {std::max<std::ptrdiff_t>(box.top - 1, 0), std::max<std::ptrdiff_t>(box.left - 1, 0),
            std::min(box.bottom + 1, bits.rows), std::min(box.right + 1, bits.cols)};
}

// The longest run of each part 1..n that has any.
std::vector<const Run*> longest_runs(const Parts& parts) {
    std::vector<const Run*> longest(static_cast<std::size_t>(parts.n) + 1, nullptr);
    for (const Run& run : parts.runs) {
        const Run*& own = longest[static_cast<std::size_t>(run.part)];
        if (own == nullptr || run.end - run.begin > own->end - own->begin) own = &run;
    }
    return longest;
}

}  // namespace

std::vector<Inscribed> inscribed(const Bits& inside, const Parts& parts) {
    std::vector<Inscribed> discs(static_cast<std::size_t>(parts.n) + 1);
    if (parts.runs.empty()) return discs;
    if (inside.count() == inside.rows * inside.cols) {  // nothing is outside
        discs.back().radius = static_cast<double>(std::max(inside.rows, inside.cols));
        return discs;
    }
    // What is nearest to a pixel of a part and outside lies beside one of it.
    const Outside outside(inside, box_of(parts).wider(1, inside.rows, inside.cols));
    const auto look = [&](const Run& run) {
        const std::int32_t* g = outside.row(run.row);
        Inscribed& best = discs[static_cast<std::size_t>(run.part)];
        const std::int32_t left = run.begin > 0 ? run.begin - 1 : -kNone;
        const std::int32_t right = run.end < inside.cols ? run.end : kNone;
        // No pixel is farther from the outside than along its row and its column,
        const auto near = static_cast<std::int32_t>(best.radius);
        const std::int32_t last = std::min(run.end, right - near);
        for (std::int32_t c = std::max(run.begin, left + near + 1); c < last;) {
            if (std::min({c - left, right - c, g[c]}) <= best.radius) {
                ++c;
                continue;
            }
            const double own = std::sqrt(static_cast<double>(outside.square(run.row, c)));
            if (own > best.radius) best = {own, run.row, c};
            // nor than its neighbour is and one more.
            c += static_cast<std::int32_t>(best.radius - own) + 1;
        }
    };
    // The longest run of each part first, then a few rows: few other pixels are then worth looking at.
    for (const Run* run : longest_runs(parts))
        if (run != nullptr) look(*run);
    for (const std::int32_t step : {16, 1})
        for (const Run& run : parts.runs) {
            poll(static_cast<std::size_t>(run.row), 16);
            if (run.row % step == 0) look(run);
        }
    return discs;
}

namespace {

// Whether no pixel outside lies nearer than `radius` to a pixel.
bool holds_disc(const Bits& inside, std::ptrdiff_t row, std::ptrdiff_t col, double radius) {
    auto half = static_cast<std::ptrdiff_t>(std::ceil(radius));
    const auto nearer = [radius](std::ptrdiff_t down, std::ptrdiff_t right) {
        return std::sqrt(static_cast<double>(down * down + right * right)) < radius;
    };
    for (std::ptrdiff_t down = 0; nearer(down, 0); ++down) {
        while (!nearer(down, half)) --half;
        const std::ptrdiff_t begin = std::max<std::ptrdiff_t>(col - half, 0),
                             end = std::min(col + half + 1, inside.cols);
        for (const std::ptrdiff_t r : {row - down, row + down})
            if (r >= 0 && r < inside.rows && inside.count(r, begin, end) < end - begin) return false;
    }
    return true;
}

}  // namespace

Bytes as_wide(const Bits& inside, const Parts& parts, const Bytes& asked, double radius) {
    Bytes out(asked.size());
    // Mostly the middle of its longest run tells of a part that it is.
    const std::vector<const Run*> longest = longest_runs(parts);
    const bool held = radius <= static_cast<double>(std::max(inside.rows, inside.cols));
    for (std::size_t i = 1; held && i < asked.size(); ++i)
        if (asked[i])
            out[i] = holds_disc(inside, longest[i]->row, (longest[i]->begin + longest[i]->end) / 2, radius);
    Parts others{{}, parts.n};
    for (const Run& run : parts.runs)
        if (asked[static_cast<std::size_t>(run.part)] && !out[static_cast<std::size_t>(run.part)])
            others.runs.push_back(run);
    if (others.runs.empty()) return out;
    const std::vector<Inscribed> discs = inscribed(inside, others);
    for (std::size_t i = 1; i < asked.size(); ++i) out[i] = out[i] || (asked[i] && discs[i].radius >= radius);
    return out;
}

Inscribed inscribed(const Bits& inside) {
    Parts all{{}, 1};
    each_run(inside, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
        Run& run = all.runs.emplace_back();
        run.row = static_cast<std::int32_t>(r);
        run.begin = static_cast<std::int32_t>(begin);
        run.end = static_cast<std::int32_t>(end);
        run.part = 1;
    });
    return inscribed(inside, all).back();
}

namespace {

// Squared distances to the outside, in rows that are filled one by one.
template <class Number>
class Rows {
  public:
    // Pixels outside are looked for in the columns of `outside`, a box. `which`: it matters which one is
    // nearest.
    Rows(const Bits& inside, const Outside& outside, const SiteSquares& squares, bool which, Number* out)
        : inside_(inside), outside_(outside), which_(which), out_(out) {
        if (std::is_integral_v<Number> && squares.fits()) {
            sites_.emplace(squares, inside.cols);
        } else {
            squares_.emplace(inside.cols);
            envelope_.emplace(inside.cols);
        }
    }

    // Calls stretch(begin, end, column, row) for stretches of inside pixels and their nearest pixel outside,
    // if it matters which it is, and nothing(begin, end) where there is none; between them lie pixels
    // outside, whose distance is 0.
    template <class Stretch, class Nothing>
    void fill(std::ptrdiff_t r, Stretch stretch, Nothing nothing) {
        poll(static_cast<std::size_t>(r), 16);
        const std::ptrdiff_t cols = inside_.cols;
        const std::int32_t* g = outside_.row(r);
        Number* own = out_ + r * cols;
        std::ptrdiff_t known = 0;  // what lies before
        // A run of inside pixels has its nearest columns within it or beside it.
        each_run(inside_, r, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
            std::fill(own + known, own + begin, Number{0});
            known = end;
            const std::ptrdiff_t first = std::max(begin - 1, outside_.box().left),
                                 last = std::min(end, outside_.box().right - 1);
            const auto tell = [&](std::ptrdiff_t from, std::ptrdiff_t to, std::ptrdiff_t s) {
                const std::ptrdiff_t above = r - g[s];
                const bool up = above >= 0 && !inside_.at(above, s);
                stretch(from, to, s, up ? above : r + g[s]);
            };
            if (!find(g, first, last, begin, end, own, tell)) nothing(begin, end);
        });
        std::fill(own + known, own + cols, Number{0});
    }

  private:
    template <class Tell>
    bool find(const std::int32_t* g, std::ptrdiff_t first, std::ptrdiff_t last, std::ptrdiff_t begin,
              std::ptrdiff_t end, Number* own, Tell tell) {
        if constexpr (std::is_integral_v<Number>)
            if (sites_) return sites_->find(g, first, last, begin, end, own, which_, tell);
        if (!envelope_->fit(g, first, last)) return false;
        envelope_->each_stretch(begin, end, [&](std::ptrdiff_t from, std::ptrdiff_t to, std::ptrdiff_t s) {
            squares_->fill(own, from, to, inside_.cols, s, g[s]);
            if (which_) tell(from, to, s);
        });
        return true;
    }

    const Bits& inside_;
    const Outside& outside_;
    bool which_;
    std::optional<Squares<Number>> squares_;  // one way
    std::optional<Envelope> envelope_;
    std::optional<Sites> sites_;  // or the other
    Number* out_;
};

}  // namespace

namespace {

template <class Number>
void squares_of(const Bits& inside, Number* out, std::ptrdiff_t* index) {
    const std::ptrdiff_t rows = inside.rows, cols = inside.cols;
    const Number longest = Squares<Number>::of(std::max(rows, cols));
    const Outside outside(inside, box_beside(inside));
    const SiteSquares in_row(rows, cols);
    share(rows, rows_worth(cols), [&](std::ptrdiff_t r, std::ptrdiff_t end_row) {
        Rows<Number> filling(inside, outside, in_row, index != nullptr, out);
        for (; r < end_row; ++r) {
            std::ptrdiff_t* at = index ? index + r * cols : nullptr;
            for (std::ptrdiff_t c = 0; index && c < cols; ++c) at[c] = r * cols + c;
            filling.fill(
                r,
                [&](std::ptrdiff_t begin, std::ptrdiff_t end, std::ptrdiff_t col, std::ptrdiff_t row) {
                    std::fill(at + begin, at + end, row * cols + col);
                },
                [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
                    std::fill(out + r * cols + begin, out + r * cols + end, longest);
                    if (index) std::fill(at + begin, at + end, std::ptrdiff_t{-1});
                });
        }
    });
}

}  // namespace

void nearest(const Bits& inside, double* out, std::ptrdiff_t* index) {
    squares_of(inside, out, index);
    for (std::ptrdiff_t i = 0; i < inside.rows * inside.cols; ++i) out[i] = std::sqrt(out[i]);
}

void distance(const Bits& inside, double* out) { nearest(inside, out, nullptr); }

void squares(const Bits& inside, std::int32_t* out) { squares_of(inside, out, nullptr); }

namespace {

// Of the rows r..last, whose squares are filled on the way.
std::vector<Run> stretches_of(const Parts& parts, const std::int32_t* part, Rows<std::int32_t> filling,
                              std::ptrdiff_t cols, std::ptrdiff_t r, std::ptrdiff_t last) {
    std::vector<Run> stretches;
    // The next run of a part.
    auto own = std::lower_bound(parts.runs.begin(), parts.runs.end(), r,
                                [](const Run& run, std::ptrdiff_t row) { return run.row < row; });
    for (; r < last; ++r) {
        const std::size_t before = stretches.size();
        std::int32_t known = 0;
        const auto add = [&](std::ptrdiff_t to, std::int32_t nearest) {
            if (stretches.size() == before || stretches.back().part != nearest) {
                Run& stretch = stretches.emplace_back();
                stretch.row = static_cast<std::int32_t>(r);
                stretch.begin = known;
                stretch.part = nearest;
            }
            stretches.back().end = known = static_cast<std::int32_t>(to);
        };
        const auto pass = [&](std::ptrdiff_t to) {  // what lies before is a run of a part, if anything
            if (known < to) add(to, (own++)->part);
        };
        filling.fill(
            r,
            [&](std::ptrdiff_t begin, std::ptrdiff_t end, std::ptrdiff_t col, std::ptrdiff_t row) {
                pass(begin);
                add(end, part[static_cast<std::size_t>(row * cols + col)]);
            },
            [](std::ptrdiff_t, std::ptrdiff_t) {});
        if (parts.n > 1)
            pass(cols);
        else
            add(cols, 1);
    }
    return stretches;
}

}  // namespace

std::vector<Run> nearest_parts(const Bits& bits, const Parts& parts, std::int32_t* squares) {
    const std::ptrdiff_t rows = bits.rows, cols = bits.cols;
    if (parts.n == 0) throw std::invalid_argument("there must be a part");
    // Numbers of pixels of parts, the others are never asked for.
    Block<std::int32_t> part(static_cast<std::size_t>(parts.n > 1 ? rows * cols : 0));
    if (parts.n > 1)
        for (const Run& run : parts.runs)
            std::fill_n(part.data() + run.row * cols + run.begin, run.end - run.begin, run.part);
    const Bits around = bits.outside();
    const Box columns = box_beside(bits);
    const Outside outside(around, {0, columns.left, rows, columns.right});
    const SiteSquares in_row(rows, cols);
    const auto of_rows = [&](std::ptrdiff_t first, std::ptrdiff_t last) {
        return stretches_of(parts, part.data(),
                            Rows<std::int32_t>(around, outside, in_row, parts.n > 1, squares), cols, first,
                            last);
    };
    std::vector<Run> out;
    for (const std::vector<Run>& stretches : collect(rows, rows_worth(cols), of_rows))
        out.insert(out.end(), stretches.begin(), stretches.end());
    return out;
}

}  // namespace fastpgs::shapes
