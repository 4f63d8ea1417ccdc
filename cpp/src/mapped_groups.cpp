// Alternating k-medoids over the distinct colours of an 8-bit image after a linear map (Mahalanobis'
// distance).
//
// Distances are of doubles, z = W x, but what they compare is linear in x, whose features are integers:
//
//      |z - p|^2 < |z - q|^2   where   C_p - 2 x . P_p < C_q - 2 x . P_q,   P = W^T p, C = |p|^2
//
// With P and C rounded to integers, whole groups of colours (palette.hpp) and most single ones are told as
// those of plain RGB are (colour_groups.cpp). A margin tells which comparisons rounding may have changed; the
// few are computed in doubles, as are medoids. Sums pass from hand to hand with the colours that change
// hands, and clusters that keep their members keep their medoids.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "fastpgs/features.hpp"
#include "fastpgs/groups.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/palette.hpp"
#include "fastpgs/source.hpp"
#include "fastpgs/tile_kernels.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kDims = 3, kWidth = kDims + 1;
constexpr std::size_t kMost = 64;                      // colours of a group
constexpr std::size_t kPolled = std::size_t{1} << 16;  // colours between two looks at signals
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What scores of integers are rounded by. Differences of two P fit 16 bits, scores and reaches 32.
struct Rounding {
    double most;    // the greatest |P|
    double centre;  // of features: P's error there is made up for by C
    double half;    // greatest distance of a feature from there
};
constexpr Rounding kRgb{16000.0, 128.0, 128.0}, kLab{8000.0, 0.0, 7168.0};

