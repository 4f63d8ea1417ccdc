#include "fastpgs/palette.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "fastpgs/colour_kernels.hpp"
#include "fastpgs/groups.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/tile_kernels.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kCells = ColourCounts::kCells, kPlaces = ColourCounts::kPlaces;
constexpr std::size_t kCubes = 8;                             // of a cell
constexpr std::size_t kCube = kPlaces / kCubes;               // places of a cube
constexpr std::size_t kGroupColours = 64;                     // of several cubes, at most
constexpr std::size_t kExpected = std::size_t{1} << 18;       // colours
constexpr std::size_t kPolled = std::size_t{1} << 20;         // pixels between two looks at signals
constexpr std::size_t kPixelsPerTask = std::size_t{1} << 17;  // fewer are not worth a thread

std::size_t tasks_for(std::size_t pixels, int threads) {
    return static_cast<std::size_t>(team(pixels, kPixelsPerTask, threads));
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
            for (; i + kTurns <= end; i += kTurns) {
                std::uint64_t word = 0;
                std::memcpy(&word, data + i, kTurns);
                for (std::size_t turn = 0; turn < kTurns; ++turn) ++counts[turn][word >> (8 * turn) & 255U];
            }
            for (; i < end; ++i) ++counts[0][data[i]];
        }
        for (const auto& part : counts)
            for (std::size_t v = 0; v < 256; ++v) total[v] += part[v];
    }
    return total;
}

// The colour of a key (colour_counts.hpp).
std::array<std::uint8_t, 3> colour_at(std::size_t key) {
    const std::size_t cell = key / kPlaces, place = key % kPlaces;
    const auto channel = [&](std::size_t c) {
        const std::size_t upper = cell >> (10 - 5 * c) & 31, third = place >> (8 - c) & 1;
        return static_cast<std::uint8_t>(upper << 3 | third << 2 | (place >> (4 - 2 * c) & 3));
    };
    return {channel(0), channel(1), channel(2)};
}

// As the bytes of a word, so that colours of one cube can be added up from its corner and an offset.
std::uint32_t packed(const std::array<std::uint8_t, 3>& rgb) {
    std::uint32_t out = 0;
    std::memcpy(&out, rgb.data(), 3);
    return out;
}

const std::array<std::uint32_t, kCube> place_offsets = [] {
    std::array<std::uint32_t, kCube> out{};
    for (std::size_t place = 0; place < kCube; ++place) out[place] = packed(colour_at(place));
    return out;
}();

// Which of eight bytes are not 0, as eight bits, and the places and number of those.
struct BitPlaces {
    static constexpr std::uint64_t kOnes = 0x0101010101010101U;
    std::uint64_t at[256];  // a byte a place
    std::uint8_t count[256];

    BitPlaces() : at(), count() {
        std::uint8_t places[256][8] = {};
        for (std::size_t byte = 0; byte < 8; ++byte) {
            std::uint8_t bytes[8] = {};
            bytes[byte] = 1;
            std::uint64_t word = 0;
            std::memcpy(&word, bytes, 8);
            for (std::size_t bits = 0; bits < 256; ++bits)
                if ((bits & bits_of(word)) != 0)
                    places[bits][count[bits]++] = static_cast<std::uint8_t>(byte);
        }
        std::memcpy(at, places, sizeof(at));
    }

    static std::size_t bits_of(std::uint64_t word) {
        const std::uint64_t high = (((word & 0x7F * kOnes) + 0x7F * kOnes) | word) >> 7 & kOnes;
        return static_cast<std::size_t>(high * 0x0102040810204080U >> 56);
    }
};
const BitPlaces bit_places;

}  // namespace

