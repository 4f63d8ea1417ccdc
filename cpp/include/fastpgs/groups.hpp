// Groups of neighbouring points, so that an iteration need not look at each of them.
//
// A group whose bounding box lies wholly on one side of every bisector belongs to one pivot as a whole: its
// weight and sums, taken once, stand for its points (the filtering idea of Kanungo et al., "An efficient
// k-means clustering algorithm", IEEE TPAMI 24 (2002) 881-892, doi:10.1109/TPAMI.2002.1017616). Only the
// points of groups that straddle a bisector are compared with pivots. Results are the same to the bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "fastpgs/points.hpp"

namespace fastpgs {

inline constexpr std::uint8_t kStraddles = 255;  // no owner; pivots are 0 … 254

template <class T>
class Groups {
  public:
    // Groups `points` as [starts[g], starts[g + 1]). Both must outlive this. Coordinates must have been
    // rounded to the grain if they are real.
    Groups(const Points<T>& points, std::vector<std::uint32_t> starts);

    std::size_t size() const { return starts_.size() - 1; }
    std::size_t begin(std::size_t g) const { return starts_[g]; }
    std::size_t end(std::size_t g) const { return starts_[g + 1]; }

    // owners[g]: the pivot that every point of group g is nearest to, or kStraddles.
    void find_owners(const std::vector<T>& pivots, std::uint8_t* owners) const;

    // Adds the weight and sums of group g to `sums` (dims + 1).
    void add(std::size_t g, double* sums) const;

    // No point of group g is closer to `target` than the square root of this.
    double lower_bound2(std::size_t g, const double* target) const;

  private:
    std::uint8_t owner(const std::vector<double>& pivots, std::size_t g) const;

    const Points<T>& points_;
    std::size_t dims_;
    std::vector<std::uint32_t> starts_;
    Planes<double> centre_, half_;  // dims planes of groups: box
    std::vector<double> sums_;      // (groups, dims + 1)
};

}  // namespace fastpgs
