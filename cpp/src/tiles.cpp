// Alternating k-medoids over tiles: blocks or runs of neighbouring pixels of an 8-bit or lab image.
//
// A tile whose bounding box lies wholly on one side of every bisector belongs to one pivot as a whole: its
// sums, taken once, stand for its pixels (the filtering idea of Kanungo et al., IEEE TPAMI 24 (2002)
// 881-892, doi:10.1109/TPAMI.2002.1017616). In an iteration only straddling tiles are read again:
//
//      boxes, sums of tiles | owners | straddling tiles: nearest pivots | medoids | labels
//      once                 |        |  ... until pivots stay ...       |         | once
//
// The medoid is the member nearest to the mean: tiles too far from the mean are not read, those left give
// the least distance to the rounded mean in 32 bits, and 64-bit keys decide among what rounding cannot tell
// apart. Nothing is kept a pixel of RGB: memory is 48 bytes a tile.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "block_order.hpp"
#include "fastpgs/bits.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/lab.hpp"
#include "fastpgs/parallel.hpp"
#include "fastpgs/source.hpp"
#include "fastpgs/tile_kernels.hpp"
#include "pairs.hpp"
#include "renaming.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kSmallTile = 32;
constexpr std::size_t kLargeTile = 64;                     // where 32 bytes for 16 pixels are too much
constexpr std::size_t kManyPixels = std::size_t{1} << 21;  // of a large image
constexpr std::size_t kWorth = std::size_t{1} << 17;       // pixels that are worth a thread
constexpr std::size_t kBlockColumns = 8;
constexpr std::size_t kRun = 2048;  // pixels read at once

class Tiles final : public Source<std::int32_t> {
  public:
    explicit Tiles(const Task& task)
        : task_(task), kernels_(tile_kernels()), k_(static_cast<std::size_t>(task.params.k)) {
        if (task.mask) {
            for (std::size_t i = 0; i < task.image.pixels(); ++i)
                if (task.mask[i]) index_.push_back(static_cast<std::int64_t>(i));
        }
        n_ = task.mask ? index_.size() : task.image.pixels();
        pixels_.tile = task.image.pixels() > kManyPixels ? kLargeTile : kSmallTile;
        if (task.space.kind != Features::lab && index_.empty())
            pixels_.rgb = task.image.as<std::uint8_t>();
        else
            read_words();
        lay_tiles();
        summarise_tiles();
        masks_.resize(tiles_ + kTileMargin, k_ <= kOwnedPivots ? 0 : kAnyPivot);
        straddling_.resize(tiles_ + tasks_for(tiles_) * kTileMargin);
        owned_.resize(4 * kOwnedPivots);
        near_.resize(tiles_);
        near_least_.resize(tiles_);
        sums_.resize(4 * k_);
    }

