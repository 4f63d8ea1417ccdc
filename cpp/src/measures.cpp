#include "fastpgs/measures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "fastpgs/interrupt.hpp"

namespace fastpgs::measures {

namespace {

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

struct Image {
    const std::int32_t *labels, *nuclei;
    const std::uint8_t* rgb;  // null where colours do not matter
    std::ptrdiff_t rows, cols;

    bool inside(std::ptrdiff_t r, std::ptrdiff_t c) const { return r >= 0 && r < rows && c >= 0 && c < cols; }

    // Calls visit(row, begin, end, label) for each run of pixels of one cell, in raster order.
    template <class Visit>
    void each_run(const shapes::Bits& any, Visit visit) const {
        shapes::each_run(any, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end) {
            poll(z(r), 64);
            const std::int32_t* own = labels + r * cols;
            while (begin < end) {
                std::ptrdiff_t c = begin + 1;
                while (c < end && own[c] == own[begin]) ++c;
                visit(r, begin, c, own[begin]);
                begin = c;
            }
        });
    }
};

void first_sums(const Image& image, const shapes::Bits& any, std::vector<Cell>& cells) {
    image.each_run(any, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end, std::int32_t label) {
        Cell& cell = cells[z(label - 1)];
        cell.top = std::min<std::int64_t>(cell.top, r);
        cell.left = std::min<std::int64_t>(cell.left, begin);
        cell.bottom = r + 1;
        cell.right = std::max<std::int64_t>(cell.right, end);
        const std::int64_t length = end - begin;
        cell.area += length;
        cell.rows += r * length;
        cell.cols += (begin + end - 1) * length / 2;
        const std::int32_t* nucleus = image.nuclei + r * image.cols + begin;
        if (!image.rgb) {
            for (std::ptrdiff_t i = 0; i < length; ++i) cell.nucleus_area += nucleus[i] > 0;
            return;
        }
        const std::uint8_t* colour = image.rgb + 3 * (r * image.cols + begin);
        std::int64_t sum[3] = {0, 0, 0}, inner[3] = {0, 0, 0}, area = 0;
        for (std::ptrdiff_t i = 0; i < length; ++i, colour += 3) {
            const bool in = nucleus[i] > 0;
            area += in;
            for (int channel = 0; channel < 3; ++channel) {
                sum[channel] += colour[channel];
                inner[channel] += in ? colour[channel] : 0;
            }
        }
        cell.nucleus_area += area;
        for (int channel = 0; channel < 3; ++channel) {
            cell.colour[channel] += sum[channel];
            cell.nucleus_colour[channel] += inner[channel];
        }
    });
}

// Deviations from the means, which need the first sums.
void second_sums(const Image& image, const shapes::Bits& any, std::vector<Cell>& cells) {
    struct Means {
        double row, col, green;
    };
    std::vector<Means> means;
    for (const Cell& cell : cells) {
        const auto area = static_cast<double>(std::max<std::int64_t>(cell.area, 1));
        const auto inner = static_cast<double>(std::max<std::int64_t>(cell.nucleus_area, 1));
        means.push_back({static_cast<double>(cell.rows) / area, static_cast<double>(cell.cols) / area,
                         static_cast<double>(cell.nucleus_colour[1]) / inner});
    }
    image.each_run(any, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end, std::int32_t label) {
        Cell cell = cells[z(label - 1)];
        const Means& mean = means[z(label - 1)];
        const double y = static_cast<double>(r) - mean.row;
        for (std::ptrdiff_t c = begin; c < end; ++c) {
            const std::ptrdiff_t i = r * image.cols + c;
            const double x = static_cast<double>(c) - mean.col;
            cell.rows_rows += y * y;
            cell.cols_cols += x * x;
            cell.rows_cols += x * y;
            const std::int32_t nucleus = image.nuclei[i];
            if (nucleus <= 0) continue;
            const int green = image.rgb[3 * i + 1];
            const double off = green - mean.green;
            cell.green_green += off * off;
            const auto step = [&](bool within, std::ptrdiff_t next) {
                if (!within || image.nuclei[next] != nucleus) return;
                cell.green_steps += std::abs(green - static_cast<int>(image.rgb[3 * next + 1]));
                ++cell.green_neighbours;
            };
            step(r + 1 < image.rows, i + image.cols);
            step(c + 1 < image.cols, i + 1);
        }
        cells[z(label - 1)] = cell;
    });
}

