#include "fastpgs/palette.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "fastpgs/groups.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/parallel.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kPolled = std::size_t{1} << 20;         // pixels between two looks at signals
constexpr std::size_t kPixelsPerTask = std::size_t{1} << 17;  // fewer are not worth a thread

// Key of each level in its channel; a colour's key is the three together.
struct KeyTables {
    std::array<std::array<std::uint32_t, 256>, 3> channel{};

    KeyTables() {
        for (std::uint32_t c = 0; c < 3; ++c)
            for (std::uint32_t v = 0; v < 256; ++v)
                channel[c][v] = (v >> 3) << (19 - 5 * c) | (v & 7) << (6 - 3 * c);
    }

    std::uint32_t operator()(const std::uint8_t* p) const {
        return channel[0][p[0]] | channel[1][p[1]] | channel[2][p[2]];
    }
};

const KeyTables key_tables;

// Counters of the RGB colours of a run of pixels.
class Counters {
  public:
    explicit Counters(std::size_t most_blocks)
        : most_blocks_(most_blocks), directory_(Palette::kCells, Palette::kNoBlock) {
        counters_.reserve(std::min<std::size_t>(most_blocks, 2048) * Palette::kPlaces);
        first_.reserve(std::min<std::size_t>(most_blocks, 2048));
    }

    // False if there are too many cells.
    bool count(const std::uint8_t* data, const MaskView& mask, std::size_t begin, std::size_t end) {
        return mask ? count_run<true>(data, mask, begin, end) : count_run<false>(data, mask, begin, end);
    }

    // Calls visit(cell, first pixel, counters of its places) for each cell that occurs, in the order of
    // cells.
    template <class Visit>
    void visit_cells(Visit visit) const {
        for (std::size_t cell = 0; cell < Palette::kCells; ++cell) {
            poll(cell, 256);
            if (directory_[cell] != Palette::kNoBlock)
                visit(cell, first_[directory_[cell]],
                      counters_.data() + (std::size_t{directory_[cell]} << 9));
        }
    }

    bool overflowed() const { return !overflows_.empty(); }
    std::size_t blocks() const { return first_.size(); }

    const std::uint16_t* places(std::size_t cell) const {
        const std::uint32_t block = directory_[cell];
        return block == Palette::kNoBlock ? nullptr : counters_.data() + (std::size_t{block} << 9);
    }
    std::size_t first(std::size_t cell) const { return first_[directory_[cell]]; }

    // Calls visit(cell, place) for each 65536 pixels beyond a counter's range.
    template <class Visit>
    void visit_overflows(Visit visit) const {
        if (overflows_.empty()) return;
        std::vector<std::uint32_t> cell_of(first_.size());
        for (std::size_t cell = 0; cell < Palette::kCells; ++cell)
            if (directory_[cell] != Palette::kNoBlock)
                cell_of[directory_[cell]] = static_cast<std::uint32_t>(cell);
        for (const std::size_t at : overflows_) visit(cell_of[at >> 9], at & 511U);
    }

  private:
    template <bool Masked>
    bool count_run(const std::uint8_t* data, const MaskView& mask, std::size_t begin, std::size_t end) {
        // Locals, so that the compiler need not reload them after each store to a counter.
        const std::uint32_t* directory = directory_.data();
        std::uint16_t* counters = counters_.data();
        const std::uint8_t* p = data + 3 * begin;
        for (std::size_t i = begin; i < end; ++i, p += 3) {
            if (Masked && !mask[i]) continue;
            const std::uint32_t key = key_tables(p);
            std::uint32_t block = directory[key >> 9];
            if (block == Palette::kNoBlock) {
                if (first_.size() == most_blocks_) return false;
                block = open(key >> 9, i);
                counters = counters_.data();
            }
            const std::size_t at = std::size_t{block} << 9 | (key & 511U);
            if (++counters[at] == 0) overflows_.push_back(at);
        }
        return true;
    }

    std::uint32_t open(std::uint32_t cell, std::size_t pixel) {
        const auto block = static_cast<std::uint32_t>(first_.size());
        first_.push_back(pixel);
        directory_[cell] = block;
        counters_.resize(counters_.size() + Palette::kPlaces, 0);
        return block;
    }

    std::size_t most_blocks_;
    std::vector<std::uint32_t> directory_;
    std::vector<std::uint16_t> counters_;
    std::vector<std::size_t> first_;  // a block: the pixel that opened it
    std::vector<std::size_t> overflows_;
};

// Counters of all tasks, cell by cell.
class Merged {
  public:
    explicit Merged(const std::vector<Counters>& parts) : parts_(parts), overflowed_(Palette::kCells, 0) {
        for (const Counters& part : parts)
            part.visit_overflows([this](std::size_t cell, std::size_t place) {
                overflowed_[cell] = 1;
                overflows_.emplace_back(cell << 9 | place);
            });
    }

