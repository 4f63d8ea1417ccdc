// Shapes against their definitions, on random masks of awkward sizes; what Python's tests compare with SciPy
// is here so that it also runs under sanitizers.
#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "check.hpp"
#include "fastpgs/block.hpp"
#include "fastpgs/bodies.hpp"
#include "fastpgs/measures.hpp"
#include "fastpgs/outlines.hpp"
#include "fastpgs/reach.hpp"
#include "fastpgs/redness.hpp"
#include "fastpgs/shapes.hpp"
#include "fastpgs/stain.hpp"

using namespace fastpgs;
using shapes::Bytes;
using shapes::Mask;

namespace {

struct Case {
    std::ptrdiff_t rows, cols;
    Bytes bytes;
    Mask mask() const { return {bytes.data(), rows, cols}; }
    bool at(std::ptrdiff_t r, std::ptrdiff_t c) const {
        return bytes[static_cast<std::size_t>(r * cols + c)] != 0;
    }
};

// Rows of one word of bits, of two or of three.
Case random_case(std::mt19937& random) {
    const auto side = [&] { return static_cast<std::ptrdiff_t>(1 + random() % 19); };
    Case made{side(), side(), {}};
    if (random() % 4 == 0) made.cols += random() % 2 ? 50 : 120;
    const unsigned share = random() % 11;
    made.bytes.resize(static_cast<std::size_t>(made.rows * made.cols));
    for (auto& byte : made.bytes) byte = random() % 10 < share ? 255 : 0;  // any value but 0 is inside
    return made;
}

// So wide that squares and columns need more than one word.
Case strip(std::mt19937& random) {
    Case made{2, 1100, Bytes(2200)};
    const unsigned rare = random() % 2 ? 9 : 400;
    for (auto& byte : made.bytes) byte = random() % rare == 0;
    return made;
}

void distances_and_discs(const Case& given, double radius) {
    const auto size = given.bytes.size();
    std::vector<double> away(size);
    std::vector<std::ptrdiff_t> index(size);
    shapes::nearest(shapes::pack(given.mask()), away.data(), index.data());
    std::vector<std::int32_t> squares(size);
    shapes::squares(shapes::pack(given.mask()), squares.data());
    for (std::size_t i = 0; i < size; ++i) CHECK(std::sqrt(static_cast<double>(squares[i])) == away[i]);
    Bytes eroded(size), opened(size), closed(size);
    shapes::erode_disc(given.mask(), radius, eroded.data());
    shapes::open_disc(given.mask(), radius, opened.data());
    shapes::close_disc(given.mask(), radius, closed.data());
    for (std::ptrdiff_t r = 0; r < given.rows; ++r)
        for (std::ptrdiff_t c = 0; c < given.cols; ++c) {
            const auto i = static_cast<std::size_t>(r * given.cols + c);
            std::ptrdiff_t best = -1;
            for (std::ptrdiff_t y = 0; y < given.rows; ++y)
                for (std::ptrdiff_t x = 0; x < given.cols; ++x) {
                    const std::ptrdiff_t square = (y - r) * (y - r) + (x - c) * (x - c);
                    if (!given.at(y, x) && (best < 0 || square < best)) best = square;
                }
            if (best < 0) {
                CHECK(away[i] == static_cast<double>(std::max(given.rows, given.cols)) && index[i] == -1);
            } else {
                CHECK(away[i] == std::sqrt(static_cast<double>(best)));
                CHECK(!given.bytes[static_cast<std::size_t>(index[i])]);
            }
            CHECK(eroded[i] == (best < 0 || static_cast<double>(best) > radius * radius));
            CHECK(!opened[i] || given.bytes[i]);
            CHECK(!given.bytes[i] || closed[i]);
        }
}

void bits(const Case& given) {
    const shapes::Bits packed = shapes::pack(given.mask());
    Bytes back(given.bytes.size(), 7);
    shapes::unpack(packed, back.data(), given.cols);
    std::int64_t number = 0;
    for (std::size_t i = 0; i < back.size(); ++i) {
        CHECK(back[i] == (given.bytes[i] != 0));
        number += back[i];
    }
    CHECK(packed.count() == number && packed.any() == (number > 0));
    CHECK(packed.outside().count() == static_cast<std::int64_t>(back.size()) - number);
    shapes::Bits again(given.rows, given.cols);
    shapes::each_run(packed, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
        CHECK(begin < end && (begin == 0 || !given.at(r, begin - 1)) &&
              (end == given.cols || !given.at(r, end)));
        CHECK(packed.count(r, begin, end) == end - begin);
        again.set(r, begin, end);
    });
    CHECK(again.words == packed.words);
    CHECK(!again.subtract(packed).any());
    std::vector<double> radii;
    for (const shapes::Inscribed& disc : shapes::inscribed(packed, shapes::components(packed)))
        radii.push_back(disc.radius);
    std::vector<double> away(back.size()), most(radii.size(), 0.0);
    std::vector<std::int32_t> parts(back.size());
    shapes::distance(packed, away.data());
    shapes::label(given.mask(), parts.data());
    for (std::size_t i = 0; i < back.size(); ++i)
        most[static_cast<std::size_t>(parts[i])] =
            std::max(most[static_cast<std::size_t>(parts[i])], away[i]);
    CHECK(most == radii);
    shapes::Bytes asked(radii.size());
    for (auto& own : asked) own = random() % 4 != 0;
    asked[0] = 0;
    for (const double radius : {0.0, 1.0, 1.5, 2.0, std::sqrt(5.0), 4.0}) {
        const shapes::Bytes wide = shapes::as_wide(packed, shapes::components(packed), asked, radius);
        for (std::size_t i = 0; i < radii.size(); ++i)
            CHECK((wide[i] != 0) == (asked[i] && radii[i] >= radius));
    }
    const shapes::Inscribed disc = shapes::inscribed(packed);
    CHECK(disc.radius == *std::max_element(most.begin(), most.end()));
    CHECK(disc.radius == 0.0 ||
          away[static_cast<std::size_t>(disc.row * given.cols + disc.col)] == disc.radius);
}

