#include "fastpgs/samples.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>
#include <type_traits>

#include "fastpgs/interrupt.hpp"
#include "fastpgs/lab.hpp"
#include "fastpgs/real_kernels.hpp"
#include "fastpgs/tile_kernels.hpp"
#include "pairs.hpp"

namespace fastpgs {
namespace {

constexpr std::size_t kRead = std::size_t{1} << 18;  // points between two looks at signals

std::size_t room_for(std::size_t n) { return (n + kSampleStep - 1) / kSampleStep * kSampleStep; }

template <class Sample>
std::vector<std::int64_t> pixels_of(const Sample& all, std::size_t step) {
    std::vector<std::int64_t> found;
    found.reserve(all.size() / step + 1);
    for (std::size_t i = 0; i < all.size(); i += step) found.push_back(all.pixel(i));
    return found;
}

// Features that are the channels of 8-bit pixels as they are.
template <std::size_t Channels>
void gather_bytes_of(const std::uint8_t* data, const std::int64_t* pixels, std::size_t n, std::int32_t* a,
                     std::int32_t* b) {
    for (std::size_t i = 0; i < n; ++i) {
        const std::uint8_t* p = data + static_cast<std::ptrdiff_t>(Channels) * pixels[i];
        a[i] = pair_words(p[0], Channels > 1 ? p[1] : 0);
        b[i] = pair_words(Channels > 2 ? p[2] : 0, 1);
    }
}

void gather_bytes(const ImageView& image, const std::int64_t* pixels, std::size_t n, std::int32_t* a,
                  std::int32_t* b) {
    const auto* data = image.as<std::uint8_t>();
    if (image.channels == 1) return gather_bytes_of<1>(data, pixels, n, a, b);
    if (image.channels == 2) return gather_bytes_of<2>(data, pixels, n, a, b);
    gather_bytes_of<3>(data, pixels, n, a, b);
}

// Any others.
void gather_pairs(const ImageView& image, const FeatureSpace& space, const std::int64_t* pixels,
                  std::size_t n, std::int32_t* a, std::int32_t* b) {
    if (space.kind == Features::lab) return gather_lab_pairs(image, pixels, n, a, b);
    Planes<std::int32_t> x(3, n);
    for (std::size_t d = space.dims; d < 3; ++d) std::fill_n(x[d], n, 0);
    gather_features(image, space, pixels, n, x.data());
    const std::int32_t *x0 = x[0], *x1 = x[1], *x2 = x[2];
    for (std::size_t i = 0; i < n; ++i) {
        a[i] = pair_words(x0[i], x1[i]);
        b[i] = pair_words(x2[i], 1);
    }
}

// Calls body(begin, n) for stretches of points, with a look at signals before each.
template <class Body>
void in_stretches(std::size_t room, Body body) {
    for (std::size_t begin = 0; begin < room; begin += kRead) {
        poll();
        body(begin, std::min(kRead, room - begin));
    }
}

}  // namespace

// --- words -------------------------------------------------------------------------------------------

WordSample::WordSample(const ImageView& image, const FeatureSpace& space, std::vector<std::int64_t> pixels)
    : pixels_(std::move(pixels)),
      room_(room_for(size())),
      shift_(space.kind == Features::lab ? 0 : kByteShift),
      z_(2, room_) {
    in_stretches(size(), [&](std::size_t begin, std::size_t n) {
        const std::int64_t* some = pixels_.data() + begin;
        std::int32_t *a = z_[0] + begin, *b = z_[1] + begin;
        if (space.kind != Features::lab && image.channels == space.dims)
            gather_bytes(image, some, n, a, b);
        else
            gather_pairs(image, space, some, n, a, b);
    });
    fill_up();
}

WordSample::WordSample(const WordSample& all, std::size_t step)
    : pixels_(pixels_of(all, step)), room_(room_for(size())), shift_(all.shift_), z_(2, room_) {
    for (std::size_t w = 0; w < 2; ++w)
        for (std::size_t i = 0; i < size(); ++i) z_[w][i] = all.z_[w][i * step];
    fill_up();
}

void WordSample::fill_up() {
    for (std::size_t w = 0; w < 2; ++w) std::fill(z_[w] + size(), z_[w] + room_, z_[w][size() - 1]);
    near_ = Block<std::uint32_t>(room_ + kSampleStep);
}

void WordSample::measure(const At& target, const Value* before, Value* out) const {
    in_stretches(room_, [&](std::size_t begin, std::size_t n) {
        tile_kernels().sample.away({z_[0] + begin, z_[1] + begin, n, target.a, target.b,
                                    before == nullptr ? nullptr : before + begin, out + begin});
    });
}

void WordSample::away(const At& target, Value* out) const { measure(target, nullptr, out); }

std::int64_t WordSample::closer(const Weights<Value>& before, const At& target, Weights<Value>& out) const {
    measure(target, before.of.data(), out.of.data());
    return sum(out);
}

std::size_t WordSample::take_best(const std::vector<std::size_t>& picks, Weights<Value>& d2,
                                  Total& total) const {
    std::size_t best = picks.front();
    Total least = std::numeric_limits<Total>::max();
    for (std::size_t begin = 0; begin < picks.size(); begin += WordTrialArgs::kTargets) {
        WordTrialArgs args{};
        args.n_targets = std::min(WordTrialArgs::kTargets, picks.size() - begin);
        for (std::size_t t = 0; t < args.n_targets; ++t) {
            args.target_a[t] = at(picks[begin + t]).a;
            args.target_b[t] = at(picks[begin + t]).b;
        }
        in_stretches(room_, [&](std::size_t first, std::size_t n) {
            args.a = z_[0] + first;
            args.b = z_[1] + first;
            args.n = n;
            args.before = d2.of.data() + first;
            tile_kernels().sample.trials(args);
        });
        for (std::size_t t = 0; t < args.n_targets; ++t) {
            const Total sum = args.sums[t] - beyond(d2.of[size() - 1], picks[begin + t]);
            if (sum >= least) continue;
            least = sum;
            best = picks[begin + t];
        }
    }
    total = closer(d2, at(best), d2);
    return best;
}

// What a sum of distances holds of the points that fill the sample up.
WordSample::Total WordSample::beyond(Value before, std::size_t target) const {
    const At to = at(target), last = at(size() - 1);
    const Total away = distance2(pixel_of(last.a, last.b), pixel_of(to.a, to.b).data());
    return static_cast<Total>(room_ - size()) * std::min<Total>(before, away);
}

void WordSample::miss(const Value* nearest, const Value* second, const Value* drawn, Value* out) const {
    tile_kernels().sample.miss({nearest, second, drawn, room_, out});
}

void WordSample::nearest(NearestRowsArgs<Value>& args) const {
    args.n = room_;
    tile_kernels().sample.nearest(args);
}

std::int64_t WordSample::sum(Weights<Value>& found) const {
    found.runs.resize((room_ + kSampleRun - 1) / kSampleRun);
    tile_kernels().sample.sums(found.of.data(), room_, found.runs.data());
    const auto beyond = static_cast<Total>(room_ - size());
    Total total = -beyond * found.of[size() - 1];
    for (const std::int64_t run : found.runs) total += run;
    return total;
}

std::size_t WordSample::pick(const Weights<Value>& weights, Total total, SplitMix64& rng) const {
    auto left = static_cast<Total>(rng.below(static_cast<std::uint64_t>(total)));
    std::size_t run = 0;
    while (weights.runs[run] <= left) left -= weights.runs[run++];
    std::size_t i = run * kSampleRun;
    while (weights.of[i] <= left) left -= weights.of[i++];
    return i;
}

void WordSample::find_medoids(const Value* owners, const Member* sums, std::vector<Sought<At>>& sought) {
    Sought<At>* begin = sought.data();
    Sought<At>* const last = begin + sought.size();
    while (begin < last) {
        Sought<At>* end = begin;
        while (end < last && end->cluster < begin->cluster + WordNearArgs::kClusters) ++end;
        find_medoids(owners, sums, begin, end);
        begin = end;
    }
}

// The least distance that some members have.
void WordSample::bound_distance(const Value* owners, const Sought<At>& one, const Pixel& mean,
                                std::int32_t& least) const {
    constexpr std::size_t kStep = 4;
    for (std::size_t i = 0; i < size(); i += kStep) {
        if (static_cast<std::size_t>(owners[i]) != one.cluster) continue;
        least = std::min(least, away_from_mean(pixel_of(z_[0][i], z_[1][i]), mean, shift_));
    }
}

// A member that is known tells how far away others need not be looked at: few are left, of which 64-bit keys
// decide.
void WordSample::find_medoids(const Value* owners, const Member* sums, Sought<At>* begin, Sought<At>* end) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    std::array<std::int64_t, WordNearArgs::kClusters> least;
    std::array<Sought<At>*, WordNearArgs::kClusters> of_cluster{};
    WordNearArgs args{};
    std::fill(std::begin(args.least), std::end(args.least), -1);
    args.a = z_[0];
    args.b = z_[1];
    args.n = room_;
    args.owners = owners;
    args.first = static_cast<std::int32_t>(begin->cluster);
    args.shift = shift_;
    args.near = near_.data();
    for (Sought<At>* one = begin; one != end; ++one) {
        const std::size_t at = one->cluster - begin->cluster;
        of_cluster[at] = one;
        least[at] = kMost;
        const Pixel mean = mean_of(sums + width() * one->cluster, shift_);
        args.mean_a[at] = pair_words(mean[0], mean[1]);
        args.mean_b[at] = pair_words(mean[2], 1 << shift_);
        args.least[at] = kUnknownDistance;
        if (one->member == nullptr)
            bound_distance(owners, *one, mean, args.least[at]);
        else
            args.least[at] = away_from_mean(pixel_of(one->member->a, one->member->b), mean, shift_);
    }
    tile_kernels().sample.near(args);
    for (std::size_t s = 0; s < args.n_near; ++s) {
        const std::size_t i = near_[s], cluster = static_cast<std::size_t>(owners[i]);
        Sought<At>* const one = of_cluster[cluster - begin->cluster];
        const std::int64_t key = medoid_key(pixel_of(z_[0][i], z_[1][i]), sums + width() * cluster);
        if (key >= least[cluster - begin->cluster]) continue;
        least[cluster - begin->cluster] = key;
        one->found = i;
    }
}

