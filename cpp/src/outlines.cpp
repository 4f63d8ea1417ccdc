#include "fastpgs/outlines.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <tuple>
#include <utility>

#include "fastpgs/crew.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/plane_kernels.hpp"
#include "fastpgs/stain.hpp"
#include "moments.hpp"
#include "two_means.hpp"

namespace fastpgs::outlines {

namespace {

using shapes::Bits;
using shapes::Box;

constexpr std::int64_t LEAST = 9;   // pixels: fewer tell nothing
constexpr double SCANT = 0.1;       // cytoplasm of less than this share of the nucleus tells nothing
constexpr double NOISE = 1.0;       // variance of a level, squared levels: that of its rounding and more
constexpr double GRAIN = 32.0;      // steps of a colour axis for one level of a feature
constexpr double BLUR = 1.0;        // pixels beside an outline that are of neither side
constexpr double LEAST_SKIN = 1.5;  // pixels on either side that tell how clear an outline is, at least
constexpr double PI = 3.141592653589793;

// Whole numbers of a window's pixels, that rise towards the nucleus.
struct Plane {
    const std::int16_t* first;
    std::ptrdiff_t rows, cols, stride;
    int lowest, highest;  // of the pixels that are asked for

    Histogram histogram(const Bits& of) const {
        Histogram histogram(lowest, highest);
        shapes::each_run(of, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
            histogram.add(first + r * stride + begin, end - begin);
        });
        return histogram;
    }
    double median(const Bits& of) const { return histogram(of).median(); }

    Bits above(double threshold) const {  // a nan none is
        const double least = std::floor(threshold) + 1.0;
        if (!(least <= highest)) return Bits(rows, cols);
        const auto from = static_cast<std::int16_t>(std::max<double>(least, lowest));
        return shapes::where(first, rows, cols, stride, [from](std::int16_t own) { return own >= from; });
    }
};

// What is known of the pixels around one body.
struct Window {
    Plane depth;
    const reach::Away& away;  // of all pixels
    const Box& box;
    const std::uint8_t* features;  // of the first pixel

    Bits within(double limit) const { return away.within(box, limit); }
    const std::uint8_t* colour(std::ptrdiff_t r, std::ptrdiff_t c) const {
        return features + 3 * (r * depth.stride + c);
    }
};

// The rough nucleus without granules or deep cytoplasm, where the cell without its blurred edge clearly has
// two depths.
Bits deeper_part(const Plane& depth, const Bits& inside, const Bits& rough, const Rules& rules) {
    TwoMeans depths;
    if (!two_means(depth.histogram(inside), LEAST, depths)) return rough;
    if (depths.high - depths.low < rules.contrast * depths.high) return rough;
    Bits deep = depth.above(depths.threshold);
    deep = shapes::open_disc(deep &= rough, std::max(1.0, rules.smooth * rules.radius));
    return deep.any() ? deep : rough;
}

// A nucleus's pixels without notches, outgrowths, holes and specks, in place; false where nothing is left.
bool tidy(Bits& nucleus, const Bits& cell, const Rules& rules) {
    Bits next = shapes::close_disc(nucleus, rules.closing * rules.radius);
    next = shapes::open_disc(next &= cell, std::max(1.0, rules.smooth * rules.radius));
    next = shapes::fill_holes(next, rules.rim * static_cast<double>(next.count()));
    const shapes::Parts lobes = shapes::components(next);
    if (lobes.n == 0) return false;
    const auto area = lobes.areas();
    const double least = rules.lobe * static_cast<double>(*std::max_element(area.begin(), area.end()));
    shapes::Bytes keep(area.size());
    for (std::size_t i = 1; i < area.size(); ++i) keep[i] = static_cast<double>(area[i]) >= least;
    nucleus = Bits(next.rows, next.cols);
    lobes.draw(keep, nucleus);
    return true;
}

using Around = std::function<double()>;  // the median depth of what lies around a cell: rarely asked for

// The nucleus grown once more in a plane that rises towards it: its pivot is the median of its members, its
// rival that of the cytoplasm, or what lies around where there is hardly any. False where nothing is left.
// `least` is what a pixel has at least, of the round before in this plane, if any, and of this one.
bool grow_again(const Plane& plane, const Bits& cell, const Around& around, const Rules& rules,
                std::optional<double>& least, Bits& nucleus) {
    double inner = 0.0;
    std::optional<Histogram> counted;
    beside([&] { inner = plane.median(nucleus); },
           [&] {
               Bits beyond = cell;
               counted = plane.histogram(beyond.subtract(shapes::grown(nucleus)));
           });
    const Histogram& cytoplasm = *counted;
    const bool scant = static_cast<double>(cytoplasm.size()) <= SCANT * static_cast<double>(nucleus.count());
    const double outer = scant ? around() : cytoplasm.median();
    const double threshold = outer + rules.edge * (inner - outer);
    if (least && *least == std::floor(threshold)) return true;  // it would be the same
    least = std::floor(threshold);
    Bits next = plane.above(threshold);
    if (!tidy(next &= cell, cell, rules)) return false;
    nucleus = next;
    return true;
}

// The axis of colour that tells a nucleus from its own cytoplasm.
struct Axis {
    std::vector<std::int16_t> values;  // of the cell's pixels; they rise towards the nucleus
    int lowest = 0, highest = 0;
    double spread = 0;  // standard deviation within nucleus and cytoplasm

