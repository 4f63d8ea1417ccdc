#include "fastpgs/stain.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <mutex>
#include <numeric>

#include "fastpgs/crew.hpp"
#include "fastpgs/feed.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/plane_kernels.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::stain {

namespace {

constexpr std::ptrdiff_t SAMPLE = 20000;  // pixels are enough to know the background

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

double between(double a, double b, double t) {
    // As NumPy rounds it, from the nearer end.
    return t >= 0.5 ? b - (b - a) * (1.0 - t) : a + (b - a) * t;
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

bool black_surround(Picture picture, int dark, shapes::Bits& surround) {
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
    surround = shapes::touching_frame(inside);
    return true;
}

namespace {

// Levels of the pixels that are as bright as some, and how many they are.
struct Bright {
    std::array<std::array<std::int64_t, 256>, 3> levels{};
    std::int64_t number = 0;

    double median(std::size_t channel) const { return percentile(levels[channel].data(), 0, number, 50.0); }
};

// By the pixels pixel(0) … pixel(number - 1).
template <class PixelOf>
void white_of(std::ptrdiff_t number, PixelOf pixel, double white[3]) {
    using Lights = std::array<std::int64_t, 766>;  // of the sums of three levels
    constexpr std::ptrdiff_t worth = 2048;
    const auto light = [](const std::uint8_t* p) { return p[0] + p[1] + p[2]; };
    Lights lights{};
    const auto lights_of = [&](std::ptrdiff_t i, std::ptrdiff_t end) {
        Lights own{};
        for (; i < end; ++i) ++own[static_cast<std::size_t>(light(pixel(i)))];
        return own;
    };
    for (const Lights& own : collect(number, worth, lights_of))
        std::transform(own.begin(), own.end(), lights.begin(), lights.begin(), std::plus<>());
    const double least = 0.9 * percentile(lights.data(), 0, number, 95.0);
    const auto bright_of = [&](std::ptrdiff_t i, std::ptrdiff_t end) {
        Bright own;
        for (; i < end; ++i) {
            const std::uint8_t* p = pixel(i);
            if (static_cast<double>(light(p)) < least) continue;
            for (std::size_t channel = 0; channel < 3; ++channel) ++own.levels[channel][p[channel]];
            ++own.number;
        }
        return own;
    };
    Bright all;
    for (const Bright& own : collect(number, worth, bright_of)) {
        for (std::size_t channel = 0; channel < 3; ++channel)
            for (std::size_t level = 0; level < 256; ++level)
                all.levels[channel][level] += own.levels[channel][level];
        all.number += own.number;
    }
    for (std::size_t channel = 0; channel < 3; ++channel) white[channel] = std::max(all.median(channel), 1.0);
}

}  // namespace

void background(Picture picture, const shapes::Bits* valid, double white[3]) {
    const std::ptrdiff_t number = valid ? valid->count() : picture.size();
    const std::ptrdiff_t step = std::max<std::ptrdiff_t>(1, number / SAMPLE);
    if (!valid)
        return white_of((number + step - 1) / step,
                        [&](std::ptrdiff_t i) { return picture.rgb + 3 * step * i; }, white);
    std::vector<const std::uint8_t*> pixels;
    pixels.reserve(z(number / step + 1));
    std::ptrdiff_t skip = 0;  // valid pixels before the next one
    shapes::each_run(*valid, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
        for (; skip < end - begin; skip += step)
            pixels.push_back(picture.rgb + 3 * (r * picture.cols + begin + skip));
        skip -= end - begin;
    });
    white_of(
        static_cast<std::ptrdiff_t>(pixels.size()), [&](std::ptrdiff_t i) { return pixels[z(i)]; }, white);
}

namespace {

// Each channel's levels against white.
class Balance {
  public:
    Balance(const double white[3], std::ptrdiff_t cols) : extra_(z(3 * cols)) {
        for (std::size_t channel = 0; channel < 3; ++channel) {
            const double factor = 255.0 / white[channel];
            Table& table = table_[channel];
            for (std::size_t level = 0; level < 256; ++level)
                table[level] = static_cast<std::uint8_t>(
                    std::min(std::nearbyint(static_cast<double>(level) * factor), 255.0));
            // Single precision breaks ties in its own way; for nearly all whites one of these breaks them as
            // double precision does.
            const auto extra = static_cast<float>(factor - 1.0);
            const std::array<float, 3> near{extra, extra * (1.0F + kNudge), extra * (1.0F - kNudge)};
            const auto own =
                std::find_if(near.begin(), near.end(), [&](float one) { return gives(one, table); });
            quick_ = quick_ && own != near.end();
            for (std::size_t i = channel; quick_ && i < extra_.size(); i += 3) extra_[i] = *own;
        }
    }

    void row(const std::uint8_t* levels, std::uint8_t* out) const {
        if (quick_) return plane_kernels().balance({levels, extra_.data(), extra_.size(), out});
        for (std::size_t i = 0; i < extra_.size(); i += 3)
            for (std::size_t channel = 0; channel < 3; ++channel)
                out[i + channel] = table_[channel][levels[i + channel]];
    }

  private:
    using Table = std::array<std::uint8_t, 256>;
    static constexpr float kNudge = 1e-5F;

    static bool gives(float extra, const Table& table) {
        if (!(std::abs(extra) <= 8192.0F)) return false;
        std::array<float, 256> extras;
        Table levels, out;
        for (std::size_t level = 0; level < 256; ++level) levels[level] = static_cast<std::uint8_t>(level);
        extras.fill(extra);
        plane_kernels().balance({levels.data(), extras.data(), 256, out.data()});
        return out == table;
    }

