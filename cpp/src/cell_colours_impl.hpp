// Colours and where they are counted (colour_counts.hpp): keys of pixels and of colours, and the colours of a
// cell. Included by colour_kernels_impl.hpp.
#pragma once

namespace fastpgs {
namespace FASTPGS_PATH {

// --- keys --------------------------------------------------------------------------------------------

// Cell RRRRR GGGGG BBBBB, place rgb rr gg bb: the upper five bits of each channel, then the third, then the
// last two.
static inline Lanes keys_of(Lanes a, Lanes b) {
    const Lanes upper = all(pair_of(0xF8, 0xF8)), third = all(pair_of(4, 4)), last = all(pair_of(3, 3));
    const Lanes to_cell = all(pair_of(1 << 10, 1 << 5)), to_place = all(pair_of(1 << 6, 1 << 5));
    const Lanes to_rest = all(pair_of(1 << 4, 1 << 2));
    const Lanes cell = add(dot(both(a, upper), to_cell), both(b, all(0xF8)));  // times 8
    const Lanes one = add(dot(both(a, third), to_place), dot(both(b, all(4)), all(1 << 4)));
    const Lanes other = add(dot(both(a, last), to_rest), both(b, all(3)));
    return add(shift_left(cell, 13), add(one, other));
}

static void colour_keys(const std::uint8_t* rgb, std::size_t n, std::int32_t* out) {
    std::size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        Lanes a, b;
        load_rgb(rgb + 3 * i, a, b);
        store(out + i, keys_of(a, b));
    }
    for (; i < n; ++i) {
        const std::int32_t r = rgb[3 * i], g = rgb[3 * i + 1], b = rgb[3 * i + 2];
        const std::int32_t cell = (r >> 3) << 10 | (g >> 3) << 5 | b >> 3;
        const std::int32_t sub = (r & 4) << 6 | (g & 4) << 5 | (b & 4) << 4;
        out[i] = cell << 16 | sub | (r & 3) << 4 | (g & 3) << 2 | (b & 3);
    }
}

static void group_keys(const GroupedColours& colours, std::size_t begin, std::size_t end, std::int32_t* out) {
    for (std::size_t i = begin; i < end; i += kLanes)
        store(out + i - begin, keys_of(load(colours.a + i), load(colours.b + i)));
}

static std::size_t places_below(const std::int32_t* places, std::size_t n, std::int32_t bound,
                                std::uint32_t* out) {
    const Lanes end = all(bound);
    std::size_t found = 0;
    for (std::size_t i = 0; i < n; i += kLanes)
        found += append(out + found, static_cast<std::int32_t>(i), bits(greater(end, load(places + i))));
    return found;
}

static std::size_t find_place(const std::int32_t* places, std::size_t n, std::int32_t place) {
    constexpr std::size_t kAtOnce = 8 * kLanes;
    const Lanes wanted = all(place);
    std::size_t i = 0;
    for (; i + kAtOnce <= n; i += kAtOnce) {
        Lanes found = equal(load(places + i), wanted);
        for (std::size_t at = kLanes; at < kAtOnce; at += kLanes)
            found = either(found, equal(load(places + i + at), wanted));
        if (bits(found) != 0) break;
    }
    while (i < n && places[i] != place) ++i;
    return i;
}

// --- colours of a cell -------------------------------------------------------------------------------

static constexpr std::size_t kCubes = 8, kCube = 64;           // of a cell, and places of one
static constexpr std::size_t kWord = 8;                        // places that are looked at as one
static constexpr std::size_t kWords = kCubes * kCube / kWord;  // of a cell
static constexpr std::size_t kGroupColours = 64;               // of several cubes, at most

// Colours of places: of the first of each word, from the cell's corner, and of a word's, from its first.
struct WordPlaces {
    std::int32_t a[kWords], b[kWords], own_a[kWord], own_b[kWord];