    Plane plane(const Bits& cell) const {
        return {values.data(), cell.rows, cell.cols, cell.cols, lowest, highest};
    }
};

// Where the cell's pixels of the rows first..last lie along an axis; the least and the greatest of them and
// 0.
std::pair<int, int> values_along(const colour::Vector& axis, const Window& window, const Bits& cell,
                                 std::ptrdiff_t first, std::ptrdiff_t last,
                                 std::vector<std::int16_t>& values) {
    std::vector<double> line(static_cast<std::size_t>(cell.cols));
    LinearArgs<double> along{
        nullptr, 0, {axis[0], axis[1], axis[2]}, 0.0, std::numeric_limits<double>::infinity(), line.data()};
    std::int16_t least = 0, most = 0;
    // Beside such a number there are no fractions.
    const auto rounded = [](double value) {
        constexpr double kWhole = 6755399441055744.0;  // 1.5 * 2^52
        return static_cast<std::int16_t>(static_cast<std::int32_t>((value + kWhole) - kWhole));
    };
    for (std::ptrdiff_t r = first; r < last; ++r)
        shapes::each_run(cell, r, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
            along.triples = window.colour(r, begin);
            along.n = static_cast<std::size_t>(end - begin);
            linear(along);
            std::int16_t* to = values.data() + r * cell.cols + begin;
            for (std::size_t i = 0; i < along.n; ++i) to[i] = rounded(line[i]);
            for (std::size_t i = 0; i < along.n; ++i) {
                least = std::min(least, to[i]);
                most = std::max(most, to[i]);
            }
        });
    return {least, most};
}

// Fisher's discriminant (doi:10.1111/j.1469-1809.1936.tb02137.x) of nucleus and cytoplasm, its spread made
// rounder by as much as it is wide, because two regions of one cell are a small sample. False where there is
// hardly any cytoplasm.
bool colour_axis(const Window& window, const Bits& cell, const Bits& inside, const Bits& nucleus,
                 Axis& found) {
    colour::Moments own, rest;
    const auto add = [&](const Bits& of, colour::Moments& to) {
        shapes::each_run(of, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
            to.add(window.colour(r, begin), static_cast<std::size_t>(end - begin));
        });
    };
    beside([&] { add(nucleus, own); },
           [&] {
               Bits beyond = inside;
               add(beyond.subtract(shapes::grown(nucleus)), rest);
           });
    if (own.number < LEAST || rest.number < LEAST ||
        static_cast<double>(rest.number) <= SCANT * static_cast<double>(own.number))
        return false;
    colour::Matrix spread = own.scatter();
    const colour::Matrix other = rest.scatter();
    for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 3; ++j)
            spread[i][j] = (spread[i][j] + other[i][j]) / static_cast<double>(own.number + rest.number);
    const double width = (spread[0][0] + spread[1][1] + spread[2][2]) / 3.0 + NOISE;
    colour::Matrix rounder = spread;
    for (std::size_t i = 0; i < 3; ++i) rounder[i][i] += width;
    const colour::Vector here = own.mean(), there = rest.mean();
    colour::Vector axis =
        colour::times(colour::inverse(rounder), {here[0] - there[0], here[1] - there[1], here[2] - there[2]});
    const double length = std::abs(axis[0]) + std::abs(axis[1]) + std::abs(axis[2]);
    if (!(length > 0.0)) return false;
    for (double& part : axis) part *= GRAIN / length;
    found.spread = std::sqrt(std::max(colour::dot(axis, colour::times(spread, axis)), 0.0));
    found.values.assign(static_cast<std::size_t>(cell.rows * cell.cols), 0);
    const auto of_rows = [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        return values_along(axis, window, cell, begin, end, found.values);
    };
    // Beside the cell values are 0, and holes of a nucleus that were filled may lie there.
    found.lowest = found.highest = 0;
    for (const auto& [least, most] : collect(cell.rows, 2 * rows_worth(cell.cols), of_rows)) {
        found.lowest = std::min(found.lowest, least);
        found.highest = std::max(found.highest, most);
    }
    return true;
}

