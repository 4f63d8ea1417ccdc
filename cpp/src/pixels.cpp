// Every pixel that takes part as a point, in raster order.
#include <algorithm>
#include <optional>

#include "fastpgs/parallel.hpp"
#include "point_source.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kRun = 8192;
constexpr std::size_t kNeighbours = 32;               // pixels of one group
constexpr std::size_t kWorth = std::size_t{1} << 17;  // pixels that are worth a thread

template <class T>
class Pixels final : public PointSource<T> {
    using PointSource<T>::points_;
    using PointSource<T>::task_;

  public:
    explicit Pixels(const Task& task) : PointSource<T>(task) {
        const ImageView& image = task.image;
        const std::size_t n = image.pixels();
        if (task.mask) {
            for (std::size_t i = 0; i < n; ++i)
                if (task.mask[i]) index_.push_back(static_cast<std::int64_t>(i));
        }
        points_.n = points_.pixels = task.mask ? index_.size() : n;
        points_.exact = task.exact;
        points_.z.reset(task.space.dims, points_.n);
        for_runs([&](std::size_t begin, std::size_t end) {
            T* out[kMaxDims];
            for (std::size_t a = 0; a < task.space.dims; ++a) out[a] = points_.z[a] + begin;
            if (index_.empty())
                read_features(image, task.space, begin, end, out);
            else
                gather_features(image, task.space, index_.data() + begin, end - begin, out);
        });
        if constexpr (std::is_same_v<T, double>) {
            if (!task.exact) set_grains(points_);
        }
        std::vector<std::uint32_t> starts;
        for (std::size_t begin = 0; begin < points_.n; begin += kNeighbours)
            starts.push_back(static_cast<std::uint32_t>(begin));
        starts.push_back(static_cast<std::uint32_t>(points_.n));
        groups_.emplace(points_, std::move(starts));
    }

    void write_labels() override {
        std::int32_t* labels = task_.labels;
        if (!index_.empty()) std::fill(labels, labels + task_.image.pixels(), 0);
        for_runs([&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i)
                labels[raster(i)] = this->beyond(i) ? 0 : this->assignment_.labels[i] + 1;
        });
    }

  protected:
    const Groups<T>* groups() const override { return groups_ ? &*groups_ : nullptr; }
    bool ordered() const override { return true; }
    std::int64_t raster(std::size_t point) const override {
        return index_.empty() ? static_cast<std::int64_t>(point) : index_[point];
    }
    std::size_t earliest(const std::vector<std::size_t>& tied) const override { return tied.front(); }

  private:
    template <class Body>
    void for_runs(Body body) {  // body(begin, end)
        parallel_for((points_.n + kRun - 1) / kRun, team(points_.n, kWorth, task_.threads),
                     [&](std::size_t run) { body(run * kRun, std::min((run + 1) * kRun, points_.n)); });
    }

    std::vector<std::int64_t> index_;  // raster index of each point; empty: the point's own number
    std::optional<Groups<T>> groups_;  // pixels side by side, which are mostly alike
};

}  // namespace

template <class T>
std::unique_ptr<Source<T>> make_pixels(const Task& task) {
    return std::make_unique<Pixels<T>>(task);
}
template std::unique_ptr<Source<std::int32_t>> make_pixels(const Task&);
template std::unique_ptr<Source<double>> make_pixels(const Task&);

}  // namespace fastpgs
