#include "fastpgs/paths.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace fastpgs::paths {

namespace {

void append(std::string& text, std::int64_t number) {
    std::array<char, std::numeric_limits<std::int64_t>::digits10 + 2> digits{};
    text.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

std::int64_t scaled(float at, double scale) {
    return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(at) * scale * 2.0));
}

// Adds the path of n points, the first of which is not repeated.
void add_ring(std::string& path, const float* points, std::int64_t n, double scale, std::int64_t most) {
    if (n < 1) return;
    const std::int64_t every = std::max<std::int64_t>(1, (n + most - 1) / most);
    const std::size_t before = path.size();
    std::int64_t x = scaled(points[0], scale), y = scaled(points[1], scale);
    path += 'M';
    append(path, x);
    path += ' ';
    append(path, y);
    int steps = 0;
    for (std::int64_t i = every; i < n; i += every) {
        const std::int64_t to_x = scaled(points[2 * i], scale), to_y = scaled(points[2 * i + 1], scale);
        if (to_x == x && to_y == y) continue;
        path += steps++ == 0 ? 'l' : ' ';
        append(path, to_x - x);
        path += ' ';
        append(path, to_y - y);
        x = to_x;
        y = to_y;
    }
    if (steps < 2)
        path.resize(before);
    else
        path += 'z';
}

}  // namespace

std::vector<std::string> draw(const Rings& rings, const double* scale, std::int64_t most) {
    std::vector<std::string> found(rings.n);
    for (std::size_t i = 0; i < rings.n; ++i)
        for (std::int64_t ring = rings.cells[i]; ring < rings.cells[i + 1]; ++ring)
            add_ring(found[i], rings.points + 2 * rings.rings[ring],
                     rings.rings[ring + 1] - rings.rings[ring] - 1, scale[i], most);
    return found;
}

}  // namespace fastpgs::paths
