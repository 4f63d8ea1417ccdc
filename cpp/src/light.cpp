#include "fastpgs/light.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "fastpgs/block.hpp"
#include "fastpgs/interrupt.hpp"

namespace fastpgs::light {

namespace {

constexpr double THOUSAND = 1000.0;
constexpr int LOW = 1024;                   // values of the lower digit of a luminance
constexpr int HIGH = 1000 * 255 / LOW + 1;  // and of the upper one
constexpr std::ptrdiff_t TURNS = 8;
constexpr std::ptrdiff_t POLLED = 256;  // rows

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

// The brightest tenth is what is as bright as rank ceil(0.9 (size - 1)) of the ascending order, or brighter.
std::int64_t tenth(std::ptrdiff_t size) {
    return static_cast<std::int64_t>(std::ceil(0.9 * static_cast<double>(size - 1)));
}

// Where the n digits are that are as large as `least` or larger, in order; returns how many.
std::ptrdiff_t at_least(const std::uint8_t* digits, std::ptrdiff_t n, std::uint8_t least,
                        std::ptrdiff_t* found) {
    constexpr std::ptrdiff_t many = 512;
    std::array<std::uint8_t, many> is{};
    std::ptrdiff_t total = 0;
    for (std::ptrdiff_t start = 0; start < n; start += many) {
        const std::ptrdiff_t count = std::min(many, n - start);
        if (count < many) is.fill(0);
        for (std::ptrdiff_t i = 0; i < count; ++i) is[z(i)] = digits[start + i] >= least;
        for (std::ptrdiff_t i = 0; i < count; i += 8) {  // few are: eight at a time
            std::uint64_t eight = 0;
            std::memcpy(&eight, is.data() + i, sizeof eight);
            if (eight == 0) continue;
            for (std::ptrdiff_t j = 0; j < 8; ++j) {
                found[total] = start + i + j;
                total += eight >> (8 * j) & 1;
            }
        }
    }
    return total;
}

// Mean absolute values of whole numbers are sums of few enough to be exact in 32 bits, gathered in 64.
constexpr std::ptrdiff_t FEW = 1024;

// Twice how much the step from b to c stands out.
std::int32_t odd(std::int32_t a, std::int32_t b, std::int32_t c, std::int32_t d) {
    return std::abs(a - d + 3 * (c - b));
}

void gather(std::vector<std::int32_t>& few, std::vector<std::int64_t>& all) {
    for (std::size_t i = 0; i < few.size(); ++i) all[i] += few[i];
    std::fill(few.begin(), few.end(), 0);
}

}  // namespace

Luma::Luma(stain::Picture picture)
    : rows(picture.rows), cols(picture.cols), values_(z(picture.rows * picture.cols)) {
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        poll(z(r), POLLED);
        luma_row(picture.rgb + 3 * r * cols, cols, 3, values_.data() + r * cols);
    }
}

