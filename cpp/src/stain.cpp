#include "fastpgs/stain.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::stain {

namespace {

constexpr std::ptrdiff_t SAMPLE = 20000;  // pixels are enough to know the background

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

double between(double a, double b, double t) {
    // As NumPy rounds it, from the nearer end.
    return t >= 0.5 ? b - (b - a) * (1.0 - t) : a + (b - a) * t;
}

// One smoothed row of a channel: 1 2 1 over three rows, then over three columns, rounded.
void smooth_row(const std::int16_t* above, const std::int16_t* own, const std::int16_t* below,
                std::ptrdiff_t cols, std::int16_t* sums, std::int16_t* out) {
    for (std::ptrdiff_t c = 0; c < cols; ++c)
        sums[c + 1] = static_cast<std::int16_t>(above[c] + 2 * own[c] + below[c]);
    sums[0] = sums[1];
    sums[cols + 1] = sums[cols];
    for (std::ptrdiff_t c = 0; c < cols; ++c)
        out[c] = static_cast<std::int16_t>((sums[c] + 2 * sums[c + 1] + sums[c + 2] + 8) >> 4);
}

// Floor of a / b for 0 < b < 256 and |a| < 2^18: a quotient in single precision is off by less than the 1 /
// 255 that at least lie between it and the next whole number.
std::int32_t floor_div(std::int32_t a, std::int32_t b) {
    const float quotient = static_cast<float>(a) / static_cast<float>(b);
    const auto whole = static_cast<std::int32_t>(quotient);
    return whole - (static_cast<float>(whole) > quotient ? 1 : 0);
}

}  // namespace

double percentile(const std::int64_t* number, int least, std::int64_t total, double percent) {
    const double at = percent / 100.0 * static_cast<double>(total - 1);
    const double low = std::floor(at);
    const auto value_of = [&](std::int64_t rank) {
        std::size_t value = 0;
        for (std::int64_t seen = number[0]; seen <= rank; seen += number[value]) ++value;
        return least + static_cast<double>(value);
    };
    const auto rank = static_cast<std::int64_t>(low);
    return between(value_of(rank), value_of(std::min(rank + 1, total - 1)), at - low);
}

bool black_surround(Picture picture, int dark, std::uint8_t* mask) {
    const std::ptrdiff_t rows = picture.rows, cols = picture.cols;
    const auto black = [&](std::ptrdiff_t r, std::ptrdiff_t c) {
        const std::uint8_t* p = picture.rgb + 3 * (r * cols + c);
        return std::max({p[0], p[1], p[2]}) <= dark;
    };
    // Most pictures have none, which their frame tells.
    std::ptrdiff_t on_frame = 0;
    for (std::ptrdiff_t c = 0; c < cols; ++c) on_frame += black(0, c) + black(rows - 1, c);
    for (std::ptrdiff_t r = 0; r < rows; ++r) on_frame += black(r, 0) + black(r, cols - 1);
    if (on_frame == 0 || static_cast<double>(on_frame) / static_cast<double>(2 * (rows + cols)) < 0.25)
        return false;
    shapes::Bits inside(rows, cols);
    for (std::ptrdiff_t r = 0; r < rows; ++r)
        for (std::ptrdiff_t c = 0; c < cols; ++c)
            if (black(r, c)) inside.set(r, c, c + 1);
    shapes::unpack(shapes::touching_frame(inside), mask, cols);
    return true;
}