std::optional<Palette> Palette::count(const ImageView& image, const MaskView& mask, int threads,
                                      std::int32_t* labels) {
    if (image.pixels() > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    Palette out(image, mask, labels);
    if (image.channels == 1)
        out.count_levels();
    else if (!out.count_colours(threads))
        return std::nullopt;
    return out;
}

void Palette::count_levels() {
    const auto counts = pixels_of_levels(image_.as<std::uint8_t>(), mask_, image_.pixels());
    for (std::size_t v = 0; v < 256; ++v) {
        if (counts[v] == 0) continue;
        *colours_.extend(1) = static_cast<std::uint8_t>(v);
        *counts_.extend(1) = static_cast<std::uint32_t>(counts[v]);
    }
}

bool Palette::count_colours(int threads) {
    const std::size_t n = image_.pixels(), tasks = tasks_for(n, threads);
    const std::size_t most_blocks = std::min(kCells, n / 16 + 1024);
    for (std::size_t t = 0; t < tasks; ++t) parts_.emplace_back(most_blocks);
    // Room, of which only what is used costs anything.
    colours_.reserve(3 * std::min(n, kExpected));
    counts_.reserve(std::min(n, kExpected));
    std::vector<std::uint8_t> fits(tasks, 0);
    parallel_for(tasks, threads, [&](std::size_t t) {
        const auto [first, last] = run_of(t);
        fits[t] = 1;
        for (std::size_t begin = first; begin < last && fits[t] != 0; begin += kPolled) {
            poll();
            fits[t] = parts_[t].count(image_.as<std::uint8_t>(), mask_, begin,
                                      std::min(begin + kPolled, last), labels_);
        }
    });
    if (std::find(fits.begin(), fits.end(), 0) != fits.end()) return false;
    merge_cells();
    starts_.push_back(static_cast<std::uint32_t>(size()));
    return true;
}

// Cells of all parts, with the pixels that counters do not hold.
void Palette::merge_cells() {
    std::vector<std::pair<std::size_t, std::size_t>> overflows;  // cell, place
    for (const ColourCounts& part : parts_)
        for (const std::uint32_t at : part.overflows())
            if (at >= kPlaces) overflows.emplace_back(part.cell(at / kPlaces), at % kPlaces);
    std::sort(overflows.begin(), overflows.end());
    std::array<std::uint32_t, kPlaces> sum;
    for (std::size_t first = 0; first < parts_.size(); ++first) {
        for (std::size_t block = 1; block <= parts_[first].blocks(); ++block) {
            poll(block, 256);
            const std::size_t cell = parts_[first].cell(block);
            const auto has_cell = [cell](const ColourCounts& part) { return part.block_of(cell) != 0; };
            const auto own = parts_.begin() + static_cast<std::ptrdiff_t>(first);
            if (std::any_of(parts_.begin(), own, has_cell)) continue;
            auto overflow =
                std::lower_bound(overflows.begin(), overflows.end(), std::pair{cell, std::size_t{0}});
            const bool beyond = overflow != overflows.end() && overflow->first == cell;
            if (!beyond && std::none_of(own + 1, parts_.end(), has_cell)) {
                add_cell(cell, parts_[first].counters(block));
                continue;
            }
            sum.fill(0);
            for (auto part = own; part != parts_.end(); ++part) {
                if (!has_cell(*part)) continue;
                const std::uint8_t* counters = part->counters(part->block_of(cell));
                for (std::size_t i = 0; i < kPlaces; ++i) sum[i] += counters[i];
            }
            for (; overflow != overflows.end() && overflow->first == cell; ++overflow)
                sum[overflow->second] += ColourCounts::kTurn;
            add_cell(cell, sum.data());
        }
    }
}

void Palette::add_cell(std::size_t cell, const std::uint32_t* counts) {
    CellPlaces found;
    for (std::size_t cube = 0; cube < kCubes; ++cube) {
        std::size_t n = found.starts[cube];
        for (std::size_t place = 0; place < kCube; ++place) {
            found.places[n] = static_cast<std::uint8_t>(place);
            n += counts[cube * kCube + place] != 0;
        }
        found.starts[cube + 1] = n;
    }
    add_groups(cell, found, counts);
}

// The same of counters of bytes, eight at once: which are not 0 are eight bits, and a table tells their
// places.
void Palette::add_cell(std::size_t cell, const std::uint8_t* counts) {
    CellPlaces found;
    for (std::size_t cube = 0; cube < kCubes; ++cube) {
        std::array<std::uint64_t, kCube / 8> words;
        std::memcpy(words.data(), counts + cube * kCube, kCube);
        std::size_t n = found.starts[cube];
        std::uint64_t any = 0;
        for (const std::uint64_t word : words) any |= word;
        for (std::size_t w = 0; any != 0 && w < words.size(); ++w) {
            const std::size_t bits = bit_places.bits_of(words[w]);
            const std::uint64_t places = bit_places.at[bits] + 8 * w * BitPlaces::kOnes;
            std::memcpy(found.places.data() + n, &places, 8);
            n += bit_places.count[bits];
        }
        found.starts[cube + 1] = n;
    }
    add_groups(cell, found, counts);
}

// Cubes of few colours share a group with their neighbours.
template <class Count>
void Palette::add_groups(std::size_t cell, const CellPlaces& found, const Count* counts) {
    for (std::size_t cube = 0, next = 0; cube < kCubes; cube = next) {
        next = cube + 1;
        while (next < kCubes && found.starts[next + 1] - found.starts[cube] <= kGroupColours) ++next;
        if (found.starts[cube] < found.starts[next]) add_group(cell, found, cube, next - cube, counts);
    }
}

// The colours of some cubes.
template <class Count>
void Palette::add_group(std::size_t cell, const CellPlaces& found, std::size_t cube, std::size_t cubes,
                        const Count* counts) {
    const std::size_t at = size(), n = found.starts[cube + cubes] - found.starts[cube];
    const std::size_t whole = (n + kGroupStep - 1) / kGroupStep * kGroupStep;
    spans_.push_back({static_cast<std::uint32_t>(cell * kPlaces + cube * kCube),
                      static_cast<std::uint32_t>(cubes * kCube)});
    starts_.push_back(static_cast<std::uint32_t>(at));
    std::uint32_t* count = counts_.extend(whole);
    std::uint8_t* colour = colours_.extend(3 * whole + 1);  // four bytes are written at once
    colours_.cut(3 * (at + whole));
    const std::uint32_t* offsets = place_offsets.data();
    std::uint32_t rgb = 0;
    for (std::size_t end = cube + cubes; cube < end; ++cube) {
        const std::uint32_t corner = packed(colour_at(cell * kPlaces + cube * kCube));
        for (std::size_t i = found.starts[cube]; i < found.starts[cube + 1]; ++i, colour += 3) {
            const std::size_t place = found.places[i];
            *count++ = counts[cube * kCube + place];
            rgb = corner + offsets[place];
            std::memcpy(colour, &rgb, 4);
        }
    }
    for (std::size_t i = n; i < whole; ++i, colour += 3) {
        *count++ = 0;
        std::memcpy(colour, &rgb, 4);
    }
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
        const int level = colours_[colour];
        const std::uint8_t *at = data, *end = data + before;
        while (at < end) {
            at = static_cast<const std::uint8_t*>(std::memchr(at, level, static_cast<std::size_t>(end - at)));
            if (at == nullptr) return none;
            if (mask_[static_cast<std::size_t>(at - data)]) return at - data;
            ++at;
        }
        return none;
    }
    std::int32_t key = 0;
    tile_kernels().colours.keys(colours_.data() + 3 * colour, 1, &key);
    for (std::size_t part = 0; part < parts_.size(); ++part) {
        const std::size_t block = parts_[part].block_of(static_cast<std::size_t>(key) / kPlaces);
        if (block == 0) continue;
        const auto place =
            static_cast<std::int32_t>(block * kPlaces + static_cast<std::size_t>(key) % kPlaces);
        const std::size_t last = std::min(run_of(part).second, before);
        constexpr std::size_t kAtOnce = 64;  // compilers make lanes of that
        for (std::size_t i = parts_[part].first_pixel(block); i < last; i += kAtOnce) {
            const std::size_t end = std::min(i + kAtOnce, last);
            int any = 0;
            for (std::size_t l = i; l < end; ++l) any |= labels_[l] == place ? 1 : 0;
            if (any != 0) return std::find(labels_ + i, labels_ + end, place) - labels_;
        }
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
        steps.level[steps.n] = colours_[i];
        steps.rise[steps.n++] = rise;
    }
    return steps;
}