// Which part is nearest, and which pixels are nearer than what: by looking at all of them.
void nearest_parts(const Case& given, std::mt19937& random) {
    const shapes::Bits packed = shapes::pack(given.mask());
    const shapes::Parts parts = shapes::components(packed);
    if (parts.n == 0) return;
    const auto size = given.bytes.size();
    std::vector<std::int32_t> squares(size), part(size), own(size);
    shapes::write_labels(parts, given.rows, given.cols, part.data());
    const auto stretches = shapes::nearest_parts(packed, parts, squares.data());
    shapes::write_labels({stretches, parts.n}, given.rows, given.cols, own.data());
    for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(size); ++i) {
        const auto at = static_cast<std::size_t>(i);
        std::ptrdiff_t best = -1, of_own = -1;
        for (const shapes::Run& run : parts.runs)
            for (std::ptrdiff_t c = run.begin; c < run.end; ++c) {
                const std::ptrdiff_t down = run.row - i / given.cols, right = c - i % given.cols,
                                     square = down * down + right * right;
                if (best < 0 || square < best) best = square;
                if (run.part == own[at] && (of_own < 0 || square < of_own)) of_own = square;
            }
        CHECK(squares[at] == best && of_own == best && (part[at] == 0 || part[at] == own[at]));
    }
    std::vector<double> radius;
    for (std::int32_t i = 0; i <= parts.n; ++i)
        radius.push_back(1.0 + static_cast<double>(random() % 9) / 3.0);
    const reach::Away away(reach::Nearest(packed, parts), radius);
    const double limit = static_cast<double>(random() % 30) / 6.0;
    const shapes::Bits all = packed.outside(), below = away.below(all, limit), above = away.above(all, limit);
    const shapes::Box box{given.rows / 3, given.cols / 3, given.rows, given.cols - given.cols / 4};
    const shapes::Bits within = away.within(box, limit);
    for (std::ptrdiff_t r = 0; r < given.rows; ++r) {
        std::vector<double> row(static_cast<std::size_t>(given.cols));
        away.distances(r, 0, given.cols, row.data());
        for (std::ptrdiff_t c = 0; c < given.cols; ++c) {
            const auto at = static_cast<std::size_t>(r * given.cols + c);
            const double distance = row[static_cast<std::size_t>(c)];
            CHECK(distance ==
                  std::sqrt(static_cast<double>(squares[at])) / radius[static_cast<std::size_t>(own[at])]);
            CHECK(below.at(r, c) == (all.at(r, c) && distance < limit));
            CHECK(above.at(r, c) == (all.at(r, c) && distance > limit));
            if (r >= box.top && c >= box.left && c < box.right)
                CHECK(within.at(r - box.top, c - box.left) == (distance <= limit));
        }
    }
}