    constexpr WordPlaces() : a(), b(), own_a(), own_b() {
        for (std::int32_t word = 0; word < static_cast<std::int32_t>(kWords); ++word) {
            const std::int32_t third = word >> 3;  // its cube
            a[word] = (third & 4) + (word >> 1 & 3) + (((third & 2) << 1) + (word << 1 & 2)) * 65536;
            b[word] = (third & 1) << 2;
        }
        for (std::int32_t place = 0; place < static_cast<std::int32_t>(kWord); ++place) {
            own_a[place] = (place >> 2) * 65536;
            own_b[place] = place & 3;
        }
    }
};
static constexpr WordPlaces kWordPlaces;

static inline std::size_t count_bits(std::uint64_t word) {
#if defined(__GNUC__)
    return static_cast<std::size_t>(__builtin_popcountll(word));
#else
    std::size_t n = 0;
    for (; word != 0; word &= word - 1) ++n;
    return n;
#endif
}

static inline std::size_t lowest_of_bits(std::uint64_t word) {
#if defined(__GNUC__)
    return static_cast<std::size_t>(__builtin_ctzll(word));
#else
    std::size_t bit = 0;
    while ((word >> bit & 1U) == 0) ++bit;
    return bit;
#endif
}

static inline Lanes load_counts(const std::uint8_t* counts) { return load_bytes(counts); }
static inline Lanes load_counts(const std::uint32_t* counts) {
    return load(reinterpret_cast<const std::int32_t*>(counts));
}

// Which places of a cube are counted.
static inline std::uint64_t used_places(const std::uint8_t* counts) {
    std::uint64_t used = 0;
    for (std::size_t place = 0; place < kCube; place += 4 * kLanes)
        used |= std::uint64_t{bytes_above_zero(counts + place)} << place;
    return used;
}
static inline std::uint64_t used_places(const std::uint32_t* counts) {
    std::uint64_t used = 0;
    for (std::size_t place = 0; place < kCube; place += kLanes)
        used |= std::uint64_t{~bits(equal(load_counts(counts + place), all(0))) & ((1U << kLanes) - 1U)}
                << place;
    return used;
}

// Where colours are written.
struct ColourList {
    std::int32_t *a, *b, *counts;
    std::size_t n;
};

// Appends the colours of a word that are counted.
template <class Count>
static inline void append_word(ColourList& list, const CellColoursArgs& args, const Count* counts,
                               std::size_t word) {
    const Lanes a = all(kWordPlaces.a[word]), b = all(kWordPlaces.b[word]);
    for (std::size_t place = 0; place < kWord; place += kLanes) {
        const Lanes own_a = add(all(args.corner_a), load(kWordPlaces.own_a + place));
        const Lanes own_b = add(all(args.corner_b), load(kWordPlaces.own_b + place));
        const Lanes found = load_counts(counts + word * kWord + place);
        const unsigned used = ~bits(equal(found, all(0))) & ((1U << kLanes) - 1U);
        if (kLanes < kWord && used == 0) continue;  // where lists take a step a lane
        append_lanes(list.a + list.n, add(own_a, a), used);
        append_lanes(list.b + list.n, add(own_b, b), used);
        append_lanes(list.counts + list.n, found, used);
        list.n += count_bits(used);
    }
}

// Fills a group up with its last colour.
static inline void fill_up(ColourList& list) {
    const Lanes last_a = all(list.a[list.n - 1]), last_b = all(list.b[list.n - 1]);
    for (std::size_t i = 0; i < kGroupStep; i += kLanes) {
        store(list.a + list.n + i, last_a);
        store(list.b + list.n + i, last_b);
        store(list.counts + list.n + i, all(0));
    }
    list.n = (list.n + kGroupStep - 1) / kGroupStep * kGroupStep;
}

// Cubes of few colours share a group with their neighbours. Half of the words hold no colour.
template <class Count>
static void cell_colours_of(CellColoursArgs& out, const Count* counts) {
    const CellColoursArgs args = out;
    std::size_t size[kCubes];
    std::uint8_t used[kWords];
    for (std::size_t cube = 0; cube < kCubes; ++cube) {
        const std::uint64_t places = used_places(counts + cube * kCube);
        size[cube] = count_bits(places);
        for (std::size_t word = 0; word < kCube / kWord; ++word)
            used[cube * kWord + word] = static_cast<std::uint8_t>(places >> word * kWord);
    }
    std::uint64_t words = 0;
    for (std::size_t word = 0; word < kWords; word += 4 * kLanes)
        words |= std::uint64_t{bytes_above_zero(used + word)} << word;
    ColourList list = {args.a, args.b, reinterpret_cast<std::int32_t*>(args.counts), 0};
    std::size_t n_groups = 0;
    for (std::size_t cube = 0, next = 0; cube < kCubes; cube = next) {
        std::size_t n = size[cube];
        for (next = cube + 1; next < kCubes && n + size[next] <= kGroupColours; ++next) n += size[next];
        if (n == 0) continue;
        out.groups[n_groups++] = {cube, next, list.n};
        const std::uint64_t beyond = next < kCubes ? ~std::uint64_t{0} << next * kWord : 0;
        for (std::uint64_t left = words & ~beyond; left != 0; left &= left - 1)
            append_word(list, args, counts, lowest_of_bits(left));
        words &= beyond;
        fill_up(list);
    }
    out.n_groups = n_groups;
    out.n = list.n;
}

static void cell_colours(CellColoursArgs& args) {
    if (args.counters != nullptr)
        cell_colours_of(args, args.counters);
    else
        cell_colours_of(args, args.sums);
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
