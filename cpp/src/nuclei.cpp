#include "fastpgs/nuclei.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "fastpgs/crew.hpp"
#include "fastpgs/nuclear.hpp"
#include "fastpgs/segment.hpp"
#include "fastpgs/shapes.hpp"

namespace fastpgs::nuclei {

namespace {

using shapes::Bits;
using shapes::Parts;
using staining::Stain;

constexpr double PI = 3.141592653589793;
constexpr double NEVER = -std::numeric_limits<double>::infinity();

bool any(const std::vector<std::uint8_t>& flags) {
    return std::find(flags.begin(), flags.end(), 1) != flags.end();
}

Tints tints_of(const std::vector<std::int64_t>& sums, double offset) {
    Tints out;
    std::int64_t all = 0;
    for (std::size_t at = 5; at < sums.size(); at += 5) all += sums[at];
    for (std::size_t at = 0; at < sums.size(); at += 5) {
        const auto count = static_cast<double>(std::max<std::int64_t>(sums[at], 1));
        const auto mean = [&](std::size_t i) { return static_cast<double>(sums[at + i]) / count; };
        const bool none = at == 0;
        const double green = none ? -NEVER : std::max(mean(2), 1.0);
        out.score.push_back(none ? NEVER : mean(1));
        out.green.push_back(green);
        out.blue.push_back((mean(3) - offset) / green);
        out.red.push_back((mean(4) - offset) / green);
        out.part.push_back(none ? 0.0 : count / static_cast<double>(std::max<std::int64_t>(all, 1)));
    }
    return out;
}

// The greatest g of the groups of pivots.
double deepest_of(const Tints& tints) {
    double deepest = 0.0;
    for (const double own : tints.green)
        if (std::isfinite(own)) deepest = std::max(deepest, own);
    return deepest;
}

// Whether the stain of a picture is faded, or washed out by light, and `top`, the group of the highest score,
// is of nuclei: too large for precipitate, and far from the largest of the other stained groups, which red
// cells, where nothing else is there, grade into.
bool is_faded(const Tints& tints, std::size_t top, double deepest, const Rules& rules) {
    const double highest = tints.score[top];
    if (highest >= rules.sure || highest < rules.faded || tints.part[top] < rules.faded_part) return false;
    std::size_t most = 0;
    for (std::size_t i = 1; i < tints.score.size(); ++i)
        if (i != top && tints.green[i] > rules.faded_stained * deepest && tints.part[i] > tints.part[most])
            most = i;
    return most == 0 || tints.score[most] <= rules.faded_rest * highest;
}

// The pixels of the pivots whose flags are set, opened and freed of specks; none where nothing is left.
std::optional<Seeds> cleaned(const Stain& stain, Bits rough, double radius, const double* part,
                             const Rules& rules, Pivots pivots) {
    if (radius == 0.0) return std::nullopt;
    const double disc = PI * (radius * radius);
    const double width = std::max(1.0, rules.opening * radius);
    Bits whole = shapes::open_disc(rough, width);
    // Coarse chromatin, of which only the dark half is taken, is a mesh that no disc fits into.
    if (!stain.surround &&
        static_cast<double>(whole.count()) < rules.coarse * static_cast<double>(rough.count()))
        whole =
            shapes::open_disc(shapes::close_disc(rough, std::max(1.0, rules.coarse_closing * radius)), width);
    rough = shapes::fill_holes(whole, rules.hole * disc);
    const Parts parts = shapes::components(rough);
    if (parts.n == 0) return std::nullopt;
    const auto areas = parts.areas();
    Seeds seeds;
    seeds.radius = radius;
    seeds.part = part ? *part : shapes::typical_area(areas);
    shapes::Bytes keep(areas.size());
    for (std::size_t i = 1; i < areas.size(); ++i)
        keep[i] = static_cast<double>(areas[i]) >= rules.part * seeds.part;
    if (!stain.surround)  // a cell on black has no platelets beside it, but perhaps coarse chromatin
        keep = shapes::as_wide(rough, parts, keep, rules.body * radius);
    if (!any(keep)) return std::nullopt;
    seeds.nuclei = Bits(rough.rows, rough.cols);
    parts.draw(keep, seeds.nuclei);
    seeds.pivots = std::move(pivots);
    return seeds;
}

ImageView image_of(const Stain& stain) {
    return {stain.features.data(), PixelType::u8, static_cast<std::size_t>(stain.rows),
            static_cast<std::size_t>(stain.cols), 3};
}

Params params_of(const Start& start) {
    Params params;
    params.k = start.k;
    params.features = Features::raw;
    params.init = Init::given;
    params.seed = start.seed;
    params.want_inertia = false;
    params.threads = start.threads;
    return params;
}

MaskView mask_of(const Groups& groups) { return {groups.used.empty() ? nullptr : groups.used.data()}; }

// A segmentation of the stain features, from pixels spread over the range of the score; false where there are
// fewer colours than pivots, and so nothing to tell apart.
bool segment_stain(const Stain& stain, const Start& start, Groups& groups, Result& result) {
    Params params = params_of(start);
    params.given = stain::spread(stain.scores, stain.score.data(), stain.valid, start.k);
    if (params.given.empty()) return false;
    const auto found = [&](Counted* counted) {
        result = segment(image_of(stain), mask_of(groups), params, groups.labels.data(), counted);
        return result.distinct < 0;
    };
    Counted& counted = groups.counted;
    if (!counted.palette) return found(groups.ahead ? &counted : nullptr);
    counted.palette->list();
    Aside telling(
        [&stain, &start, &groups, colours = counted.palette->grouped(), n = counted.palette->size()] {
            groups.colours = {colours, n, static_cast<int>(start.offset), stain.grey};
        });
    if (!found(&counted)) return false;
    telling.finish();
    if (!groups.colours.told())
        counted.palette->write_labels(counted.labels.groups, counted.labels.colours, start.threads);
    return true;
}

std::vector<std::int64_t> sums_of(const Stain& stain, const Start& start, const Groups& groups) {
    if (groups.colours.told()) return groups.colours.group_sums(groups.counted);
    return stain::group_sums(groups.labels.data(), start.k, stain.score.data(), stain.colours());
}

}  // namespace

std::vector<std::uint8_t> nuclear_groups(const Tints& tints, bool glass, const Rules& rules) {
    const std::vector<double>&score = tints.score, &green = tints.green, &blue = tints.blue, &red = tints.red;
    const std::size_t n = score.size();
    const auto top = static_cast<std::size_t>(std::max_element(score.begin(), score.end()) - score.begin());
    const double highest = score[top], red_of_highest = red[top];
    const double deepest = deepest_of(tints);
    std::vector<std::uint8_t> chosen(n);
    for (std::size_t i = 0; i < n; ++i) {
        const bool purple = blue[i] > rules.purple_blue && red[i] > rules.purple_red;
        double paler = NEVER;  // the reddest of what is paler, and no glass
        bool told = false;
        for (std::size_t j = 0; j < n; ++j)
            if (score[j] < score[i] && green[j] > rules.stained * deepest) {
                paler = std::max(paler, red[j]);
                told = true;
            }
        const double above = red[i] - paler;
        const bool redder = told && above > rules.redder && blue[i] > rules.violet &&
                            red[i] > rules.purple_red && score[i] > rules.likely;
        const bool grey =
            told && above < rules.redder && red[i] < std::min(rules.grey, red_of_highest - rules.greyer);
        const bool vivid = blue[i] > rules.vivid_blue && red[i] > rules.vivid_red && highest < rules.likely;
        const double share = purple ? rules.pale : rules.share;
        bool nuclear = score[i] > std::max(share * highest, vivid ? rules.faint : rules.lowest);
        if (highest < rules.sure) nuclear = nuclear && (purple || redder);
        chosen[i] = nuclear && !grey;
    }
    if (glass && !chosen[top] && is_faded(tints, top, deepest, rules))
        for (std::size_t i = 0; i < n; ++i)
            chosen[i] = score[i] > rules.share * highest && red[i] > rules.purple_red;
    return chosen;
}

Groups prepare(const Stain& stain, const Start& start, const stain::Ready& ready) {
    Groups groups;
    const ImageView image = image_of(stain);
    groups.labels = Block<std::int32_t>(image.pixels());
    if (stain.valid.count() < stain.rows * stain.cols) {
        groups.used.resize(image.pixels());
        shapes::unpack(stain.valid, groups.used.data(), stain.cols);
    }
    groups.ahead = counts_colours(image, params_of(start));
    if (groups.ahead)
        groups.counted.palette = Palette::count(image, mask_of(groups), groups.labels.data(), ready);
    return groups;
}

void find(const Stain& stain, const Rules& rules, const Start& start, Found& found) {
    Result result;
    if (!segment_stain(stain, start, found.groups, result)) return;
    found.converged = result.converged;
    const Tints tints = tints_of(sums_of(stain, start, found.groups), start.offset);
    auto nuclear = nuclear_groups(tints, !stain.surround, rules);
    if (stain.surround && !any(nuclear)) {
        // On black no glass says what is white, so colours may mislead; but no red cells are there to be told
        // from, and depth is enough.
        const double deepest = *std::max_element(tints.green.begin() + 1, tints.green.end());
        for (std::size_t i = 1; i < nuclear.size(); ++i)
            nuclear[i] = tints.green[i] > std::max(rules.share * deepest, rules.lowest);
    }
    if (!any(nuclear)) return;
    const auto empty = static_cast<std::uint8_t>(std::min_element(tints.green.begin(), tints.green.end()) -
                                                 tints.green.begin());
    Pivots pivots;
    pivots.nuclear.assign(nuclear.begin() + 1, nuclear.end());
    for (std::size_t i = 0; i < result.pivot_features.size(); i += 3) {
        Colour colour;  // a pixel's: nothing is rounded
        for (std::size_t c = 0; c < 3; ++c)
            colour[c] = static_cast<std::uint8_t>(result.pivot_features[i + c]);
        pivots.features.push_back(colour);
    }
    found.find_ground(stain, empty);
    Bits members = nuclear::nearest_flagged(stain.colours(), pivots.features, pivots.nuclear);
    const Bits rough = shapes::open_disc(members &= stain.valid, 1.0);
    const double radius = std::sqrt(shapes::typical_area(shapes::components(rough).areas()) / PI);
    found.seeds = cleaned(stain, rough, radius, nullptr, rules, std::move(pivots));
}

void Found::find_ground(const Stain& stain, std::uint8_t group) {
    aside_ = std::make_unique<Aside>([this, &stain, group] {
        if (groups.colours.told())
            ground_ = static_cast<double>(groups.colours.median_strength(groups.counted, group));
        else
            ground_ = stain.median(
                shapes::members(groups.labels.data(), stain.rows, stain.cols, stain.cols, {group}));
    });
}

double Found::ground() {
    if (aside_) aside_->finish();
    return ground_;
}

Bits nearest(const Stain& stain, const Pivots& pivots, float lenient) {
    nuclear::Colours nuclei, others;
    for (std::size_t i = 0; i < pivots.features.size(); ++i)
        (pivots.nuclear[i] ? nuclei : others).push_back(pivots.features[i]);
    Block<std::uint8_t> chosen(static_cast<std::size_t>(stain.rows * stain.cols));
    nuclear::nearest(stain.colours(), nuclei, others, lenient, chosen.data());
    return shapes::pack({chosen.data(), stain.rows, stain.cols});
}

std::optional<Seeds> find(const Stain& stain, const Rules& rules, const Known& known) {
    Bits rough = nearest(stain, known.pivots, 1.0F);
    rough = shapes::open_disc(rough &= stain.valid, 1.0);
    return cleaned(stain, std::move(rough), known.radius, &known.part, rules, known.pivots);
}

}  // namespace fastpgs::nuclei
