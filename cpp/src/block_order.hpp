// An order of pixels in which tiles are compact: blocks of 8 columns and a few rows, a tile each, then the
// pixels to the right of whole blocks and below them. Of 4 rows:
//
//      0 …  7 | 32 … 39 | … | last
//      8 … 15 | 40 … 47 | … |  …
//     16 … 23 |    …    |   |
//     24 … 31 |         |   |
//      last …
//
// Such a tile spans fewer colours and far fewer rows and columns than a run of as many pixels, so that a
// third to a half as many straddle a bisector.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "fastpgs/parallel.hpp"

namespace fastpgs {

template <std::size_t Rows>
class BlockOrder {
  public:
    static constexpr std::size_t kColumns = 8, kPoints = Rows * kColumns;

    BlockOrder() = default;  // raster order
    BlockOrder(std::size_t height, std::size_t width)
        : width_(width),
          across_(height < Rows ? 0 : width / kColumns),
          bands_(height / Rows),
          beside_(width % kColumns) {}

    std::size_t blocks() const { return bands_ * across_; }
    std::size_t across() const { return across_; }  // blocks beside each other

    // Raster index of the first pixel of a block.
    std::size_t corner(std::size_t block) const {
        return block / across_ * Rows * width_ + block % across_ * kColumns;
    }
    std::size_t raster(std::size_t point) const {
        const std::size_t block = point / kPoints, in_blocks = blocks() * kPoints;
        if (point < in_blocks) return corner(block) + point / kColumns % Rows * width_ + point % kColumns;
        const std::size_t last = point - in_blocks, right = bands_ * Rows * beside_;
        if (last >= right) return bands_ * Rows * width_ + (last - right);
        return last / beside_ * width_ + across_ * kColumns + last % beside_;
    }

    // Raster indices of a list, whose neighbours are mostly of one block.
    void to_raster(std::uint32_t* points, std::size_t n) const {
        std::size_t block = blocks(), first = 0;  // none yet
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t point = points[i];
            if (point / kPoints >= blocks()) {
                points[i] = static_cast<std::uint32_t>(raster(point));
                continue;
            }
            if (point / kPoints != block) {
                block = point / kPoints;
                first = corner(block);
            }
            points[i] =
                static_cast<std::uint32_t>(first + point / kColumns % Rows * width_ + point % kColumns);
        }
    }

    // Moves labels of n points to their pixels. label_of(block) is that of all its points, or negative where
    // they have their own.
    template <class LabelOf>
    void spread(std::int32_t* labels, std::size_t n, int threads, LabelOf label_of) const {
        if (blocks() == 0) return;
        const std::vector<std::int32_t> last(labels + blocks() * kPoints, labels + n);
        const auto below = static_cast<std::ptrdiff_t>(bands_ * Rows * beside_);
        std::copy(last.begin() + below, last.end(), labels + bands_ * Rows * width_);
        // Where a band comes to lie after the points of those before, these move later: from the last on.
        const std::size_t tasks = beside_ > 0 ? 1 : static_cast<std::size_t>(threads);
        parallel_for(tasks, threads, [&](std::size_t task) {
            std::vector<std::int32_t> own(across_ * kPoints);
            for (std::size_t band = (task + 1) * bands_ / tasks; band-- > task * bands_ / tasks;) {
                fill_blocks(labels, band, own.data(), label_of);
                for (std::size_t row = 0; row < Rows; ++row)
                    write_row(own.data(), last.data(), band * Rows + row, labels);
            }
        });
    }

  private:
    template <class LabelOf>
    void fill_blocks(const std::int32_t* labels, std::size_t band, std::int32_t* out,
                     LabelOf label_of) const {
        for (std::size_t block = band * across_; block < (band + 1) * across_; ++block, out += kPoints) {
            const std::int32_t label = label_of(block);
            if (label < 0)
                std::memcpy(out, labels + block * kPoints, kPoints * sizeof *out);
            else
                std::fill_n(out, kPoints, label);
        }
    }

    void write_row(const std::int32_t* own, const std::int32_t* last, std::size_t row,
                   std::int32_t* labels) const {
        std::int32_t* out = labels + row * width_;
        own += row % Rows * kColumns;
        for (std::size_t block = 0; block < across_; ++block, own += kPoints, out += kColumns)
            std::memcpy(out, own, kColumns * sizeof *out);
        std::copy_n(last + row * beside_, beside_, out);
    }

    std::size_t width_ = 0, across_ = 0, bands_ = 0;
    std::size_t beside_ = 0;  // columns to the right of whole blocks
};

}  // namespace fastpgs