// --- reals -------------------------------------------------------------------------------------------

template <class D>
RealSample<D>::RealSample(const ImageView& image, const FeatureSpace& space, std::vector<std::int64_t> pixels)
    : pixels_(std::move(pixels)), room_(room_for(size())), z_(space.dims, room_) {
    in_stretches(size(), [&](std::size_t begin, std::size_t n) {
        double* out[kMaxDims];
        for (std::size_t a = 0; a < z_.dims(); ++a) out[a] = z_[a] + begin;
        gather_features(image, space, pixels_.data() + begin, n, out);
    });
    fill_up();
}

template <class D>
RealSample<D>::RealSample(const RealSample& all, std::size_t step)
    : pixels_(pixels_of(all, step)), room_(room_for(size())), z_(all.z_.dims(), room_) {
    for (std::size_t a = 0; a < z_.dims(); ++a)
        for (std::size_t i = 0; i < size(); ++i) z_[a][i] = all.z_[a][i * step];
    fill_up();
}

template <class D>
void RealSample<D>::fill_up() {
    double top = 0.0;
    for (std::size_t a = 0; a < z_.dims(); ++a) {
        std::fill(z_[a] + size(), z_[a] + room_, z_[a][size() - 1]);
        for (std::size_t i = 0; i < size(); ++i) top = std::max(top, std::fabs(z_[a][i]));
    }
    if (!std::is_integral_v<D>) round_ = rounder(sum_grain(top, size()));
}

