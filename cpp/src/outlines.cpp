#include "fastpgs/outlines.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "fastpgs/interrupt.hpp"
#include "moments.hpp"

namespace fastpgs::outlines {

namespace {

using shapes::Box;
using shapes::Bytes;
using shapes::Mask;

constexpr std::int64_t LEAST = 9;  // pixels: fewer tell nothing
constexpr double SCANT = 0.1;      // cytoplasm of less than this share of the nucleus tells nothing
constexpr double NOISE = 1.0;      // variance of a level, squared levels: that of its rounding and more
constexpr double GRAIN = 32.0;     // steps of a colour axis for one level of a feature

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

// Median of the depths where `where` holds; a nan where it holds nowhere. The values are reordered.
double median(std::vector<std::int16_t>& values) {
    if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    if (values.size() % 2) return *middle;
    return (static_cast<double>(*std::max_element(values.begin(), middle)) + static_cast<double>(*middle)) /
           2.0;
}

double median_where(const std::int16_t* depth, const std::uint8_t* where, std::ptrdiff_t size,
                    std::vector<std::int16_t>& room) {
    room.clear();
    for (std::ptrdiff_t i = 0; i < size; ++i)
        if (where[i]) room.push_back(depth[i]);
    return median(room);
}

// One pixel more on the four sides.
void grow(Mask mask, Bytes& out) {
    out.assign(mask.data, mask.data + mask.size());
    for (std::ptrdiff_t r = 0; r < mask.rows; ++r)
        for (std::ptrdiff_t c = 0; c < mask.cols; ++c) {
            const std::ptrdiff_t i = r * mask.cols + c;
            if (!mask.data[i]) continue;
            if (r > 0) out[z(i - mask.cols)] = 1;
            if (c > 0) out[z(i - 1)] = 1;
            if (c + 1 < mask.cols) out[z(i + 1)] = 1;
            if (r + 1 < mask.rows) out[z(i + mask.cols)] = 1;
        }
}

// The rough nucleus without granules or deep cytoplasm, where the cell clearly has two depths: two means
// (Ridler & Calvard 1978, doi:10.1109/TSMC.1978.4310039) of the cell without its blurred edge.
void deeper_part(const std::int16_t* depth, Mask cell, Bytes inside, const std::uint8_t* rough,
                 const Rules& rules, Bytes& out) {
    const std::ptrdiff_t size = cell.size();
    out.assign(rough, rough + size);
    std::int64_t number = 0, total = 0;
    for (std::ptrdiff_t i = 0; i < size; ++i)
        if (inside[z(i)]) {
            ++number;
            total += depth[i];
        }
    if (number < LEAST) return;
    double threshold = static_cast<double>(total) / static_cast<double>(number), high = 0, low = 0;
    for (int round = 0; round < 20; ++round) {
        std::int64_t above = 0, sum = 0;
        for (std::ptrdiff_t i = 0; i < size; ++i)
            if (inside[z(i)] && depth[i] > threshold) {
                ++above;
                sum += depth[i];
            }
        if (above == number || above == 0) return;
        high = static_cast<double>(sum) / static_cast<double>(above);
        low = static_cast<double>(total - sum) / static_cast<double>(number - above);
        const double middle = (high + low) / 2.0;
        if (std::abs(middle - threshold) < 0.5) break;
        threshold = middle;
    }
    if (high - low < rules.contrast * high) return;
    Bytes deep(z(size));
    for (std::ptrdiff_t i = 0; i < size; ++i) inside[z(i)] = rough[i] && depth[i] > threshold;
    shapes::open_disc({inside.data(), cell.rows, cell.cols}, std::max(1.0, rules.smooth * rules.radius),
                      deep.data());
    if (shapes::count({deep.data(), cell.rows, cell.cols}) > 0) out.swap(deep);
}

// A nucleus's pixels without notches, outgrowths, holes and specks, in place; false where nothing is left.
bool tidy(Bytes& nucleus, Mask cell, const Rules& rules) {
    const std::ptrdiff_t size = cell.size(), rows = cell.rows, cols = cell.cols;
    Bytes other(z(size)), opened(z(size));
    std::vector<std::int32_t> parts(z(size));
    shapes::close_disc({nucleus.data(), rows, cols}, rules.closing * rules.radius, other.data());
    for (std::ptrdiff_t i = 0; i < size; ++i) other[z(i)] = other[z(i)] && cell.data[i];
    shapes::open_disc({other.data(), rows, cols}, std::max(1.0, rules.smooth * rules.radius), opened.data());
    const double hole = rules.rim * static_cast<double>(shapes::count({opened.data(), rows, cols}));
    shapes::fill_holes({opened.data(), rows, cols}, hole, other.data());
    const std::int32_t n = shapes::label({other.data(), rows, cols}, parts.data());
    if (n == 0) return false;
    auto area = shapes::areas(parts.data(), size, n);
    area[0] = 0;
    const double least = rules.lobe * static_cast<double>(*std::max_element(area.begin(), area.end()));
    for (std::ptrdiff_t i = 0; i < size; ++i)
        nucleus[z(i)] = static_cast<double>(area[static_cast<std::size_t>(parts[z(i)])]) >= least;
    return true;
}

// The nucleus grown once more in a plane that rises towards it: its pivot is the median of its members, its
// rival that of the cytoplasm, or what lies around where there is hardly any. False where nothing is left.
bool grow_again(const std::int16_t* plane, Mask cell, double around, const Rules& rules, Bytes& nucleus) {
    const std::ptrdiff_t size = cell.size();
    std::vector<std::int16_t> room;
    Bytes grown;
    const double inner = median_where(plane, nucleus.data(), size, room);
    grow({nucleus.data(), cell.rows, cell.cols}, grown);
    room.clear();
    for (std::ptrdiff_t i = 0; i < size; ++i)
        if (cell.data[i] && !grown[z(i)]) room.push_back(plane[i]);
    const double members = static_cast<double>(shapes::count({nucleus.data(), cell.rows, cell.cols}));
    const bool scant = static_cast<double>(room.size()) <= SCANT * members;
    const double outer = scant ? around : median(room);
    const double threshold = outer + rules.edge * (inner - outer);
    for (std::ptrdiff_t i = 0; i < size; ++i) grown[z(i)] = plane[i] > threshold && cell.data[i];
    if (!tidy(grown, cell, rules)) return false;
    nucleus.swap(grown);
    return true;
}

// The axis of colour that tells this nucleus from its own cytoplasm, as a plane that rises towards the
// nucleus: Fisher's discriminant (doi:10.1111/j.1469-1809.1936.tb02137.x), its spread made rounder by as much
// as it is wide, because two regions of one cell are a small sample. False where there is hardly any
// cytoplasm.
bool colour_axis(const std::uint8_t* features, const Bytes& inside, const Bytes& nucleus, Mask cell,
                 std::vector<std::int16_t>& plane) {
    const std::ptrdiff_t size = cell.size();
    Bytes grown;
    grow({nucleus.data(), cell.rows, cell.cols}, grown);
    colour::Moments own, rest;
    for (std::ptrdiff_t i = 0; i < size; ++i)
        if (nucleus[z(i)])
            own.add(features + 3 * i);
        else if (inside[z(i)] && !grown[z(i)])
            rest.add(features + 3 * i);
    if (own.number < LEAST || rest.number < LEAST ||
        static_cast<double>(rest.number) <= SCANT * static_cast<double>(own.number))
        return false;
    colour::Matrix spread = own.scatter();
    const colour::Matrix other = rest.scatter();
    for (std::size_t i = 0; i < 3; ++i)
        for (std::size_t j = 0; j < 3; ++j)
            spread[i][j] = (spread[i][j] + other[i][j]) / static_cast<double>(own.number + rest.number);
    const double width = (spread[0][0] + spread[1][1] + spread[2][2]) / 3.0 + NOISE;
    for (std::size_t i = 0; i < 3; ++i) spread[i][i] += width;
    const colour::Vector here = own.mean(), there = rest.mean();
    colour::Vector axis =
        colour::times(colour::inverse(spread), {here[0] - there[0], here[1] - there[1], here[2] - there[2]});
    const double length = std::abs(axis[0]) + std::abs(axis[1]) + std::abs(axis[2]);
    if (!(length > 0.0)) return false;
    for (double& part : axis) part *= GRAIN / length;
    plane.resize(z(size));
    for (std::ptrdiff_t i = 0; i < size; ++i) {
        const std::uint8_t* colour = features + 3 * i;
        const double at = axis[0] * colour[0] + axis[1] * colour[1] + axis[2] * colour[2];
        plane[z(i)] = static_cast<std::int16_t>(std::lrint(at));
    }
    return true;
}

// The cell as far from its nucleus as its outline stays nearly convex.
void compact(Mask body, const std::uint8_t* rough, const std::vector<double>& reach, const Rules& rules,
             Bytes& cell) {
    const std::ptrdiff_t size = body.size();
    cell.assign(body.data, body.data + size);
    Bytes filled(z(size)), part(z(size));
    for (const double limit : rules.reaches) {
        shapes::fill_holes({cell.data(), body.rows, body.cols}, rules.vacuole, filled.data());
        if (shapes::solidity({filled.data(), body.rows, body.cols}) >= rules.solid) return;
        for (std::ptrdiff_t i = 0; i < size; ++i)
            part[z(i)] = (body.data[i] && reach[z(i)] <= limit) || rough[i];
        shapes::open_disc({part.data(), body.rows, body.cols}, rules.opening, filled.data());
        for (std::ptrdiff_t i = 0; i < size; ++i) filled[z(i)] |= rough[i];
        shapes::touching({filled.data(), body.rows, body.cols}, rough, cell.data());
    }
}

// A cell's outline as smooth as one draws it: notches and outgrowths narrower than twice a share of its
// inscribed radius are closed and cut, in place. The closing may take free pixels alone, and no nucleus is
// cut.
void smooth_outline(Bytes& cell, const Bytes& may, const Bytes& rough, const Box& box, double share) {
    const std::ptrdiff_t rows = box.rows(), cols = box.cols();
    std::vector<double> away(cell.size());
    shapes::distance({cell.data(), rows, cols}, away.data());
    const double radius = share * *std::max_element(away.begin(), away.end());
    // Room for the disc, lest what lies beyond the box counts as closed.
    const auto room = static_cast<std::ptrdiff_t>(std::ceil(radius)) + 1;
    const std::ptrdiff_t height = rows + 2 * room, width = cols + 2 * room;
    Bytes wide(z(height * width)), closed(z(height * width));
    for (std::ptrdiff_t r = 0; r < rows; ++r)
        std::copy_n(cell.begin() + r * cols, cols, wide.begin() + (r + room) * width + room);
    shapes::close_disc({wide.data(), height, width}, radius, closed.data());
    for (std::ptrdiff_t r = 0; r < rows; ++r)
        for (std::ptrdiff_t c = 0; c < cols; ++c) {
            const std::size_t i = z(r * cols + c);
            cell[i] = cell[i] || (closed[z((r + room) * width + c + room)] && may[i]);
        }
    Bytes opened(cell.size());
    shapes::open_disc({cell.data(), rows, cols}, radius, opened.data());
    for (std::size_t i = 0; i < cell.size(); ++i) opened[i] |= rough[i] && cell[i];
    shapes::touching({opened.data(), rows, cols}, rough.data(), cell.data());
}

struct Drawn {
    Box box;
    Bytes cell, nucleus;
    double inner;
};

std::vector<Box> boxes_of(const Field& field, std::int32_t n) {
    std::vector<Box> boxes(static_cast<std::size_t>(n) + 1, Box{field.rows, field.cols, 0, 0});
    for (std::ptrdiff_t r = 0; r < field.rows; ++r)
        for (std::ptrdiff_t c = 0; c < field.cols; ++c) {
            const std::int32_t body = field.bodies[r * field.cols + c];
            if (body <= 0 || body > n) continue;
            Box& box = boxes[static_cast<std::size_t>(body)];
            box.top = std::min(box.top, r);
            box.bottom = r + 1;
            box.left = std::min(box.left, c);
            box.right = std::max(box.right, c + 1);
        }
    return boxes;
}

// The outline and nucleus of one body; false where hardly a nucleus is left.
bool outline(const Field& field, std::int32_t own, const Rules& rules, Drawn& drawn) {
    Box& box = drawn.box;
    // A margin, so that a cell's own edge is not taken for the frame.
    box = {std::max<std::ptrdiff_t>(box.top - 2, 0), std::max<std::ptrdiff_t>(box.left - 2, 0),
           std::min(box.bottom + 2, field.rows), std::min(box.right + 2, field.cols)};
    const auto size = box.rows() * box.cols();
    Bytes body(z(size)), free(z(size)), rough(z(size));
    std::vector<double> reach(z(size));
    std::vector<std::int16_t> depth(z(size)), room;
    Bytes features(3 * z(size));
    for (std::ptrdiff_t r = 0; r < box.rows(); ++r)
        for (std::ptrdiff_t c = 0; c < box.cols(); ++c) {
            const std::ptrdiff_t from = (box.top + r) * field.cols + box.left + c;
            const std::size_t to = z(r * box.cols() + c);
            body[to] = field.bodies[from] == own;
            free[to] = field.bodies[from] == 0 || body[to];
            rough[to] = body[to] && field.nuclei[from];
            reach[to] = field.reach[from];
            depth[to] = field.depth[from];
            std::copy_n(field.features + 3 * from, 3, features.begin() + static_cast<std::ptrdiff_t>(3 * to));
        }
    Bytes cell;
    compact({body.data(), box.rows(), box.cols()}, rough.data(), reach, rules, cell);
    drawn.cell.resize(z(size));
    shapes::fill_holes({cell.data(), box.rows(), box.cols()}, rules.vacuole, drawn.cell.data());
    if (rules.solid > 0) {
        cell = drawn.cell;
        shapes::cut_tongues({cell.data(), box.rows(), box.cols()}, rough.data(), rules.tongue,
                            drawn.cell.data());
        cell = drawn.cell;
        shapes::touching({cell.data(), box.rows(), box.cols()}, rough.data(), drawn.cell.data());
        smooth_outline(drawn.cell, free, rough, box, rules.outline);
    }
    Bytes& beside = cell;
    for (std::size_t i = 0; i < z(size); ++i) {
        drawn.cell[i] = drawn.cell[i] && free[i];
        beside[i] = !drawn.cell[i] && free[i] && !body[i];
    }
    const double around = median_where(depth.data(), beside.data(), size, room);
    drawn.nucleus.resize(z(size));
    const Mask whole{drawn.cell.data(), box.rows(), box.cols()};
    nucleus_of(depth.data(), features.data(), whole, rough.data(), std::isnan(around) ? 0.0 : around, rules,
               drawn.nucleus.data());
    if (shapes::count({drawn.nucleus.data(), box.rows(), box.cols()}) < LEAST) return false;
    drawn.inner = median_where(depth.data(), drawn.nucleus.data(), size, room);
    return true;
}

}  // namespace

void nucleus_of(const std::int16_t* depth, const std::uint8_t* features, Mask cell, const std::uint8_t* rough,
                double around, const Rules& rules, std::uint8_t* out) {
    Bytes nucleus, inside(z(cell.size()));
    shapes::erode_disc(cell, rules.skin * rules.radius, inside.data());
    deeper_part(depth, cell, inside, rough, rules, nucleus);
    std::vector<std::int16_t> plane;
    if (grow_again(depth, cell, around, rules, nucleus) && grow_again(depth, cell, around, rules, nucleus) &&
        colour_axis(features, inside, nucleus, cell, plane))
        grow_again(plane.data(), cell, around, rules, nucleus);
    std::copy(nucleus.begin(), nucleus.end(), out);
}

std::int32_t draw(const Field& field, std::int32_t n, const Rules& rules, std::int32_t* labels,
                  std::int32_t* nuclei) {
    const std::vector<Box> boxes = boxes_of(field, n);
    std::vector<Drawn> drawn;
    for (std::int32_t own = 1; own <= n; ++own) {
        if (boxes[static_cast<std::size_t>(own)].bottom == 0) continue;
        poll();
        Drawn next{boxes[static_cast<std::size_t>(own)], {}, {}, 0};
        if (outline(field, own, rules, next)) drawn.push_back(std::move(next));
    }
    if (drawn.empty()) return 0;
    // Smudged cells and clots are far paler than nuclei: the area-weighted median depth is a nucleus's.
    std::vector<std::size_t> order(drawn.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return drawn[a].inner < drawn[b].inner; });
    std::vector<std::int64_t> total(drawn.size());
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
        const Drawn& own = drawn[order[i]];
        total[i] = sum += shapes::count({own.nucleus.data(), own.box.rows(), own.box.cols()});
    }
    std::size_t middle = 0;
    while (static_cast<double>(total[middle]) < static_cast<double>(sum) / 2.0) ++middle;
    const double typical = rules.typical_depth < 0 ? drawn[order[middle]].inner : rules.typical_depth;
    const double least = rules.faintest * typical;
    std::int32_t number = 0;
    for (const Drawn& own : drawn) {
        if (!(own.inner >= least)) continue;
        ++number;
        for (std::ptrdiff_t r = 0; r < own.box.rows(); ++r)
            for (std::ptrdiff_t c = 0; c < own.box.cols(); ++c) {
                const std::size_t from = z(r * own.box.cols() + c);
                const std::ptrdiff_t to = (own.box.top + r) * field.cols + own.box.left + c;
                if (own.cell[from]) labels[to] = number;
                if (own.nucleus[from]) nuclei[to] = number;
            }
    }
    return number;
}

}  // namespace fastpgs::outlines