// Whether what lies along a nucleus's outline, on either side of its blur, differs by less than `rules.vague`
// spreads of nucleus and cytoplasm. Where hardly any cytoplasm lies along it nothing can be said.
bool vague(const Axis& axis, const Bits& cell, const Bits& inside, const Bits& nucleus, const Rules& rules) {
    const double radius = std::sqrt(static_cast<double>(nucleus.count()) / PI);
    const double width = std::max(LEAST_SKIN, rules.skin * radius) + BLUR;
    const Plane plane = axis.plane(cell);
    double within = 0.0;
    std::optional<Histogram> counted;
    beside(
        [&] {
            Bits inner = nucleus;
            within = plane.median(inner.subtract(shapes::erode_disc(nucleus, width)));
        },
        [&] {
            Bits outer = shapes::erode_disc(nucleus.outside(), width).outside();
            counted = plane.histogram((outer &= inside).subtract(shapes::grown(nucleus)));
        });
    return counted->size() >= LEAST && within - counted->median() < rules.vague * axis.spread;
}

// Granules or cytoplasm nearly as deep as a nucleus may have been taken for its members, and then its pivot
// lies between the two. So a nucleus that is vaguely told grows anew from the half of it that lies farther
// along the axis, and stays so if it keeps the greater part of its pixels: a dark rim does not.
void try_half(const Window& window, const Bits& cell, const Bits& inside, const Around& around,
              const Rules& rules, Axis& axis, Bits& nucleus) {
    TwoMeans means;
    const Plane plane = axis.plane(cell);
    if (!two_means(plane.histogram(nucleus), LEAST, means)) return;
    Bits half = plane.above(means.threshold);
    half = shapes::open_disc(half &= nucleus, std::max(1.0, rules.smooth * rules.radius));
    for (int round = 0; round < 2; ++round) {
        std::optional<double> least;
        if (!colour_axis(window, cell, inside, half, axis) ||
            !grow_again(axis.plane(cell), cell, around, rules, least, half))
            return;
    }
    Bits kept = half;
    if (2 * (kept &= nucleus).count() >= nucleus.count()) nucleus = half;
}

// The nucleus of one cell, grown within thresholds of its own, first of depth, then of the colour that tells
// it from the cell's own cytoplasm.
Bits nucleus_of(const Window& window, const Bits& cell, const Bits& rough, const Around& around,
                const Rules& rules) {
    const Bits inside = shapes::erode_disc(cell, rules.skin * rules.radius);
    Bits nucleus = deeper_part(window.depth, inside, rough, rules);
    Axis axis;
    std::optional<double> of_depth, along_axis;
    if (grow_again(window.depth, cell, around, rules, of_depth, nucleus) &&
        grow_again(window.depth, cell, around, rules, of_depth, nucleus) &&
        colour_axis(window, cell, inside, nucleus, axis) &&
        grow_again(axis.plane(cell), cell, around, rules, along_axis, nucleus) &&
        vague(axis, cell, inside, nucleus, rules))
        try_half(window, cell, inside, around, rules, axis, nucleus);
    return nucleus;
}

// The cell as far from its nucleus as its outline stays nearly convex, without holes.
Bits compact(const Window& window, const Bits& body, const Bits& rough, const Rules& rules) {
    Bits cell = body;
    for (const double limit : rules.reaches) {
        Bits filled = shapes::fill_holes(cell, rules.vacuole);
        if (shapes::solidity(filled) >= rules.solid) return filled;
        Bits part = window.within(limit);
        part = shapes::open_disc((part &= body) |= rough, rules.opening);
        cell = shapes::touching(part |= rough, rough);
    }
    return shapes::fill_holes(cell, rules.vacuole);
}