template <class D>
std::vector<double> RealSample<D>::at(std::size_t i) const {
    At out(z_.dims());
    for (std::size_t a = 0; a < out.size(); ++a) out[a] = z_[a][i];
    return out;
}

template <class D>
void RealSample<D>::measure(const At& target, const Value* before, Value* out) const {
    in_stretches(room_, [&](std::size_t begin, std::size_t n) {
        const double* z[kMaxDims];
        for (std::size_t a = 0; a < z_.dims(); ++a) z[a] = z_[a] + begin;
        real_kernels().sample.away(
            {z, n, z_.dims(), target.data(), before == nullptr ? nullptr : before + begin, out + begin});
    });
}

template <class D>
void RealSample<D>::away(const At& target, Value* out) const {
    measure(target, nullptr, out);
}

template <class D>
D RealSample<D>::closer(const Weights<Value>& before, const At& target, Weights<Value>& out) const {
    measure(target, before.of.data(), out.of.data());
    return sum(out);
}

template <class D>
std::size_t RealSample<D>::take_best(const std::vector<std::size_t>& picks, Weights<Value>& d2,
                                     Total& total) const {
    auto trial = weights(), least = weights();
    std::size_t best = picks.front();
    total = closer(d2, at(best), least);
    for (auto pick = picks.begin() + 1; pick != picks.end(); ++pick) {
        const Total sum = closer(d2, at(*pick), trial);
        if (!(sum < total)) continue;
        total = sum;
        best = *pick;
        std::swap(least, trial);
    }
    std::swap(d2, least);
    return best;
}

