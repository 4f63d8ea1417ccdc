// What sticks out of a cell like a tongue: a neighbour that it has grown into through a narrow contact.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

namespace {

// What is known of one outgrowth.
struct Outgrowth {
    std::int64_t area = 0, contact = 0;
    bool kept = false, tongue = false;
    double limit = 0;  // a tongue is longer

    // No pixel lies farther from the core than so many of a part that touches it.
    bool may_be_tongue() const { return !kept && !(contact > 0 && static_cast<double>(area) <= limit); }
};

// Whether a pixel of a run lies farther than `limit`. None does that is nearer to one that does not than what
// that one is short of it.
bool any_farther(const Outside& from, const Run& run, double limit) {
    for (std::int32_t c = run.begin; c < run.end;) {
        const double own = std::sqrt(static_cast<double>(from.square(run.row, c)));
        if (own > limit) return true;
        c += static_cast<std::int32_t>(limit - own) + 1;
    }
    return false;
}

// How far the nearest pixel outside lies from a pixel, along its row; `most` where none is nearer.
std::int64_t along_row(const Bits& bits, std::ptrdiff_t r, std::ptrdiff_t c, std::int64_t most) {
    const std::ptrdiff_t own = c / Bits::kWord;
    const Word upper = ~Word{0} << c % Bits::kWord, lower = ~Word{0} >> (Bits::kWord - 1 - c % Bits::kWord);
    const auto outside = [&](std::ptrdiff_t w, Word among) {
        return ~bits.row(r)[w] & among & (w == bits.width - 1 ? bits.tail() : ~Word{0});
    };
    for (std::ptrdiff_t w = own; w < bits.width && w * Bits::kWord - c < most; ++w)
        if (const Word word = outside(w, w == own ? upper : ~Word{0})) {
            most = std::min<std::int64_t>(most, w * Bits::kWord + lowest(word) - c);
            break;
        }
    for (std::ptrdiff_t w = own; w >= 0 && c - (w + 1) * Bits::kWord < most; --w)
        if (const Word word = outside(w, w == own ? lower : ~Word{0})) {
            most = std::min<std::int64_t>(most, c - w * Bits::kWord - highest(word));
            break;
        }
    return most;
}

// The disc about a pixel that holds none outside.
Inscribed disc_at(const Bits& bits, std::ptrdiff_t row, std::ptrdiff_t col) {
    auto best = static_cast<std::int64_t>(std::max(bits.rows, bits.cols));
    std::int64_t square = best * best;
    for (std::int64_t down = 0; down * down < square; ++down)
        for (const std::ptrdiff_t r : {row - down, row + down}) {
            if (r < 0 || r >= bits.rows) continue;
            best = along_row(bits, r, col, best);
            square = std::min(square, down * down + best * best);
        }
    return {std::sqrt(static_cast<double>(square)), row, col};
}

// Whether the mask is so near to discs within it that no outgrowth is long enough for a tongue.
//
// The core holds what lies within radius - sqrt(2) of a disc's middle: discs of the opening, whose middles
// lie on pixels, reach it from within the larger one. Of a pixel farther out the nearest pixel of the core is
// no more than 2 sqrt(2) farther than that circle. What is true of both ends of a run is true of all of it.
class Near {
  public:
    Near(const Bits& bits, const TongueRules& rules, const Inscribed& largest)
        : opening_(rules.core * largest.radius), length_(rules.length * largest.radius) {
        each_run(bits, [this](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
            left_.push_back({static_cast<std::int32_t>(r), static_cast<std::int32_t>(begin),
                             static_cast<std::int32_t>(end), 0});
        });
        leave_out_near(largest);
        // A longish cell holds discs nearly as large along its axis.
        for (const double step : {0.3, 0.6})
            for (int eighth = 0; eighth < 8 && !left_.empty(); ++eighth) {
                const auto moved = [&](std::ptrdiff_t from, double part) {
                    return from + static_cast<std::ptrdiff_t>(std::lround(step * largest.radius * part));
                };
                constexpr double DOWN[] = {0.0, 0.7, 1.0, 0.7, 0.0, -0.7, -1.0, -0.7};
                const std::ptrdiff_t r = moved(largest.row, DOWN[eighth]),
                                     c = moved(largest.col, DOWN[(eighth + 2) % 8]);
                if (r >= 0 && r < bits.rows && c >= 0 && c < bits.cols && bits.at(r, c))
                    leave_out_near(disc_at(bits, r, c));
            }
    }

    bool all() const { return left_.empty(); }

  private:
    void leave_out_near(const Inscribed& disc) {
        const double farthest = disc.radius + length_ - 3.0;
        if (!(disc.radius - opening_ > 1.0) || !(farthest > 0.0)) return;
        const auto near = [&](const Run& run) {
            const auto down = static_cast<double>(run.row - disc.row),
                       right = static_cast<double>(std::max(disc.col - run.begin, run.end - 1 - disc.col));
            return down * down + right * right <= farthest * farthest;
        };
        left_.erase(std::remove_if(left_.begin(), left_.end(), near), left_.end());
    }

    double opening_, length_;
    std::vector<Run> left_;  // runs that no disc is known to be near to
};

}  // namespace

Bits cut_tongues(const Bits& bits, const Bits& kept, const TongueRules& rules, const Inscribed& disc) {
    if (Near(bits, rules, disc).all()) return bits;
    const double inscribed = disc.radius;
    const Bits core = open_disc(bits, rules.core * inscribed);
    Bits room = bits;
    const Parts outgrowths = components(room.subtract(core));
    if (outgrowths.n == 0) return bits;
    std::vector<Outgrowth> found(static_cast<std::size_t>(outgrowths.n) + 1);
    const Bits beside = grown(core);
    for (const Run& run : outgrowths.runs) {
        Outgrowth& own = found[static_cast<std::size_t>(run.part)];
        own.area += run.end - run.begin;
        own.contact += beside.count(run.row, run.begin, run.end);
        own.kept = own.kept || kept.count(run.row, run.begin, run.end) > 0;
    }
    for (Outgrowth& own : found)
        own.limit = std::max(rules.length * inscribed, rules.neck * static_cast<double>(own.contact));
    if (std::none_of(found.begin() + 1, found.end(),
                     [](const Outgrowth& own) { return own.may_be_tongue(); }))
        return bits;
    const Outside to_core(core.outside());
    for (const Run& run : outgrowths.runs) {
        Outgrowth& own = found[static_cast<std::size_t>(run.part)];
        if (own.may_be_tongue() && !own.tongue) own.tongue = any_farther(to_core, run, own.limit);
    }
    Bytes tongue(found.size());
    for (std::size_t i = 1; i < found.size(); ++i) tongue[i] = found[i].tongue;
    Bits cut(bits.rows, bits.cols), out = bits;
    outgrowths.draw(tongue, cut);
    return out.subtract(cut);
}

void cut_tongues(Mask mask, const std::uint8_t* kept, const TongueRules& rules, std::uint8_t* out) {
    const Bits bits = pack(mask);
    unpack(cut_tongues(bits, pack({kept, mask.rows, mask.cols}), rules, inscribed(bits)), out, mask.cols);
}

}  // namespace fastpgs::shapes