class MappedGroups final : public Source<double> {
  public:
    MappedGroups(const Task& task, Palette palette)
        : task_(task),
          kernels_(tile_kernels()),
          k_(static_cast<std::size_t>(task.params.k)),
          palette_(std::move(palette)),
          n_(palette_.size()),
          groups_(palette_.groups()),
          rounding_(task.space.kind == Features::lab ? kLab : kRgb),
          colours_(palette_.grouped()) {
        read_points();
        if (task.space.kind == Features::lab) {
            words_.reset(2, n_);
            read_lab_pairs(palette_.colours(), 0, n_, words_[0], words_[1]);
            colours_.a = words_[0];
            colours_.b = words_[1];
            colours_.bytes = false;
        }
        boxes_.reset(4, groups_ + kTileMargin);
        for (std::size_t a = 0; a < 4; ++a) std::fill_n(boxes_[a] + groups_, kTileMargin, 0);
        pair_sums_ = Block<std::int64_t>(4 * groups_);
        box_ = {boxes_[0], boxes_[1], boxes_[2], boxes_[3], nullptr, pair_sums_.data()};
        kernels_.colours.summary(colours_, groups_, box_);
        // Everything is the first pivot's, until distances are known.
        masks_.assign(groups_ + kTileMargin, 1);
        straddling_.resize(groups_ + kTileMargin);
        owners_ = Block<std::int32_t>(n_);
        found_ = Block<std::uint32_t>(n_ + kGroupStep);
        found_owners_ = Block<std::int32_t>(n_ + kGroupStep);
        sums_.assign(kWidth * k_, 0.0);
        kept_.assign(k_, 0);
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
        for (std::size_t j = 0; j < k_; ++j) out.empty.push_back(sums_[kWidth * j] == 0.0);
        if (!want_inertia) return out;
        const double round = rounder(objective_grain_);
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

    double distance2(std::size_t i, const double* p) const {
        double total = 0.0;
        for (std::size_t a = 0; a < kDims; ++a) {
            const double d = points_.z[a][i] - p[a];
            total += d * d;
        }
        return total;
    }

    // Mapped colours, and what each group adds to the sums of its cluster.
    void read_points() {
        points_.n = n_;
        for (std::size_t i = 0; i < n_; ++i) points_.pixels += colours_.counts[i];
        points_.z.reset(kDims, n_);
        for (std::size_t at = 0; at < n_; at += kPolled) {
            poll();
            double* out[kDims];
            for (std::size_t a = 0; a < kDims; ++a) out[a] = points_.z[a] + at;
            read_features(palette_.colours(), task_.space, at, std::min(at + kPolled, n_), out);
        }
        measure_boxes();
        objective_grain_ = points_.objective_grain;
        const double round = rounder(points_.grain);
        group_sums_ = Block<double>(kWidth * groups_);
        for (std::size_t g = 0; g < groups_; ++g) {
            poll(g, 4096);
            double sums[kWidth] = {};
            const std::size_t n = end(g) - begin(g);
            double pixels[kMost];
            for (std::size_t i = 0; i < n; ++i) {
                pixels[i] = colours_.counts[begin(g) + i];
                sums[0] += pixels[i];
            }
            for (std::size_t a = 0; a < kDims; ++a) {
                const double* z = points_.z[a] + begin(g);
                double turns[kGroupStep] = {};  // none waits for the one before; compilers make lanes of them
                for (std::size_t i = 0; i < n; i += kGroupStep)
                    for (std::size_t l = 0; l < kGroupStep; ++l)
                        turns[l] += pixels[i + l] * ((z[i + l] + round) - round);
                for (const double turn : turns) sums[1 + a] += turn;
            }
            std::copy_n(sums, kWidth, group_sums_.data() + kWidth * g);
        }
    }

    // Boxes of mapped groups, and the grains that their extent asks for.
    void measure_boxes() {
        low_.reset(kDims, groups_);
        high_.reset(kDims, groups_);
        double least[kDims], most[kDims];
        for (std::size_t a = 0; a < kDims; ++a) least[a] = most[a] = points_.z[a][0];
        for (std::size_t g = 0; g < groups_; ++g) {
            poll(g, 4096);
            for (std::size_t a = 0; a < kDims; ++a) {
                const double* z = points_.z[a];
                double low[kGroupStep], high[kGroupStep];
                for (std::size_t l = 0; l < kGroupStep; ++l) low[l] = high[l] = z[begin(g) + l];
                for (std::size_t i = begin(g) + kGroupStep; i < end(g); i += kGroupStep) {
                    for (std::size_t l = 0; l < kGroupStep; ++l) {
                        low[l] = z[i + l] < low[l] ? z[i + l] : low[l];
                        high[l] = z[i + l] > high[l] ? z[i + l] : high[l];
                    }
                }
                low_[a][g] = *std::min_element(low, low + kGroupStep);
                high_[a][g] = *std::max_element(high, high + kGroupStep);
                least[a] = std::min(least[a], low_[a][g]);
                most[a] = std::max(most[a], high_[a][g]);
            }
        }
        set_grains(points_, least, most);
    }

    // P and C of the pivots, from their mean so that they are small.
    void set_scores() {
        const double* map = task_.space.map;
        std::vector<double> ways(kDims * k_), constants(k_);
        double mean[kDims] = {}, most = 0.0;
        for (std::size_t j = 0; j < k_; ++j)
            for (std::size_t a = 0; a < kDims; ++a) mean[a] += pivot(j)[a] / static_cast<double>(k_);
        for (std::size_t j = 0; j < k_; ++j) {
            for (std::size_t a = 0; a < kDims; ++a)
                constants[j] += (pivot(j)[a] - mean[a]) * (pivot(j)[a] + mean[a]);
            for (std::size_t b = 0; b < kDims; ++b) {
                for (std::size_t a = b; a < kDims; ++a)
                    ways[kDims * j + b] += map[kDims * a + b] * (pivot(j)[a] - mean[a]);
                most = std::max(most, std::fabs(ways[kDims * j + b]));
            }
        }
        const double scale = most > 0.0 ? rounding_.most / most : 1.0;
        ways_.resize(kDims * k_);
        constants_.resize(k_);
        for (std::size_t j = 0; j < k_; ++j) {
            double constant = scale * constants[j];
            for (std::size_t b = 0; b < kDims; ++b) {
                const double exact = scale * ways[kDims * j + b], rounded = std::floor(exact + 0.5);
                ways_[kDims * j + b] = static_cast<std::int32_t>(rounded);
                constant += 2.0 * rounding_.centre * (rounded - exact);
            }
            constants_[j] = static_cast<std::int32_t>(std::floor(constant + 0.5));
        }
    }

    // Two scores are off by 2 * half * 1/2 a feature, and by 1/2 of C.
    std::int32_t margin() const {
        return static_cast<std::int32_t>(2.0 * (static_cast<double>(kDims) * rounding_.half + 0.5)) + 4;
    }

    void assign_to(const std::vector<double>& pivots) {
        if (pivots == assigned_) return;
        assigned_ = pivots;
        set_scores();
        before_ = masks_;
        TileCandidatesArgs args{};
        args.boxes = box_;
        args.end = groups_;
        args.pivots = ways_.data();
        args.squares = constants_.data();
        args.margin = margin();
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
        scores.pivots = ways_.data();
        scores.squares = constants_.data();
        scores.margin = margin();
        scores.k = k_;
        scores.owners = owners_.data();
        scores.found = found_.data();
        scores.found_owners = found_owners_.data();
        kernels_.colours.scores(scores);
        for (std::size_t s = 0; s < scores.n_found; ++s)
            if (found_owners_[s] < 0) found_owners_[s] = static_cast<std::int32_t>(nearest(found_[s]));
        move(found_.data(), found_owners_.data(), scores.n_found);
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
            const std::size_t n = end(g) - begin(g);
            std::iota(found_.data(), found_.data() + n, static_cast<std::uint32_t>(begin(g)));
            std::fill_n(found_owners_.data(), n, static_cast<std::int32_t>(lowest(masks_[g])));
            move(found_.data(), found_owners_.data(), n);
        }
    }

