#include "fastpgs/light.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "fastpgs/block.hpp"
#include "fastpgs/interrupt.hpp"

namespace fastpgs::light {

namespace {

constexpr double THOUSAND = 1000.0;
constexpr int LOW = 1024;                   // values of the lower digit of a luminance
constexpr int HIGH = 1000 * 255 / LOW + 1;  // and of the upper one
constexpr std::ptrdiff_t POLLED = 256;      // rows

std::size_t z(std::ptrdiff_t n) { return static_cast<std::size_t>(n); }

// The digit in which the running total of `number` passes `rank`, which becomes the rank within it.
int digit_of(const std::int64_t* number, std::int64_t& rank) {
    int digit = 0;
    for (; number[digit] <= rank; ++digit) rank -= number[digit];
    return digit;
}

double median(const std::array<std::int64_t, 256>& number, std::int64_t total) {
    std::int64_t lower = (total - 1) / 2, upper = total / 2;
    return (digit_of(number.data(), lower) + digit_of(number.data(), upper)) / 2.0;
}

void luma_row(const std::uint8_t* pixels, std::ptrdiff_t n, int channels, std::int32_t* row) {
    if (channels == 1)
        for (std::ptrdiff_t i = 0; i < n; ++i) row[i] = 1000 * pixels[i];
    else
        for (std::ptrdiff_t i = 0; i < n; ++i) row[i] = luma(pixels + 3 * i);
}

}  // namespace

Light measure(stain::Picture picture) {
    const std::ptrdiff_t size = picture.size();
    // Neighbours are alike: counting them in turns spares each the wait for the one before.
    std::array<std::array<std::int64_t, HIGH>, 4> turns{};
    Block<std::int32_t> lights(z(size));
    double sum = 0.0, squares = 0.0;
    for (std::ptrdiff_t r = 0; r < picture.rows; ++r) {
        poll(z(r), POLLED);
        const std::uint8_t* pixels = picture.rgb + 3 * r * picture.cols;
        std::int32_t* own = lights.data() + r * picture.cols;
        std::int64_t row = 0, row_squares = 0;
        for (std::ptrdiff_t c = 0; c < picture.cols; ++c) {
            const std::int64_t light = own[c] = luma(pixels + 3 * c);
            ++turns[z(c % 4)][z(light / LOW)];
            row += light;
            row_squares += light * light;
        }
        sum += static_cast<double>(row);
        squares += static_cast<double>(row_squares);
    }
    auto& upper = turns[0];
    for (std::size_t i = 0; i < upper.size(); ++i) upper[i] += turns[1][i] + turns[2][i] + turns[3][i];
    std::array<std::int64_t, LOW> lower{};
    // The brightest tenth is what is as bright as rank ceil(0.9 (size - 1)) of the ascending order, or
    // brighter.
    auto rank = static_cast<std::int64_t>(std::ceil(0.9 * static_cast<double>(size - 1)));
    const int digit = digit_of(upper.data(), rank);
    for (std::ptrdiff_t i = 0; i < size; ++i) {
        const std::int32_t beyond = lights.data()[i] - digit * LOW;
        if (0 <= beyond && beyond < LOW) ++lower[z(beyond)];
    }
    const std::int32_t least = digit * LOW + digit_of(lower.data(), rank);
    std::array<std::array<std::int64_t, 256>, 3> levels{};
    std::int64_t members = 0;
    std::int32_t brightest = 0;
    for (std::ptrdiff_t i = 0; i < size; ++i) {
        const std::int32_t light = lights.data()[i];
        if (light < least) continue;
        const std::uint8_t* p = picture.rgb + 3 * i;
        brightest = std::max(brightest, light);
        for (std::size_t channel = 0; channel < 3; ++channel) ++levels[channel][p[channel]];
        ++members;
    }
    Light found{};
    for (std::size_t channel = 0; channel < 3; ++channel)
        found.level[channel] = median(levels[channel], members);
    found.brightest = brightest / THOUSAND;
    const double mean = sum / static_cast<double>(size);
    found.spread = std::sqrt(std::max(squares / static_cast<double>(size) - mean * mean, 0.0)) / THOUSAND;
    return found;
}

Steps steps(stain::Picture picture) {
    const std::ptrdiff_t rows = picture.rows, cols = picture.cols;
    const auto odd = [](std::int32_t a, std::int32_t b, std::int32_t c, std::int32_t d) {
        return std::abs(a - d + 3 * (c - b));  // twice what is wanted
    };
    std::vector<std::int64_t> across(z(std::max<std::ptrdiff_t>(cols - 3, 0)));
    Steps found;
    found.across.resize(across.size());
    found.down.resize(z(std::max<std::ptrdiff_t>(rows - 3, 0)));
    std::vector<std::int32_t> lines(z(4 * cols));  // the last four rows, in turn
    const auto line = [&](std::ptrdiff_t r) { return lines.data() + (r % 4) * cols; };
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        poll(z(r), POLLED);
        std::int32_t* last = line(r);
        luma_row(picture.rgb + 3 * r * cols, cols, 3, last);
        for (std::ptrdiff_t c = 0; c + 3 < cols; ++c)
            across[z(c)] += odd(last[c], last[c + 1], last[c + 2], last[c + 3]);
        if (r < 3) continue;
        const std::int32_t *a = line(r - 3), *b = line(r - 2), *d = line(r - 1);
        std::int64_t sum = 0;
        for (std::ptrdiff_t c = 0; c < cols; ++c) sum += odd(a[c], b[c], d[c], last[c]);
        found.down[z(r - 3)] = static_cast<double>(sum) / (2.0 * THOUSAND * static_cast<double>(cols));
    }
    for (std::size_t c = 0; c < across.size(); ++c)
        found.across[c] = static_cast<double>(across[c]) / (2.0 * THOUSAND * static_cast<double>(rows));
    return found;
}

Differences differences(const std::uint8_t* crops, std::ptrdiff_t n, std::ptrdiff_t side, int channels) {
    std::vector<std::int32_t> plane(z(side * side));
    std::int64_t second = 0, down = 0, across = 0;
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        luma_row(crops + i * side * side * channels, side * side, channels, plane.data());
        for (std::ptrdiff_t r = 0; r < side; ++r) {
            const std::int32_t* here = plane.data() + r * side;
            for (std::ptrdiff_t c = 1; c < side; ++c) across += std::abs(here[c] - here[c - 1]);
            if (r == 0) continue;
            const std::int32_t* above = here - side;
            for (std::ptrdiff_t c = 0; c < side; ++c) down += std::abs(here[c] - above[c]);
            if (r + 1 == side) continue;
            const std::int32_t* below = here + side;
            for (std::ptrdiff_t c = 1; c + 1 < side; ++c)
                second += std::abs(4 * here[c] - above[c] - below[c] - here[c - 1] - here[c + 1]);
        }
    }
    const double inner = THOUSAND * static_cast<double>(n * (side - 2) * (side - 2));
    const double pairs = THOUSAND * static_cast<double>(n * side * (side - 1));
    return {static_cast<double>(second) / inner, static_cast<double>(down) / pairs,
            static_cast<double>(across) / pairs};
}

}  // namespace fastpgs::light