    template <class Visit>
    void visit_cells(Visit visit) {  // visit(cell, first pixel, counts of its 512 places)
        for (std::size_t cell = 0; cell < Palette::kCells; ++cell) {
            poll(cell, 256);
            bool any = false;
            std::size_t first = 0;
            for (const Counters& part : parts_) {
                const std::uint16_t* places = part.places(cell);
                if (places == nullptr) continue;
                if (any) {
                    for (std::size_t i = 0; i < Palette::kPlaces; ++i) sum_[i] += places[i];
                } else {
                    for (std::size_t i = 0; i < Palette::kPlaces; ++i) sum_[i] = places[i];
                    first = part.first(cell);  // parts come in raster order
                    any = true;
                }
            }
            if (!any) continue;
            if (overflowed_[cell] != 0) {
                for (const std::size_t key : overflows_)
                    if (key >> 9 == cell) sum_[key & 511U] += 65536U;
            }
            visit(cell, first, sum_.data());
        }
    }

  private:
    const std::vector<Counters>& parts_;
    std::vector<std::uint8_t> overflowed_;
    std::vector<std::size_t> overflows_;
    std::array<std::uint64_t, Palette::kPlaces> sum_{};
};

// Pixels of each grey level. Neighbours are alike: a counter each in turn, so that none waits for the one
// before.
std::array<std::uint64_t, 256> count_levels(const std::uint8_t* data, const MaskView& mask, std::size_t n) {
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

std::size_t tasks_for(std::size_t pixels, int threads) {
    return static_cast<std::size_t>(team(pixels, kPixelsPerTask, threads));
}

}  // namespace

std::optional<Palette> Palette::count(const ImageView& image, const MaskView& mask, int threads) {
    const std::size_t n = image.pixels();
    const std::size_t tasks = tasks_for(n, threads);
    const auto* data = image.as<std::uint8_t>();
    Palette out(image, mask);
    if (image.channels == 1) {
        const std::array<std::uint64_t, 256> counts = count_levels(data, mask, n);
        for (std::size_t v = 0; v < 256; ++v) {
            if (counts[v] == 0) continue;
            out.colours_.push_back(static_cast<std::uint8_t>(v));
            out.counts_.push_back(static_cast<double>(counts[v]));
        }
        return out;
    }
    const std::size_t most_blocks = std::min(kCells, n / 16 + 1024);
    std::vector<Counters> parts;
    for (std::size_t t = 0; t < tasks; ++t) parts.emplace_back(most_blocks);
    std::vector<std::uint8_t> fits(tasks, 0);
    parallel_for(tasks, threads, [&](std::size_t t) {
        const std::size_t last = (t + 1) * n / tasks;
        fits[t] = 1;
        for (std::size_t begin = t * n / tasks; begin < last && fits[t] != 0; begin += kPolled) {
            poll();
            fits[t] = parts[t].count(data, mask, begin, std::min(begin + kPolled, last));
        }
    });
    if (std::find(fits.begin(), fits.end(), 0) != fits.end()) return std::nullopt;

    if (tasks == 1 && !parts.front().overflowed()) {
        parts.front().visit_cells([&out](std::size_t cell, std::size_t first, const std::uint16_t* counts) {
            out.add_cell(cell, first, counts);
        });
    } else {
        Merged(parts).visit_cells([&out](std::size_t cell, std::size_t first, const std::uint64_t* counts) {
            out.add_cell(cell, first, counts);
        });
    }
    out.starts_.push_back(static_cast<std::uint32_t>(out.counts_.size()));
    return out;
}

template <class Count>
void Palette::add_cell(std::size_t cell, std::size_t first, const Count* counts) {
    cells_.push_back(static_cast<std::uint32_t>(cell));
    first_pixel_.push_back(first);
    starts_.push_back(static_cast<std::uint32_t>(counts_.size()));
    // Most places are empty: look at eight bytes of them at once.
    constexpr std::size_t kAtOnce = 8 / sizeof(Count);
    std::array<std::uint16_t, kPlaces> places;
    std::size_t n = 0;
    for (std::size_t begin = 0; begin < kPlaces; begin += kAtOnce) {
        std::uint64_t word = 0;
        std::memcpy(&word, counts + begin, sizeof(word));
        if (word == 0) continue;
        for (std::size_t place = begin; place < begin + kAtOnce; ++place) {
            places[n] = static_cast<std::uint16_t>(place);
            n += counts[place] != 0;
        }
    }
    const std::size_t at = counts_.size();
    counts_.resize(at + n);
    colours_.resize(3 * (at + n));
    std::uint8_t* colour = colours_.data() + 3 * at;
    const auto red = static_cast<std::uint8_t>((cell >> 10) << 3);
    const auto green = static_cast<std::uint8_t>((cell >> 5 & 31) << 3);
    const auto blue = static_cast<std::uint8_t>((cell & 31) << 3);
    for (std::size_t i = 0; i < n; ++i, colour += 3) {
        const std::uint32_t place = places[i];
        counts_[at + i] = static_cast<double>(counts[place]);
        colour[0] = static_cast<std::uint8_t>(red | place >> 6);
        colour[1] = static_cast<std::uint8_t>(green | (place >> 3 & 7U));
        colour[2] = static_cast<std::uint8_t>(blue | (place & 7U));
    }
}