// Runs of labels, what they have in common with a mask, and which touch.
void runs(const Case& given, std::mt19937& random) {
    const auto size = given.bytes.size();
    const shapes::Bits packed = shapes::pack(given.mask());
    std::vector<std::int32_t> labels(size), back(size);
    for (auto& own : labels) own = static_cast<std::int32_t>(random() % 4);
    const shapes::Parts parts = shapes::runs_of(labels.data(), given.rows, given.cols);
    shapes::write_labels(parts, given.rows, given.cols, back.data());
    CHECK(back == labels);
    const std::vector<std::int32_t> few{2, 3};
    const shapes::Bits chosen = shapes::members(labels.data(), given.rows, given.cols, given.cols, few);
    CHECK((chosen.words == shapes::where(labels.data(), given.rows, given.cols, given.cols, [](auto own) {
                               return own >= 2;
                           }).words));
    shapes::write_labels({shapes::common(parts.runs, packed), parts.n}, given.rows, given.cols, back.data());
    for (std::size_t i = 0; i < size; ++i) CHECK(back[i] == (given.bytes[i] ? labels[i] : 0));
    std::set<std::pair<std::int32_t, std::int32_t>> found, expected;
    shapes::each_contact(parts.runs, [&](const shapes::Run& a, const shapes::Run& b) {
        if (a.part != b.part) found.insert(std::minmax(a.part, b.part));
    });
    const auto touch = [&](std::size_t i, std::size_t j) {
        if (labels[i] != labels[j] && labels[i] && labels[j])
            expected.insert(std::minmax(labels[i], labels[j]));
    };
    const auto cols = static_cast<std::size_t>(given.cols);
    for (std::size_t i = 0; i < size; ++i) {
        if (i % cols + 1 < cols) touch(i, i + 1);
        if (i + cols < size) touch(i, i + cols);
    }
    CHECK(found == expected);
    const auto some = [&](std::ptrdiff_t side) {
        return static_cast<std::ptrdiff_t>(random() % static_cast<unsigned>(side));
    };
    const shapes::Box box{some(given.rows), some(given.cols), given.rows, given.cols};
    const std::ptrdiff_t cut = 1 + some(box.cols());
    const shapes::Bits part = shapes::cropped(packed, box.top, box.left, box.rows(), cut);
    CHECK((part.words ==
           shapes::pack(given.bytes.data() + box.top * given.cols + box.left, box.rows(), cut, given.cols)
               .words));
}

// Blocks that are given back are handed out again, whoever took them; what they are not is shared.
void blocks() {
    std::vector<Block<std::uint8_t>> held;
    for (std::size_t i = 0; i < 200; ++i) {
        held.emplace_back(1 + 5000 * (i % 7));
        std::fill_n(held.back().data(), 1 + 5000 * (i % 7), static_cast<std::uint8_t>(i));
        if (i % 3 == 0) held.erase(held.begin() + static_cast<std::ptrdiff_t>(held.size() / 2));
        if (i % 50 == 49) std::thread([&] { held.pop_back(); }).join();
    }
    for (std::size_t i = 1; i < held.size(); ++i) CHECK(held[i].data() != held[i - 1].data());
#ifndef __SANITIZE_THREAD__  // under it nothing is kept (block.cpp)
    const std::uint8_t* last = nullptr;
    for (int i = 0; i < 3; ++i) {
        Block<std::uint8_t> block(100000);
        CHECK(last == nullptr || block.data() == last);
        last = block.data();
    }
#endif
    const Block<std::uint8_t> large(2 * kKeptBytes);
}

