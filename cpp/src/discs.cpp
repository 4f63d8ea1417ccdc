// Erosion, opening and closing with a disc of any radius.
#include <algorithm>
#include <cmath>
#include <limits>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::shapes {

namespace {

using Run = std::uint16_t;
constexpr Run FAR = std::numeric_limits<Run>::max();

// Half the width of a disc in the rows 0, 1, 2, ... from its middle.
std::vector<Run> half_widths(double radius) {
    std::vector<Run> half;
    const auto rows = static_cast<std::int64_t>(radius);
    for (std::int64_t row = 0; row <= rows; ++row) {
        const auto square = static_cast<std::int64_t>(radius * radius - static_cast<double>(row * row));
        auto width = static_cast<std::int64_t>(std::sqrt(static_cast<double>(square)));
        while (width * width > square) --width;
        while ((width + 1) * (width + 1) <= square) ++width;
        half.push_back(static_cast<Run>(std::min<std::int64_t>(width, FAR - 1)));
    }
    return half;
}

// Distance of each pixel to the nearest one outside in its row: 0 outside, FAR where the row has none.
void row_runs(Mask mask, Run* runs) {
    for (std::ptrdiff_t r = 0; r < mask.rows; ++r) {
        const std::uint8_t* row = mask.data + r * mask.cols;
        Run* run = runs + r * mask.cols;
        Run since = FAR;
        for (std::ptrdiff_t c = 0; c < mask.cols; ++c) {
            since = row[c] ? static_cast<Run>(since == FAR ? FAR : since + 1) : Run{0};
            run[c] = since;
        }
        since = FAR;
        for (std::ptrdiff_t c = mask.cols - 1; c >= 0; --c) {
            since = row[c] ? static_cast<Run>(since == FAR ? FAR : since + 1) : Run{0};
            run[c] = std::min(run[c], since);
        }
    }
}

}  // namespace

void erode_disc(Mask mask, double radius, std::uint8_t* out) {
    std::vector<Run> runs(static_cast<std::size_t>(mask.size()));
    row_runs(mask, runs.data());
    const std::vector<Run> half = half_widths(radius);
    const auto reach = static_cast<std::ptrdiff_t>(half.size()) - 1;
    for (std::ptrdiff_t r = 0; r < mask.rows; ++r) {
        poll(static_cast<std::size_t>(r), 4);
        std::uint8_t* row = out + r * mask.cols;
        std::fill_n(row, mask.cols, std::uint8_t{1});
        for (std::ptrdiff_t y = std::max<std::ptrdiff_t>(r - reach, 0);
             y <= std::min(r + reach, mask.rows - 1); ++y) {
            const Run width = half[static_cast<std::size_t>(y < r ? r - y : y - r)];
            const Run* run = runs.data() + y * mask.cols;
            for (std::ptrdiff_t c = 0; c < mask.cols; ++c)
                row[c] &= static_cast<std::uint8_t>(run[c] > width);
        }
    }
}

void open_disc(Mask mask, double radius, std::uint8_t* out) {
    std::fill_n(out, mask.size(), std::uint8_t{0});
    Box box;
    // A border of one pixel outside the mask is all that an opening has to see.
    if (!box_of(mask, 1, box)) return;
    const auto size = static_cast<std::size_t>(box.rows() * box.cols());
    Bytes part(size), core(size), back(size);
    for (std::ptrdiff_t r = 0; r < box.rows(); ++r)
        std::copy_n(mask.data + (box.top + r) * mask.cols + box.left, box.cols(),
                    part.begin() + r * box.cols());
    erode_disc({part.data(), box.rows(), box.cols()}, radius, core.data());
    if (std::find(core.begin(), core.end(), std::uint8_t{1}) == core.end()) return;
    for (auto& value : core) value = !value;
    erode_disc({core.data(), box.rows(), box.cols()}, radius, back.data());
    for (std::ptrdiff_t r = 0; r < box.rows(); ++r)
        for (std::ptrdiff_t c = 0; c < box.cols(); ++c) {
            const auto at = static_cast<std::size_t>(r * box.cols() + c);
            out[(box.top + r) * mask.cols + box.left + c] = part[at] && !back[at];
        }
}

void close_disc(Mask mask, double radius, std::uint8_t* out) {
    Bytes outside(static_cast<std::size_t>(mask.size()));
    for (std::size_t i = 0; i < outside.size(); ++i) outside[i] = mask.data[i] == 0;
    open_disc({outside.data(), mask.rows, mask.cols}, radius, out);
    for (std::ptrdiff_t i = 0; i < mask.size(); ++i) out[i] = !out[i];
}

}  // namespace fastpgs::shapes
