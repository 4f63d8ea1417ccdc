// What sticks out of a cell like a tongue: a neighbour that it has grown into through a narrow contact.
#include <algorithm>
#include <cmath>

#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

Bits cut_tongues(const Bits& bits, const Bits& kept, const TongueRules& rules, double inscribed) {
    const Bits core = open_disc(bits, rules.core * inscribed);
    Bits room = bits;
    const Parts outgrowths = components(room.subtract(core));
    if (outgrowths.n == 0) return bits;
    struct Outgrowth {
        std::int64_t square = 0;  // of its length
        std::int64_t contact = 0;
        bool kept = false;
    };
    std::vector<Outgrowth> found(static_cast<std::size_t>(outgrowths.n) + 1);
    const Outside to_core(core.outside());
    for (const Run& run : outgrowths.runs) {
        Outgrowth& own = found[static_cast<std::size_t>(run.part)];
        for (std::ptrdiff_t c = run.begin; c < run.end; ++c) {
            const std::int64_t square = to_core.square(run.row, c);
            own.square = std::max(own.square, square);
            own.contact += square <= 1;
        }
        own.kept = own.kept || kept.count(run.row, run.begin, run.end) > 0;
    }
    Bytes tongue(found.size());
    for (std::size_t i = 1; i < found.size(); ++i) {
        const double length = std::sqrt(static_cast<double>(found[i].square));
        tongue[i] = !found[i].kept && length > rules.length * inscribed &&
                    length > rules.neck * static_cast<double>(found[i].contact);
    }
    Bits cut(bits.rows, bits.cols), out = bits;
    outgrowths.draw(tongue, cut);
    return out.subtract(cut);
}

void cut_tongues(Mask mask, const std::uint8_t* kept, const TongueRules& rules, std::uint8_t* out) {
    const Bits bits = pack(mask);
    unpack(cut_tongues(bits, pack({kept, mask.rows, mask.cols}), rules, inscribed_radius(bits)), out,
           mask.cols);
}

}  // namespace fastpgs::shapes
