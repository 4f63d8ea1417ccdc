// The points of an image with their real coordinates: its pixels, in blocks (block_order.hpp) where their
// coordinates are three channels and in raster order elsewhere, or those under a mask.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "block_order.hpp"
#include "fastpgs/features.hpp"
#include "fastpgs/real_kernels.hpp"
#include "fastpgs/source.hpp"
#include "moved_pixels.hpp"

namespace fastpgs {

class PointReader {
  public:
    explicit PointReader(const Task& task)
        : task_(task), pixel_bytes_(task.image.channels * bytes_of(task.image.type)) {
        if (channels()) order_ = Order(task.image.height, task.image.width);
        if (!task.mask) return;
        for (std::size_t i = 0; i < task.image.pixels(); ++i)
            if (task.mask[i]) index_.push_back(static_cast<std::int64_t>(i));
    }

    std::size_t size() const { return task_.mask ? index_.size() : task_.image.pixels(); }
    // Tiles that are blocks, the first ones.
    std::size_t blocks() const { return order_.blocks(); }
    std::size_t dims() const { return task_.space.dims; }
    std::int64_t raster(std::size_t point) const {
        return task_.mask ? index_[point] : static_cast<std::int64_t>(order_.raster(point));
    }
    // The same of a list.
    void to_raster(std::uint32_t* points, std::size_t n) const {
        if (!task_.mask) return order_.to_raster(points, n);
        for (std::size_t i = 0; i < n; ++i) points[i] = static_cast<std::uint32_t>(raster(points[i]));
    }

    // Coordinates of the points [begin, end): planes. Of blocks, whole ones.
    void read(std::size_t begin, std::size_t end, double* const* out) const {
        if (task_.mask)
            return gather_features(task_.image, task_.space, index_.data() + begin, end - begin, out);
        if (order_.blocks() == 0) return read_features(task_.image, task_.space, begin, end, out);
        const std::size_t in_blocks = std::max(begin, std::min(end, order_.blocks() * kCoarseTile));
        for (std::size_t at = begin; at < in_blocks;) at = read_band(begin, at, in_blocks, out);
        if (in_blocks == end) return;
        std::vector<std::int64_t> pixels;
        for (std::size_t point = in_blocks; point < end; ++point) pixels.push_back(raster(point));
        double* rest[kMaxDims];
        for (std::size_t a = 0; a < dims(); ++a) rest[a] = out[a] + (in_blocks - begin);
        gather(pixels.data(), pixels.size(), rest);
    }
    // Least and greatest coordinates of all points, where the image's values tell them as they are.
    bool extents(double* low, double* high) const {
        return !task_.mask && feature_extents(task_.image, task_.space, low, high);
    }
    // Of pixels, given by raster indices.
    void gather(const std::int64_t* pixels, std::size_t n, double* const* out) const {
        gather_features(task_.image, task_.space, pixels, n, out);
    }

    // Where points are an image's pixels and their coordinates come from three channels by one product each.
    std::optional<ChannelPoints> channels() const {
        const FeatureSpace& space = task_.space;
        if (task_.mask || mover() == nullptr) return std::nullopt;
        ChannelPoints out{task_.image.data, task_.image.type, task_.image.width, 0, {}, space.positions};
        out.across = order_.across();
        const bool whole = space.integer || space.kind == Features::raw;
        for (std::size_t a = 0; a < space.dims; ++a) {
            const double weight = space.map == nullptr ? 1.0 : space.map[a * (space.dims + 1)];
            if (a < 3 && !whole && weight != 1.0) return std::nullopt;
            out.factor[a] = a < 3 && !whole ? 255.0 : weight;
        }
        return out;
    }
    // How coordinates of listed pixels go from sum to sum at once; null where they must be gathered.
    MovePixels mover() const { return move_pixels_of(task_.image, task_.space); }
    void move(MovePixels by, const MovedPixels& moved) const { by(task_.image, task_.space, moved); }

    // Asks for a pixel's memory, which will be read soon.
    void fetch(std::int64_t pixel) const {
#if defined(__GNUC__)
        __builtin_prefetch(task_.image.as<std::uint8_t>() + static_cast<std::size_t>(pixel) * pixel_bytes_);
#else
        (void)pixel;
#endif
    }

    // Moves labels of points, which lie together, to their pixels; from the last to the first, so that none
    // is overwritten before it has moved. The others get 0. label_of: see block_order.hpp.
    template <class LabelOf>
    void spread(std::int32_t* labels, int threads, LabelOf label_of) const {
        if (!task_.mask) return order_.spread(labels, size(), threads, label_of);
        std::size_t from = size();
        for (std::size_t i = task_.image.pixels(); i-- > 0;) labels[i] = task_.mask[i] ? labels[--from] : 0;
    }

  private:
    using Order = BlockOrder<kCoarseTile / 8>;
    static_assert(Order::kPoints == kCoarseTile, "a block is a tile");

    // Of blocks beside each other from a point on, some at once: row by row. Returns where it ended.
    std::size_t read_band(std::size_t begin, std::size_t at, std::size_t end, double* const* out) const {
        constexpr std::size_t kMost = 32, kColumns = Order::kColumns, kPoints = kCoarseTile;
        const std::size_t block = at / kPoints, left = order_.across() - block % order_.across();
        const std::size_t n = std::min({left, kMost, end / kPoints - block});
        double row[5][kMost * kColumns];
        double* const rows[5] = {row[0], row[1], row[2], row[3], row[4]};
        for (std::size_t r = 0; r < kPoints / kColumns; ++r) {
            const std::size_t pixel = order_.corner(block) + r * task_.image.width;
            read_features(task_.image, task_.space, pixel, pixel + n * kColumns, rows);
            for (std::size_t a = 0; a < dims(); ++a)
                for (std::size_t b = 0; b < n; ++b)
                    std::copy_n(row[a] + b * kColumns, kColumns,
                                out[a] + (at - begin) + b * kPoints + r * kColumns);
        }
        return at + n * kPoints;
    }

    static std::size_t bytes_of(PixelType type) {
        switch (type) {
            case PixelType::u8:
                return 1;
            case PixelType::u16:
                return 2;
            case PixelType::f32:
                return 4;
            case PixelType::f64:
                return 8;
        }
        return 0;
    }

    Task task_;
    std::size_t pixel_bytes_;
    Order order_;
    std::vector<std::int64_t> index_;
};

}  // namespace fastpgs
