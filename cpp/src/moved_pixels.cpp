#include "moved_pixels.hpp"

#include <algorithm>

namespace fastpgs {
namespace {

// Pixels that change hands lie apart: their memory is asked for some pixels ahead.
constexpr std::size_t kAhead = 24;

template <class T>
void fetch(const T* p) {
#if defined(__GNUC__)
    __builtin_prefetch(p);
#else
    (void)p;
#endif
}

// Row and column of pixels that mostly follow each other.
class Place {
  public:
    explicit Place(std::size_t width) : width_(static_cast<std::uint32_t>(width)), end_(width_) {}

    void go_to(std::uint32_t pixel) {
        if (pixel < begin_ || pixel >= end_) {
            row_ = pixel / width_;
            begin_ = row_ * width_;
            end_ = begin_ + width_;
        }
        col_ = pixel - begin_;
    }
    double row() const { return row_; }
    double col() const { return col_; }

  private:
    std::uint32_t width_, begin_ = 0, end_, row_ = 0, col_ = 0;
};

// Neighbours mostly go the same way: those that do are summed by themselves first, so that no sum waits for
// memory. Sums are exact, so that their order does not matter.
template <class T, bool Positions>
void move_pixels(const ImageView& image, const FeatureSpace& space, const MovedPixels& moved) {
    constexpr std::size_t kDims = Positions ? 5 : 3;
    // Four lanes, so that compilers take pairs of them: the last is the pixel beside, and is not asked for.
    constexpr std::size_t kTaken = 4;
    double weight[kDims + 1] = {};
    for (std::size_t a = 0; a < kDims; ++a)
        weight[a] = space.map == nullptr ? 1.0 : space.map[a * (kDims + 1)];
    const double unit = space.integer || space.kind == Features::raw ? 1.0 : 255.0;
    const double round = moved.round;
    const auto rounded = [round](double x) { return (x + round) - round; };
    const T* data = image.as<T>();
    Place place(image.width);
    const std::size_t last = image.pixels() - 1;  // has none beside it
    const T at_last[kTaken] = {data[3 * last], data[3 * last + 1], data[3 * last + 2], T{0}};
    for (std::size_t i = 0; i < moved.n;) {
        const std::size_t begin = i;
        const std::int32_t before = moved.before[i], now = moved.now[i];
        double sums[kDims] = {}, taken[kTaken] = {};
        do {
            fetch(data + std::size_t{3} * moved.pixels[std::min(i + kAhead, moved.n - 1)]);
            const std::size_t pixel = moved.pixels[i];
            const T* p = pixel == last ? at_last : data + 3 * pixel;
            for (std::size_t c = 0; c < kTaken; ++c)
                taken[c] += rounded((static_cast<double>(p[c]) * unit) * weight[c]);
            if (!Positions) continue;
            place.go_to(moved.pixels[i]);
            sums[kDims - 2] += rounded(place.row() * weight[kDims - 2]);
            sums[kDims - 1] += rounded(place.col() * weight[kDims - 1]);
        } while (++i < moved.n && moved.before[i] == before && moved.now[i] == now);
        std::copy_n(taken, 3, sums);
        double* from = moved.lost + static_cast<std::size_t>(before - 1) * (kDims + 1);
        double* to = moved.gained + static_cast<std::size_t>(now - 1) * (kDims + 1);
        from[0] += static_cast<double>(i - begin);
        to[0] += static_cast<double>(i - begin);
        for (std::size_t a = 0; a < kDims; ++a) {
            from[1 + a] += sums[a];
            to[1 + a] += sums[a];
        }
    }
}

template <class T>
MovePixels move_pixels_by(bool positions) {
    return positions ? &move_pixels<T, true> : &move_pixels<T, false>;
}

}  // namespace

MovePixels move_pixels_of(const ImageView& image, const FeatureSpace& space) {
    const bool channels = space.kind == Features::rgb || space.kind == Features::raw;
    if (!channels || image.channels != 3 || !only_scales(space)) return nullptr;
    switch (image.type) {
        case PixelType::u8:
            return move_pixels_by<std::uint8_t>(space.positions);
        case PixelType::u16:
            return move_pixels_by<std::uint16_t>(space.positions);
        case PixelType::f32:
            return move_pixels_by<float>(space.positions);
        case PixelType::f64:
            return move_pixels_by<double>(space.positions);
    }
    return nullptr;
}

}  // namespace fastpgs
