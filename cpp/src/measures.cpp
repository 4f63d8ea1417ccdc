#include "fastpgs/measures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "fastpgs/crew.hpp"
#include "fastpgs/interrupt.hpp"

namespace fastpgs::measures {

namespace {

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

struct Image : Picture {
    const std::vector<shapes::Run>&cells, &inner;

    Image(const Picture& picture, const Runs& runs)
        : Picture(picture), cells(runs.cells), inner(runs.nuclei) {}

    std::ptrdiff_t at(const shapes::Run& run) const { return run.row * cols + run.begin; }
};

// Levels in turns of so many, as one loop that compilers turn into vectors.
void add_colours(const std::uint8_t* colour, std::ptrdiff_t n, std::int64_t (&to)[3]) {
    constexpr std::ptrdiff_t kTurns = 48, kRounds = 256;  // sums of bytes that fit 16 bits
    std::ptrdiff_t left = 3 * n;
    while (left > 0) {
        std::uint16_t sums[kTurns] = {};
        std::ptrdiff_t rounds = std::min(left / kTurns, kRounds);
        left -= rounds * kTurns;
        for (; rounds > 0; --rounds, colour += kTurns)
            for (std::ptrdiff_t i = 0; i < kTurns; ++i)
                sums[i] = static_cast<std::uint16_t>(sums[i] + colour[i]);
        if (left < kTurns) {
            for (std::ptrdiff_t i = 0; i < left; ++i) to[i % 3] += colour[i];
            left = 0;
        }
        for (std::ptrdiff_t i = 0; i < kTurns; ++i) to[i % 3] += sums[i];
    }
}

// Boxes, areas and sums of positions.
std::vector<Cell> first_sums(const Runs& runs, std::ptrdiff_t rows, std::ptrdiff_t cols) {
    std::int32_t n = 0;
    for (const shapes::Run& run : runs.cells) n = std::max(n, run.part);
    Cell none{};
    none.top = rows;
    none.left = cols;
    std::vector<Cell> cells(static_cast<std::size_t>(n), none);
    for (const shapes::Run& run : runs.cells) {
        Cell& cell = cells[z(run.part - 1)];
        cell.top = std::min<std::int64_t>(cell.top, run.row);
        cell.left = std::min<std::int64_t>(cell.left, run.begin);
        cell.bottom = run.row + 1;
        cell.right = std::max<std::int64_t>(cell.right, run.end);
        const std::int64_t length = run.end - run.begin;
        cell.area += length;
        cell.rows += run.row * length;
        cell.cols += (std::int64_t{run.begin} + run.end - 1) * length / 2;
    }
    for (const shapes::Run& run : runs.nuclei) cells[z(run.part - 1)].nucleus_area += run.end - run.begin;
    return cells;
}

void colours(const Image& image, std::vector<Cell>& cells) {
    for (const shapes::Run& run : image.cells)
        add_colours(image.rgb + 3 * image.at(run), run.end - run.begin, cells[z(run.part - 1)].colour);
    for (const shapes::Run& run : image.inner)
        add_colours(image.rgb + 3 * image.at(run), run.end - run.begin,
                    cells[z(run.part - 1)].nucleus_colour);
}

// Deviations from the centroids.
void second_sums(const Image& image, std::vector<Cell>& cells) {
    for (const shapes::Run& run : image.cells) {
        Cell& cell = cells[z(run.part - 1)];
        const double y = static_cast<double>(run.row) - cell.centroid_row(), middle = cell.centroid_col();
        double rows_rows = cell.rows_rows, cols_cols = cell.cols_cols, rows_cols = cell.rows_cols;
        for (std::int32_t c = run.begin; c < run.end; ++c) {
            const double x = static_cast<double>(c) - middle;
            rows_rows += y * y;
            cols_cols += x * x;
            rows_cols += x * y;
        }
        cell.rows_rows = rows_rows;
        cell.cols_cols = cols_cols;
        cell.rows_cols = rows_cols;
    }
}

// How much the green level of nuclei varies: from its mean, and from pixel to pixel.
void textures(const Image& image, std::vector<Cell>& cells) {
    for (const shapes::Run& run : image.inner) {
        Cell& cell = cells[z(run.part - 1)];
        const std::ptrdiff_t first = image.at(run), length = run.end - run.begin;
        const std::int32_t *own = image.nuclei + first, nucleus = *own;
        const std::uint8_t* green = image.rgb + 3 * first + 1;
        const double mean = Cell::mean(static_cast<double>(cell.nucleus_colour[1]), cell.nucleus_area);
        double squares = cell.green_green;
        for (std::ptrdiff_t i = 0; i < length; ++i) {
            const double off = green[3 * i] - mean;
            squares += off * off;
        }
        cell.green_green = squares;
        // Within a run neighbours are of one nucleus.
        std::int32_t steps = 0, neighbours = static_cast<std::int32_t>(length - 1);
        for (std::ptrdiff_t i = 0; i + 1 < length; ++i) steps += std::abs(green[3 * i] - green[3 * i + 3]);
        const auto step = [&](std::ptrdiff_t i, std::ptrdiff_t next) {
            const bool same = own[next] == nucleus;
            neighbours += same;
            steps += same ? std::abs(green[3 * i] - green[3 * next]) : 0;
        };
        if (run.end < image.cols) step(length - 1, length);
        if (run.row + 1 < image.rows)
            for (std::ptrdiff_t i = 0; i < length; ++i) step(i, i + image.cols);
        cell.green_steps += steps;
        cell.green_neighbours += neighbours;
    }
}

// K. Benkrid, D. Crookes, "Design and FPGA implementation of a perimeter estimator", IMVIP 2000.
std::array<double, 64> weights() {
    std::array<double, 64> weight{};
    for (const std::size_t code : {5, 7, 15, 17, 25, 27}) weight[code] = 1.0;
    for (const std::size_t code : {21, 33}) weight[code] = std::sqrt(2.0);
    for (const std::size_t code : {13, 23}) weight[code] = (1.0 + std::sqrt(2.0)) / 2.0;
    return weight;
}

// By the pixels of a cell that lie beside another one's; around it the picture has a pixel more on each side.
double perimeter(const shapes::Bits& cell) {
    static const std::array<double, 64> weight = weights();
    shapes::Bits border = shapes::grown(cell.outside());
    border &= cell;
    double sum = 0.0;
    shapes::each_run(border, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
        for (std::ptrdiff_t c = begin; c < end; ++c) {
            const auto at = [&](std::ptrdiff_t y, std::ptrdiff_t x) {
                return static_cast<std::size_t>(border.at(r + y, c + x));
            };
            const std::size_t sides = at(-1, 0) + at(0, -1) + at(0, 1) + at(1, 0),
                              corners = at(-1, -1) + at(-1, 1) + at(1, -1) + at(1, 1);
            sum += weight[1 + 2 * sides + 10 * corners];
        }
    });
    return sum;
}

// The pixels of a cell, and one more on each side.
shapes::Bits bits_of(const Image& image, const Cell& cell, std::int32_t own) {
    shapes::Bits bits(cell.bottom - cell.top + 2, cell.right - cell.left + 2);
    for (auto run = shapes::first_in(image.cells, cell.top);
         run != image.cells.end() && run->row < cell.bottom; ++run)
        if (run->part == own)
            bits.set(run->row - cell.top + 1, run->begin - cell.left + 1, run->end - cell.left + 1);
    return bits;
}

// How long outlines and how solid cells and nuclei are, and in how many parts the latter. To a nucleus belong
// those of its holes that are no part of the cell, too.
void shapes_of(const Image& image, std::vector<Cell>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
        Cell& cell = cells[i];
        if (cell.area == 0) continue;
        const auto own = static_cast<std::int32_t>(i) + 1;
        const shapes::Bits whole = bits_of(image, cell, own);
        cell.perimeter = perimeter(whole);
        cell.solidity = shapes::solidity(whole);
        const shapes::Bits nucleus = shapes::where(image.nuclei + cell.top * image.cols + cell.left,
                                                   cell.bottom - cell.top, cell.right - cell.left, image.cols,
                                                   [own](std::int32_t number) { return number == own; });
        cell.nucleus_solidity = shapes::solidity(nucleus);
        cell.nucleus_parts = shapes::components(nucleus).n;
    }
}

}  // namespace