void components(const Case& given) {
    const auto size = given.bytes.size();
    std::vector<std::int32_t> parts(size);
    const std::int32_t n = shapes::label(given.mask(), parts.data());
    const auto area = shapes::components(shapes::pack(given.mask())).areas();
    CHECK(area.size() == static_cast<std::size_t>(n) + 1);
    CHECK(std::all_of(area.begin() + 1, area.end(), [](std::int64_t a) { return a > 0; }));
    std::int32_t highest = 0;
    for (std::ptrdiff_t r = 0; r < given.rows; ++r)
        for (std::ptrdiff_t c = 0; c < given.cols; ++c) {
            const std::int32_t own = parts[static_cast<std::size_t>(r * given.cols + c)];
            CHECK((own > 0) == given.at(r, c));
            if (own && c > 0 && given.at(r, c - 1))
                CHECK(parts[static_cast<std::size_t>(r * given.cols + c - 1)] == own);
            if (own && r > 0 && given.at(r - 1, c))
                CHECK(parts[static_cast<std::size_t>((r - 1) * given.cols + c)] == own);
            CHECK(own <= highest + 1);  // numbered in the order in which they are met
            highest = std::max(highest, own);
        }
    CHECK(highest == n);
    Bytes filled(size), reached(size), none(size);
    shapes::fill_holes(given.mask(), 1e9, filled.data());
    shapes::touching(given.mask(), given.bytes.data(), reached.data());
    for (std::size_t i = 0; i < size; ++i) {
        CHECK(!given.bytes[i] || filled[i]);
        CHECK(reached[i] == (given.bytes[i] != 0));
    }
    shapes::touching(given.mask(), none.data(), reached.data());
    CHECK(std::count(reached.begin(), reached.end(), 1) == 0);
    const shapes::Bits packed = shapes::pack(given.mask()), nothing(given.rows, given.cols);
    shapes::Bits alone = shapes::parts_alone(packed, packed, nothing, 0.0),
                 framed = shapes::touching_frame(packed);
    CHECK((alone |= framed).words == packed.words);
    CHECK(!shapes::parts_alone(packed, packed, packed, 0.0).any());
    CHECK(!shapes::parts_alone(packed, nothing, nothing, 0.0).any());
    const double hull = shapes::hull_area(shapes::pack(given.mask()));
    CHECK(hull >= static_cast<double>(shapes::pack(given.mask()).count()));
    CHECK(hull <= static_cast<double>(size));
}

