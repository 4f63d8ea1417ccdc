// Alternating k-medoids over the distinct colours of an 8-bit RGB image, as RGB or lab.
//
// Colours are counted once (palette.hpp) and lie in groups of neighbours. As with tiles (tiles.cpp), a group
// whose bounding box lies on one side of every bisector belongs to one pivot as a whole; but groups are
// compact where runs of pixels are scattered, and a colour is looked at once for all its pixels:
//
//      colours, counts, boxes | owners | straddling groups: nearest pivots | medoids | labels by a table
//      once                   |        |  ... until pivots stay ...        |         | once
//
// An iteration takes a twentieth of what it takes over tiles; the counting takes as long as a few of those.
#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "fastpgs/bits.hpp"
#include "fastpgs/groups.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/lab.hpp"
#include "fastpgs/palette.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/points.hpp"
#include "fastpgs/source.hpp"
#include "fastpgs/tile_kernels.hpp"
#include "pairs.hpp"
#include "renaming.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kPolled = std::size_t{1} << 18;  // colours read between two looks at signals

class ColourGroups final : public Source<std::int32_t> {
  public:
    ColourGroups(const Task& task, Palette palette)
        : task_(task),
          kernels_(tile_kernels()),
          k_(static_cast<std::size_t>(task.params.k)),
          palette_(std::move(palette)),
          groups_(palette_.groups()),
          colours_(palette_.grouped()) {
        if (task.space.kind == Features::lab) read_words();
        boxes_.reset(4, groups_ + kTileMargin);
        for (std::size_t a = 0; a < 4; ++a) std::fill_n(boxes_[a] + groups_, kTileMargin, 0);
        group_sums_ = Block<std::int64_t>(4 * groups_);
        box_ = {boxes_[0], boxes_[1], boxes_[2], boxes_[3], nullptr, group_sums_.data()};
        kernels_.colours.summary(colours_, groups_, box_);
        masks_.resize(groups_ + kTileMargin, k_ <= kOwnedPivots ? 0 : kAnyPivot);
        straddling_.resize(groups_ + kTileMargin);
        owned_.resize(4 * kOwnedPivots);
        owners_ = Block<std::int32_t>(palette_.size());
        near_.resize(groups_);
        near_least_.resize(groups_);
        sums_.resize(4 * k_);
    }

