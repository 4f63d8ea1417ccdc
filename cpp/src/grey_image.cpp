#include "fastpgs/grey_image.hpp"

#include <algorithm>

#include "fastpgs/features.hpp"
#include "fastpgs/parallel.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kWorth = std::size_t{1} << 17;  // pixels that are worth a thread

template <class T>
void read_luma(const ImageView& image, int threads, T* out) {
    const std::size_t n = image.pixels(), tasks = static_cast<std::size_t>(team(n, kWorth, threads));
    parallel_for(tasks, threads, [&](std::size_t task) {
        const T* p = image.as<T>() + 3 * (task * n / tasks);
        for (std::size_t i = task * n / tasks; i < (task + 1) * n / tasks; ++i, p += 3)
            out[i] = static_cast<T>(luma_of(std::uint32_t{p[0]}, std::uint32_t{p[1]}, std::uint32_t{p[2]}));
    });
}

}  // namespace

GreyImage::GreyImage(const ImageView& image, int threads)
    : type_(image.type),
      height_(image.height),
      width_(image.width),
      values_(image.pixels() * (image.type == PixelType::u8 ? 1 : 2)) {
    if (type_ == PixelType::u8)
        read_luma(image, threads, values_.data());
    else
        read_luma(image, threads, reinterpret_cast<std::uint16_t*>(values_.data()));
}

}  // namespace fastpgs