void background(Picture picture, const std::uint8_t* valid, double white[3]) {
    std::ptrdiff_t number = picture.size();
    if (valid) number = shapes::count({valid, picture.rows, picture.cols});
    const std::ptrdiff_t step = std::max<std::ptrdiff_t>(1, number / SAMPLE);
    std::vector<const std::uint8_t*> pixels;
    pixels.reserve(z(number / step + 1));
    std::array<std::int64_t, 766> histogram{};  // of the sums of three levels
    const auto light = [](const std::uint8_t* p) { return p[0] + p[1] + p[2]; };
    const auto take = [&](std::ptrdiff_t i) {
        pixels.push_back(picture.rgb + 3 * i);
        ++histogram[static_cast<std::size_t>(light(pixels.back()))];
    };
    std::ptrdiff_t nth = 0;
    if (!valid)
        for (std::ptrdiff_t i = 0; i < picture.size(); i += step) take(i);
    else
        for (std::ptrdiff_t i = 0; i < picture.size(); ++i)
            if (valid[i] && nth++ % step == 0) take(i);
    const double least =
        0.9 * percentile(histogram.data(), 0, static_cast<std::int64_t>(pixels.size()), 95.0);
    std::array<std::array<std::int64_t, 256>, 3> all{};
    std::int64_t members = 0;
    for (const std::uint8_t* p : pixels)
        if (static_cast<double>(light(p)) >= least) {
            for (std::size_t channel = 0; channel < 3; ++channel) ++all[channel][p[channel]];
            ++members;
        }
    for (std::size_t channel = 0; channel < 3; ++channel) {
        const auto& levels = all[channel];
        const auto at = [&](std::int64_t rank) {
            std::int64_t seen = 0;
            int value = 0;
            while (seen + levels[static_cast<std::size_t>(value)] <= rank)
                seen += levels[static_cast<std::size_t>(value++)];
            return static_cast<double>(value);
        };
        const double middle = members % 2 ? at(members / 2) : (at(members / 2 - 1) + at(members / 2)) / 2.0;
        white[channel] = std::max(middle, 1.0);
    }
}

void planes(Picture picture, const double white[3], int offset, bool grey, const Planes& out) {
    const std::ptrdiff_t rows = picture.rows, cols = picture.cols;
    std::array<std::array<std::int16_t, 256>, 3> table;
    for (std::size_t channel = 0; channel < 3; ++channel)
        for (std::size_t level = 0; level < 256; ++level)
            table[channel][level] = static_cast<std::int16_t>(
                std::min(std::nearbyint(static_cast<double>(level) * (255.0 / white[channel])), 255.0));
    // Three balanced rows of each channel at a time.
    std::vector<std::int16_t> balanced(z(9 * cols)), sums(z(cols + 2)), smooth(z(3 * cols));
    const auto row_of = [&](std::ptrdiff_t channel, std::ptrdiff_t r) {
        return balanced.data() + (3 * channel + r % 3) * cols;
    };
    const auto balance = [&](std::ptrdiff_t r) {
        const std::uint8_t* p = picture.rgb + 3 * r * cols;
        for (std::ptrdiff_t channel = 0; channel < 3; ++channel) {
            std::int16_t* own = row_of(channel, r);
            for (std::ptrdiff_t c = 0; c < cols; ++c) own[c] = table[z(channel)][p[3 * c + channel]];
        }
    };
    balance(0);
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        poll(z(r), 16);
        if (r + 1 < rows) balance(r + 1);
        for (std::ptrdiff_t channel = 0; channel < 3; ++channel)
            smooth_row(row_of(channel, std::max<std::ptrdiff_t>(r - 1, 0)), row_of(channel, r),
                       row_of(channel, std::min(r + 1, rows - 1)), cols, sums.data(),
                       smooth.data() + channel * cols);
        const std::int16_t *red = smooth.data(), *green = red + cols, *blue = green + cols;
        std::uint8_t* features = out.features + 3 * r * cols;
        std::int16_t *score = out.score + r * cols, *depth = out.depth + r * cols;
        float* strength = out.strength + r * cols;
        for (std::ptrdiff_t c = 0; c < cols; ++c) {
            const int u = blue[c] - green[c], v = red[c] - green[c];
            features[3 * c] = static_cast<std::uint8_t>(255 - green[c]);
            features[3 * c + 1] = static_cast<std::uint8_t>(std::clamp(u + offset, 0, 255));
            features[3 * c + 2] = static_cast<std::uint8_t>(std::clamp(v + offset, 0, 255));
        }
        // Loops apart, each of one width, become vectors.
        for (std::ptrdiff_t c = 0; c < cols; ++c)
            depth[c] = static_cast<std::int16_t>(255 - green[c] + (blue[c] - green[c]));
        for (std::ptrdiff_t c = 0; c < cols; ++c) {
            const auto a = static_cast<float>(255 - red[c]), b = static_cast<float>(255 - green[c]),
                       d = static_cast<float>(255 - blue[c]);
            strength[c] = std::sqrt(a * a + b * b + d * d);
        }
        if (grey) {
            for (std::ptrdiff_t c = 0; c < cols; ++c) score[c] = static_cast<std::int16_t>(255 - green[c]);
            continue;
        }
        for (std::ptrdiff_t c = 0; c < cols; ++c) {
            const std::int32_t u = blue[c] - green[c], v = red[c] - green[c];
            const std::int32_t purple =
                floor_div(255 * (u + 2 * (v < 0 ? v : 0)), blue[c] > 32 ? blue[c] : 32);
            score[c] = static_cast<std::int16_t>(purple < -255 ? -255 : purple > 255 ? 255 : purple);
        }
    }
}