    Iterated iterate(Pivots<std::int32_t>& pivots) override {
        Iterated out;
        const Params& params = task_.params;
        while (out.n_iter < params.max_iter && !out.converged) {
            poll();
            assign_to(pivots.z, false);
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

    Assigned assign(const std::vector<std::int32_t>& pivots, bool) override {
        assign_to(pivots, true);
        Assigned out;
        out.inertia = static_cast<double>(squares_ + offset_objective(sums_.data(), pivots.data(), k_));
        for (std::size_t j = 0; j < k_; ++j) out.empty.push_back(sums_[4 * j] == 0);
        return out;
    }

    void write_labels() override {
        const std::optional<double> threshold = task_.params.threshold;
        const auto limit = static_cast<std::int32_t>(std::min(threshold.value_or(0.0), 0x1.0p30));
        const std::size_t tasks = tasks_for(tiles_);
        parallel_for(tasks, task_.threads, [&](std::size_t t) {
            const std::size_t begin = t * tiles_ / tasks, end = (t + 1) * tiles_ / tasks;
            if (threshold)
                kernels_.limit(
                    {pixels_, begin, end, masks_.data(), assigned_.data(), k_, limit, task_.labels});
            else
                fill_labels(begin, end);
        });
        for (const std::size_t i : last_) {
            std::int32_t& label = task_.labels[i];
            const bool beyond = threshold && distance2(pixel(i), assigned_.data() + 3 * label) > limit;
            label = beyond ? 0 : label + 1;
        }
        if (task_.mask) spread_labels();
    }

    std::int64_t locate(const Pivots<std::int32_t>& pivots, std::size_t j) const override {
        return pivots.raster[j];
    }

  private:
    std::size_t tasks_for(std::size_t tiles) const {
        return static_cast<std::size_t>(team(tiles * pixels_.tile, kWorth, task_.threads));
    }

    // Blocks, where pixels lie as in the image and there is a whole one; the pixels beyond the last tile.
    void lay_tiles() {
        tiles_ = n_ / pixels_.tile;
        const ImageView& image = task_.image;
        const bool blocks = index_.empty();
        if (blocks && pixels_.tile == kLargeTile)
            lay_blocks(BlockOrder<kLargeTile / kBlockColumns>(image.height, image.width));
        else if (blocks)
            lay_blocks(BlockOrder<kSmallTile / kBlockColumns>(image.height, image.width));
        if (pixels_.across > 0) return;
        last_.resize(n_ - tiles_ * pixels_.tile);
        std::iota(last_.begin(), last_.end(), tiles_ * pixels_.tile);
    }

    template <class Order>
    void lay_blocks(const Order& order) {
        if (order.blocks() == 0) return;
        tiles_ = order.blocks();
        pixels_.across = order.across();
        pixels_.width = task_.image.width;
        for (std::size_t i = tiles_ * pixels_.tile; i < n_; ++i) last_.push_back(order.raster(i));
    }

    // Features of pixels that are not plain RGB, as two words of pairs each.
    void read_words() {
        words_.reset(2, n_);
        const std::size_t runs = (n_ + kRun - 1) / kRun;
        parallel_for(runs, team(n_, kWorth, task_.threads), [&](std::size_t run) {
            const std::size_t begin = run * kRun, end = std::min(begin + kRun, n_);
            if (task_.space.kind == Features::lab && index_.empty())
                return read_lab_pairs(task_.image, begin, end, words_[0] + begin, words_[1] + begin);
            Planes<std::int32_t> x(3, end - begin);
            if (index_.empty())
                read_features(task_.image, task_.space, begin, end, x.data());
            else
                gather_features(task_.image, task_.space, index_.data() + begin, end - begin, x.data());
            const std::int32_t *x0 = x[0], *x1 = x[1], *x2 = x[2];
            std::int32_t *a = words_[0] + begin, *b = words_[1] + begin;
            for (std::size_t i = 0; i < end - begin; ++i) {
                a[i] = pair_words(x0[i], x1[i]);
                b[i] = pair_words(x2[i], 1);
            }
        });
        pixels_.a = words_[0];
        pixels_.b = words_[1];
    }

    Pixel pixel(std::size_t i) const {
        return pixels_.rgb != nullptr ? pixel_of(pixels_.rgb + 3 * i) : pixel_of(pixels_.a[i], pixels_.b[i]);
    }

    void summarise_tiles() {
        boxes_.reset(4, tiles_ + kTileMargin);
        for (std::size_t a = 0; a < 4; ++a) std::fill_n(boxes_[a] + tiles_, kTileMargin, 0);
        tile_sums_.reset(1, 4 * tiles_);
        box_ = {boxes_[0], boxes_[1], boxes_[2], boxes_[3], tile_sums_[0], nullptr};
        const std::size_t tasks = tasks_for(tiles_);
        std::vector<std::int64_t> squares(tasks, 0);
        parallel_for(tasks, task_.threads, [&](std::size_t t) {
            std::int64_t square = 0;
            kernels_.summary(pixels_, t * tiles_ / tasks, (t + 1) * tiles_ / tasks, box_, &square);
            squares[t] = square;
        });
        squares_ = -static_cast<std::int64_t>(tiles_ * pixels_.tile);  // the kernel counts the 1 beside x2
        for (const std::int64_t square : squares) squares_ += square;
        for (const std::size_t i : last_) squares_ += square(pixel(i));
    }

    // Sums of members and, if wanted, labels of straddling tiles; nothing to do where that is done.
    void assign_to(const std::vector<std::int32_t>& pivots, bool want_labels) {
        if (pivots == assigned_ && (labelled_ || !want_labels)) return;
        labelled_ = want_labels;
        const bool known = k_ <= kOwnedPivots && rename_candidates(assigned_, pivots, owned_, masks_);
        assigned_ = pivots;
        const std::size_t tasks = tasks_for(tiles_), width = owned_.size() + sums_.size();
        n_straddling_.resize(tasks);
        std::vector<std::int64_t> sums(tasks * width, 0);
        parallel_for(tasks, task_.threads, [&](std::size_t task) {
            // Whole vectors of tiles, so that no thread reads masks that another one writes.
            const auto start = [&](std::size_t t) {
                return t == tasks ? tiles_ : t * tiles_ / tasks / kTileMargin * kTileMargin;
            };
            const std::size_t begin = start(task), end = start(task + 1);
            std::int64_t* owned = sums.data() + task * width;
            TileCandidatesArgs args{};
            args.boxes = box_;
            args.begin = begin;
            args.end = end;
            args.pivots = assigned_.data();
            args.k = k_;
            args.masks = masks_.data();
            args.owned = owned;
            args.straddling = straddling_.data() + begin + task * kTileMargin;
            args.n_straddling = known ? n_straddling_[task] : end - begin;
            if (k_ <= kOwnedPivots && !known) kernels_.candidates(args);
            if (k_ > kOwnedPivots)
                std::iota(args.straddling, args.straddling + args.n_straddling,
                          static_cast<std::uint32_t>(begin));
            n_straddling_[task] = args.n_straddling;
            kernels_.assign({pixels_, box_, masks_.data(), args.straddling, args.n_straddling,
                             assigned_.data(), k_, want_labels ? task_.labels : nullptr,
                             owned + owned_.size()});
        });
        std::fill(sums_.begin(), sums_.end(), 0);
        for (std::size_t s = 0; s < sums.size(); ++s) {
            const std::size_t at = s % width;
            (at < owned_.size() ? owned_[at] : sums_[at - owned_.size()]) += sums[s];
        }
        for (std::size_t s = 0; s < std::min(owned_.size(), sums_.size()); ++s) sums_[s] += owned_[s];
        assign_last_pixels();
    }

    // The pixels beyond the last whole tile.
    void assign_last_pixels() {
        for (const std::size_t i : last_) {
            const Pixel x = pixel(i);
            std::size_t label = 0;
            for (std::size_t j = 1; j < k_; ++j)
                if (distance2(x, assigned_.data() + 3 * j) < distance2(x, assigned_.data() + 3 * label))
                    label = j;
            task_.labels[i] = static_cast<std::int32_t>(label);
            std::int64_t* sums = sums_.data() + 4 * label;
            sums[0] += 1;
            for (std::size_t a = 0; a < 3; ++a) sums[1 + a] += x[a];
        }
    }

    // Returns the squared way that pivot j moved. An emptied cluster keeps its pivot.
    double move_to_medoid(Pivots<std::int32_t>& pivots, std::size_t j) {
        const std::int64_t* sums = sums_.data() + 4 * j;
        if (sums[0] == 0) return 0.0;
        TileNearArgs near{};
        near.pixels = pixels_;
        near.boxes = box_;
        near.n = tiles_;
        near.masks = masks_.data();
        near.pivots = assigned_.data();
        near.k = k_;
        take_aim(near, sums, assigned_.data(), j, pixels_.rgb != nullptr);
        set_ideal(sums, near);
        near.near = near_.data();
        near.near_least = near_least_.data();
        kernels_.near(near);
        TilePickArgs pick{&near, sums[0], {sums[1], sums[2], sums[3]}, -1, 0};
        kernels_.pick(pick);
        for (const std::size_t i : last_) {
            if (task_.labels[i] != near.cluster) continue;
            const std::int64_t key = medoid_key(pixel(i), sums);
            const auto at = static_cast<std::int64_t>(i);
            if (pick.pixel >= 0 && (key > pick.key || (key == pick.key && at > pick.pixel))) continue;
            pick.key = key;
            pick.pixel = at;
        }
        const Pixel medoid = pixel(static_cast<std::size_t>(pick.pixel));
        std::int32_t* z = pivots.z.data() + 3 * j;
        const auto moved = static_cast<double>(distance2(medoid, z));
        std::copy(medoid.begin(), medoid.end(), z);
        pivots.raster[j] = index_.empty() ? pick.pixel : index_[static_cast<std::size_t>(pick.pixel)];
        return moved;
    }

    // The colour nearest to the mean, if it is the only one: keys of other colours are greater.
    void set_ideal(const std::int64_t* sums, TileNearArgs& near) const {
        near.ideal_a = near.ideal_b = -1;
        std::int32_t ideal[3];
        for (std::size_t a = 0; a < 3; ++a) {
            const std::int64_t whole = sums[1 + a] / sums[0], rest = sums[1 + a] % sums[0];
            if (pixels_.rgb == nullptr || 2 * rest == sums[0]) return;
            ideal[a] = static_cast<std::int32_t>(whole + (2 * rest > sums[0] ? 1 : 0));
        }
        near.ideal_a = ideal[0] | ideal[1] << 16;
        near.ideal_b = ideal[2] | 1 << 16;
    }

    // Labels of own tiles; those of the others have been written. Of blocks beside each other row by row.
    void fill_labels(std::size_t begin, std::size_t end) const {
        const bool blocks = pixels_.across > 0;
        const std::size_t across = blocks ? pixels_.across : tiles_;
        const std::size_t length = blocks ? kBlockColumns : pixels_.tile;
        const std::size_t rows = pixels_.tile / length;
        std::vector<std::int32_t> own(std::min(across, end - begin));
        for (std::size_t t = begin; t < end; t += own.size()) {
            own.resize(std::min(across - t % across, end - t));
            for (std::size_t i = 0; i < own.size(); ++i) own[i] = owner_of(masks_[t + i]);
            for (std::size_t row = 0; row < rows; ++row) {
                std::int32_t* labels = task_.labels + (t / across * rows + row) * pixels_.width;
                labels += t % across * length;
                for (std::size_t i = 0; i < own.size(); ++i)
                    if (own[i] > 0) std::fill_n(labels + i * length, length, own[i]);
            }
        }
    }

    // From 1; 0 where there are several candidates.
    static std::int32_t owner_of(std::uint32_t mask) {
        return (mask & (mask - 1)) != 0 ? 0 : shapes::lowest(mask) + 1;
    }

    // From the pixels that take part, which lie together, to their places; from the last to the first, so
    // that none is overwritten before it has moved.
    void spread_labels() const {
        std::size_t from = n_;
        for (std::size_t i = task_.image.pixels(); i-- > 0;)
            task_.labels[i] = task_.mask[i] ? task_.labels[--from] : 0;
    }

    Task task_;
    const TileKernels& kernels_;
    std::size_t k_;
    std::size_t n_ = 0;      // pixels that take part
    std::size_t tiles_ = 0;  // whole ones
    TilePixels pixels_;
    std::vector<std::size_t> last_;    // pixels beyond the last tile
    std::vector<std::int64_t> index_;  // raster index of each pixel under a mask
    Planes<std::int32_t> words_;
    Planes<std::int32_t> boxes_, tile_sums_;
    TileBoxes box_{};
    std::int64_t squares_ = 0;            // sum of |x|^2 over all pixels
    std::vector<std::int32_t> assigned_;  // the pivots of masks and sums
    bool labelled_ = false;               // and of labels
    std::vector<std::uint32_t> masks_;
    std::vector<std::uint32_t> straddling_;
    std::vector<std::size_t> n_straddling_;  // of each thread
    std::vector<std::int64_t> owned_;        // (kOwnedPivots, 4): pixels of own tiles, then feature sums
    std::vector<std::int64_t> sums_;         // (k, 4): members, then feature sums
    std::vector<std::uint32_t> near_;
    std::vector<std::int32_t> near_least_;
};

}  // namespace

std::unique_ptr<Source<std::int32_t>> make_tiles(const Task& task) {
    const bool colour = task.image.channels == 3 && !task.space.positions && task.space.dims == 3;
    const bool bytes = task.image.type == PixelType::u8 && colour;
    const bool lab = task.space.kind == Features::lab && colour;
    const bool small = task.image.pixels() <= kManyPixels;
    if (!task.exact || task.space.map != nullptr || task.params.k > static_cast<int>(kTilePivots))
        return nullptr;
    // Two words a pixel are too much for a large image; bytes are read where they are.
    const bool in_place = bytes && task.space.kind != Features::lab && !task.mask;
    if (!(lab || bytes) || !(small || in_place)) return nullptr;
    return std::make_unique<Tiles>(task);
}

}  // namespace fastpgs