Ellipse ellipse_of(const Cell& cell) {
    const double yy = Cell::mean(cell.rows_rows, cell.area), xx = Cell::mean(cell.cols_cols, cell.area),
                 xy = Cell::mean(cell.rows_cols, cell.area);
    const double half = (yy - xx) / 2.0;
    const double spread = std::sqrt(half * half + xy * xy);
    const double large = (yy + xx) / 2.0 + spread, small = std::max((yy + xx) / 2.0 - spread, 0.0);
    return {4.0 * std::sqrt(large), 4.0 * std::sqrt(small),
            large > 0.0 ? std::sqrt(1.0 - small / large) : 0.0};
}

Runs runs_of(const std::int32_t* labels, const std::int32_t* nuclei, std::ptrdiff_t cols,
             const shapes::Box& within) {
    Runs out;
    const auto append = [&](const std::int32_t* numbers, const shapes::Run& of,
                            std::vector<shapes::Run>& runs) {
        shapes::append_runs(numbers + of.row * cols + of.begin, of, runs);
    };
    const auto in_picture = [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
        return shapes::Run{static_cast<std::int32_t>(within.top + r),
                           static_cast<std::int32_t>(within.left + begin),
                           static_cast<std::int32_t>(within.left + end), 0};
    };
    shapes::each_run(
        shapes::members(labels + within.top * cols + within.left, within.rows(), within.cols(), cols, {0})
            .outside(),
        [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
            poll(z(r), 64);
            append(labels, in_picture(r, begin, end), out.cells);
        });
    for (const shapes::Run& cell : out.cells) {
        const std::size_t first = out.nuclei.size();
        append(nuclei, cell, out.nuclei);
        for (std::size_t i = first; i < out.nuclei.size(); ++i) out.nuclei[i].part = cell.part;
    }
    return out;
}

std::vector<Cell> measure(const Runs& runs, const Picture& picture) {
    const Image image(picture, runs);
    std::vector<Cell> cells = first_sums(runs, picture.rows, picture.cols);
    beside(
        [&] {
            colours(image, cells);
            textures(image, cells);
        },
        [&] {
            second_sums(image, cells);
            shapes_of(image, cells);
        });
    return cells;
}

std::vector<Cell> locate(const Runs& runs, std::ptrdiff_t rows, std::ptrdiff_t cols) {
    return first_sums(runs, rows, cols);
}

}  // namespace fastpgs::measures