    // Colours and their sums pass to other pivots. Neighbours mostly go the same way: their sums go together.
    void move(const std::uint32_t* colours, const std::int32_t* to, std::size_t n) {
        const double round = rounder(points_.grain);
        const double *z0 = points_.z[0], *z1 = points_.z[1], *z2 = points_.z[2];
        const std::uint32_t* counts = colours_.counts;
        std::int32_t* owners = owners_.data();
        std::int32_t from = 0, by = 0;
        double pixels = 0.0, sum0 = 0.0, sum1 = 0.0, sum2 = 0.0;
        const auto flush = [&] {
            const double sums[kWidth] = {pixels, sum0, sum1, sum2};
            move_sums(sums, static_cast<std::size_t>(from), static_cast<std::size_t>(by));
        };
        for (std::size_t s = 0; s < n; ++s) {
            poll(s, kPolled);
            const std::size_t i = colours[s];
            if (owners[i] == to[s]) continue;
            if (owners[i] != from || to[s] != by) {
                flush();
                from = owners[i];
                by = to[s];
                pixels = sum0 = sum1 = sum2 = 0.0;
            }
            owners[i] = by;
            const double count = counts[i];
            pixels += count;
            sum0 += count * ((z0[i] + round) - round);
            sum1 += count * ((z1[i] + round) - round);
            sum2 += count * ((z2[i] + round) - round);
        }
        flush();
    }

    void move_sums(const double* sums, std::size_t from, std::size_t to) {
        if (sums[0] == 0.0) return;
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
        const double* sums = sums_.data() + kWidth * j;
        if (sums[0] == 0.0 || kept_[j] != 0) return 0.0;
        kept_[j] = 1;
        double mean[kDims];
        for (std::size_t a = 0; a < kDims; ++a) mean[a] = sums[1 + a] / sums[0];
        pivots.point[j] = medoid(j, mean, pivots.raster[j] < 0 ? bound(j, mean) : kInfinity);
        pivots.raster[j] = -1;
        double moved = 0.0;
        for (std::size_t a = 0; a < kDims; ++a) {
            double& z = pivots.z[kDims * j + a];
            const double d = points_.z[a][pivots.point[j]] - z;
            moved += d * d;
            z = points_.z[a][pivots.point[j]];
        }
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
        measure_groups(mean);
        const std::uint32_t mine = 1U << j;
        std::size_t nearest_group = groups_;
        tied_.clear();
        if (least == kInfinity) {
            for (std::size_t g = 0; g < groups_; ++g) {
                if (!(far_[g] < least) || (masks_[g] & mine) == 0) continue;
                least = far_[g];
                nearest_group = g;
            }
            least = kInfinity;
            look_into(nearest_group, j, mean, least);
        }
        for (std::size_t g = 0; g < groups_; ++g)
            if (far_[g] <= least && (masks_[g] & mine) != 0 && g != nearest_group)
                look_into(g, j, mean, least);
        return tied_.size() == 1 ? tied_.front() : palette_.first_of(tied_).colour;
    }