// A cell's outline as smooth as one draws it: notches and outgrowths narrower than twice a radius are closed
// and cut. The closing may take the pixels of `may` alone, and no nucleus is cut.
Bits smooth_outline(const Bits& cell, const Bits& may, const Bits& rough, double radius) {
    // Room for the disc, lest what lies beyond the box counts as closed.
    const auto room = static_cast<std::ptrdiff_t>(std::ceil(radius)) + 1;
    Bits wide(cell.rows + 2 * room, cell.cols + 2 * room), smooth(cell.rows, cell.cols);
    shapes::each_run(cell, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
        wide.set(r + room, begin + room, end + room);
    });
    wide = shapes::close_disc(wide, radius);
    for (std::ptrdiff_t r = 0; r < cell.rows; ++r)
        shapes::each_run(wide, r + room, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
            smooth.set(r, std::max<std::ptrdiff_t>(begin - room, 0), std::min(end - room, cell.cols));
        });
    (smooth &= may) |= cell;
    Bits nucleus = rough;
    Bits opened = shapes::open_disc(smooth, radius);
    return shapes::touching(opened |= nucleus &= smooth, rough);
}

// The median steepness of depth, levels a pixel, along the outline of a cell where that is `free` beyond.
double steepness(const Field& field, const Box& box, const Bits& cell, const Bits& free) {
    Bits beyond = free, rim = cell;
    rim &= shapes::grown(beyond.subtract(cell));
    const auto at = [&](std::ptrdiff_t r, std::ptrdiff_t c) {
        return std::int32_t{field.depth[std::clamp<std::ptrdiff_t>(r, 0, field.rows - 1) * field.cols +
                                        std::clamp<std::ptrdiff_t>(c, 0, field.cols - 1)]};
    };
    std::vector<std::int32_t> squares;
    shapes::each_run(rim, [&](std::ptrdiff_t row, std::ptrdiff_t begin, std::ptrdiff_t end) {
        const std::ptrdiff_t r = box.top + row;
        for (std::ptrdiff_t c = box.left + begin; c < box.left + end; ++c) {
            const std::int32_t down = at(r + 1, c) - at(r - 1, c), right = at(r, c + 1) - at(r, c - 1);
            squares.push_back(down * down + right * right);
        }
    });
    if (static_cast<std::int64_t>(squares.size()) < LEAST) return std::numeric_limits<double>::quiet_NaN();
    const auto middle = squares.begin() + static_cast<std::ptrdiff_t>(squares.size() / 2);
    std::nth_element(squares.begin(), middle, squares.end());
    return std::sqrt(static_cast<double>(*middle)) / 2.0;
}

// The median of a measure of cells, each weighing as much as its nucleus is large; 0 where there is none.
double typical(const std::vector<Drawn>& drawn, double Drawn::* measure) {
    std::vector<std::pair<double, std::int64_t>> known;
    std::int64_t sum = 0, seen = 0;
    for (const Drawn& own : drawn) {
        if (std::isnan(own.*measure)) continue;
        known.emplace_back(own.*measure, own.nucleus.count());
        sum += known.back().second;
    }
    std::stable_sort(known.begin(), known.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [value, area] : known)
        if (2 * (seen += area) >= sum) return value;
    return 0.0;
}

// The outline and nucleus of one body; false where hardly a nucleus is left.
bool outline(const Field& field, std::int32_t own, const Rules& rules, Drawn& drawn) {
    Box& box = drawn.box;
    // A margin, so that a cell's own edge is not taken for the frame.
    box = box.wider(MARGIN, field.rows, field.cols);
    const std::ptrdiff_t first = box.top * field.cols + box.left;
    const Window window{
        {field.depth + first, box.rows(), box.cols(), field.cols, stain::LEAST_DEPTH, stain::MOST_DEPTH},
        field.away,
        box,
        field.features + 3 * first};
    Bits body(box.rows(), box.cols()), taken = body;
    for (auto run = shapes::first_in(field.bodies.runs, box.top);
         run != field.bodies.runs.end() && run->row < box.bottom; ++run) {
        const std::ptrdiff_t begin = std::max<std::ptrdiff_t>(run->begin - box.left, 0),
                             end = std::min(run->end - box.left, box.cols());
        taken.set(run->row - box.top, begin, end);
        if (run->part == own) body.set(run->row - box.top, begin, end);
    }
    const Bits free = taken.outside();
    Bits may = free;
    may |= body;
    Bits rough = shapes::cropped(field.nuclei, box.top, box.left, box.rows(), box.cols());
    rough &= body;
    Bits& cell = drawn.cell;
    cell = compact(window, body, rough, rules);
    if (rules.solid > 0) {
        shapes::Inscribed disc = shapes::inscribed(cell);
        Bits whole = shapes::touching(shapes::cut_tongues(cell, rough, rules.tongue, disc), rough);
        if (whole.words != cell.words) disc = shapes::inscribed(whole);
        cell = smooth_outline(whole, may, rough, rules.outline * disc.radius);
    }
    cell &= may;
    const auto around = [&] {
        Bits beside = free;
        const double median = window.depth.median(beside.subtract(cell));
        return std::isnan(median) ? 0.0 : median;
    };
    Aside rising([&] { drawn.edge = steepness(field, box, cell, may); });
    drawn.nucleus = nucleus_of(window, cell, rough, around, rules);
    if (drawn.nucleus.count() < LEAST) return false;
    drawn.inner = window.depth.median(drawn.nucleus);
    rising.finish();
    return true;
}

