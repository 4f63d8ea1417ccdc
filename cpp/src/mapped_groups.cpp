// Alternating k-medoids over the distinct colours of an 8-bit image after a linear map (Mahalanobis'
// distance).
//
// Distances are of doubles, z = W x, but what they compare is linear in x, whose features are integers:
//
//      |z - p|^2 < |z - q|^2   where   C_p - 2 x . P_p < C_q - 2 x . P_q,   P = W^T p, C = |p|^2
//
// With P and C rounded to integers (rounded_scores.hpp), whole groups of colours (palette.hpp) and most
// single ones are told as those of plain RGB are (colour_groups.cpp). A margin tells which comparisons
// rounding may have changed; the few are computed in doubles, as are medoids. Sums pass from hand to hand
// with the colours that change hands, and clusters that keep their members keep their medoids.
//
// Served are maps whose entries are multiples of the grain of sums (points.hpp): every z is one then, no sum
// is rounded, and that of many z is W times that of their x, an integer. No colour's z is kept.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "fastpgs/features.hpp"
#include "fastpgs/groups.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/lab.hpp"
#include "fastpgs/palette.hpp"
#include "fastpgs/real_kernels.hpp"
#include "fastpgs/source.hpp"
#include "fastpgs/tile_kernels.hpp"
#include "pairs.hpp"
#include "renaming.hpp"
#include "rounded_scores.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kDims = 3, kWidth = kDims + 1;
constexpr std::size_t kMost = 64;                      // colours of a group
constexpr std::size_t kPolled = std::size_t{1} << 16;  // colours between two looks at signals
constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Mapped = std::array<double, kDims>;

class MappedGroups final : public Source<double> {
  public:
    MappedGroups(const Task& task, Palette palette)
        : task_(task),
          kernels_(tile_kernels()),
          k_(static_cast<std::size_t>(task.params.k)),
          palette_(std::move(palette)),
          n_(palette_.size()),
          groups_(palette_.groups()),
          scores_(task.space.map, task.space.kind == Features::lab ? kLab : kRgb),
          colours_(palette_.grouped()) {
        if (task.space.kind == Features::lab) {
            words_.reset(2, n_);
            lab_of_pairs(colours_.a, colours_.b, n_, words_[0], words_[1]);
            colours_.a = words_[0];
            colours_.b = words_[1];
            colours_.bytes = false;
        }
        measure_colours();
        // Everything is the first pivot's, until distances are known.
        masks_.assign(groups_ + kTileMargin, 1);
        straddling_.resize(groups_ + kTileMargin);
        owners_ = Block<std::int32_t>(n_);
        found_ = Block<std::uint32_t>(n_ + kGroupStep);
        found_owners_ = Block<std::int32_t>(n_ + kGroupStep);
        sums_.assign(kWidth * k_, 0);
        kept_.assign(k_, 0);
        near_ = Block<std::uint32_t>(groups_);
        far_ = Block<double>(groups_);
        for (std::size_t g = 0; g < groups_; ++g)
            for (std::size_t s = 0; s < kWidth; ++s) sums_[s] += group_sums_[g * kWidth + s];
    }

    Iterated iterate(Pivots<double>& pivots) override {
        Iterated out;
        const Params& params = task_.params;
        kept_.assign(k_, 0);  // these pivots need not be medoids
        while (out.n_iter < params.max_iter && !out.converged) {
            poll();
            assign_to(pivots.z);
            double most = 0.0;
            for (std::size_t j = 0; j < k_; ++j) {
                poll();
                most = std::max(most, move_to_medoid(pivots, j));
            }
            ++out.n_iter;
            out.converged = most <= params.tol2;
        }
        return out;
    }

    Assigned assign(const std::vector<double>& pivots, bool want_inertia) override {
        assign_to(pivots);
        Assigned out;
        for (std::size_t j = 0; j < k_; ++j) out.empty.push_back(sums_[kWidth * j] == 0);
        if (!want_inertia) return out;
        const double round = rounder(objective_grain());
        for (std::size_t g = 0; g < groups_; ++g) {
            poll(g, 4096);
            for (std::size_t i = begin(g); i < end(g); ++i)
                out.inertia += colours_.counts[i] * ((distance2(i, pivot(owner(g, i))) + round) - round);
        }
        return out;
    }

