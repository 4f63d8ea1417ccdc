// The distinct colours of an 8-bit image as points.
#include <algorithm>
#include <numeric>
#include <optional>

#include "fastpgs/features.hpp"
#include "fastpgs/groups.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/palette.hpp"
#include "point_source.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kRead = std::size_t{1} << 18;  // colours read between two looks at signals

template <class T>
class Colours final : public PointSource<T> {
    using PointSource<T>::points_;
    using PointSource<T>::assignment_;
    using PointSource<T>::task_;

  public:
    Colours(const Task& task, Palette palette) : PointSource<T>(task), palette_(std::move(palette)) {
        points_.n = palette_.size();
        points_.weight.assign(palette_.counts(), palette_.counts() + palette_.size());
        points_.pixels =
            static_cast<std::size_t>(std::accumulate(points_.weight.begin(), points_.weight.end(), 0.0));
        points_.exact = task.exact;
        points_.z.reset(task.space.dims, points_.n);
        for (std::size_t begin = 0; begin < points_.n; begin += kRead) {
            poll();
            T* out[kMaxDims];
            for (std::size_t a = 0; a < task.space.dims; ++a) out[a] = points_.z[a] + begin;
            read_features(palette_.colours(), task.space, begin, std::min(begin + kRead, points_.n), out);
        }
        if constexpr (std::is_same_v<T, double>) {
            if (!task.exact) set_grains(points_);
        }
        if (!palette_.starts().empty()) groups_.emplace(points_, palette_.starts());
    }

    void write_labels() override {
        std::vector<std::uint8_t> values(points_.n);
        for (std::size_t i = 0; i < points_.n; ++i)
            values[i] = this->beyond(i) ? 0 : static_cast<std::uint8_t>(assignment_.labels[i] + 1);
        // Beyond the threshold colours of one group may differ.
        if (assignment_.owners.empty() || task_.params.threshold)
            return palette_.write_labels(values, task_.threads);
        std::vector<std::uint8_t> whole = assignment_.owners;
        for (std::uint8_t& owner : whole)
            if (owner != kStraddles) ++owner;
        palette_.write_labels(whole, values, task_.threads);
    }

  protected:
    const Groups<T>* groups() const override { return groups_ ? &*groups_ : nullptr; }
    bool ordered() const override { return false; }
    std::int64_t raster(std::size_t point) const override { return palette_.first_of({point}).raster; }
    std::size_t earliest(const std::vector<std::size_t>& tied) const override {
        return palette_.first_of(tied).colour;
    }

  private:
    Palette palette_;
    std::optional<Groups<T>> groups_;
};

}  // namespace

template <class T>
std::unique_ptr<Source<T>> make_colours(const Task& task) {
    const ImageView& image = task.image;
    const bool by_colour = image.type == PixelType::u8 && (image.channels == 1 || image.channels == 3) &&
                           task.space.kind != Features::xy && !task.space.positions;
    if (!by_colour) return nullptr;
    std::optional<Palette> palette = Palette::count(image, task.mask, task.threads, task.labels);
    return palette ? std::make_unique<Colours<T>>(task, std::move(*palette)) : nullptr;
}
template std::unique_ptr<Source<std::int32_t>> make_colours(const Task&);
template std::unique_ptr<Source<double>> make_colours(const Task&);

}  // namespace fastpgs