    // Fills far_ with squared distances that no colour of a group is nearer than.
    void measure_groups(const double* mean) {
        double* far = far_.data();
        const double *low0 = low_[0], *low1 = low_[1], *low2 = low_[2];
        const double *high0 = high_[0], *high1 = high_[1], *high2 = high_[2];
        const double m0 = mean[0], m1 = mean[1], m2 = mean[2];
        const auto outside = [](double low, double high, double m) {
            const double below = low - m, above = m - high, out = below > above ? below : above;
            return 0.5 * (out + std::fabs(out));  // 0 inside; compilers make lanes of it
        };
        for (std::size_t g = 0; g < groups_; ++g) {
            const double d0 = outside(low0[g], high0[g], m0), d1 = outside(low1[g], high1[g], m1),
                         d2 = outside(low2[g], high2[g], m2);
            far[g] = (d0 * d0 + d1 * d1 + d2 * d2) * (1.0 - 1e-9);
        }
    }

    void look_into(std::size_t g, std::size_t j, const double* mean, double& least) {
        for (std::size_t i = begin(g); i < end(g); ++i) {
            if (colours_.counts[i] == 0 || owner(g, i) != j) continue;
            const double d2 = distance2(i, mean);
            if (d2 > least) continue;
            if (d2 < least) tied_.clear();
            least = d2;
            tied_.push_back(i);
        }
    }

    Task task_;
    const TileKernels& kernels_;
    std::size_t k_;
    Palette palette_;
    std::size_t n_, groups_;
    Rounding rounding_;
    GroupedColours colours_;
    Points<double> points_;
    double objective_grain_ = 0.0;
    Planes<std::int32_t> words_;  // of lab
    Planes<std::int32_t> boxes_;
    Block<std::int64_t> pair_sums_;
    TileBoxes box_{};
    Planes<double> low_, high_;                   // of mapped groups
    Block<double> group_sums_;                    // (groups, 4): pixels, then rounded coordinates
    Block<double> far_;                           // a group: least squared distance to a mean
    std::vector<double> assigned_;                // the pivots of masks, owners and sums
    std::vector<std::int32_t> ways_, constants_;  // their P and C
    std::vector<std::uint32_t> masks_, before_;
    std::vector<std::uint32_t> straddling_;
    Block<std::int32_t> owners_;  // of colours in straddling groups
    Block<std::uint32_t> found_;
    Block<std::int32_t> found_owners_;
    std::vector<double> sums_;        // (k, 4): members, then rounded coordinates
    std::vector<std::uint8_t> kept_;  // k flags: the pivot is the medoid of its cluster as it is
    std::vector<std::size_t> tied_;
};

}  // namespace

std::unique_ptr<Source<double>> make_mapped_groups(const Task& task) {
    const bool colour = task.image.type == PixelType::u8 && task.image.channels == 3 &&
                        !task.space.positions && task.space.dims == 3 && task.space.integer;
    const bool served = task.space.map != nullptr && task.params.update == Update::medoid &&
                        task.params.k <= static_cast<int>(kOwnedPivots);
    if (!colour || !served) return nullptr;
    std::optional<Palette> palette = Palette::count(task.image, task.mask, task.threads, task.labels);
    return palette ? std::make_unique<MappedGroups>(task, std::move(*palette)) : nullptr;
}

}  // namespace fastpgs