void Palette::write_labels(const std::vector<std::uint8_t>& colour_labels, int threads) {
    if (channels_ == 3)
        return write_labels(std::vector<std::uint8_t>(groups(), kStraddles), colour_labels, threads);
    std::array<std::int32_t, 256> table{};
    for (std::size_t i = 0; i < size(); ++i) table[colours_[i]] = colour_labels[i];
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

void Palette::write_labels(const std::vector<std::uint8_t>& group_labels,
                           const std::vector<std::uint8_t>& colour_labels, int threads) {
    parallel_for(parts_.size(), threads, [&](std::size_t part) {
        Block<std::uint8_t> table((parts_[part].blocks() + 1) * kPlaces);
        fill_table(parts_[part], group_labels, colour_labels, table.data());
        const std::uint8_t* of_place = table.data();
        const auto [begin, end] = run_of(part);
        for (std::size_t i = begin; i < end; ++i) labels_[i] = of_place[labels_[i]];
    });
}

// What each counter of a part is labelled as; what no colour has stays undefined.
void Palette::fill_table(const ColourCounts& part, const std::vector<std::uint8_t>& group_labels,
                         const std::vector<std::uint8_t>& colour_labels, std::uint8_t* table) const {
    table[0] = 0;  // outside the mask
    for (std::size_t g = 0; g < groups(); ++g) {
        const std::size_t block = part.block_of(spans_[g].key / kPlaces);
        if (block == 0) continue;
        std::uint8_t* of_block = table + block * kPlaces;
        if (group_labels[g] != kStraddles) {
            std::fill_n(of_block + spans_[g].key % kPlaces, spans_[g].length, group_labels[g]);
            continue;
        }
        std::array<std::int32_t, kCube> keys;
        const std::size_t begin = starts_[g], n = starts_[g + 1] - begin;
        tile_kernels().colours.keys(colours_.data() + 3 * begin, n, keys.data());
        for (std::size_t i = 0; i < n; ++i)
            of_block[static_cast<std::size_t>(keys[i]) % kPlaces] = colour_labels[begin + i];
    }
}

}  // namespace fastpgs
