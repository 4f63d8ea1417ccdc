#include "fastpgs/evenness.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "fastpgs/crew.hpp"

namespace fastpgs::evenness {

namespace {

constexpr std::size_t TERMS = Surface::TERMS;
constexpr std::ptrdiff_t TILES = 8;     // a side
constexpr std::ptrdiff_t EACH = 4;      // spots a side of a tile
constexpr std::ptrdiff_t SPOT = 4;      // pixels a side of a spot, whose mean noise hardly moves
constexpr std::ptrdiff_t LEAST = 64;    // pixels a side of a picture
constexpr int FEW = 4;                  // black spots: more are a surround
constexpr std::size_t ENOUGH = 8;       // spots that tell what glass there is in a tile
constexpr std::size_t WELL_SPREAD = 3;  // tiles of glass in each quarter of the picture
constexpr double GLASS = 0.55;          // of the brightest tile: glass is no darker, whatever the light
constexpr int ROUNDS = 20;
constexpr double MOST = 1.1;        // logarithm of the greatest gain
constexpr std::ptrdiff_t STEP = 8;  // pixels, over which a gain is as good as straight

using Weights = std::array<double, TERMS>;

struct Tile {
    Weights terms;      // of its middle
    double brightness;  // logarithm
    std::size_t quarter;
    bool glass;
};

double middle(std::ptrdiff_t i, std::ptrdiff_t n) {
    return (2.0 * static_cast<double>(i) + 1.0) / static_cast<double>(n) - 1.0;
}

Weights terms_of(double x, double y) { return {1.0, x, y, x * x, x * y, y * y}; }

constexpr int UNSEEN = -1, BLACK = -2;

bool is_black(stain::Picture picture, std::ptrdiff_t row, std::ptrdiff_t col, int dark) {
    for (std::ptrdiff_t r = row; r < row + SPOT; ++r) {
        const std::uint8_t* p = picture.rgb + 3 * (r * picture.cols + col);
        if (*std::max_element(p, p + 3 * SPOT) > dark) return false;
    }
    return true;
}

// Sum of the green levels of a spot; UNSEEN where a pixel of it is not to be looked at.
int spot(stain::Picture picture, const shapes::Bits* mask, std::ptrdiff_t row, std::ptrdiff_t col, int dark) {
    int sum = 0;
    for (std::ptrdiff_t r = row; r < row + SPOT; ++r) {
        if (mask && mask->count(r, col, col + SPOT) < SPOT) return UNSEEN;
        const std::uint8_t* p = picture.rgb + 3 * (r * picture.cols + col) + 1;
        for (std::ptrdiff_t c = 0; c < SPOT; ++c) sum += p[3 * c];
    }
    return sum <= SPOT * SPOT * dark && is_black(picture, row, col, dark) ? BLACK : sum;
}

// None of a picture with a surround.
std::vector<Tile> tiles_of(stain::Picture picture, const shapes::Bits* mask, int dark) {
    constexpr std::ptrdiff_t ALL = TILES * EACH;
    const auto at = [](std::ptrdiff_t i, std::ptrdiff_t n) {
        return std::clamp<std::ptrdiff_t>((2 * i + 1) * n / (2 * ALL) - SPOT / 2, 0, n - SPOT);
    };
    std::vector<Tile> out;
    std::vector<int> spots;
    int black = 0;
    for (std::ptrdiff_t i = 0; i < TILES; ++i)
        for (std::ptrdiff_t j = 0; j < TILES; ++j) {
            spots.clear();
            for (std::ptrdiff_t y = i * EACH; y < (i + 1) * EACH; ++y)
                for (std::ptrdiff_t x = j * EACH; x < (j + 1) * EACH; ++x) {
                    const int sum = spot(picture, mask, at(y, picture.rows), at(x, picture.cols), dark);
                    black += sum == BLACK;
                    if (sum >= 0) spots.push_back(sum);
                }
            if (spots.size() < ENOUGH) continue;
            // The brightest may be a glint.
            const auto second = spots.end() - 2;
            std::nth_element(spots.begin(), second, spots.end());
            out.push_back({terms_of(middle(j, TILES), middle(i, TILES)),
                           std::log(std::max(static_cast<double>(*second) / (SPOT * SPOT), 1.0)),
                           static_cast<std::size_t>(2 * (2 * i / TILES) + 2 * j / TILES), true});
        }
    if (black > FEW) out.clear();
    return out;
}

// Least squares over the tiles of glass; none where they do not determine it.
std::optional<Surface> fit(const std::vector<Tile>& tiles) {
    std::array<std::array<double, TERMS + 1>, TERMS> rows{};
    for (const Tile& tile : tiles) {
        if (!tile.glass) continue;
        for (std::size_t i = 0; i < TERMS; ++i) {
            for (std::size_t j = 0; j < TERMS; ++j) rows[i][j] += tile.terms[i] * tile.terms[j];
            rows[i][TERMS] += tile.terms[i] * tile.brightness;
        }
    }
    for (std::size_t i = 0; i < TERMS; ++i) {  // Gauss and Jordan; the matrix is positive definite
        if (rows[i][i] < 1e-6) return std::nullopt;
        for (std::size_t j = 0; j < TERMS; ++j) {
            if (j == i) continue;
            const double share = rows[j][i] / rows[i][i];
            for (std::size_t c = i; c <= TERMS; ++c) rows[j][c] -= share * rows[i][c];
        }
    }
    Weights weights{};
    for (std::size_t i = 0; i < TERMS; ++i) weights[i] = rows[i][TERMS] / rows[i][i];
    return Surface(weights);
}

double value(const Surface& surface, const Tile& tile) { return surface(tile.terms[1], tile.terms[2]); }

// The surface of the glass, and the tiles flagged that are glass.
std::optional<Surface> settle(std::vector<Tile>& tiles, double shadow) {
    double most = 0.0;
    for (const Tile& tile : tiles) most = std::max(most, tile.brightness);
    for (Tile& tile : tiles) tile.glass = tile.brightness > most + std::log(GLASS);
    std::optional<Surface> surface;
    for (int round = 0; round < ROUNDS; ++round) {
        surface = fit(tiles);
        if (!surface) return surface;
        bool changed = false;
        for (Tile& tile : tiles) {
            const bool glass = tile.brightness - value(*surface, tile) > -shadow;
            changed = changed || glass != tile.glass;
            tile.glass = glass;
        }
        if (!changed) return surface;
    }
    return surface;
}

}  // namespace

std::optional<Light> measure(stain::Picture picture, const shapes::Bits* mask, int dark, const Rules& rules) {
    if (picture.rows < LEAST || picture.cols < LEAST) return std::nullopt;
    std::vector<Tile> tiles = tiles_of(picture, mask, dark);
    if (tiles.size() < 2 * TERMS) return std::nullopt;
    const std::optional<Surface> surface = settle(tiles, rules.shadow);
    if (!surface) return std::nullopt;
    std::array<std::size_t, 4> glass{};
    double squares = 0.0, darkest = value(*surface, tiles[0]), brightest = darkest;
    for (const Tile& tile : tiles) {
        const double own = value(*surface, tile);
        darkest = std::min(darkest, own);
        brightest = std::max(brightest, own);
        if (!tile.glass) continue;
        ++glass[tile.quarter];
        squares += (tile.brightness - own) * (tile.brightness - own);
    }
    if (*std::min_element(glass.begin(), glass.end()) < WELL_SPREAD) return std::nullopt;
    const auto count = static_cast<double>(glass[0] + glass[1] + glass[2] + glass[3]);
    const double range = brightest - darkest;
    const bool smooth = std::sqrt(squares / count) <= std::max(rules.rough, rules.rough_part * range);
    if (!smooth || range * count / (TILES * TILES) < rules.uneven) return std::nullopt;
    return Light{*surface, brightest};
}

Block<std::uint8_t> evened(stain::Picture picture, const Light& light) {
    const std::ptrdiff_t cols = picture.cols;
    Block<std::uint8_t> out(3 * static_cast<std::size_t>(picture.size()));
    share(picture.rows, rows_worth(cols), [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        for (std::ptrdiff_t r = begin; r < end; ++r) {
            const std::uint8_t* from = picture.rgb + 3 * r * cols;
            std::uint8_t* to = out.data() + 3 * r * cols;
            const double y = middle(r, picture.rows);
            const auto gain_at = [&](std::ptrdiff_t c) {
                const double over = light.brightest - light.surface(middle(c, cols), y);
                return std::exp(std::clamp(over, 0.0, MOST));
            };
            double gain = gain_at(0);
            for (std::ptrdiff_t first = 0; first < cols;
                 first += STEP) {  // a straight line from step to step
                const double next = gain_at(first + STEP), slope = (next - gain) / STEP;
                for (std::ptrdiff_t c = first; c < std::min(first + STEP, cols); ++c, from += 3, to += 3) {
                    const double own = gain + slope * static_cast<double>(c - first);
                    for (int i = 0; i < 3; ++i)
                        to[i] = static_cast<std::uint8_t>(std::min(own * from[i] + 0.5, 255.0));
                }
                gain = next;
            }
        }
    });
    return out;
}

}  // namespace fastpgs::evenness
