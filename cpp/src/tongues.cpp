// What sticks out of a cell like a tongue: a neighbour that it has grown into through a narrow contact.
#include <algorithm>
#include <cmath>

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

// Whether all of the mask is so near to its inscribed disc that no outgrowth is long enough for a tongue.
//
// The core holds what lies within radius - sqrt(2) of the disc's middle: discs of the opening, whose middles
// lie on pixels, reach it from within the inscribed one. Of a pixel farther out the nearest pixel of the core
// is no more than 2 sqrt(2) farther than that circle.
bool all_near(const Bits& bits, const TongueRules& rules, const Inscribed& disc) {
    if (!((1.0 - rules.core) * disc.radius > 1.0)) return false;
    const double farthest = (1.0 + rules.length) * disc.radius - 3.0;
    bool near = farthest > 0.0;
    each_run(bits, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
        const auto down = static_cast<double>(r - disc.row),
                   right = static_cast<double>(std::max(disc.col - begin, end - 1 - disc.col));
        near = near && down * down + right * right <= farthest * farthest;
    });
    return near;
}

}  // namespace

Bits cut_tongues(const Bits& bits, const Bits& kept, const TongueRules& rules, const Inscribed& disc) {
    if (all_near(bits, rules, disc)) return bits;
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
    unpack(cut_tongues(bits, pack({kept, mask.rows, mask.cols}), rules, inscribed(bits)), out,
           mask.cols);
}

}  // namespace fastpgs::shapes