Palette::Place Palette::first_of(const std::vector<std::size_t>& tied) const {
    std::size_t from = image_.pixels();
    for (const std::size_t colour : tied) {
        std::size_t first = 0;
        if (!first_pixel_.empty()) {
            const auto group = std::upper_bound(starts_.begin(), starts_.end(), colour) - starts_.begin() - 1;
            first = first_pixel_[static_cast<std::size_t>(group)];
        }
        from = std::min(from, first);
    }
    return channels_ == 3 ? search<3>(tied, from) : search<1>(tied, from);
}

template <std::size_t Channels>
Palette::Place Palette::search(const std::vector<std::size_t>& tied, std::size_t from) const {
    const auto* data = image_.as<std::uint8_t>();
    const auto is_at = [&](const std::uint8_t* p, std::size_t colour) {
        const std::uint8_t* wanted = colours_.data() + colour * Channels;
        return p[0] == wanted[0] && (Channels == 1 || (p[1] == wanted[1] && p[2] == wanted[2]));
    };
    const std::size_t n = image_.pixels();
    std::size_t i = from;
    if (Channels == 3 && tied.size() == 1) {  // four bytes at once, while there are four
        std::uint32_t wanted = 0, seen = 0;
        std::memcpy(&wanted, colours_.data() + 3 * tied.front(), 3);
        std::uint8_t every[4] = {255, 255, 255, 0};
        std::uint32_t keep = 0;
        std::memcpy(&keep, every, 4);
        for (; i + 1 < n; ++i) {
            std::memcpy(&seen, data + 3 * i, 4);
            if ((seen & keep) == wanted && mask_[i]) return {tied.front(), static_cast<std::int64_t>(i)};
        }
    }
    for (; i < n; ++i) {
        for (const std::size_t colour : tied)
            if (is_at(data + i * Channels, colour) && mask_[i]) return {colour, static_cast<std::int64_t>(i)};
    }
    return {tied.front(), 0};  // not reached: every colour of the palette occurs
}

void Palette::write_labels(const std::vector<std::uint8_t>& colour_labels, int threads,
                           std::int32_t* labels) const {
    if (channels_ == 3)
        return write_labels(std::vector<std::uint8_t>(cells_.size(), kStraddles), colour_labels, threads,
                            labels);
    std::array<std::int32_t, 256> table{};
    for (std::size_t i = 0; i < size(); ++i) table[colours_[i]] = colour_labels[i];
    const auto* data = image_.as<std::uint8_t>();
    const std::size_t n = image_.pixels(), tasks = tasks_for(n, threads);
    parallel_for(tasks, threads, [&](std::size_t t) {
        const std::size_t begin = t * n / tasks, end = (t + 1) * n / tasks;
        for (std::size_t i = begin; i < end; ++i) labels[i] = table[data[i]];
        if (!mask_) return;
        for (std::size_t i = begin; i < end; ++i) labels[i] = mask_[i] ? labels[i] : 0;
    });
}

void Palette::write_labels(const std::vector<std::uint8_t>& group_owners,
                           const std::vector<std::uint8_t>& colour_labels, int threads,
                           std::int32_t* labels) const {
    // One block of labels for each owner that whole cells share, and one for each straddling cell.
    std::size_t owners = 1, straddling = 0;
    for (const std::uint8_t owner : group_owners) {
        if (owner == kStraddles)
            ++straddling;
        else
            owners = std::max<std::size_t>(owners, owner + std::size_t{1});
    }
    std::vector<std::uint8_t> blocks;
    blocks.reserve((owners + straddling) * kPlaces);
    for (std::size_t owner = 0; owner < owners; ++owner)
        blocks.resize((owner + 1) * kPlaces, static_cast<std::uint8_t>(owner + 1));
    std::vector<std::uint32_t> directory(kCells, 0);
    for (std::size_t g = 0; g < cells_.size(); ++g) {
        if (group_owners[g] != kStraddles) {
            directory[cells_[g]] = group_owners[g];
            continue;
        }
        const std::size_t block = blocks.size() / kPlaces;
        directory[cells_[g]] = static_cast<std::uint32_t>(block);
        blocks.resize(blocks.size() + kPlaces);
        for (std::size_t i = starts_[g]; i < starts_[g + 1]; ++i)
            blocks[block * kPlaces + (key_tables(colours_.data() + 3 * i) & 511U)] = colour_labels[i];
    }
    const auto* data = image_.as<std::uint8_t>();
    const std::size_t n = image_.pixels(), tasks = tasks_for(n, threads);
    parallel_for(tasks, threads, [&](std::size_t t) {
        const std::size_t begin = t * n / tasks, end = (t + 1) * n / tasks;
        const std::uint32_t* to_block = directory.data();
        const std::uint8_t* block_labels = blocks.data();
        for (std::size_t i = begin; i < end; ++i) {
            const std::uint32_t key = key_tables(data + 3 * i);
            labels[i] = block_labels[std::size_t{to_block[key >> 9]} << 9 | (key & 511U)];
        }
        if (mask_) {
            for (std::size_t i = begin; i < end; ++i) labels[i] = mask_[i] ? labels[i] : 0;
        }
    });
}

}  // namespace fastpgs
