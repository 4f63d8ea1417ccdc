// Borrowed, read-only views of a caller's arrays. The core owns none of them and never writes through them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastpgs {

enum class PixelType { u8, u16, f32, f64 };

// A C-contiguous image of shape (height, width, channels), channel last.
struct ImageView {
    const void* data = nullptr;
    PixelType type = PixelType::u8;
    std::size_t height = 0;
    std::size_t width = 0;
    std::size_t channels = 1;

    std::size_t pixels() const { return height * width; }

    template <class T>
    const T* as() const {
        return static_cast<const T*>(data);
    }
};

// A C-contiguous mask of shape (height, width), one byte a pixel, non-zero where a pixel takes part.
// A null view means that every pixel does.
struct MaskView {
    const std::uint8_t* data = nullptr;

    explicit operator bool() const { return data != nullptr; }
    bool operator[](std::size_t pixel) const { return data == nullptr || data[pixel] != 0; }
};

}  // namespace fastpgs