float median(const float* values, const shapes::Bits& where) {
    const auto n = static_cast<std::size_t>(where.count());
    if (n == 0) return std::numeric_limits<float>::quiet_NaN();
    const auto each = [&](auto&& visit) {
        shapes::each_run(where, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
            for (const float* own = values + r * where.cols + begin; begin < end; ++begin, ++own) visit(*own);
        });
    };
    // Only values that begin with the same bits as the median are worth ordering.
    const auto bin = [](float value) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        return ((bits >> 31 ? ~bits : bits | 0x80000000U)) >> 18;
    };
    std::vector<std::uint32_t> number(1U << 14, 0);
    each([&](float value) { ++number[bin(value)]; });
    const auto bin_of = [&](std::size_t rank) {
        std::size_t own = 0, before = 0;
        while (before + number[own] <= rank) before += number[own++];
        return std::pair{own, before};
    };
    const std::size_t last = n / 2, first = (n - 1) / 2;
    const auto [low, before] = bin_of(first);
    const std::size_t high = bin_of(last).first;
    std::vector<float> near;
    each([&, from = low](float value) {
        if (const std::size_t own = bin(value); own >= from && own <= high) near.push_back(value);
    });
    const auto lower = near.begin() + static_cast<std::ptrdiff_t>(first - before);
    std::nth_element(near.begin(), lower, near.end());
    if (first == last) return *lower;
    return (*lower + *std::min_element(lower + 1, near.end())) / 2.0F;
}

std::vector<std::int64_t> spread(const std::int16_t* score, const std::uint8_t* valid, std::ptrdiff_t size,
                                 int k) {
    constexpr int LOW = -255;
    // Neighbours are alike: a counter each in turn, so that none waits for the one before.
    constexpr std::size_t TURNS = 4;
    std::array<std::array<std::int64_t, 511>, TURNS> turns{};
    for (std::ptrdiff_t i = 0; i < size; ++i) {
        poll(z(i), std::size_t{1} << 18);
        turns[z(i) % TURNS][static_cast<std::size_t>(score[i] - LOW)] += valid[i] != 0;
    }
    std::array<std::int64_t, 511> number{}, first{};
    std::int64_t total = 0;
    for (std::size_t bin = 0; bin < number.size(); ++bin) {
        for (const auto& turn : turns) number[bin] += turn[bin];
        total += number[bin];
    }
    const auto first_of = [&](std::size_t bin) {
        for (std::ptrdiff_t i = 0; first[bin] == 0 && i < size; ++i)
            if (valid[i] && score[i] - LOW == static_cast<int>(bin)) first[bin] = i + 1;
        return first[bin] - 1;
    };
    if (total < k) return {};
    const double low = percentile(number.data(), LOW, total, 1.0),
                 high = percentile(number.data(), LOW, total, 99.0);
    std::vector<std::int64_t> at;
    std::vector<std::size_t> bins;
    for (int i = 0; i < k; ++i) {
        const double want = i == k - 1 ? high : static_cast<double>(i) * ((high - low) / (k - 1)) + low;
        double best = std::numeric_limits<double>::infinity();
        std::size_t chosen = 0;
        for (std::size_t bin = 0; bin < number.size(); ++bin) {
            if (number[bin] == 0) continue;
            const double off = std::abs(static_cast<double>(static_cast<int>(bin) + LOW) - want);
            // Of two scores equally near, the one met first.
            if (off < best || (off == best && first_of(bin) < first_of(chosen))) {
                best = off;
                chosen = bin;
            }
        }
        at.push_back(first_of(chosen));
        bins.push_back(chosen);
    }
    std::sort(bins.begin(), bins.end());
    if (std::adjacent_find(bins.begin(), bins.end()) != bins.end()) return {};
    return at;
}

}  // namespace fastpgs::stain
