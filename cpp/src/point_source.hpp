// What sources of points (points.hpp) have in common.
#pragma once

#include "fastpgs/source.hpp"

namespace fastpgs {

template <class T>
class PointSource : public Source<T> {
  public:
    explicit PointSource(const Task& task) : task_(task) {}
    PointSource(const PointSource&) = delete;
    PointSource& operator=(const PointSource&) = delete;

    Iterated iterate(Pivots<T>& pivots) override {
        return fastpgs::iterate<T>(points_, groups(), task_.params, task_.threads, pivots, ordered(),
                                   first());
    }

    Assigned assign(const std::vector<T>& pivots, bool) override {
        assign_all(points_, groups(), pivots, task_.threads, assignment_);
        return {assignment_.inertia, assignment_.empty};
    }

    std::int64_t locate(const Pivots<T>& pivots, std::size_t j) const override {
        if (task_.params.update == Update::mean) {
            if constexpr (std::is_same_v<T, double>)
                return raster(
                    nearest_point(points_, pivots.z.data() + j * points_.dims(), ordered(), first()));
        }
        return pivots.raster[j] < 0 ? raster(pivots.point[j]) : pivots.raster[j];
    }

  protected:
    virtual const Groups<T>* groups() const { return nullptr; }
    virtual bool ordered() const = 0;  // points are in raster order
    virtual std::int64_t raster(std::size_t point) const = 0;
    virtual std::size_t earliest(const std::vector<std::size_t>& tied) const = 0;

    bool beyond(std::size_t point) const {
        return task_.params.threshold && !(assignment_.d2[point] <= *task_.params.threshold);
    }

    Task task_;
    Points<T> points_;
    Assignment assignment_;

  private:
    Earliest first() const {
        return [this](const std::vector<std::size_t>& tied) { return earliest(tied); };
    }
};

}  // namespace fastpgs
