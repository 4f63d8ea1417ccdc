// Windows of an image at another scale: what a crop of a cell shows, where it is not the image's own.
#pragma once

#include <cstddef>
#include <vector>

namespace fastpgs::resampling {

// Along one axis: which pixels of a window make up each output pixel, and how much of each. Shrinking (zoom
// <= 1) averages what an output pixel covers, enlarging interpolates between the centres of pixels.
class Taps {
  public:
    struct Part {
        std::ptrdiff_t first;   // pixel of the window
        std::ptrdiff_t count;   // of pixels
        const double* weights;  // of each; together 1
    };

    // Output pixel i, of 1 / zoom pixels a side, begins i / zoom pixels after start, a place on the image's
    // grid.
    Taps(double start, std::ptrdiff_t outputs, double zoom);

    std::ptrdiff_t outputs() const { return static_cast<std::ptrdiff_t>(spans_.size()); }
    Part of(std::ptrdiff_t output) const {
        const Span& span = spans_[static_cast<std::size_t>(output)];
        return {span.first, span.count, weights_.data() + span.begin};
    }

    bool shrinks;
    std::ptrdiff_t origin;  // the first pixel of the window
    std::ptrdiff_t extent;  // pixels of the window

  private:
    struct Span {
        std::ptrdiff_t first, count, begin;
    };
    std::vector<Span> spans_;
    std::vector<double> weights_;
};

// A window of down.extent x across.extent pixels of some channels, as down.outputs() x across.outputs()
// pixels. Sums run over rows first where that shrinks them, else over columns, each in ascending order;
// integers are rounded, halves to even. For std::uint8_t, std::uint16_t, float and double.
template <typename T>
void resample(const T* window, const Taps& down, const Taps& across, std::ptrdiff_t channels, T* out);

}  // namespace fastpgs::resampling