    void write_labels() override {
        std::vector<std::uint8_t> whole(groups_, kStraddles), labels(n_);
        const std::optional<double> threshold = task_.params.threshold;
        for (std::size_t g = 0; g < groups_; ++g) {
            poll(g, 4096);
            if (!straddles(g) && !threshold) {
                whole[g] = static_cast<std::uint8_t>(owner(g, 0) + 1);
                continue;
            }
            for (std::size_t i = begin(g); i < end(g); ++i) {
                const std::size_t own = owner(g, i);
                const bool beyond = threshold && !(distance2(i, pivot(own)) <= *threshold);
                labels[i] = beyond ? 0 : static_cast<std::uint8_t>(own + 1);
            }
        }
        palette_.write_labels(whole, labels, task_.threads);
    }

    std::int64_t locate(const Pivots<double>& pivots, std::size_t j) const override {
        return pivots.raster[j] < 0 ? palette_.first_of({pivots.point[j]}).raster : pivots.raster[j];
    }

  private:
    std::size_t begin(std::size_t g) const { return colours_.starts[g]; }
    std::size_t end(std::size_t g) const { return colours_.starts[g + 1]; }
    const double* pivot(std::size_t j) const { return assigned_.data() + kDims * j; }

    bool straddles(std::size_t g) const { return (masks_[g] & (masks_[g] - 1)) != 0; }
    static std::size_t lowest(std::uint32_t mask) {
        std::size_t bit = 0;
        while ((mask >> bit & 1U) == 0) ++bit;
        return bit;
    }
    // The pivot of colour i of group g.
    std::size_t owner(std::size_t g, std::size_t i) const {
        return straddles(g) ? static_cast<std::size_t>(owners_[i]) : lowest(masks_[g]);
    }

    // W x, exact.
    template <class T>
    Mapped mapped(const std::array<T, kDims>& x) const {
        const double* map = task_.space.map;
        Mapped z;
        for (std::size_t a = 0; a < kDims; ++a) {
            z[a] = 0.0;
            for (std::size_t b = 0; b <= a; ++b) z[a] += map[kDims * a + b] * static_cast<double>(x[b]);
        }
        return z;
    }
    Mapped mapped(std::size_t i) const { return mapped(pixel_of(colours_.a[i], colours_.b[i])); }

    static double distance2(const Mapped& z, const double* p) {
        double total = 0.0;
        for (std::size_t a = 0; a < kDims; ++a) {
            const double d = z[a] - p[a];
            total += d * d;
        }
        return total;
    }
    double distance2(std::size_t i, const double* p) const { return distance2(mapped(i), p); }

    // Boxes and sums of groups, and boxes that hold them when they are mapped.
    void measure_colours() {
        boxes_.reset(4, groups_ + kTileMargin);
        for (std::size_t a = 0; a < 4; ++a) std::fill_n(boxes_[a] + groups_, kTileMargin, 0);
        group_sums_ = Block<std::int64_t>(kWidth * groups_);
        box_ = {boxes_[0], boxes_[1], boxes_[2], boxes_[3], nullptr, group_sums_.data()};
        kernels_.colours.summary(colours_, groups_, box_);
        for (Planes<double>* planes : {&low_, &high_}) {
            planes->reset(kDims, groups_ + kRealsMargin);
            for (std::size_t a = 0; a < kDims; ++a) std::fill_n((*planes)[a] + groups_, kRealsMargin, 0.0);
        }
        const double* map = task_.space.map;
        for (std::size_t g = 0; g < groups_; ++g) {
            poll(g, 4096);
            const Pixel from = pixel_of(box_.low_a[g], box_.low_b[g]),
                        to = pixel_of(box_.high_a[g], box_.high_b[g]);
            for (std::size_t a = 0; a < kDims; ++a) {
                double low = 0.0, high = 0.0;
                for (std::size_t b = 0; b <= a; ++b) {
                    const double one = map[kDims * a + b] * from[b], other = map[kDims * a + b] * to[b];
                    low += one < other ? one : other;
                    high += one < other ? other : one;
                }
                low_[a][g] = low;
                high_[a][g] = high;
            }
        }
    }