template <class D>
void RealSample<D>::miss(const Value* nearest, const Value* second, const Value* drawn, Value* out) const {
    for (std::size_t i = 0; i < room_; ++i)  // compilers make lanes of it
        out[i] = std::min(second[i], drawn[i]) - std::min(nearest[i], drawn[i]);
}

template <class D>
void RealSample<D>::nearest(NearestRowsArgs<Value>& args) const {
    args.n = room_;
    real_kernels().sample.nearest(args);
}

// Reals are summed from first to last, integers in turns.
template <class D>
D RealSample<D>::sum(Weights<Value>& found) const {
    const double* values = found.of.data();
    if constexpr (!std::is_integral_v<D>) {
        D total = 0;
        for (std::size_t i = 0; i < size(); ++i) total += values[i];
        return total;
    } else {
        constexpr std::size_t kTurns = 8;
        found.runs.assign((room_ + kSampleRun - 1) / kSampleRun, 0);
        D total = 0;
        for (std::size_t begin = 0; begin < size(); begin += kSampleRun) {
            const std::size_t end = std::min(begin + kSampleRun, size());
            double turns[kTurns] = {};
            std::size_t i = begin;
            for (; i + kTurns <= end; i += kTurns)
                for (std::size_t l = 0; l < kTurns; ++l) turns[l] += values[i + l];
            for (; i < end; ++i) turns[0] += values[i];
            D& run = found.runs[begin / kSampleRun];
            for (const double turn : turns) run += static_cast<D>(turn);
            total += run;
        }
        return total;
    }
}

template <class D>
std::size_t RealSample<D>::pick(const Weights<Value>& weights, Total total, SplitMix64& rng) const {
    if constexpr (std::is_integral_v<D>) {
        auto left = static_cast<D>(rng.below(static_cast<std::uint64_t>(total)));
        std::size_t run = 0;
        while (weights.runs[run] <= left) left -= weights.runs[run++];
        std::size_t i = run * kSampleRun;
        while (static_cast<D>(weights.of[i]) <= left) left -= static_cast<D>(weights.of[i++]);
        return i;
    } else {
        const double draw = rng.uniform() * total;
        double cumulative = 0.0;
        std::size_t last = 0;
        for (std::size_t i = 0; i < size(); ++i) {
            cumulative += weights.of[i];
            if (cumulative > draw) return i;
            if (weights.of[i] > 0.0) last = i;
        }
        return last;
    }
}

template <class D>
void RealSample<D>::add(std::size_t i, Member sign, Member* sums) const {
    sums[0] += sign;
    for (std::size_t a = 0; a < z_.dims(); ++a) sums[1 + a] += sign * ((z_[a][i] + round_) - round_);
}

// Σ d² to all members, less what is the same for each: of integers exact, of reals by the mean.
template <class D>
std::size_t RealSample<D>::medoid(const Value* owners, std::size_t cluster, const Member* sums) {
    constexpr bool kIntegral = std::is_integral_v<D>;
    double shift[kMaxDims];
    for (std::size_t a = 0; a < z_.dims(); ++a)
        shift[a] = kIntegral ? 2.0 * sums[1 + a] : sums[1 + a] / sums[0];
    const std::size_t found =
        real_kernels().sample.central({z_.data(), room_, z_.dims(), owners, static_cast<double>(cluster),
                                       kIntegral ? sums[0] : 0.0, shift});
    return found < size() ? found : 0;  // where keys overflow
}

template <class D>
void RealSample<D>::find_medoids(const Value* owners, const Member* sums, std::vector<Sought<At>>& sought) {
    for (Sought<At>& one : sought) one.found = medoid(owners, one.cluster, sums + width() * one.cluster);
}

template class RealSample<std::int64_t>;
template class RealSample<double>;

}  // namespace fastpgs
