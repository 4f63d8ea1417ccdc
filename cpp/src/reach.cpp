#include "fastpgs/reach.hpp"

#include <algorithm>
#include <cmath>

namespace fastpgs::reach {

namespace {

constexpr double PI = 3.141592653589793;
constexpr double LOBES = 1.5;    // radii of a lobe within which the next one lies
constexpr double LARGEST = 2.0;  // largest lobes' radii: many touching cells are no lobes

std::size_t z(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }

}  // namespace

Radii measure(shapes::Mask nuclei, double* distance, std::int32_t* own) {
    const std::ptrdiff_t size = nuclei.size();
    std::vector<std::int32_t> parts(z(size)), groups(z(size));
    const std::int32_t n = shapes::label(nuclei, parts.data());
    const auto area = shapes::areas(parts.data(), size, n);
    Radii radii;
    radii.part.assign(area.size(), 0.0);
    for (std::size_t i = 1; i < area.size(); ++i)
        radii.part[i] = std::sqrt(static_cast<double>(area[i]) / PI);

    shapes::Bytes mask(z(size));
    for (std::ptrdiff_t i = 0; i < size; ++i) mask[z(i)] = !nuclei.data[i];
    std::vector<std::ptrdiff_t> at(z(size));
    shapes::nearest(shapes::pack({mask.data(), nuclei.rows, nuclei.cols}), distance, at.data());
    for (std::ptrdiff_t i = 0; i < size; ++i) {
        own[i] = parts[z(at[z(i)])];
        mask[z(i)] = distance[i] <= LOBES * radii.part[static_cast<std::size_t>(own[i])];
    }
    const std::int32_t m = shapes::label({mask.data(), nuclei.rows, nuclei.cols}, groups.data());
    std::vector<std::int32_t> group(area.size(), 0);
    std::vector<std::int64_t> together(z(m) + 1, 0);
    for (std::ptrdiff_t i = 0; i < size; ++i)
        if (nuclei.data[i]) {
            group[static_cast<std::size_t>(parts[z(i)])] = groups[z(i)];
            ++together[static_cast<std::size_t>(groups[z(i)])];
        }
    std::vector<double> largest(z(m) + 1, 0.0);
    for (std::size_t i = 1; i < area.size(); ++i) {
        double& most = largest[static_cast<std::size_t>(group[i])];
        most = std::max(most, radii.part[i]);
    }
    radii.whole.assign(area.size(), 0.0);
    for (std::size_t i = 1; i < area.size(); ++i) {
        const auto g = static_cast<std::size_t>(group[i]);
        radii.whole[i] = std::min(std::sqrt(static_cast<double>(together[g]) / PI), LARGEST * largest[g]);
    }
    return radii;
}

}  // namespace fastpgs::reach