    // The grain of squared distances, which the extent of the mapped colours asks for.
    double objective_grain() const {
        Mapped least = mapped(std::size_t{0}), most = least;
        for (std::size_t i = 0; i < n_; ++i) {
            poll(i, kPolled);
            const Mapped z = mapped(i);
            for (std::size_t a = 0; a < kDims; ++a) {
                least[a] = std::min(least[a], z[a]);
                most[a] = std::max(most[a], z[a]);
            }
        }
        std::size_t pixels = 0;
        for (std::size_t i = 0; i < n_; ++i) pixels += colours_.counts[i];
        return sum_grain(distance2(most, least.data()), pixels);
    }

    void assign_to(const std::vector<double>& pivots) {
        if (pivots == assigned_) return;
        reorder(pivots);
        assigned_ = pivots;
        scores_.set(pivots);
        before_ = masks_;
        TileCandidatesArgs args{};
        args.boxes = box_;
        args.end = groups_;
        args.pivots = scores_.ways();
        args.squares = scores_.constants();
        args.margin = scores_.margin();
        args.k = k_;
        args.masks = masks_.data();
        args.straddling = straddling_.data();
        kernels_.candidates(args);
        for (std::size_t g = 0; g < groups_; ++g)
            if (masks_[g] != before_[g]) change_group(g);
        GroupScoresArgs scores{};
        scores.colours = colours_;
        scores.masks = masks_.data();
        scores.groups = straddling_.data();
        scores.n = args.n_straddling;
        scores.pivots = scores_.ways();
        scores.squares = scores_.constants();
        scores.margin = scores_.margin();
        scores.k = k_;
        scores.owners = owners_.data();
        scores.found = found_.data();
        scores.found_owners = found_owners_.data();
        kernels_.colours.scores(scores);
        Mover mover(*this);
        for (std::size_t s = 0; s < scores.n_found; ++s) {
            poll(s, kPolled);
            const std::int32_t to = found_owners_[s];
            mover.move(found_[s], to >= 0 ? to : static_cast<std::int32_t>(nearest(found_[s])));
        }
    }

    // Where the same pivots come in another order, what they own follows them; only ties are left to change.
    void reorder(const std::vector<double>& pivots) {
        const std::optional<Renaming> to = Renaming::between(assigned_, pivots, kDims);
        if (!to) return;
        to->move_rows(sums_, kWidth);
        for (std::size_t g = 0; g < groups_; ++g) {
            if (straddles(g))
                for (std::size_t i = begin(g); i < end(g); ++i)
                    owners_[i] = static_cast<std::int32_t>((*to)(static_cast<std::size_t>(owners_[i])));
            masks_[g] = to->mask(masks_[g]);
        }
    }

    // A group has another owner, or straddles as it did not before, or no longer.
    void change_group(std::size_t g) {
        const std::uint32_t before = before_[g];
        const bool had_owner = (before & (before - 1)) == 0;
        if (straddles(g)) {
            if (had_owner) std::fill(&owners_[begin(g)], &owners_[end(g)], lowest(before));
        } else if (had_owner) {
            move_sums(group_sums_.data() + kWidth * g, lowest(before), lowest(masks_[g]));
        } else {
            const auto own = static_cast<std::int32_t>(lowest(masks_[g]));
            std::int32_t other = 0;
            for (std::size_t i = begin(g); i < end(g); ++i) other |= owners_[i] ^ own;
            if (other == 0) return;  // mostly it had them all
            Mover mover(*this);
            for (std::size_t i = begin(g); i < end(g); ++i) mover.move(i, own);
        }
    }

    // Colours and their sums pass to other pivots. Neighbours mostly go the same way: their sums go together.
    class Mover {
      public:
        explicit Mover(MappedGroups& groups)
            : groups_(groups),
              a_(groups.colours_.a),
              b_(groups.colours_.b),
              counts_(groups.colours_.counts),
              owners_(groups.owners_.data()) {}
        Mover(const Mover&) = delete;
        Mover& operator=(const Mover&) = delete;
        ~Mover() { flush(); }

