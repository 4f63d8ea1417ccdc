#include "fastpgs/palette.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "fastpgs/colour_kernels.hpp"
#include "fastpgs/crew.hpp"
#include "fastpgs/groups.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/tile_kernels.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kCells = ColourCounts::kCells, kPlaces = ColourCounts::kPlaces;
constexpr std::size_t kCube = kPlaces / 8;                    // places of an eighth of a cell
constexpr std::size_t kExpected = std::size_t{1} << 18;       // colours
constexpr std::size_t kPolled = std::size_t{1} << 20;         // pixels between two looks at signals
constexpr std::size_t kAwaited = std::size_t{1} << 13;        // pixels awaited at once
constexpr std::size_t kPixelsPerTask = Palette::kShared / 2;  // fewer are not worth a thread
constexpr std::ptrdiff_t kLookedUp = 8192;                    // nor these worth sharing out

std::size_t tasks_for(std::size_t pixels, int threads) {
    return static_cast<std::size_t>(team(pixels, kPixelsPerTask, threads));
}

// Puts what stands where pixels were counted in the place of where that was.
void look_up(const std::uint8_t* of_place, std::int32_t* places, std::ptrdiff_t n) {
    constexpr std::ptrdiff_t kAtOnce = 8;  // compilers leave it at one
    std::ptrdiff_t i = 0;
    for (; i + kAtOnce <= n; i += kAtOnce)
        for (std::ptrdiff_t l = i; l < i + kAtOnce; ++l)
            places[l] = of_place[static_cast<std::uint32_t>(places[l])];
    for (; i < n; ++i) places[i] = of_place[places[i]];
}

// Pixels of each grey level. Neighbours are alike: a counter each in turn, so that none waits for the one
// before.
std::array<std::uint64_t, 256> pixels_of_levels(const std::uint8_t* data, const MaskView& mask,
                                                std::size_t n) {
    constexpr std::size_t kTurns = 8, kRun = std::size_t{1} << 30;  // a run fits counters of 32 bits
    std::array<std::uint64_t, 256> total{};
    for (std::size_t begin = 0; begin < n; begin += kRun) {
        const std::size_t end = std::min(n, begin + kRun);
        std::array<std::array<std::uint32_t, 256>, kTurns> counts{};
        std::size_t i = begin;
        if (mask) {
            for (; i < end; ++i) counts[i % kTurns][data[i]] += mask[i] ? 1U : 0U;
        } else {
            for (; i + kTurns <= end; i += kTurns)
                for (std::size_t turn = 0; turn < kTurns; ++turn) ++counts[turn][data[i + turn]];
            for (; i < end; ++i) ++counts[0][data[i]];
        }
        for (const auto& part : counts)
            for (std::size_t v = 0; v < 256; ++v) total[v] += part[v];
    }
    return total;
}

}  // namespace

