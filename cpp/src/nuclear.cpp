#include "fastpgs/nuclear.hpp"

#include <algorithm>
#include <limits>

#include "fastpgs/crew.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/plane_kernels.hpp"

namespace fastpgs::nuclear {

namespace {

// The levels of one row, and squared distances from them: integers below 2^24, so single precision is exact.
class Row {
  public:
    explicit Row(std::ptrdiff_t cols) : cols_(static_cast<std::size_t>(cols)) {
        for (std::vector<float>& plane : planes_) plane.resize(cols_);
    }

    void load(const std::uint8_t* colour) {
        for (std::size_t c = 0; c < cols_; ++c)
            for (std::size_t channel = 0; channel < 3; ++channel)
                planes_[channel][c] = static_cast<float>(*colour++);
    }

    void nearest(const Colours& pivots, std::vector<float>& out) const {
        out.assign(cols_, std::numeric_limits<float>::infinity());
        const float *x = planes_[0].data(), *y = planes_[1].data(), *z = planes_[2].data();
        float* own = out.data();
        for (const auto& pivot : pivots) {
            const auto px = static_cast<float>(pivot[0]), py = static_cast<float>(pivot[1]),
                       pz = static_cast<float>(pivot[2]);
            for (std::size_t c = 0; c < cols_; ++c) {
                const float dx = x[c] - px, dy = y[c] - py, dz = z[c] - pz;
                own[c] = std::min(own[c], dx * dx + dy * dy + dz * dz);
            }
        }
    }

  private:
    std::size_t cols_;
    std::array<std::vector<float>, 3> planes_;
};

}  // namespace

void nearest(stain::Picture features, const Colours& nuclei, const Colours& others, float lenient,
             std::uint8_t* out) {
    Row row(features.cols);
    std::vector<float> nuclear, other;
    for (std::ptrdiff_t r = 0; r < features.rows; ++r, out += features.cols) {
        poll(static_cast<std::size_t>(r), 16);
        row.load(features.rgb + 3 * r * features.cols);
        row.nearest(nuclei, nuclear);
        row.nearest(others, other);
        for (std::size_t c = 0; c < nuclear.size(); ++c) out[c] = nuclear[c] < lenient * other[c];
    }
}

shapes::Bits nearest_flagged(stain::Picture features, const Colours& pivots,
                             const std::vector<std::uint8_t>& flags) {
    shapes::Bits out(features.rows, features.cols);
    const auto cols = static_cast<std::size_t>(features.cols);
    share(features.rows, rows_worth(features.cols), [&](std::ptrdiff_t r, std::ptrdiff_t end) {
        for (; r < end; ++r)
            plane_kernels().nearest_chosen({features.rgb + 3 * r * features.cols, cols, pivots.front().data(),
                                            flags.data(), pivots.size(), out.row(r)});
    });
    return out;
}

}  // namespace fastpgs::nuclear
