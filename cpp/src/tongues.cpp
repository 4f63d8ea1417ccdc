// What sticks out of a cell like a tongue: a neighbour that it has grown into through a narrow contact.
#include <algorithm>

#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

void cut_tongues(Mask mask, const std::uint8_t* kept, const TongueRules& rules, std::uint8_t* out) {
    const auto size = static_cast<std::size_t>(mask.size());
    std::copy_n(mask.data, size, out);
    std::vector<double> away(size);
    distance(mask, away.data());
    double inscribed = 0;
    for (std::size_t i = 0; i < size; ++i)
        if (mask.data[i]) inscribed = std::max(inscribed, away[i]);
    Bytes room(size);
    open_disc(mask, rules.core * inscribed, room.data());
    for (auto& value : room) value = !value;  // all but the core
    distance({room.data(), mask.rows, mask.cols}, away.data());
    for (std::size_t i = 0; i < size; ++i) room[i] = room[i] && mask.data[i];
    std::vector<std::int32_t> parts(size);
    const std::int32_t n = label({room.data(), mask.rows, mask.cols}, parts.data());
    struct Part {
        double length = 0;
        std::int64_t contact = 0;
        bool kept = false;
    };
    std::vector<Part> found(static_cast<std::size_t>(n) + 1);
    for (std::size_t i = 0; i < size; ++i) {
        if (parts[i] == 0) continue;
        Part& part = found[static_cast<std::size_t>(parts[i])];
        part.length = std::max(part.length, away[i]);
        part.contact += away[i] <= 1.0;
        part.kept = part.kept || kept[i];
    }
    for (std::size_t i = 0; i < size; ++i) {
        if (parts[i] == 0) continue;
        const Part& part = found[static_cast<std::size_t>(parts[i])];
        const bool tongue = part.length > rules.length * inscribed &&
                            part.length > rules.neck * static_cast<double>(part.contact);
        if (tongue && !part.kept) out[i] = 0;
    }
}

}  // namespace fastpgs::shapes