std::optional<Palette> Palette::count(const ImageView& image, const MaskView& mask, int threads,
                                      std::int32_t* labels) {
    if (image.pixels() > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    Palette out(image, mask, labels);
    if (image.channels == 1)
        out.count_levels();
    else if (!out.count_colours(threads, {}))
        return std::nullopt;
    if (image.channels != 1) out.list();
    return out;
}

std::optional<Palette> Palette::count(const ImageView& image, const MaskView& mask, std::int32_t* labels,
                                      const Ready& ready) {
    Palette out(image, mask, labels);
    if (!out.count_colours(1, ready)) return std::nullopt;
    return out;
}

void Palette::count_levels() {
    const auto counts = pixels_of_levels(image_.as<std::uint8_t>(), mask_, image_.pixels());
    for (std::size_t v = 0; v < 256; ++v) {
        if (counts[v] == 0) continue;
        *bytes_.extend(1) = static_cast<std::uint8_t>(v);
        *list_.counts.extend(1) = static_cast<std::uint32_t>(counts[v]);
    }
}

bool Palette::count_colours(int threads, const Ready& ready) {
    const std::size_t n = image_.pixels(), tasks = tasks_for(n, threads);
    const std::size_t most_blocks = std::min(kCells, n / 16 + 1024);
    for (std::size_t t = 0; t < tasks; ++t) parts_.emplace_back(most_blocks);
    list_.reserve(std::min(n, kExpected));
    std::vector<std::uint8_t> fits(tasks, 0);
    const std::size_t step = ready ? kAwaited : kPolled;
    parallel_for(tasks, threads, [&](std::size_t t) {
        const auto [first, last] = run_of(t);
        fits[t] = 1;
        for (std::size_t begin = first; begin < last && fits[t] != 0; begin += step) {
            poll();
            const std::size_t end = std::min(begin + step, last);
            if (ready) ready(end);
            fits[t] = parts_[t].count(image_.as<std::uint8_t>(), mask_, begin, end, labels_);
        }
    });
    if (std::find(fits.begin(), fits.end(), 0) != fits.end()) return false;
    return true;
}

// Room, of which only what is used costs anything.
void Palette::Colours::reserve(std::size_t colours) {
    for (Pile<std::int32_t>* words : {&a, &b}) words->reserve(colours);
    counts.reserve(colours);
}

// Cells of all parts, with the pixels that counters do not hold. Of one part half are listed apart where
// somebody else is at hand.
void Palette::list() {
    Overflows overflows;
    std::size_t blocks = 0;
    for (const ColourCounts& part : parts_) {
        for (const std::uint32_t at : part.overflows())
            if (at >= kPlaces) overflows.emplace_back(part.cell(at / kPlaces), at % kPlaces);
        blocks += part.blocks();
    }
    std::sort(overflows.begin(), overflows.end());
    if (parts_.size() == 1 && hands() > 1) {
        const std::size_t half = 1 + blocks / 2;
        Colours others;
        beside([&] { add_blocks(0, 1, half, overflows, list_); },
               [&] {
                   others.reserve((blocks - blocks / 2) * CellColoursArgs::kMost);
                   add_blocks(0, half, blocks + 1, overflows, others);
               });
        list_.append(others);
    } else {
        for (std::size_t part = 0; part < parts_.size(); ++part)
            add_blocks(part, 1, parts_[part].blocks() + 1, overflows, list_);
    }
    list_.starts.push_back(static_cast<std::uint32_t>(size()));
}

// The cells of the blocks first..last of a part that no part before it has.
void Palette::add_blocks(std::size_t own, std::size_t first, std::size_t last, const Overflows& overflows,
                         Colours& list) const {
    list.spans.reserve(list.spans.size() + 4 * (last - first));
    list.starts.reserve(list.starts.size() + 4 * (last - first) + 1);
    const auto part = parts_.begin() + static_cast<std::ptrdiff_t>(own);
    std::array<std::uint32_t, kPlaces> sum;
    for (std::size_t block = first; block < last; ++block) {
        poll(block, 256);
        const std::size_t cell = part->cell(block);
        const auto has_cell = [cell](const ColourCounts& counts) { return counts.block_of(cell) != 0; };
        if (std::any_of(parts_.begin(), part, has_cell)) continue;
        auto overflow = std::lower_bound(overflows.begin(), overflows.end(), std::pair{cell, std::size_t{0}});
        const bool beyond = overflow != overflows.end() && overflow->first == cell;
        if (!beyond && std::none_of(part + 1, parts_.end(), has_cell)) {
            list.add_cell(cell, part->counters(block), nullptr);
            continue;
        }
        sum.fill(0);
        for (auto other = part; other != parts_.end(); ++other) {
            if (!has_cell(*other)) continue;
            const std::uint8_t* counters = other->counters(other->block_of(cell));
            for (std::size_t i = 0; i < kPlaces; ++i) sum[i] += counters[i];
        }
        for (; overflow != overflows.end() && overflow->first == cell; ++overflow)
            sum[overflow->second] += ColourCounts::kTurn;
        list.add_cell(cell, nullptr, sum.data());
    }
}

void Palette::Colours::add_cell(std::size_t cell, const std::uint8_t* counters, const std::uint32_t* sums) {
    const std::size_t at = counts.size();
    const auto channel = [cell](int shift) { return static_cast<std::int32_t>(cell >> shift & 31) << 3; };
    CellColoursArgs args;
    args.counters = counters;
    args.sums = sums;
    args.corner_a = channel(10) | channel(5) << 16;
    args.corner_b = channel(0) | 1 << 16;
    args.a = a.extend(CellColoursArgs::kMost);
    args.b = b.extend(CellColoursArgs::kMost);
    args.counts = counts.extend(CellColoursArgs::kMost);
    tile_kernels().colours.cell(args);
    a.cut(at + args.n);
    b.cut(at + args.n);
    counts.cut(at + args.n);
    for (std::size_t g = 0; g < args.n_groups; ++g) {
        const auto& group = args.groups[g];
        spans.push_back({static_cast<std::uint32_t>(cell * kPlaces + group.cube * kCube),
                         static_cast<std::uint32_t>((group.end - group.cube) * kCube)});
        starts.push_back(static_cast<std::uint32_t>(at + group.start));
    }
}

void Palette::Colours::append(const Colours& others) {
    const std::size_t at = counts.size(), n = others.counts.size();
    std::copy_n(others.a.data(), n, a.extend(n));
    std::copy_n(others.b.data(), n, b.extend(n));
    std::copy_n(others.counts.data(), n, counts.extend(n));
    spans.insert(spans.end(), others.spans.begin(), others.spans.end());
    for (const std::uint32_t start : others.starts) starts.push_back(static_cast<std::uint32_t>(at + start));
}

GroupedColours Palette::grouped() const {
    return {list_.a.data(), list_.b.data(), true, list_.counts.data(), list_.starts.data()};
}

ImageView Palette::colours() {
    if (bytes_.size() == 0) {  // of RGB
        std::uint8_t* rgb = bytes_.extend(3 * size());
        for (std::size_t i = 0; i < size(); ++i, rgb += 3) {
            rgb[0] = static_cast<std::uint8_t>(list_.a[i] & 255);
            rgb[1] = static_cast<std::uint8_t>(list_.a[i] >> 16);
            rgb[2] = static_cast<std::uint8_t>(list_.b[i] & 255);
        }
    }
    return {bytes_.data(), PixelType::u8, 1, size(), channels_};
}

std::pair<std::size_t, std::size_t> Palette::run_of(std::size_t part) const {
    const std::size_t n = image_.pixels(), parts = parts_.size();
    return {part * n / parts, (part + 1) * n / parts};
}

Palette::Place Palette::first_of(const std::vector<std::size_t>& tied) const {
    Place found{tied.front(), static_cast<std::int64_t>(image_.pixels())};
    for (const std::size_t colour : tied) {
        const std::int64_t raster = first_of(colour, static_cast<std::size_t>(found.raster));
        if (raster < found.raster) found = {colour, raster};
    }
    return found;
}

// The first pixel of a colour, or `before` where it has none before that.
std::int64_t Palette::first_of(std::size_t colour, std::size_t before) const {
    const auto none = static_cast<std::int64_t>(before);
    if (channels_ == 1) {
        const auto* data = image_.as<std::uint8_t>();
        const int level = bytes_[colour];
        const std::uint8_t *at = data, *end = data + before;
        while (at < end) {
            at = static_cast<const std::uint8_t*>(std::memchr(at, level, static_cast<std::size_t>(end - at)));
            if (at == nullptr) return none;
            if (mask_[static_cast<std::size_t>(at - data)]) return at - data;
            ++at;
        }
        return none;
    }
    std::array<std::int32_t, kGroupStep> keys;
    const std::size_t near = colour / kGroupStep * kGroupStep;
    tile_kernels().colours.group_keys(grouped(), near, near + kGroupStep, keys.data());
    const std::int32_t key = keys[colour - near];
    for (std::size_t part = 0; part < parts_.size(); ++part) {
        const std::size_t block = parts_[part].block_of(ColourCounts::cell_of(key));
        if (block == 0) continue;
        const auto place = static_cast<std::int32_t>(block * kPlaces + ColourCounts::place_of(key));
        const std::size_t last = std::min(run_of(part).second, before);
        const std::size_t begin = parts_[part].first_pixel(block), n = last > begin ? last - begin : 0;
        const std::size_t found = tile_kernels().colours.find(labels_ + begin, n, place);
        if (found < n) return static_cast<std::int64_t>(begin + found);
    }
    return none;
}

// Where labels of grey levels change, which lie in order; none if they do so too often.
std::optional<LevelSteps> Palette::steps_of(const std::vector<std::uint8_t>& colour_labels) const {
    LevelSteps steps;
    steps.first = colour_labels[0];
    for (std::size_t i = 1; i < size(); ++i) {
        const std::int32_t rise = colour_labels[i] - colour_labels[i - 1];
        if (rise == 0) continue;
        if (steps.n == LevelSteps::kMost) return std::nullopt;
        steps.level[steps.n] = bytes_[i];
        steps.rise[steps.n++] = rise;
    }
    return steps;
}

void Palette::write_labels(const std::vector<std::uint8_t>& colour_labels, int threads) {
    if (channels_ == 3)
        return write_labels(std::vector<std::uint8_t>(groups(), kStraddles), colour_labels, threads);
    std::array<std::int32_t, 256> table{};
    for (std::size_t i = 0; i < size(); ++i) table[bytes_[i]] = colour_labels[i];
    const std::optional<LevelSteps> steps = steps_of(colour_labels);
    const auto* data = image_.as<std::uint8_t>();
    const std::size_t n = image_.pixels(), tasks = tasks_for(n, threads);
    parallel_for(tasks, threads, [&](std::size_t t) {
        const std::size_t begin = t * n / tasks, end = (t + 1) * n / tasks;
        if (steps)
            tile_kernels().colours.levels(data + begin, end - begin, *steps, labels_ + begin);
        else
            for (std::size_t i = begin; i < end; ++i) labels_[i] = table[data[i]];
        if (!mask_) return;
        for (std::size_t i = begin; i < end; ++i) labels_[i] = mask_[i] ? labels_[i] : 0;
    });
}

// From where pixels are counted to their labels.
void Palette::write_labels(const std::vector<std::uint8_t>& group_labels,
                           const std::vector<std::uint8_t>& colour_labels, int threads) {
    parallel_for(parts_.size(), threads, [&](std::size_t part) {
        fill_table(parts_[part], group_labels, colour_labels);
        const std::uint8_t* of_place = parts_[part].counters(0);
        const auto [begin, end] = run_of(part);
        std::int32_t* const places = labels_ + begin;
        share(static_cast<std::ptrdiff_t>(end - begin), kLookedUp,
              [&](std::ptrdiff_t first, std::ptrdiff_t last) {
                  look_up(of_place, places + first, last - first);
              });
    });
}

// Labels take the places of counters, which lie in cache and are not needed any more.
void Palette::fill_table(ColourCounts& part, const std::vector<std::uint8_t>& group_labels,
                         const std::vector<std::uint8_t>& colour_labels) const {
    *part.counters(0) = 0;  // outside the mask
    for (std::size_t g = 0; g < groups(); ++g) {
        const std::size_t block = part.block_of(list_.spans[g].key / kPlaces);
        if (block == 0) continue;
        std::uint8_t* of_block = part.counters(block);
        if (group_labels[g] != kStraddles) {
            std::fill_n(of_block + list_.spans[g].key % kPlaces, list_.spans[g].length, group_labels[g]);
            continue;
        }
        std::array<std::int32_t, kCube> keys;
        const std::size_t begin = list_.starts[g], n = list_.starts[g + 1] - begin;
        tile_kernels().colours.group_keys(grouped(), begin, begin + n, keys.data());
        for (std::size_t i = 0; i < n; ++i)
            of_block[ColourCounts::place_of(keys[i])] = colour_labels[begin + i];
    }
}

}  // namespace fastpgs