void pipeline(const Case& given, std::mt19937& random) {
    const auto size = given.bytes.size();
    std::vector<double> levels(size);
    std::vector<std::int32_t> squares(size);
    std::vector<std::int32_t> body(size), labels(size), nuclei(size);
    const shapes::Bits packed = shapes::pack(given.mask());
    for (std::size_t i = 0; i < size; ++i) {
        levels[i] = static_cast<double>(random() % 4);
        squares[i] = static_cast<std::int32_t>(random() % 40);
        if (random() % 9 == 0) body[i] = static_cast<std::int32_t>(1 + random() % 3);
    }
    // Buckets and a heap flood alike.
    const shapes::Parts whole = shapes::components(packed);
    std::vector<std::int32_t> inner(size), one = body, other(size);
    shapes::squares(packed, inner.data());
    std::vector<double> falling(size);
    std::transform(inner.begin(), inner.end(), falling.begin(),
                   [](std::int32_t own) { return -double{1} * own; });
    shapes::flood(given.mask(), falling.data(), one.data());
    for (std::size_t i = 0; i < size; ++i)
        if (!given.bytes[i]) body[i] = 0;
    const shapes::Parts marked = shapes::runs_of(body.data(), given.rows, given.cols);
    shapes::write_labels(marked, given.rows, given.cols, other.data());
    CHECK(other == body);
    shapes::write_labels(shapes::flood_from_within(whole, marked.runs, inner.data(), given.cols), given.rows,
                         given.cols, other.data());
    CHECK(one == other);
    shapes::flood(given.mask(), levels.data(), body.data());
    shapes::Parts rejoined = shapes::runs_of(body.data(), given.rows, given.cols);
    bodies::merge(rejoined, packed, inner.data(), {3.0, 50.0, 0.92, 0.8});
    std::vector<std::int32_t> parts(size);
    shapes::label(given.mask(), parts.data());
    for (const shapes::Run& peak : bodies::markers(inner.data(), whole, given.rows, given.cols, 0.9))
        CHECK(peak.end == peak.begin + 1 && packed.at(peak.row, peak.begin) && peak.part > 0);
    double typical = -1;
    const shapes::Parts found_bodies =
        bodies::split(packed, packed, {0.9, 2.0, {3.0, 50.0, 0.92, 0.8}, 0.15}, typical);
    const std::int32_t split = found_bodies.n;
    shapes::write_labels(found_bodies, given.rows, given.cols, body.data());
    for (std::size_t i = 0; i < size; ++i)
        CHECK((body[i] >= 0 && body[i] <= split && (given.bytes[i] || !body[i])));
    if (shapes::pack(given.mask()).any()) {
        const reach::Reach found = reach::measure(packed, random() % 2 == 0);
        const reach::Radii& radii = found.radii;
        for (std::ptrdiff_t r = 0; r < given.rows; ++r)
            found.away.distances(r, 0, given.cols, levels.data() + r * given.cols);
        for (std::size_t i = 0; i < size; ++i) CHECK((levels[i] == 0) == (given.bytes[i] != 0));
        for (std::size_t i = 1; i < radii.part.size(); ++i) CHECK(radii.whole[i] > 0);
    }
    std::vector<std::uint8_t> rgb(3 * size), features(3 * size);
    for (auto& level : rgb) level = static_cast<std::uint8_t>(random());
    std::vector<std::int16_t> score(size), depth(size);
    std::vector<float> strength(size);
    const stain::Picture picture{rgb.data(), given.rows, given.cols};
    double white[3];
    stain::background(picture, nullptr, white);
    stain::planes(picture, white, 64, false, {features.data(), score.data(), depth.data(), strength.data()});
    if (size >= 2) {
        const auto half = rgb.begin() + static_cast<std::ptrdiff_t>(3 * (size / 2));
        const redness::Model model = redness::fit({rgb.begin(), half}, {half, rgb.end()}, 6.0);
        CHECK(size < 8 || std::isfinite(model.bias));
    }
    Bytes rough(size);
    shapes::Bits surround;
    stain::black_surround(picture, 120, surround);
    const auto at = stain::spread(score.data(), packed, 3);
    CHECK(at.empty() || at.size() == 3);
    const auto sums =
        stain::group_sums(body.data(), split, score.data(), {features.data(), given.rows, given.cols});
    for (std::size_t group = 0; group <= static_cast<std::size_t>(split); ++group) {
        std::int64_t expected[5] = {};
        for (std::size_t i = 0; i < size; ++i)
            if (body[i] == static_cast<std::int32_t>(group)) {
                ++expected[0];
                expected[1] += score[i];
                for (std::size_t c = 0; c < 3; ++c) expected[2 + c] += features[3 * i + c];
            }
        CHECK(std::equal(expected, expected + 5, sums.begin() + static_cast<std::ptrdiff_t>(5 * group)));
    }
    for (std::size_t i = 0; i < size; ++i) rough[i] = body[i] > 0 && random() % 3;
    outlines::Rules rules{2.0,
                          0.55,
                          0.5,
                          0.5,
                          0.1,
                          0.25,
                          0.15,
                          0.04,
                          2.75,
                          1.0,
                          3.0,
                          0.1,
                          0.82,
                          {0.65, 0.35, 0.9},
                          0.5,
                          0.85,
                          0.6,
                          {},
                          {1.2, 0.5, 0.0}};
    const reach::Away away_from(reach::Nearest(squares.data(), given.rows, given.cols), {0.0, 3.5});
    const shapes::Bits seeds = shapes::pack({rough.data(), given.rows, given.cols});
    const outlines::Field field{given.rows, given.cols,   found_bodies,   seeds,
                                away_from,  depth.data(), features.data()};
    const outlines::Drawing drawn = outlines::draw(field, rules);
    drawn.write(&outlines::Drawn::cell, given.cols, labels.data());
    drawn.write(&outlines::Drawn::nucleus, given.cols, nuclei.data());
    CHECK(std::isfinite(drawn.typical.depth));
    CHECK(drawn.typical.edge >= 0);
    if (drawn.apart()) {  // what was drawn is what is found in the planes
        const measures::Runs found =
            measures::runs_of(labels.data(), nuclei.data(), given.cols, {0, 0, given.rows, given.cols});
        const auto same = [](const shapes::Run& a, const shapes::Run& b) {
            return a.row == b.row && a.begin == b.begin && a.end == b.end && a.part == b.part;
        };
        const auto runs = drawn.runs(), inner = drawn.nuclear_runs();
        CHECK(std::equal(runs.begin(), runs.end(), found.cells.begin(), found.cells.end(), same));
        CHECK(std::equal(inner.begin(), inner.end(), found.nuclei.begin(), found.nuclei.end(), same));
    }
    const std::int32_t n = *std::max_element(labels.begin(), labels.end());
    CHECK(n >= 0 && n <= split);
    for (std::size_t i = 0; i < size; ++i) {
        CHECK(labels[i] >= 0 && labels[i] <= n);
        CHECK(nuclei[i] == 0 || nuclei[i] == labels[i]);
    }
}