// K. Benkrid, D. Crookes, "Design and FPGA implementation of a perimeter estimator", IMVIP 2000.
std::array<double, 64> weights() {
    std::array<double, 64> weight{};
    for (const std::size_t code : {5, 7, 15, 17, 25, 27}) weight[code] = 1.0;
    for (const std::size_t code : {21, 33}) weight[code] = std::sqrt(2.0);
    for (const std::size_t code : {13, 23}) weight[code] = (1.0 + std::sqrt(2.0)) / 2.0;
    return weight;
}

void perimeters(const Image& image, const shapes::Bits& any, std::vector<Cell>& cells) {
    constexpr std::ptrdiff_t sides[4][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};
    constexpr std::ptrdiff_t corners[4][2] = {{-1, -1}, {-1, 1}, {1, -1}, {1, 1}};
    const auto same = [&](std::ptrdiff_t r, std::ptrdiff_t c, std::int32_t label) {
        return image.inside(r, c) && image.labels[r * image.cols + c] == label;
    };
    shapes::Bytes border(z(image.rows * image.cols), 0);
    std::vector<std::ptrdiff_t> at;
    image.each_run(any, [&](std::ptrdiff_t r, std::ptrdiff_t begin, std::ptrdiff_t end, std::int32_t label) {
        const std::ptrdiff_t first = r * image.cols;
        const bool framed = r == 0 || r + 1 == image.rows;
        for (std::ptrdiff_t c = begin; c < end; ++c) {
            const std::ptrdiff_t i = first + c;
            const bool inner = !framed && c > begin && c + 1 < end && image.labels[i - image.cols] == label &&
                               image.labels[i + image.cols] == label;
            if (inner) continue;
            border[z(i)] = 1;
            at.push_back(i);
        }
    });
    const auto weight = weights();
    for (const std::ptrdiff_t i : at) {
        const std::ptrdiff_t r = i / image.cols, c = i % image.cols;
        const std::int32_t label = image.labels[i];
        const auto count = [&](const std::ptrdiff_t (&steps)[4][2]) {
            std::size_t number = 0;
            for (const auto& step : steps)
                number += same(r + step[0], c + step[1], label) &&
                          border[z((r + step[0]) * image.cols + c + step[1])];
            return number;
        };
        cells[z(label - 1)].perimeter += weight[1 + 2 * count(sides) + 10 * count(corners)];
    }
}

// How solid cells and nuclei are, and in how many parts the latter.
void shapes_of(const Image& image, std::vector<Cell>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
        Cell& cell = cells[i];
        if (cell.area == 0) continue;
        const auto pixels = [&](const std::int32_t* numbers) {
            return shapes::where(
                numbers + cell.top * image.cols + cell.left, cell.bottom - cell.top, cell.right - cell.left,
                image.cols,
                [own = static_cast<std::int32_t>(i) + 1](std::int32_t number) { return number == own; });
        };
        cell.solidity = shapes::solidity(pixels(image.labels));
        const shapes::Bits nucleus = pixels(image.nuclei);
        cell.nucleus_solidity = shapes::solidity(nucleus);
        cell.nucleus_parts = shapes::components(nucleus).n;
    }
}

// Cells without measures, and the pixels that are some cell's.
std::vector<Cell> blank(const Image& image, shapes::Bits& any) {
    std::int32_t n = 0;
    for (std::ptrdiff_t i = 0; i < image.rows * image.cols; ++i) n = std::max(n, image.labels[i]);
    Cell none{};
    none.top = image.rows;
    none.left = image.cols;
    any = shapes::where(image.labels, image.rows, image.cols, image.cols,
                        [](std::int32_t label) { return label > 0; });
    return std::vector<Cell>(static_cast<std::size_t>(n), none);
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

std::vector<Cell> measure(const std::int32_t* labels, const std::int32_t* nuclei, const std::uint8_t* rgb,
                          std::ptrdiff_t rows, std::ptrdiff_t cols) {
    const Image image{labels, nuclei, rgb, rows, cols};
    shapes::Bits any;
    std::vector<Cell> cells = blank(image, any);
    first_sums(image, any, cells);
    second_sums(image, any, cells);
    perimeters(image, any, cells);
    shapes_of(image, cells);
    return cells;
}

std::vector<Cell> locate(const std::int32_t* labels, const std::int32_t* nuclei, std::ptrdiff_t rows,
                         std::ptrdiff_t cols) {
    const Image image{labels, nuclei, nullptr, rows, cols};
    shapes::Bits any;
    std::vector<Cell> cells = blank(image, any);
    first_sums(image, any, cells);
    return cells;
}

}  // namespace fastpgs::measures