// Runs of bits that lie in boxes, with the numbers of these.
template <class BitsOf>
std::vector<shapes::Run> runs_in_order(const std::vector<Drawn>& cells, BitsOf bits_of) {
    std::vector<shapes::Run> runs;
    std::int32_t number = 0;
    for (const Drawn& own : cells) {
        ++number;
        shapes::each_run(bits_of(own), [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
            runs.push_back({static_cast<std::int32_t>(own.box.top + r),
                            static_cast<std::int32_t>(own.box.left + begin),
                            static_cast<std::int32_t>(own.box.left + end), number});
        });
    }
    if (number > 1)
        std::sort(runs.begin(), runs.end(), [](const shapes::Run& a, const shapes::Run& b) {
            return std::tie(a.row, a.begin) < std::tie(b.row, b.begin);
        });
    return runs;
}

}  // namespace

void Drawing::write(Bits Drawn::* part, std::ptrdiff_t cols, std::int32_t* out) const {
    std::int32_t number = 0;
    for (const Drawn& own : cells) {
        ++number;
        std::int32_t* first = out + own.box.top * cols + own.box.left;
        shapes::each_run(own.*part, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
            std::fill_n(first + r * cols + begin, end - begin, number);
        });
    }
}

bool Drawing::apart() const {
    for (auto one = cells.begin(); one != cells.end(); ++one)
        for (auto other = cells.begin(); other != one; ++other)
            if (one->box.top < other->box.bottom && other->box.top < one->box.bottom &&
                one->box.left < other->box.right && other->box.left < one->box.right)
                return false;
    return true;
}

std::vector<shapes::Run> Drawing::runs() const {
    return runs_in_order(cells, [](const Drawn& own) -> const Bits& { return own.cell; });
}

std::vector<shapes::Run> Drawing::nuclear_runs() const {
    return runs_in_order(cells, [](const Drawn& own) {
        Bits inner = own.nucleus;
        return inner &= own.cell;
    });
}

Drawing draw(const Field& field, const Rules& rules) {
    const std::vector<Box> boxes = shapes::boxes_of(field.bodies);
    const auto drawn_of = [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        std::vector<Drawn> some;
        for (std::ptrdiff_t i = begin; i < end; ++i) {
            const auto own = static_cast<std::int32_t>(i + 1);
            Drawn next{boxes[static_cast<std::size_t>(own)], {}, {}, 0, 0};
            if (next.box.bottom == 0) continue;
            poll();
            if (outline(field, own, rules, next)) some.push_back(std::move(next));
        }
        return some;
    };
    Drawing out;
    std::vector<Drawn>& drawn = out.cells;
    for (auto& some : collect(field.bodies.n, 1, drawn_of))
        drawn.insert(drawn.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
    const Typical typical_of =
        rules.typical ? *rules.typical : Typical{typical(drawn, &Drawn::inner), typical(drawn, &Drawn::edge)};
    // Clots are far paler than nuclei. Burst cells are paler too, if less, and fade into what lies around.
    const auto no_cell = [&](const Drawn& own) {
        return !(own.inner >= rules.faintest * typical_of.depth) ||
               (own.inner < rules.pale * typical_of.depth && own.edge < rules.blurred * typical_of.edge);
    };
    drawn.erase(std::remove_if(drawn.begin(), drawn.end(), no_cell), drawn.end());
    out.typical = typical_of;
    return out;
}

}  // namespace fastpgs::outlines
