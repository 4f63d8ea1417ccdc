// What a segmentation is asked for, and what it answers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace fastpgs {

enum class Features { lab, rgb, gray, xy, raw };
enum class Update { medoid, mean };
enum class Init { plus_plus, random, given };

// All distances are squared and in internal feature units: 8-bit levels for 8-bit images, 16-bit levels for
// 16-bit ones, 1/64 CIELAB unit for lab, 255ths for float colours, pixels for xy, the caller's for raw.
struct Params {
    int k = 3;                          // number of pivots, 1 … 255
    Features features = Features::lab;  //
    Update update = Update::medoid;     // Eq. 5, or the pseudo-code's mean
    Init init = Init::plus_plus;        //
    std::vector<std::int64_t> given;    // k raster indices, for Init::given
    int n_init = 1;                     // starts; the lowest objective is kept
    int max_iter = 100;                 // at least 1
    double tol2 = 0.0;                  // squared tolerance of Eq. 8
    std::optional<double> threshold;    // Eq. 6's T; none: no limit
    int connectivity = 0;               // 0: Eq. 6 (anywhere); 1 or 2: through 4- or 8-neighbours
    bool positions = false;             // append (row, col) to the colour features
    std::vector<double> map;            // row-major lower-triangular (F, F) map of the features, or empty
    std::vector<double> extents;        // least values of the channels, then greatest; empty: unknown
    // Least and greatest value that a channel may have, where nobody has looked yet; see Result::beyond.
    std::optional<std::array<double, 2>> bounds;
    std::uint64_t seed = 0;      //
    bool want_clusters = false;  // fill Result::clusters
    bool want_inertia = true;    // fill Result::inertia, if it costs anything
    int threads = 0;             // 0: all that are permitted
};

struct Result {
    std::vector<std::int64_t> pivots;    // k raster indices, darkest pivot first
    std::vector<double> pivot_features;  // (k, F): features of the medoids, or the means after the map
    std::vector<std::uint8_t> clusters;  // (k, H, W) masks that may overlap, if asked for
    std::vector<std::uint8_t> empty;     // k flags: no pixel is nearest to this pivot
    std::size_t dims = 0;                // F
    double inertia = 0.0;                // Eq. 3
    int n_iter = 0;
    bool converged = false;
    int distinct = -1;    // if not negative: only so many distinct features, fewer than k; no result
    bool beyond = false;  // values are not finite or not within Params::bounds; no result
};

}  // namespace fastpgs
