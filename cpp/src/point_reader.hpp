// The points of an image: its pixels, or those under a mask, in raster order, with their real coordinates.
#pragma once

#include <optional>
#include <vector>

#include "fastpgs/features.hpp"
#include "fastpgs/real_kernels.hpp"
#include "fastpgs/source.hpp"
#include "moved_pixels.hpp"

namespace fastpgs {

class PointReader {
  public:
    explicit PointReader(const Task& task)
        : task_(task), pixel_bytes_(task.image.channels * bytes_of(task.image.type)) {
        if (!task.mask) return;
        for (std::size_t i = 0; i < task.image.pixels(); ++i)
            if (task.mask[i]) index_.push_back(static_cast<std::int64_t>(i));
    }

    std::size_t size() const { return task_.mask ? index_.size() : task_.image.pixels(); }
    bool masked() const { return static_cast<bool>(task_.mask); }
    std::size_t dims() const { return task_.space.dims; }
    std::int64_t raster(std::size_t point) const {
        return task_.mask ? index_[point] : static_cast<std::int64_t>(point);
    }

    // Coordinates of the points [begin, end): planes.
    void read(std::size_t begin, std::size_t end, double* const* out) const {
        if (task_.mask)
            gather_features(task_.image, task_.space, index_.data() + begin, end - begin, out);
        else
            read_features(task_.image, task_.space, begin, end, out);
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
        if (masked() || mover() == nullptr) return std::nullopt;
        ChannelPoints out{task_.image.data, task_.image.type, task_.image.width, {}, space.positions};
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
    // is overwritten before it has moved. The others get 0.
    void spread(std::int32_t* labels) const {
        if (!task_.mask) return;
        std::size_t from = size();
        for (std::size_t i = task_.image.pixels(); i-- > 0;) labels[i] = task_.mask[i] ? labels[--from] : 0;
    }

  private:
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
    std::vector<std::int64_t> index_;
};

}  // namespace fastpgs
