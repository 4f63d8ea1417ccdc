#include "fastpgs/reach.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>
#include <utility>

#include "fastpgs/plane_kernels.hpp"

namespace fastpgs::reach {

namespace {

using shapes::Bits;
using shapes::Parts;
using shapes::Run;

constexpr double PI = 3.141592653589793;
constexpr double LOBES = 1.5;    // radii of a lobe within which the next one lies
constexpr double LARGEST = 2.0;  // largest lobes' radii: many touching cells are no lobes
constexpr int HOPS = 2;          // neighbours of neighbours

// The largest whole number whose root over a radius is at most `limit`, or less than it; -1 where there is
// none.
std::int32_t square_within(double limit, double radius, bool less) {
    if (!(limit >= 0.0)) return -1;
    const double side = limit * radius;
    // Roots and quotients are rounded, but never past the next whole number.
    double square = std::min(std::floor(side * side) + 1.0, static_cast<double>(shapes::kFarthest));
    const auto within = [&](double distance) { return less ? distance < limit : distance <= limit; };
    while (square >= 0.0 && !within(std::sqrt(square) / radius)) square -= 1.0;
    return static_cast<std::int32_t>(square);
}

// Radius of each part's whole nucleus: all parts whose lobes' surroundings hang together.
std::vector<double> whole_of_all(const Parts& parts, const std::vector<double>& radius, const Bits& lobes) {
    const Parts groups = shapes::components(lobes);
    std::vector<std::int32_t> group(radius.size(), 0);
    std::vector<std::int64_t> together(static_cast<std::size_t>(groups.n) + 1, 0);
    auto around = groups.runs.begin();
    for (const Run& run : parts.runs) {
        while (around->row < run.row || (around->row == run.row && around->end <= run.begin)) ++around;
        group[static_cast<std::size_t>(run.part)] = around->part;
        together[static_cast<std::size_t>(around->part)] += run.end - run.begin;
    }
    std::vector<double> largest(together.size(), 0.0), whole(radius.size(), 0.0);
    for (std::size_t i = 1; i < radius.size(); ++i) {
        double& most = largest[static_cast<std::size_t>(group[i])];
        most = std::max(most, radius[i]);
    }
    for (std::size_t i = 1; i < radius.size(); ++i) {
        const auto g = static_cast<std::size_t>(group[i]);
        whole[i] = std::min(std::sqrt(static_cast<double>(together[g]) / PI), LARGEST * largest[g]);
    }
    return whole;
}

// The parts that each part's surroundings touch, itself among them.
std::vector<std::set<std::int32_t>> neighbours(const std::vector<Run>& stretches, std::size_t n,
                                               const Bits& lobes) {
    std::vector<std::set<std::int32_t>> touched(n);
    for (std::size_t i = 0; i < n; ++i) touched[i].insert(static_cast<std::int32_t>(i));
    const auto touch = [&](const Run& a, const Run& b) {
        if (a.part == b.part) return;
        touched[static_cast<std::size_t>(a.part)].insert(b.part);
        touched[static_cast<std::size_t>(b.part)].insert(a.part);
    };
    shapes::each_contact(shapes::common(stretches, lobes), touch);
    return touched;
}

// The same from the parts that reach it over at most `HOPS` contacts.
std::vector<double> whole_of_near(const std::vector<std::set<std::int32_t>>& touched,
                                  const std::vector<double>& radius) {
    std::vector<double> whole(radius.size(), 0.0);
    for (std::size_t i = 1; i < radius.size(); ++i) {
        std::set<std::int32_t> group{static_cast<std::int32_t>(i)};
        for (int hop = 0; hop < HOPS; ++hop) {
            const std::set<std::int32_t> known = group;
            for (const std::int32_t j : known)
                group.insert(touched[static_cast<std::size_t>(j)].begin(),
                             touched[static_cast<std::size_t>(j)].end());
        }
        double squares = 0.0, largest = 0.0;
        for (const std::int32_t j : group) {
            const double own = radius[static_cast<std::size_t>(j)];
            squares += own * own;
            largest = std::max(largest, own);
        }
        whole[i] = std::min(std::sqrt(squares), LARGEST * largest);
    }
    return whole;
}

}  // namespace

Nearest::Nearest(const Bits& nuclei, const Parts& parts)
    : cols_(nuclei.cols),
      squares_(static_cast<std::size_t>(nuclei.rows * nuclei.cols)),
      stretches_(shapes::nearest_parts(nuclei, parts, squares_.data())) {
    first_.reserve(static_cast<std::size_t>(nuclei.rows) + 1);
    for (std::size_t i = 0; i < stretches_.size(); ++i)
        if (first_.size() == static_cast<std::size_t>(stretches_[i].row)) first_.push_back(i);
    first_.push_back(stretches_.size());
}

Nearest::Nearest(const std::int32_t* squares, std::ptrdiff_t rows, std::ptrdiff_t cols)
    : cols_(cols), squares_(static_cast<std::size_t>(rows * cols)) {
    std::copy_n(squares, rows * cols, squares_.data());
    for (std::ptrdiff_t r = 0; r <= rows; ++r) {
        first_.push_back(static_cast<std::size_t>(r));
        if (r < rows)
            stretches_.push_back({static_cast<std::int32_t>(r), 0, static_cast<std::int32_t>(cols), 1});
    }
}

Bits Nearest::at_most(const std::vector<std::int32_t>& most, const shapes::Box& box,
                      const Bits* among) const {
    Bits out(box.rows(), box.cols());
    share(box.rows(), 2 * rows_worth(box.cols()), [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
        rows_at_most(most, box, among, box.top + begin, box.top + end, out);
    });
    return out;
}

// The same of the rows r..last.
void Nearest::rows_at_most(const std::vector<std::int32_t>& most, const shapes::Box& box, const Bits* among,
                           std::ptrdiff_t r, std::ptrdiff_t last, Bits& out) const {
    std::vector<std::int32_t> limits(static_cast<std::size_t>(cols_));
    std::int32_t all = 0;  // the nucleus whose limit they are, if only one's
    for (; r < last; ++r) {
        if (among && !among->any(r - box.top)) continue;
        const auto row = static_cast<std::size_t>(r);
        const bool one = first_[row] + 1 == first_[row + 1];
        const std::int32_t nearest = stretches_[first_[row]].part;
        if (!one || nearest != all)
            for (std::size_t i = first_[row]; i < first_[row + 1]; ++i)
                std::fill(limits.begin() + stretches_[i].begin, limits.begin() + stretches_[i].end,
                          most[static_cast<std::size_t>(stretches_[i].part)]);
        all = one ? nearest : 0;
        fastpgs::at_most(AtMostArgs{squares_.data() + r * cols_ + box.left, limits.data() + box.left,
                                    static_cast<std::size_t>(box.cols()), out.row(r - box.top)});
    }
}

Away::Away(Nearest nearest, const std::vector<double>& whole) : nearest_(std::move(nearest)) {
    for (const double radius : whole) radius_.push_back(std::max(radius, 1.0));
}

std::vector<std::int32_t> Away::squares_within(double limit, bool less) const {
    std::vector<std::int32_t> most;
    for (const double radius : radius_) most.push_back(square_within(limit, radius, less));
    return most;
}

void Away::distances(std::ptrdiff_t row, std::ptrdiff_t begin, std::ptrdiff_t end, double* out) const {
    each_stretch(row, begin, end,
                 [=](std::ptrdiff_t from, std::ptrdiff_t to, double radius, const std::int32_t* squares) {
                     plane_kernels().roots(
                         {squares, static_cast<std::size_t>(to - from), radius, out + (from - begin)});
                 });
}

Bits Away::below(const Bits& among, double limit) const {
    Bits out = nearest_.at_most(squares_within(limit, true), nearest_.box(), &among);
    return out &= among;
}

Bits Away::above(const Bits& among, double limit) const {
    Bits out = among;
    return out.subtract(nearest_.at_most(squares_within(limit, false), nearest_.box(), &among));
}

Bits Away::beside(const Bits& among, const std::vector<double>& radius, double limit) const {
    std::vector<std::int32_t> most;
    for (const double own : radius) most.push_back(square_within(limit * own, 1.0, true));
    Bits out = nearest_.at_most(most, nearest_.box(), &among);
    return out &= among;
}

Bits Away::within(const shapes::Box& box, double limit) const {
    return nearest_.at_most(squares_within(limit, false), box, nullptr);
}

Reach measure(const Bits& nuclei, bool near) {
    const Parts parts = shapes::components(nuclei);
    if (parts.n == 0) throw std::invalid_argument("nuclei must hold a pixel");
    Reach out;
    Radii& radii = out.radii;
    for (const std::int64_t area : parts.areas())
        radii.part.push_back(std::sqrt(static_cast<double>(area) / PI));
    Nearest nearest(nuclei, parts);
    if (parts.n == 1) {  // it is the whole nucleus
        radii.whole = radii.part;
    } else {
        std::vector<std::int32_t> lobe;
        for (const double radius : radii.part) lobe.push_back(square_within(LOBES * radius, 1.0, false));
        const Bits lobes = nearest.at_most(lobe, nearest.box(), nullptr);
        radii.whole =
            near ? whole_of_near(neighbours(nearest.stretches(), radii.part.size(), lobes), radii.part)
                 : whole_of_all(parts, radii.part, lobes);
    }
    out.away = Away(std::move(nearest), radii.whole);
    return out;
}

}  // namespace fastpgs::reach
