// Square crops of cells.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fastpgs::crops {

template <typename T>
struct Image {
    const T* data;  // (rows, cols, channels)
    std::ptrdiff_t rows, cols, channels;
};

// How crops are cut; for T as resampling::resample has it.
template <typename T>
struct Cut {
    std::ptrdiff_t size;                   // pixels of a side
    double zoom;                           // of them for one of the image
    const T* fill;                         // (channels): what is beyond the image, and where another label is
    const std::int32_t* labels = nullptr;  // (rows, cols): whose pixels are shown; null: everybody's
};

// The crop whose corner lies at (top, left) of the image's grid, (size, size, channels).
template <typename T>
void cut(const Image<T>& image, const Cut<T>& how, std::ptrdiff_t top, std::ptrdiff_t left,
         std::int32_t label, T* out);

}  // namespace fastpgs::crops
