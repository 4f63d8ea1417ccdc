#include "fastpgs/bits.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/plane_kernels.hpp"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace fastpgs::shapes {

namespace {

// The eight bytes, 0 or 1, of eight bits.
struct Spread {
    std::array<std::array<std::uint8_t, 8>, 256> bytes{};
    Spread() {
        for (std::size_t value = 0; value < 256; ++value)
            for (std::size_t bit = 0; bit < 8; ++bit)
                bytes[value][bit] = static_cast<std::uint8_t>(value >> bit & 1);
    }
};

// Calls visit(word, bits of it) for the words that the pixels begin..end of a row lie in.
template <class Visit>
void each_word(std::ptrdiff_t begin, std::ptrdiff_t end, Visit visit) {
    if (begin >= end) return;
    const std::ptrdiff_t first = begin / Bits::kWord, last = (end - 1) / Bits::kWord;
    for (std::ptrdiff_t w = first; w <= last; ++w) {
        Word mask = ~Word{0};
        if (w == first) mask &= ~Word{0} << (begin % Bits::kWord);
        if (w == last) mask &= ~Word{0} >> (Bits::kWord - 1 - (end - 1) % Bits::kWord);
        visit(w, mask);
    }
}

std::int32_t root(std::vector<std::int32_t>& parent, std::int32_t i) {
    while (parent[static_cast<std::size_t>(i)] != i) {
        std::int32_t& up = parent[static_cast<std::size_t>(i)];
        up = parent[static_cast<std::size_t>(up)];
        i = up;
    }
    return i;
}

// Rows of a mask by look(numbers of a row, words), which tells of all pixels.
template <class Number, class Look>
Bits chosen(const Bits& among, const Number* numbers, Look look) {
    Bits out(among.rows, among.cols);
    share(among.rows, 2 * rows_worth(among.cols), [&](std::ptrdiff_t r, std::ptrdiff_t last) {
        for (; r < last; ++r) {
            if (!among.any(r)) continue;
            Word* own = out.row(r);
            look(numbers + r * among.cols, own);
            for (const Word *wanted = among.row(r), *end = wanted + among.width; wanted != end;)
                *own++ &= *wanted++;
        }
    });
    return out;
}

}  // namespace

Bits members(const std::int32_t* numbers, std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t stride,
             const std::vector<std::int32_t>& of) {
    Bits out(rows, cols);
    for (std::ptrdiff_t r = 0; r < rows; ++r)
        plane_kernels().members(
            {numbers + r * stride, static_cast<std::size_t>(cols), of.data(), of.size(), out.row(r)});
    return out;
}

Bits above(const Bits& among, const double* numbers, double limit) {
    return chosen(among, numbers, [&](const double* row, Word* words) {
        fastpgs::above(LimitArgs<double>{row, limit, static_cast<std::size_t>(among.cols), words});
    });
}

Bits above(const Bits& among, const float* numbers, float limit) {
    return chosen(among, numbers, [&](const float* row, Word* words) {
        fastpgs::above(LimitArgs<float>{row, limit, static_cast<std::size_t>(among.cols), words});
    });
}

bool Bits::any() const {
    return std::any_of(words.begin(), words.end(), [](Word word) { return word != 0; });
}

bool Bits::any(std::ptrdiff_t r) const {
    return std::any_of(row(r), row(r) + width, [](Word word) { return word != 0; });
}

std::int64_t Bits::count() const { return plane_kernels().population(words.data(), words.size()); }

void Bits::set(std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
    Word* own = row(r);
    each_word(begin, end, [&](std::ptrdiff_t w, Word mask) { own[w] |= mask; });
}

std::int64_t Bits::count(std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) const {
    const Word* own = row(r);
    std::int64_t n = 0;
    each_word(begin, end, [&](std::ptrdiff_t w, Word mask) { n += population(own[w] & mask); });
    return n;
}

Bits& Bits::operator&=(const Bits& other) {
    for (std::size_t i = 0; i < words.size(); ++i) words[i] &= other.words[i];
    return *this;
}

Bits& Bits::operator|=(const Bits& other) {
    for (std::size_t i = 0; i < words.size(); ++i) words[i] |= other.words[i];
    return *this;
}

Bits& Bits::subtract(const Bits& other) {
    for (std::size_t i = 0; i < words.size(); ++i) words[i] &= ~other.words[i];
    return *this;
}

Bits Bits::outside() const {
    Bits out = *this;
    for (Word& word : out.words) word = ~word;
    if (width > 0)
        for (std::ptrdiff_t r = 0; r < rows; ++r) out.row(r)[width - 1] &= tail();
    return out;
}

Word gather(const std::uint8_t* flags, std::ptrdiff_t used) {
    std::uint8_t some[Bits::kWord];
    if (used < Bits::kWord) {
        std::memset(some, 0, sizeof some);
        std::memcpy(some, flags, static_cast<std::size_t>(used));
        flags = some;
    }
    Word word = 0;
#if defined(__SSE2__)
    for (int i = 0; i < 4; ++i) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(flags + 16 * i));
        const int zeros = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_setzero_si128()));
        word |= static_cast<Word>(~zeros & 0xFFFF) << (16 * i);
    }
#else
    for (int i = 0; i < Bits::kWord; ++i) word |= static_cast<Word>(flags[i] != 0) << i;
#endif
    return word;
}

