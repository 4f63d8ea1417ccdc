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
    const std::uint8_t* rgb;
    std::ptrdiff_t rows, cols;

    bool inside(std::ptrdiff_t r, std::ptrdiff_t c) const { return r >= 0 && r < rows && c >= 0 && c < cols; }
};

void first_sums(const Image& image, std::vector<Cell>& cells) {
    for (std::ptrdiff_t r = 0; r < image.rows; ++r) {
        poll(z(r), 64);
        for (std::ptrdiff_t c = 0; c < image.cols; ++c) {
            const std::ptrdiff_t i = r * image.cols + c;
            if (image.labels[i] <= 0) continue;
            Cell& cell = cells[z(image.labels[i] - 1)];
            const std::uint8_t* colour = image.rgb + 3 * i;
            cell.top = std::min<std::int64_t>(cell.top, r);
            cell.left = std::min<std::int64_t>(cell.left, c);
            cell.bottom = r + 1;
            cell.right = std::max<std::int64_t>(cell.right, c + 1);
            ++cell.area;
            cell.rows += r;
            cell.cols += c;
            for (int channel = 0; channel < 3; ++channel) cell.colour[channel] += colour[channel];
            if (image.nuclei[i] <= 0) continue;
            ++cell.nucleus_area;
            for (int channel = 0; channel < 3; ++channel) cell.nucleus_colour[channel] += colour[channel];
        }
    }
}

// Deviations from the means, which need the first sums.
void second_sums(const Image& image, std::vector<Cell>& cells) {
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
    for (std::ptrdiff_t r = 0; r < image.rows; ++r) {
        poll(z(r), 64);
        for (std::ptrdiff_t c = 0; c < image.cols; ++c) {
            const std::ptrdiff_t i = r * image.cols + c;
            const std::int32_t label = image.labels[i];
            if (label <= 0) continue;
            Cell& cell = cells[z(label - 1)];
            const Means& mean = means[z(label - 1)];
            const double y = static_cast<double>(r) - mean.row, x = static_cast<double>(c) - mean.col;
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

void perimeters(const Image& image, std::vector<Cell>& cells) {
    constexpr std::ptrdiff_t sides[4][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};
    constexpr std::ptrdiff_t corners[4][2] = {{-1, -1}, {-1, 1}, {1, -1}, {1, 1}};
    const auto same = [&](std::ptrdiff_t r, std::ptrdiff_t c, std::int32_t label) {
        return image.inside(r, c) && image.labels[r * image.cols + c] == label;
    };
    shapes::Bytes border(z(image.rows * image.cols), 0);
    std::vector<std::ptrdiff_t> at;
    for (std::ptrdiff_t r = 0; r < image.rows; ++r) {
        poll(z(r), 64);
        for (std::ptrdiff_t c = 0; c < image.cols; ++c) {
            const std::ptrdiff_t i = r * image.cols + c;
            const std::int32_t label = image.labels[i];
            if (label <= 0) continue;
            for (const auto& side : sides)
                if (!same(r + side[0], c + side[1], label)) border[z(i)] = 1;
            if (border[z(i)]) at.push_back(i);
        }
    }
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

}  // namespace

std::vector<Cell> measure(const std::int32_t* labels, const std::int32_t* nuclei, const std::uint8_t* rgb,
                          std::ptrdiff_t rows, std::ptrdiff_t cols, std::int32_t n) {
    Cell none{};
    none.top = rows;
    none.left = cols;
    std::vector<Cell> cells(static_cast<std::size_t>(n), none);
    const Image image{labels, nuclei, rgb, rows, cols};
    first_sums(image, cells);
    second_sums(image, cells);
    perimeters(image, cells);
    return cells;
}

}  // namespace fastpgs::measures