        void move(std::size_t i, std::int32_t to) {
            const std::int32_t from = owners_[i];
            if (from == to) return;
            if (from != from_ || to != to_) {
                flush();
                from_ = from;
                to_ = to;
            }
            owners_[i] = to;
            const Pixel x = pixel_of(a_[i], b_[i]);
            const std::int64_t count = counts_[i];
            pixels_ += count;
            sum0_ += count * x[0];
            sum1_ += count * x[1];
            sum2_ += count * x[2];
        }

      private:
        void flush() {
            const std::int64_t sums[kWidth] = {pixels_, sum0_, sum1_, sum2_};
            groups_.move_sums(sums, static_cast<std::size_t>(from_), static_cast<std::size_t>(to_));
            pixels_ = sum0_ = sum1_ = sum2_ = 0;
        }

        MappedGroups& groups_;
        const std::int32_t *a_, *b_;
        const std::uint32_t* counts_;
        std::int32_t* owners_;
        std::int32_t from_ = 0, to_ = 0;
        std::int64_t pixels_ = 0, sum0_ = 0, sum1_ = 0, sum2_ = 0;
    };

    void move_sums(const std::int64_t* sums, std::size_t from, std::size_t to) {
        if (sums[0] == 0) return;
        for (std::size_t s = 0; s < kWidth; ++s) {
            sums_[kWidth * from + s] -= sums[s];
            sums_[kWidth * to + s] += sums[s];
        }
        kept_[from] = kept_[to] = 0;
    }

    std::size_t nearest(std::size_t i) const {
        std::size_t best = 0;
        double least = kInfinity;
        for (std::size_t j = 0; j < k_; ++j) {
            const double d2 = distance2(i, pivot(j));
            if (!(d2 < least)) continue;
            least = d2;
            best = j;
        }
        return best;
    }

    // Returns the squared way that pivot j moved. An emptied cluster keeps its pivot.
    double move_to_medoid(Pivots<double>& pivots, std::size_t j) {
        const std::int64_t* sums = sums_.data() + kWidth * j;
        if (sums[0] == 0 || kept_[j] != 0) return 0.0;
        kept_[j] = 1;
        Mapped mean = mapped(std::array<std::int64_t, kDims>{sums[1], sums[2], sums[3]});
        for (double& m : mean) m /= static_cast<double>(sums[0]);
        pivots.point[j] = medoid(j, mean.data(), pivots.raster[j] < 0 ? bound(j, mean.data()) : kInfinity);
        pivots.raster[j] = -1;
        const Mapped found = mapped(pivots.point[j]);
        double* z = pivots.z.data() + kDims * j;
        const double moved = distance2(found, z);
        std::copy(found.begin(), found.end(), z);
        return moved;
    }

    // Squared distance to the mean of a member that is known: the pivot, where it is a colour and none before
    // it is as near.
    double bound(std::size_t j, const double* mean) const {
        const auto between = [this](const double* x, std::size_t l) {
            double total = 0.0;
            for (std::size_t a = 0; a < kDims; ++a) total += (x[a] - pivot(l)[a]) * (x[a] - pivot(l)[a]);
            return total;
        };
        for (std::size_t l = 0; l < j; ++l)
            if (between(pivot(j), l) == 0.0) return kInfinity;
        return between(mean, j);
    }

    // The member nearest to the mean, at least as near as `least`; of several, the one whose pixel comes
    // first. Groups that may hold one nearer than any before are looked at; where none is known, after the
    // nearest of them.
    std::size_t medoid(std::size_t j, const double* mean, double least) {
        tied_.clear();
        NearBoxesArgs args{low_.data(),   high_.data(), groups_,      kDims,       mean, least,
                           masks_.data(), 1U << j,      near_.data(), far_.data(), 0};
        real_kernels().near_boxes(args);
        std::size_t first = args.n_near;
        if (least == kInfinity) {
            const double* far = far_.data();
            first = static_cast<std::size_t>(std::min_element(far, far + args.n_near) - far);
            look_into(near_[first], j, mean, least);
        }
        for (std::size_t s = 0; s < args.n_near; ++s)
            if (s != first && far_[s] <= least) look_into(near_[s], j, mean, least);
        return tied_.size() == 1 ? tied_.front() : palette_.first_of(tied_).colour;
    }