    Iterated iterate(Pivots<std::int32_t>& pivots) override {
        Iterated out;
        const Params& params = task_.params;
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

    Assigned assign(const std::vector<std::int32_t>& pivots, bool want_inertia) override {
        assign_to(pivots);
        Assigned out;
        if (want_inertia)
            out.inertia = static_cast<double>(squares() + offset_objective(sums_.data(), pivots.data(), k_));
        for (std::size_t j = 0; j < k_; ++j) out.empty.push_back(sums_[4 * j] == 0);
        return out;
    }

    void write_labels() override {
        std::vector<std::uint8_t> whole(groups_, kStraddles), labels(palette_.size());
        const bool limited = task_.params.threshold.has_value();
        for (std::size_t g = 0; g < groups_; ++g) {
            poll(g, 4096);
            const int owner = owner_of(g);
            const std::size_t begin = colours_.starts[g], end = colours_.starts[g + 1];
            if (limited) {  // beyond the threshold colours of one group may differ
                for (std::size_t i = begin; i < end; ++i) {
                    const std::int32_t nearest = owner >= 0 ? owner : owners_[i];
                    labels[i] = beyond(i, nearest) ? 0 : static_cast<std::uint8_t>(nearest + 1);
                }
            } else if (owner >= 0) {
                whole[g] = static_cast<std::uint8_t>(owner + 1);
            } else {
                for (std::size_t i = begin; i < end; ++i)
                    labels[i] = static_cast<std::uint8_t>(owners_[i] + 1);
            }
        }
        if (task_.counted)
            *task_.counted = {std::move(palette_), {std::move(whole), std::move(labels)}, sums_};
        else
            palette_.write_labels(whole, labels, task_.threads);
    }

    std::int64_t locate(const Pivots<std::int32_t>& pivots, std::size_t j) const override {
        return pivots.raster[j] < 0 ? palette_.first_of({pivots.point[j]}).raster : pivots.raster[j];
    }

  private:
    void read_words() {
        words_.reset(2, palette_.size());
        for (std::size_t begin = 0; begin < palette_.size(); begin += kPolled) {
            poll();
            lab_of_pairs(colours_.a + begin, colours_.b + begin, std::min(kPolled, palette_.size() - begin),
                         words_[0] + begin, words_[1] + begin);
        }
        colours_.a = words_[0];
        colours_.b = words_[1];
        colours_.bytes = false;
    }

    Pixel colour(std::size_t i) const { return pixel_of(colours_.a[i], colours_.b[i]); }

    // The pivot of every colour of a group, or -1 where it straddles.
    int owner_of(std::size_t g) const {
        const std::uint32_t mask = masks_[g];
        return (mask & (mask - 1)) != 0 ? -1 : shapes::lowest(mask);
    }

    bool beyond(std::size_t i, std::int32_t owner) const {
        const auto d2 = static_cast<double>(distance2(colour(i), assigned_.data() + 3 * owner));
        return !(d2 <= *task_.params.threshold);
    }

    std::int64_t squares() const {
        std::int64_t total = 0;
        for (std::size_t i = 0; i < palette_.size(); ++i) {
            poll(i, 65536);
            total += std::int64_t{colours_.counts[i]} * square(colour(i));
        }
        return total;
    }

    // Sums of members, owners of groups and of colours in straddling ones.
    void assign_to(const std::vector<std::int32_t>& pivots) {
        if (pivots == assigned_) return;
        const bool known = k_ <= kOwnedPivots && rename_candidates(assigned_, pivots, owned_, masks_);
        assigned_ = pivots;
        std::fill(sums_.begin(), sums_.end(), 0);
        TileCandidatesArgs args{};
        args.boxes = box_;
        args.end = groups_;
        args.pivots = assigned_.data();
        args.k = k_;
        args.masks = masks_.data();
        args.owned = owned_.data();
        args.straddling = straddling_.data();
        args.n_straddling = known ? n_straddling_ : groups_;
        if (k_ <= kOwnedPivots && !known) kernels_.candidates(args);
        if (k_ > kOwnedPivots) std::iota(args.straddling, args.straddling + groups_, std::uint32_t{0});
        n_straddling_ = args.n_straddling;
        kernels_.colours.assign({colours_, group_sums_.data(), masks_.data(), straddling_.data(),
                                 args.n_straddling, assigned_.data(), k_, owners_.data(), sums_.data()});
        for (std::size_t s = 0; s < std::min(owned_.size(), sums_.size()); ++s) sums_[s] += owned_[s];
    }

    // Returns the squared way that pivot j moved. An emptied cluster keeps its pivot.
    double move_to_medoid(Pivots<std::int32_t>& pivots, std::size_t j) {
        const std::int64_t* sums = sums_.data() + 4 * j;
        if (sums[0] == 0) return 0.0;
        GroupNearArgs near{};
        near.colours = colours_;
        near.boxes = box_;
        near.n = groups_;
        near.masks = masks_.data();
        near.owners = owners_.data();
        take_aim(near, sums, assigned_.data(), j, colours_.bytes);
        near.near = near_.data();
        near.near_least = near_least_.data();
        kernels_.colours.near(near);
        pivots.point[j] = pick(near, sums);
        pivots.raster[j] = -1;
        const Pixel medoid = colour(pivots.point[j]);
        std::int32_t* z = pivots.z.data() + 3 * j;
        const auto moved = static_cast<double>(distance2(medoid, z));
        std::copy(medoid.begin(), medoid.end(), z);
        return moved;
    }

    // Of the members in near groups, the one of the least key; of several, the one whose pixel comes first.
    std::size_t pick(const GroupNearArgs& near, const std::int64_t* sums) {
        std::int64_t best = std::numeric_limits<std::int64_t>::max();
        tied_.clear();
        for (std::size_t s = 0; s < near.n_near; ++s) {
            std::size_t i = colours_.starts[near.near[s]];
            for (std::uint64_t left = kernels_.colours.within(near, near.near[s]); left != 0;
                 left >>= 1, ++i) {
                if ((left & 1U) == 0 || colours_.counts[i] == 0) continue;
                const std::int64_t key = medoid_key(colour(i), sums);
                if (key > best) continue;
                if (key < best) tied_.clear();
                best = key;
                tied_.push_back(i);
            }
        }
        return tied_.size() == 1 ? tied_.front() : palette_.first_of(tied_).colour;
    }

    Task task_;
    const TileKernels& kernels_;
    std::size_t k_;
    Palette palette_;
    std::size_t groups_;
    GroupedColours colours_;
    Planes<std::int32_t> words_;  // of lab
    Planes<std::int32_t> boxes_;
    Block<std::int64_t> group_sums_;
    TileBoxes box_{};
    std::vector<std::int32_t> assigned_;  // the pivots of masks, owners and sums
    std::vector<std::uint32_t> masks_;
    std::vector<std::uint32_t> straddling_;
    std::size_t n_straddling_ = 0;
    Block<std::int32_t> owners_;       // of colours in straddling groups
    std::vector<std::int64_t> owned_;  // (kOwnedPivots, 4): pixels of own groups, then feature sums
    std::vector<std::int64_t> sums_;   // (k, 4): members, then feature sums
    std::vector<std::uint32_t> near_;
    std::vector<std::int32_t> near_least_;
    std::vector<std::size_t> tied_;
};

}  // namespace

std::unique_ptr<Source<std::int32_t>> make_colour_groups(const Task& task) {
    const bool colour = task.image.type == PixelType::u8 && task.image.channels == 3 &&
                        !task.space.positions && task.space.dims == 3;
    if (!colour || !task.exact || task.space.map != nullptr || task.params.k > static_cast<int>(kTilePivots))
        return nullptr;
    std::optional<Palette> palette = task.counted
                                         ? std::move(task.counted->palette)
                                         : Palette::count(task.image, task.mask, task.threads, task.labels);
    return palette ? std::make_unique<ColourGroups>(task, std::move(*palette)) : nullptr;
}

}  // namespace fastpgs
