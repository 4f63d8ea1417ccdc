// The search for cells on pictures made here: what holds of every result, whatever the picture; also for
// sanitizers.
#include <algorithm>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "check.hpp"
#include "fastpgs/nuclear.hpp"
#include "fastpgs/search.hpp"
#include "fastpgs/segment.hpp"

using namespace fastpgs;

namespace {

// As fastpgs.cells.rules states them; the order is that of the structs.
search::Rules rules() {
    return {{64.0, 12.0, 2.0},
            {0.55, 100.0, 0.75, 0.08, 0.4,  40.0,  0.4,  0.05, 0.52, 60.0, 30.0, 0.8,  0.25, 0.12,
             0.1,  0.1,   0.25, 0.05, 0.01, 0.535, 0.04, 0.06, 0.1,  0.25, 0.15, 2.75, 0.04},
            {0.42, 0.18, 0.6, 2.0, 1.15, 0.2,  0.12, 0.1, 0.65, 0.35, 0.9,
             0.01, 0.92, 0.3, 0.1, 0.1,  0.75, 6.0,  1.2, 2.5,  0.2,  6.0},
            {0.82, 0.92, 0.8, 8.0, 1.1, 0.5, 0.85, 0.6, 0.06, 0.15, 0.15, {1.2, 0.8, 0.5, 0.3, 0.15, 0.0}}};
}

struct Picture {
    std::ptrdiff_t rows, cols;
    std::vector<std::uint8_t> rgb;

    Picture(std::ptrdiff_t rows_, std::ptrdiff_t cols_, const int* colour, std::mt19937& random)
        : rows(rows_), cols(cols_) {
        rgb.resize(static_cast<std::size_t>(3 * rows * cols));
        for (std::ptrdiff_t i = 0; i < rows * cols; ++i) paint(i, colour, random);
    }

    void disc(std::ptrdiff_t row, std::ptrdiff_t col, std::ptrdiff_t radius, const int* colour,
              std::mt19937& random) {
        for (std::ptrdiff_t r = 0; r < rows; ++r)
            for (std::ptrdiff_t c = 0; c < cols; ++c)
                if ((r - row) * (r - row) + (c - col) * (c - col) <= radius * radius)
                    paint(r * cols + c, colour, random);
    }

    stain::Picture view() const { return {rgb.data(), rows, cols}; }

