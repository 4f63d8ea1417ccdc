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

// The largest whole number whose root is at most `limit`, or less than it; -1 where there is none.
double square_within(double limit, bool less) {
    double square = std::floor(limit * limit) + 1.0;
    const auto within = [&](double root) { return less ? root < limit : root <= limit; };
    while (square >= 0.0 && !within(std::sqrt(square))) square -= 1.0;
    return square;
}

// The pixels whose squared distance is at most most[part] of the nearest part.
class Within {
  public:
    Within(const std::vector<double>& most, std::ptrdiff_t rows, std::ptrdiff_t cols)
        : most_(most), limits_(static_cast<std::size_t>(cols)), out_(rows, cols) {}

    // The stretches of a row, one after the other; then the row.
    void add(const Run& stretch) {
        std::fill(limits_.begin() + stretch.begin, limits_.begin() + stretch.end,
                  most_[static_cast<std::size_t>(stretch.part)]);
    }
    void look(const double* squares, std::int32_t row) {
        plane_kernels().at_most({squares, limits_.data(), limits_.size(), out_.row(row)});
    }
    const Bits& bits() const { return out_; }

  private:
    const std::vector<double>& most_;
    std::vector<double> limits_;
    Bits out_;
};

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
    std::vector<Run> above, own;  // runs of the surroundings, each of one part
    auto stretch = stretches.begin();
    for (std::ptrdiff_t r = 0; r < lobes.rows; ++r) {
        shapes::each_run(lobes, r, [&](std::ptrdiff_t begin, std::ptrdiff_t end) {
            while (stretch->row < r || stretch->end <= begin) ++stretch;
            for (auto i = stretch; i != stretches.end() && i->row == r && i->begin < end; ++i)
                own.push_back({i->row, std::max(i->begin, static_cast<std::int32_t>(begin)),
                               std::min(i->end, static_cast<std::int32_t>(end)), i->part});
        });
        std::size_t first = 0;
        for (std::size_t i = 0; i < own.size(); ++i) {
            if (i > 0 && own[i - 1].end == own[i].begin) touch(own[i - 1], own[i]);
            while (first < above.size() && above[first].end <= own[i].begin) ++first;
            for (std::size_t j = first; j < above.size() && above[j].begin < own[i].end; ++j)
                touch(above[j], own[i]);
        }
        above.swap(own);
        own.clear();
    }
    return touched;
}

// The same from the parts that reach it over at most `HOPS` contacts.
std::vector<double> whole_of_near(const std::vector<std::set<std::int32_t>>& touched,
                                  const std::vector<double>& radius) {
    std::vector<double> whole(radius.size(), 0.0);
    if (radius.size() <= 2) return radius;  // one part: it is the whole nucleus
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

Radii measure(const Bits& nuclei, const Rules& rules, double* away, Bits& halo) {
    const std::ptrdiff_t rows = nuclei.rows, cols = nuclei.cols;
    const Parts parts = shapes::components(nuclei);
    if (parts.n == 0) throw std::invalid_argument("nuclei must hold a pixel");
    Radii radii;
    for (const std::int64_t area : parts.areas())
        radii.part.push_back(std::sqrt(static_cast<double>(area) / PI));
    double* squares = away;
    const std::vector<Run> stretches = shapes::nearest_parts(nuclei, parts, squares);
    std::vector<double> lobe, skin;
    for (const double radius : radii.part) {
        lobe.push_back(square_within(LOBES * radius, false));
        skin.push_back(square_within(rules.halo * radius, true));
    }
    Within in_halo(skin, rows, cols), in_lobes(lobe, rows, cols);
    for (auto stretch = stretches.begin(); stretch != stretches.end();) {
        const std::int32_t row = stretch->row;
        for (; stretch != stretches.end() && stretch->row == row; ++stretch) {
            in_halo.add(*stretch);
            in_lobes.add(*stretch);
        }
        in_halo.look(squares + row * cols, row);
        in_lobes.look(squares + row * cols, row);
    }
    halo = in_halo.bits();
    const Bits& lobes = in_lobes.bits();
    radii.whole = rules.near ? whole_of_near(neighbours(stretches, radii.part.size(), lobes), radii.part)
                             : whole_of_all(parts, radii.part, lobes);
    for (const Run& stretch : stretches) {
        const double whole = std::max(radii.whole[static_cast<std::size_t>(stretch.part)], 1.0);
        plane_kernels().roots({away + stretch.row * cols + stretch.begin,
                               static_cast<std::size_t>(stretch.end - stretch.begin), whole});
    }
    return radii;
}

}  // namespace fastpgs::reach
