#include "fastpgs/shapes.hpp"

#include <algorithm>
#include <numeric>

#include "fastpgs/interrupt.hpp"

namespace fastpgs::shapes {

namespace {

std::int32_t root(std::vector<std::int32_t>& parent, std::int32_t i) {
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

// Twice the signed area of the triangle o, a, b.
std::int64_t cross(const std::int64_t* o, const std::int64_t* a, const std::int64_t* b) {
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
}

}  // namespace

std::int32_t label(Mask mask, std::int32_t* parts) {
    // A union of two provisional labels keeps the lower one, so roots ascend in raster order.
    std::vector<std::int32_t> parent{0};
    for (std::ptrdiff_t r = 0; r < mask.rows; ++r) {
        poll(static_cast<std::size_t>(r), 16);
        const std::uint8_t* row = mask.data + r * mask.cols;
        std::int32_t* own = parts + r * mask.cols;
        const std::int32_t* above = own - mask.cols;
        std::int32_t left = 0;
        for (std::ptrdiff_t c = 0; c < mask.cols; ++c) {
            if (!row[c]) {
                own[c] = left = 0;
                continue;
            }
            const std::int32_t up = r > 0 ? above[c] : 0;
            if (!left && !up) {
                left = static_cast<std::int32_t>(parent.size());
                parent.push_back(left);
            } else if (!left || !up || left == up) {
                left = left ? left : up;
            } else {
                const std::int32_t a = root(parent, left), b = root(parent, up);
                parent[std::max(a, b)] = std::min(a, b);
                left = std::min(a, b);
            }
            own[c] = left;
        }
    }
    std::int32_t n = 0;
    for (std::size_t i = 1; i < parent.size(); ++i)
        parent[i] =
            parent[i] == static_cast<std::int32_t>(i) ? ++n : parent[static_cast<std::size_t>(parent[i])];
    for (std::ptrdiff_t i = 0; i < mask.size(); ++i) parts[i] = parent[static_cast<std::size_t>(parts[i])];
    return n;
}

std::vector<std::int64_t> areas(const std::int32_t* parts, std::ptrdiff_t size, std::int32_t n) {
    std::vector<std::int64_t> area(static_cast<std::size_t>(n) + 1, 0);
    for (std::ptrdiff_t i = 0; i < size; ++i) ++area[static_cast<std::size_t>(parts[i])];
    return area;
}

std::int64_t count(Mask mask) {
    std::int64_t n = 0;
    for (std::ptrdiff_t i = 0; i < mask.size(); ++i) n += mask.data[i] != 0;
    return n;
}

bool box_of(Mask mask, std::ptrdiff_t margin, Box& box) {
    box = {mask.rows, mask.cols, 0, 0};
    for (std::ptrdiff_t r = 0; r < mask.rows; ++r) {
        const std::uint8_t* row = mask.data + r * mask.cols;
        std::ptrdiff_t first = 0, last = mask.cols;
        while (first < last && !row[first]) ++first;
        if (first == last) continue;
        while (!row[last - 1]) --last;
        box.top = std::min(box.top, r);
        box.bottom = r + 1;
        box.left = std::min(box.left, first);
        box.right = std::max(box.right, last);
    }
    if (box.bottom == 0) return false;
    box.top = std::max<std::ptrdiff_t>(box.top - margin, 0);
    box.left = std::max<std::ptrdiff_t>(box.left - margin, 0);
    box.bottom = std::min(box.bottom + margin, mask.rows);
    box.right = std::min(box.right + margin, mask.cols);
    return true;
}

void fill_holes(Mask mask, double largest, std::uint8_t* out) {
    const std::ptrdiff_t size = mask.size();
    Bytes outside(static_cast<std::size_t>(size));
    for (std::ptrdiff_t i = 0; i < size; ++i) outside[static_cast<std::size_t>(i)] = mask.data[i] == 0;
    std::vector<std::int32_t> parts(static_cast<std::size_t>(size));
    const std::int32_t n = label({outside.data(), mask.rows, mask.cols}, parts.data());
    const auto area = areas(parts.data(), size, n);
    Bytes hole(area.size());
    for (std::size_t i = 1; i < area.size(); ++i) hole[i] = static_cast<double>(area[i]) <= largest;
    for (std::ptrdiff_t c = 0; c < mask.cols; ++c)
        for (const std::ptrdiff_t r : {std::ptrdiff_t{0}, mask.rows - 1})
            hole[static_cast<std::size_t>(parts[static_cast<std::size_t>(r * mask.cols + c)])] = 0;
    for (std::ptrdiff_t r = 0; r < mask.rows; ++r)
        for (const std::ptrdiff_t c : {std::ptrdiff_t{0}, mask.cols - 1})
            hole[static_cast<std::size_t>(parts[static_cast<std::size_t>(r * mask.cols + c)])] = 0;
    hole[0] = 0;
    for (std::ptrdiff_t i = 0; i < size; ++i)
        out[i] = mask.data[i] != 0 || hole[static_cast<std::size_t>(parts[static_cast<std::size_t>(i)])];
}

void touching(Mask mask, const std::uint8_t* seed, std::uint8_t* out) {
    std::vector<std::int32_t> parts(static_cast<std::size_t>(mask.size()));
    const std::int32_t n = label(mask, parts.data());
    Bytes keep(static_cast<std::size_t>(n) + 1);
    for (std::ptrdiff_t i = 0; i < mask.size(); ++i)
        if (seed[i]) keep[static_cast<std::size_t>(parts[static_cast<std::size_t>(i)])] = 1;
    keep[0] = 0;
    for (std::ptrdiff_t i = 0; i < mask.size(); ++i)
        out[i] = keep[static_cast<std::size_t>(parts[static_cast<std::size_t>(i)])];
}

double hull_area(Mask mask) {
    // The hull's corners are among the corners of each row's ends. Andrew's monotone chain over rows: the
    // left chain and the right one, then the area between them.
    std::vector<std::int64_t> left, right;  // (row, column) pairs
    const auto add = [](std::vector<std::int64_t>& chain, std::int64_t row, std::int64_t col, int side) {
        const std::int64_t point[2] = {row, col};
        while (chain.size() >= 4 &&
               side * cross(&chain[chain.size() - 4], &chain[chain.size() - 2], point) <= 0)
            chain.resize(chain.size() - 2);
        chain.push_back(row);
        chain.push_back(col);
    };
    for (std::ptrdiff_t r = 0; r < mask.rows; ++r) {
        const std::uint8_t* row = mask.data + r * mask.cols;
        std::ptrdiff_t first = 0, last = mask.cols;
        while (first < last && !row[first]) ++first;
        if (first == last) continue;
        while (!row[last - 1]) --last;
        for (const std::ptrdiff_t y : {r, r + 1}) {
            add(left, y, first, 1);
            add(right, y, last, -1);
        }
    }
    std::int64_t twice = 0;
    const auto sum = [&](const std::vector<std::int64_t>& chain, int sign) {
        for (std::size_t i = 2; i < chain.size(); i += 2)
            twice += sign * (chain[i] - chain[i - 2]) * (chain[i + 1] + chain[i - 1]);
    };
    sum(right, 1);
    sum(left, -1);
    return static_cast<double>(twice) / 2.0;
}

double solidity(Mask mask) {
    const double hull = hull_area(mask);
    return hull > 0 ? std::min(static_cast<double>(count(mask)) / hull, 1.0) : 0.0;
}

}  // namespace fastpgs::shapes