    std::array<Table, 3> table_;
    std::vector<float> extra_;
    bool quick_ = true;
};

}  // namespace

namespace {

// The planes of the rows begin..end.
void planes_of_rows(Picture picture, const Balance& balance, std::ptrdiff_t begin, std::ptrdiff_t end,
                    StainRowArgs args, const Planes& out) {
    const std::ptrdiff_t rows = picture.rows, cols = picture.cols;
    // Three balanced rows at a time.
    std::vector<std::uint8_t> balanced(z(9 * cols)), smoothed(z(3 * cols));
    std::vector<std::uint16_t> sums(z(3 * cols + 6));
    std::vector<std::int16_t> smooth(z(3 * cols));
    const auto row_of = [&](std::ptrdiff_t r) { return balanced.data() + 3 * (r % 3) * cols; };
    const auto fill = [&](std::ptrdiff_t r) { balance.row(picture.rgb + 3 * r * cols, row_of(r)); };
    args.sums = sums.data();
    args.smoothed = smoothed.data();
    args.smooth = smooth.data();
    for (std::ptrdiff_t r = std::max<std::ptrdiff_t>(begin - 1, 0); r <= begin; ++r) fill(r);
    for (std::ptrdiff_t r = begin; r < end; ++r) {
        poll(z(r), 16);
        if (r + 1 < rows) fill(r + 1);
        args.above = row_of(std::max<std::ptrdiff_t>(r - 1, 0));
        args.own = row_of(r);
        args.below = row_of(std::min(r + 1, rows - 1));
        args.features = out.features + 3 * r * cols;
        args.score = out.score ? out.score + r * cols : nullptr;
        args.depth = out.depth + r * cols;
        args.strength = out.strength + r * cols;
        plane_kernels().stain_row(args);
    }
}

}  // namespace

namespace {

constexpr int LOW = -255;
// Neighbours are alike: a counter each in turn, so that none waits for the one before.
constexpr std::size_t TURNS = 4;

// Of the rows first..last.
ScoreCounts score_counts(const std::int16_t* score, const shapes::Bits& valid, std::ptrdiff_t first,
                         std::ptrdiff_t last) {
    std::array<std::array<std::uint32_t, 511>, TURNS> turns{};
    for (std::ptrdiff_t r = first; r < last; ++r) {
        poll(z(r), 64);
        const std::int16_t* own = score + r * valid.cols;
        const auto count = [&](std::ptrdiff_t c, std::size_t turn) {
            ++turns[turn][static_cast<std::size_t>(own[c] - LOW)];
        };
        shapes::each_run(valid, r, [&](std::ptrdiff_t c, std::ptrdiff_t end) {
            for (; c + 4 <= end; c += 4) {
                count(c, 0);
                count(c + 1, 1);
                count(c + 2, 2);
                count(c + 3, 3);
            }
            for (; c < end; ++c) count(c, 0);
        });
    }
    ScoreCounts number{};
    for (const auto& turn : turns)
        for (std::size_t bin = 0; bin < number.size(); ++bin) number[bin] += turn[bin];
    return number;
}

}  // namespace

void planes(Picture picture, const double white[3], int offset, bool grey, const Planes& out) {
    planes(picture, white, offset, grey, out, {});
}

void planes(Picture picture, const double white[3], int offset, bool grey, const Planes& out,
            const Along& along) {
    const Balance balance(white, picture.cols);
    StainRowArgs args{};
    args.cols = z(picture.cols);
    args.offset = offset;
    args.grey = grey;
    // Each band balances a row or two for itself.
    const std::ptrdiff_t rows = std::max(rows_worth(picture.cols), picture.rows / 16),
                         pixels = rows * picture.cols;
    std::mutex mutex;
    const auto make = [&](std::size_t band) {
        const std::ptrdiff_t begin = static_cast<std::ptrdiff_t>(band) * rows,
                             end = std::min(begin + rows, picture.rows);
        planes_of_rows(picture, balance, begin, end, args, out);
        if (!along.scores) return;
        const ScoreCounts own = score_counts(out.score, *along.valid, begin, end);
        const std::lock_guard<std::mutex> lock(mutex);
        std::transform(own.begin(), own.end(), along.scores->begin(), along.scores->begin(), std::plus<>());
    };
    feed(z((picture.rows + rows - 1) / rows), make, [&](const auto& ready) {
        if (along.use) along.use([&](std::size_t wanted) { ready((wanted + z(pixels) - 1) / z(pixels)); });
    });
}

std::vector<std::int64_t> spread(const std::int16_t* score, const shapes::Bits& valid, int k) {
    return spread(score_counts(score, valid, 0, valid.rows), score, valid, k);
}

std::vector<std::int64_t> spread(const ScoreCounts& number, const std::int16_t* score,
                                 const shapes::Bits& valid, int k) {
    ScoreCounts first{};
    const std::int64_t total = std::accumulate(number.begin(), number.end(), std::int64_t{0});
    const auto first_of = [&](std::size_t bin) {
        constexpr std::ptrdiff_t STEP = 64;  // at once
        const std::ptrdiff_t size = valid.rows * valid.cols;
        const auto wanted = static_cast<std::int16_t>(static_cast<int>(bin) + LOW);
        for (std::ptrdiff_t from = 0; first[bin] == 0 && from < size; from += STEP) {
            const std::ptrdiff_t to = std::min(from + STEP, size);
            std::int16_t any = 0;
            for (std::ptrdiff_t i = from; i < to; ++i) any |= score[i] == wanted ? 1 : 0;
            for (std::ptrdiff_t i = from; any != 0 && first[bin] == 0 && i < to; ++i)
                if (score[i] == wanted && valid.at(i / valid.cols, i % valid.cols)) first[bin] = i + 1;
        }
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