Bits pack(const std::uint8_t* bytes, std::ptrdiff_t rows, std::ptrdiff_t cols, std::ptrdiff_t stride) {
    Bits bits(rows, cols);
    for (std::ptrdiff_t r = 0; r < rows; ++r)
        for (std::ptrdiff_t w = 0; w < bits.width; ++w)
            bits.row(r)[w] =
                gather(bytes + r * stride + w * Bits::kWord, std::min(Bits::kWord, cols - w * Bits::kWord));
    return bits;
}

void unpack(const Bits& bits, std::uint8_t* bytes, std::ptrdiff_t stride) {
    static const Spread spread;
    for (std::ptrdiff_t r = 0; r < bits.rows; ++r) {
        std::uint8_t* to = bytes + r * stride;
        for (std::ptrdiff_t w = 0; w < bits.width; ++w) {
            Word word = bits.row(r)[w];
            std::ptrdiff_t left = std::min(Bits::kWord, bits.cols - w * Bits::kWord);
            for (; left >= 8; left -= 8, to += 8, word >>= 8)
                std::memcpy(to, spread.bytes[word & 255].data(), 8);
            for (; left > 0; --left, ++to, word >>= 1) *to = static_cast<std::uint8_t>(word & 1);
        }
    }
}

Bits grown(const Bits& bits) {
    Bits out = bits;
    for (std::ptrdiff_t r = 0; r < bits.rows; ++r) {
        const Word* own = bits.row(r);
        Word* to = out.row(r);
        for (std::ptrdiff_t w = 0; w < bits.width; ++w) {
            const Word before = w > 0 ? own[w - 1] >> 63 : 0;
            const Word after = w + 1 < bits.width ? own[w + 1] << 63 : 0;
            to[w] |= own[w] << 1 | before | own[w] >> 1 | after;
            if (r > 0) to[w] |= own[w - bits.width];
            if (r + 1 < bits.rows) to[w] |= own[w + bits.width];
        }
        to[bits.width - 1] &= bits.tail();
    }
    return out;
}

Bits cropped(const Bits& bits, std::ptrdiff_t top, std::ptrdiff_t left, std::ptrdiff_t rows,
             std::ptrdiff_t cols) {
    Bits out(rows, cols);
    const std::ptrdiff_t first = left / Bits::kWord, shift = left % Bits::kWord;
    for (std::ptrdiff_t r = 0; r < rows; ++r) {
        const Word* from = bits.row(top + r) + first;
        Word* to = out.row(r);
        for (std::ptrdiff_t w = 0; w < out.width; ++w) {
            to[w] = from[w] >> shift;
            if (shift > 0 && first + w + 1 < bits.width) to[w] |= from[w + 1] << (Bits::kWord - shift);
        }
        if (out.width > 0) to[out.width - 1] &= out.tail();
    }
    return out;
}

std::vector<std::int64_t> Parts::areas() const {
    std::vector<std::int64_t> area(static_cast<std::size_t>(n) + 1, 0);
    for (const Run& run : runs) area[static_cast<std::size_t>(run.part)] += run.end - run.begin;
    return area;
}

void Parts::draw(const std::vector<std::uint8_t>& keep, Bits& onto) const {
    for (const Run& run : runs)
        if (keep[static_cast<std::size_t>(run.part)]) onto.set(run.row, run.begin, run.end);
}

Parts components(const Bits& bits) {
    Parts out;
    std::vector<Run>& runs = out.runs;
    // A union of two runs keeps the earlier one, so roots ascend in raster order.
    std::vector<std::int32_t> parent;
    runs.reserve(static_cast<std::size_t>(2 * bits.rows));
    parent.reserve(static_cast<std::size_t>(2 * bits.rows));
    std::size_t above = 0, above_end = 0;  // the runs of the row above
    for (std::ptrdiff_t r = 0; r < bits.rows; ++r) {
        poll(static_cast<std::size_t>(r), 64);
        const std::size_t first = runs.size();
        each_run(bits, r, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
            auto own = static_cast<std::int32_t>(runs.size());
            parent.push_back(own);
            Run& run = runs.emplace_back();  // in place: four numbers moved as one wait for one another
            run.row = static_cast<std::int32_t>(r);
            run.begin = static_cast<std::int32_t>(begin);
            run.end = static_cast<std::int32_t>(end);
            while (above < above_end && runs[above].end <= begin) ++above;
            // The last run that this one touches may touch the next one too.
            for (std::size_t i = above; i < above_end && runs[i].begin < end; ++i) {
                const std::int32_t other = root(parent, static_cast<std::int32_t>(i));
                if (other == own) continue;
                parent[static_cast<std::size_t>(std::max(own, other))] = std::min(own, other);
                own = std::min(own, other);
            }
        });
        above = first;
        above_end = runs.size();
    }
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const auto up = static_cast<std::size_t>(parent[i]);
        runs[i].part = up == i ? ++out.n : runs[up].part;
    }
    return out;
}

std::vector<Run>::const_iterator first_in(const std::vector<Run>& runs, std::ptrdiff_t row) {
    return std::lower_bound(runs.begin(), runs.end(), row,
                            [](const Run& run, std::ptrdiff_t own) { return run.row < own; });
}

std::vector<Run> common(const std::vector<Run>& runs, const Bits& bits) {
    std::vector<Run> out;
    auto own = runs.begin();
    each_run(bits, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
        while (own != runs.end() && (own->row < r || (own->row == r && own->end <= begin))) ++own;
        for (auto i = own; i != runs.end() && i->row == r && i->begin < end; ++i)
            out.push_back({i->row, std::max(i->begin, static_cast<std::int32_t>(begin)),
                           std::min(i->end, static_cast<std::int32_t>(end)), i->part});
    });
    return out;
}

}  // namespace fastpgs::shapes