    void look_into(std::size_t g, std::size_t j, const double* mean, double& least) {
        double d2[kMost];
        const std::size_t first = begin(g), n = end(g) - first;
        measure(first, n, mean, d2);
        for (std::size_t i = 0; i < n; ++i) {
            if (d2[i] > least || colours_.counts[first + i] == 0 || owner(g, first + i) != j) continue;
            if (d2[i] < least) tied_.clear();
            least = d2[i];
            tied_.push_back(first + i);
        }
    }

    // distance2 of neighbouring colours; compilers make lanes of it.
    void measure(std::size_t first, std::size_t n, const double* p, double* out) const {
        const double* map = task_.space.map;
        const double m00 = map[0], m10 = map[3], m11 = map[4], m20 = map[6], m21 = map[7], m22 = map[8];
        const double p0 = p[0], p1 = p[1], p2 = p[2];
        const std::int32_t *a = colours_.a + first, *b = colours_.b + first;
        for (std::size_t i = 0; i < n; ++i) {
            const double x0 = static_cast<std::int16_t>(a[i]), x1 = a[i] >> 16,
                         x2 = static_cast<std::int16_t>(b[i]);
            const double d0 = m00 * x0 - p0, d1 = m10 * x0 + m11 * x1 - p1,
                         d2 = m20 * x0 + m21 * x1 + m22 * x2 - p2;
            out[i] = d0 * d0 + d1 * d1 + d2 * d2;
        }
    }

    Task task_;
    const TileKernels& kernels_;
    std::size_t k_;
    Palette palette_;
    std::size_t n_, groups_;
    RoundedScores scores_;
    GroupedColours colours_;
    Planes<std::int32_t> words_;  // of lab
    Planes<std::int32_t> boxes_;
    TileBoxes box_{};
    Planes<double> low_, high_;       // of boxes about mapped groups
    Block<std::int64_t> group_sums_;  // (groups, 4): pixels, then sums of features
    Block<std::uint32_t> near_;       // of a search: groups, and how far they are at least
    Block<double> far_;
    std::vector<double> assigned_;  // the pivots of masks, owners, sums and scores
    std::vector<std::uint32_t> masks_, before_;
    std::vector<std::uint32_t> straddling_;
    Block<std::int32_t> owners_;  // of colours in straddling groups
    Block<std::uint32_t> found_;
    Block<std::int32_t> found_owners_;
    std::vector<std::int64_t> sums_;  // (k, 4): members, then sums of features
    std::vector<std::uint8_t> kept_;  // k flags: the pivot is the medoid of its cluster as it is
    std::vector<std::size_t> tied_;
};

// Whether every entry of the map is a multiple of the grain of sums.
bool has_grain(const FeatureSpace& space, std::size_t pixels) {
    const double most = space.kind == Features::lab ? kLab.half : 255.0;
    double top = 0.0;
    for (std::size_t a = 0; a < kDims; ++a) {
        double total = 0.0;
        for (std::size_t b = 0; b <= a; ++b) total += most * std::fabs(space.map[kDims * a + b]);
        top = std::max(top, total);
    }
    const double round = rounder(sum_grain(top, pixels));
    return std::all_of(space.map, space.map + kDims * kDims,
                       [round](double entry) { return (entry + round) - round == entry; });
}

}  // namespace

std::unique_ptr<Source<double>> make_mapped_groups(const Task& task) {
    const bool colour = task.image.type == PixelType::u8 && task.image.channels == 3 &&
                        !task.space.positions && task.space.dims == 3 && task.space.integer;
    const bool served = task.space.map != nullptr && task.params.update == Update::medoid &&
                        task.params.k <= static_cast<int>(kOwnedPivots);
    if (!colour || !served || !has_grain(task.space, task.image.pixels())) return nullptr;
    std::optional<Palette> palette = Palette::count(task.image, task.mask, task.threads, task.labels);
    return palette ? std::make_unique<MappedGroups>(task, std::move(*palette)) : nullptr;
}

}  // namespace fastpgs