// Few groups are summed in vectors, many in turns; neither may overflow.
void group_sums_are_sums(std::mt19937& random) {
    constexpr std::ptrdiff_t rows = 37, cols = 61;
    constexpr auto size = static_cast<std::size_t>(rows * cols);
    for (const std::int32_t number : {0, 1, 5, 9, 10, 40})
        for (const bool extreme : {false, true}) {
            std::vector<std::int32_t> groups(size);
            std::vector<std::int16_t> score(size);
            std::vector<std::uint8_t> features(3 * size);
            for (auto& own : groups)
                own = extreme ? number
                              : static_cast<std::int32_t>(random() % static_cast<unsigned>(number + 1));
            for (auto& own : score)
                own =
                    static_cast<std::int16_t>(extreme ? -32768 : static_cast<int>(random() % 65536) - 32768);
            for (auto& own : features) own = static_cast<std::uint8_t>(extreme ? 255 : random());
            std::vector<std::int64_t> expected(5 * (static_cast<std::size_t>(number) + 1), 0);
            for (std::size_t i = 0; i < size; ++i) {
                std::int64_t* own = expected.data() + 5 * groups[i];
                ++own[0];
                own[1] += score[i];
                for (std::size_t c = 0; c < 3; ++c) own[2 + c] += features[3 * i + c];
            }
            CHECK(stain::group_sums(groups.data(), number, score.data(), {features.data(), rows, cols}) ==
                  expected);
        }
}

}  // namespace

int main() {
    blocks();
    std::mt19937 random(7);
    group_sums_are_sums(random);
    for (int round = 0; round < 300; ++round) {
        const Case given = random_case(random);
        bits(given);
        distances_and_discs(given, static_cast<double>(random() % 70) / 10.0);
        nearest_parts(given, random);
        runs(given, random);
        components(given);
        pipeline(given, random);
    }
    for (int round = 0; round < 6; ++round) {
        Case given = strip(random);
        nearest_parts(given, random);
        for (auto& byte : given.bytes) byte = !byte;
        distances_and_discs(given, 2.5);
    }
    std::puts("shapes: ok");
    return 0;
}