  private:
    void paint(std::ptrdiff_t pixel, const int* colour, std::mt19937& random) {
        for (std::ptrdiff_t c = 0; c < 3; ++c) {
            const int level = colour[c] + static_cast<int>(random() % 9) - 4;
            rgb[static_cast<std::size_t>(3 * pixel + c)] =
                static_cast<std::uint8_t>(std::clamp(level, 0, 255));
        }
    }
};

struct Answer {
    search::Found found;
    std::vector<std::int32_t> labels, nuclei;
    std::int32_t n = 0;
};

Answer answer(const Picture& picture, const shapes::Bits* mask, const search::Reference* reference,
              int threads) {
    const auto size = static_cast<std::size_t>(picture.rows * picture.cols);
    Answer out;
    out.labels.resize(size, -1);
    out.nuclei.resize(size, -1);
    const search::Rules all = rules();
    const search::Options options{{5, 0, threads, all.stain.offset}, 0.9};
    out.found = search::find({picture.view(), mask, false}, all, options, reference, out.labels.data(),
                             out.nuclei.data());
    out.n = *std::max_element(out.labels.begin(), out.labels.end());
    std::vector<std::uint8_t> seen(static_cast<std::size_t>(out.n) + 1), inner(seen.size());
    for (std::size_t i = 0; i < size; ++i) {
        CHECK(out.labels[i] >= 0);
        CHECK(out.nuclei[i] == 0 || out.nuclei[i] == out.labels[i]);
        seen[static_cast<std::size_t>(out.labels[i])] = 1;
        inner[static_cast<std::size_t>(out.nuclei[i])] = 1;
    }
    const auto set = [](std::uint8_t flag) { return flag != 0; };
    CHECK(std::all_of(seen.begin() + 1, seen.end(), set));
    CHECK(std::all_of(inner.begin() + 1, inner.end(), set));
    return out;
}

// What was measured of a picture, for its windows.
search::Reference reference_of(const Answer& whole) {
    const search::Found& found = whole.found;
    const nuclei::Seeds& seeds = *found.seeds;
    return {found.stain.white, seeds.pivots, found.region->tone, seeds.radius, seeds.part,
            found.body,        200.0,        found.edge,         found.many};
}

const int kGlass[] = {232, 228, 236}, kRed[] = {206, 158, 160}, kCytoplasm[] = {176, 160, 208},
          kNucleus[] = {98, 52, 140};

// Three white cells among red ones.
Picture smear(std::mt19937& random) {
    Picture picture(150, 170, kGlass, random);
    for (int i = 0; i < 6; ++i)
        picture.disc(static_cast<std::ptrdiff_t>(random() % 150), static_cast<std::ptrdiff_t>(random() % 170),
                     11, kRed, random);
    for (const auto& [row, col] : {std::pair{40, 40}, {40, 110}, {105, 75}}) {
        picture.disc(row, col, 20, kCytoplasm, random);
        picture.disc(row + 3, col - 2, 13, kNucleus, random);
    }
    return picture;
}

void cells_of_a_smear(std::mt19937& random) {
    const Picture picture = smear(random);
    const Answer whole = answer(picture, nullptr, nullptr, 1);
    CHECK(whole.n == 3);
    CHECK(whole.found.converged);
    for (const std::size_t at : {43 * 170 + 38, 43 * 170 + 108, 108 * 170 + 73}) CHECK(whole.nuclei[at] > 0);
    for (const int threads : {2, 7})
        for (int round = 0; round < 10; ++round) {
            const Answer shared = answer(picture, nullptr, nullptr, threads);
            CHECK(shared.labels == whole.labels && shared.nuclei == whole.nuclei);
        }
    const shapes::Bits none(picture.rows, picture.cols), all = none.outside();
    CHECK(answer(picture, &all, nullptr, 1).labels == whole.labels);
    CHECK(answer(picture, &none, nullptr, 1).n == 0);
    const search::Reference reference = reference_of(whole);
    CHECK(answer(picture, nullptr, &reference, 1).n == 3);
    const search::Islands islands =
        search::find_islands({picture.view(), nullptr, false}, rules(), reference, 1.0F, 2.0);
    CHECK(islands.boxes.size() == 3);
    for (std::size_t i = 0; i < islands.near.size(); ++i) {
        CHECK(islands.near[i] >= 1 && islands.near[i] <= 3);
        CHECK(islands.islands[i] == 0 || islands.islands[i] == islands.near[i]);
    }
}

// Noise of every size and depth, with any mask, and as a window of a smear.
void any_picture(std::mt19937& random) {
    const search::Reference reference = reference_of(answer(smear(random), nullptr, nullptr, 1));
    for (int round = 0; round < 200; ++round) {
        const auto side = [&] {
            return static_cast<std::ptrdiff_t>(1 + random() % (round % 10 ? 24U : 90U));
        };
        const int mean = static_cast<int>(random() % 256), colour[] = {mean, mean / 2, mean};
        const std::ptrdiff_t rows = side(), cols = side();
        Picture picture(rows, cols, colour, random);
        const auto unlike = 1 + static_cast<unsigned>(random() % 9);
        for (auto& level : picture.rgb)
            if (random() % unlike == 0) level = static_cast<std::uint8_t>(random());
        shapes::Bits mask(rows, cols);
        for (std::ptrdiff_t r = 0; r < rows; ++r)
            for (std::ptrdiff_t c = 0; c < cols; ++c)
                if (random() % 8) mask.set(r, c, c + 1);
        const search::Reference* const known[] = {nullptr, &reference};
        for (const search::Reference* whole : known) {
            answer(picture, nullptr, whole, 1);
            const Answer masked = answer(picture, &mask, whole, 1);
            if (!masked.found.region) continue;
            shapes::Bits beyond = masked.found.region->mask;
            CHECK(!beyond.subtract(mask).any());
        }
    }
}

// What colours tell of groups is what their pixels tell, unless a feature ends where its scale does: `lowest`
// is the least of u.
void groups_by_colour(std::mt19937& random, int lowest) {
    constexpr std::ptrdiff_t rows = 300, cols = 263;
    constexpr auto size = static_cast<std::size_t>(rows * cols);
    constexpr int offset = 64, k = 5;
    std::vector<std::uint8_t> features(3 * size);
    std::vector<std::int16_t> score(size);
    std::vector<float> strength(size);
    const auto level = [&](int of, int spread) {
        return of + static_cast<int>(random() % static_cast<unsigned>(spread));
    };
    for (std::size_t i = 0; i < size; ++i) {
        const auto spot = static_cast<int>(i % cols / 60);
        const int g = level(10 + 30 * spot, 40), u = i == 7 ? lowest : level(30 + 20 * spot, 20),
                  v = level(60, 20 + spot);
        const int green = 255 - g, blue = green + u - offset, red = green + v - offset;
        const int quotient = 255 * (blue - green + 2 * std::min(red - green, 0));
        const int least = std::max(blue, 32);
        score[i] = static_cast<std::int16_t>(
            std::clamp(quotient / least - (quotient % least < 0 ? 1 : 0), -255, 255));
        const auto off = [](int own) { return static_cast<float>(255 - own); };
        strength[i] = std::sqrt(off(red) * off(red) + off(green) * off(green) + off(blue) * off(blue));
        const int own[3] = {g, u, v};
        for (std::size_t c = 0; c < 3; ++c) features[3 * i + c] = static_cast<std::uint8_t>(own[c]);
    }
    std::vector<std::uint8_t> used(size);
    for (auto& own : used) own = random() % 8 != 0;
    const ImageView image{features.data(), PixelType::u8, rows, cols, 3};
    const MaskView mask{used.data()};
    Params params;
    params.k = k;
    params.features = Features::raw;
    params.init = Init::given;
    for (int j = 0; j < k; ++j) {
        std::int64_t at = 100 * cols + 60 * j + 5;
        while (!used[static_cast<std::size_t>(at)]) ++at;
        params.given.push_back(at);
    }
    std::vector<std::int32_t> labels(size), places(size);
    const Result plain = segment(image, mask, params, labels.data());
    CHECK(counts_colours(image, params));
    Counted counted;
    counted.palette = Palette::count(image, mask, places.data(), [](std::size_t) {});
    CHECK(counted.palette);
    counted.palette->list();
    const stain::StainedColours colours(counted.palette->grouped(), counted.palette->size(), offset, false);
    CHECK(colours.told() == (lowest > 0));
    CHECK(segment(image, mask, params, places.data(), &counted).pivots == plain.pivots);
    const stain::Picture picture{features.data(), rows, cols};
    auto expected = stain::group_sums(labels.data(), k, score.data(), picture);
    std::fill_n(expected.begin(), 5, 0);
    CHECK(colours.group_sums(counted) == expected);
    nuclear::Colours pivots;
    for (const std::int64_t raster : plain.pivots) {
        const std::uint8_t* own = features.data() + 3 * raster;
        pivots.push_back({own[0], own[1], own[2]});
    }
    for (std::uint8_t group = 1; group <= k; ++group) {
        const shapes::Bits members = shapes::members(labels.data(), rows, cols, cols, {group});
        CHECK(colours.median_strength(counted, group) == stain::median(strength.data(), members));
        std::vector<std::uint8_t> flags(k, 0);
        flags[group - 1U] = 1;
        shapes::Bits chosen = nuclear::nearest_flagged(picture, pivots, flags);
        CHECK((chosen &= shapes::pack({used.data(), rows, cols})).words == members.words);
    }
    counted.palette->write_labels(counted.labels.groups, counted.labels.colours, 1);
    CHECK(places == labels);
}

}  // namespace

int main() {
    std::mt19937 random(7);
    groups_by_colour(random, 1);
    groups_by_colour(random, 0);
    cells_of_a_smear(random);
    any_picture(random);
    std::puts("search: ok");
    return 0;
}