Light measure(stain::Picture picture, const Luma& lights) {
    const std::ptrdiff_t size = picture.size(), cols = lights.cols;
    // Neighbours are alike: counting them in turns spares each the wait for the one before.
    std::array<std::array<std::uint32_t, HIGH>, TURNS> turns{};
    std::array<std::int64_t, HIGH> upper{};
    Block<std::uint8_t> digits(z(size));
    double sum = 0.0, squares = 0.0;
    for (std::ptrdiff_t r = 0; r < lights.rows; ++r) {
        poll(z(r), POLLED);
        const std::int32_t* line = lights.row(r);
        std::uint8_t* own = digits.data() + r * cols;
        std::int64_t row = 0;
        std::uint64_t row_squares = 0;
        for (std::ptrdiff_t c = 0; c < cols; ++c) {
            const auto light = static_cast<std::uint32_t>(line[c]);
            own[c] = static_cast<std::uint8_t>(light / LOW);
            row += light;
            row_squares += std::uint64_t{light} * light;
        }
        std::ptrdiff_t c = 0;
        for (; c + TURNS <= cols; c += TURNS)
            for (std::ptrdiff_t turn = 0; turn < TURNS; ++turn) ++turns[z(turn)][own[c + turn]];
        for (; c < cols; ++c) ++turns[0][own[c]];
        sum += static_cast<double>(row);
        squares += static_cast<double>(row_squares);
    }
    for (const auto& turn : turns)
        for (std::size_t i = 0; i < upper.size(); ++i) upper[i] += turn[i];
    std::int64_t rank = tenth(size);
    const int digit = digit_of(upper.data(), rank);
    Block<std::ptrdiff_t> bright(z(size + 8));
    const std::ptrdiff_t n = at_least(digits.data(), size, static_cast<std::uint8_t>(digit), bright.data());
    const std::int32_t* all = lights.row(0);
    std::array<std::int64_t, LOW> lower{};
    for (std::ptrdiff_t k = 0; k < n; ++k) {
        const std::ptrdiff_t i = bright[z(k)];
        const std::int32_t beyond = all[i] - digit * LOW;
        if (beyond < LOW) ++lower[z(beyond)];
    }
    const std::int32_t least = digit * LOW + digit_of(lower.data(), rank);
    std::array<std::array<std::int64_t, 256>, 3> levels{};
    std::int64_t members = 0;
    std::int32_t brightest = 0;
    for (std::ptrdiff_t k = 0; k < n; ++k) {
        const std::ptrdiff_t i = bright[z(k)];
        const std::int32_t light = all[i];
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

Steps steps(const Luma& lights) {
    const std::ptrdiff_t rows = lights.rows, cols = lights.cols;
    const std::ptrdiff_t between = std::max<std::ptrdiff_t>(cols - 3, 0);
    std::vector<std::int32_t> few(z(between));
    std::vector<std::int64_t> across(z(between));
    Steps found;
    found.across.resize(across.size());
    found.down.resize(z(std::max<std::ptrdiff_t>(rows - 3, 0)));
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        poll(z(r), POLLED);
        const std::int32_t* last = lights.row(r);
        std::int32_t* own = few.data();
        for (std::ptrdiff_t c = 0; c < between; ++c)
            own[c] += odd(last[c], last[c + 1], last[c + 2], last[c + 3]);
        if ((r + 1) % FEW == 0) gather(few, across);
        if (r < 3) continue;
        const std::int32_t *a = lights.row(r - 3), *b = lights.row(r - 2), *d = lights.row(r - 1);
        std::int64_t sum = 0;
        for (std::ptrdiff_t start = 0; start < cols; start += FEW) {
            std::int32_t part = 0;
            for (std::ptrdiff_t c = start, end = std::min(start + FEW, cols); c < end; ++c)
                part += odd(a[c], b[c], d[c], last[c]);
            sum += part;
        }
        found.down[z(r - 3)] = static_cast<double>(sum) / (2.0 * THOUSAND * static_cast<double>(cols));
    }
    gather(few, across);
    for (std::size_t c = 0; c < across.size(); ++c)
        found.across[c] = static_cast<double>(across[c]) / (2.0 * THOUSAND * static_cast<double>(rows));
    return found;
}

double blockiness(const Steps& steps) {
    constexpr std::size_t block = 8;  // side of a JPEG's blocks, pixels
    constexpr std::size_t least = 4 * block;
    constexpr double grey_levels = 0.1;  // so that even pictures have a finite ratio
    double sum = 0.0;
    int directions = 0;
    for (const std::vector<double>* of : {&steps.across, &steps.down}) {
        if (of->size() + 3 < least) continue;
        std::array<double, block> phases{};
        std::array<int, block> number{};
        for (std::size_t i = 0; i < of->size(); ++i) {
            phases[i % block] += (*of)[i];
            ++number[i % block];
        }
        for (std::size_t i = 0; i < block; ++i) phases[i] /= number[i];
        std::sort(phases.begin(), phases.end());
        sum += std::log((phases[block - 1] + grey_levels) / (phases[block - 2] + grey_levels));
        ++directions;
    }
    return directions > 0 ? sum / directions : 0.0;
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

Levels levels(const std::uint8_t* crops, std::ptrdiff_t n, std::ptrdiff_t side, int channels) {
    const std::ptrdiff_t line = side * channels;
    const auto pixels = static_cast<double>(side * side), cells = static_cast<double>(n);
    std::vector<std::uint32_t> sums(z(line)), squares(z(line));
    std::vector<std::int64_t> total(z(channels));
    Levels found{std::vector<double>(z(channels)), std::vector<double>(z(channels))};
    for (std::ptrdiff_t i = 0; i < n; ++i) {
        std::fill(sums.begin(), sums.end(), 0U);
        std::fill(squares.begin(), squares.end(), 0U);
        const std::uint8_t* row = crops + i * side * line;
        for (std::ptrdiff_t r = 0; r < side; ++r, row += line)
            for (std::ptrdiff_t j = 0; j < line; ++j) {
                const std::uint32_t level = row[j];
                sums[z(j)] += level;
                squares[z(j)] += level * level;
            }
        for (std::ptrdiff_t channel = 0; channel < channels; ++channel) {
            std::int64_t sum = 0, square = 0;
            for (std::ptrdiff_t j = channel; j < line; j += channels) {
                sum += sums[z(j)];
                square += squares[z(j)];
            }
            total[z(channel)] += sum;
            found.spread[z(channel)] +=
                std::sqrt(static_cast<double>(side * side * square - sum * sum)) / pixels;
        }
    }
    for (std::size_t channel = 0; channel < total.size(); ++channel) {
        found.mean[channel] = static_cast<double>(total[channel]) / cells / pixels;
        found.spread[channel] /= cells;
    }
    return found;
}

}  // namespace fastpgs::light
