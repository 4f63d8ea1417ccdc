// Pivot-Growing Segmentation: the whole method on one image, and on many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fastpgs/palette.hpp"
#include "fastpgs/params.hpp"
#include "fastpgs/views.hpp"

namespace fastpgs {

// Segments `image` where `mask` allows and writes labels (H * W, C-contiguous): 0 for what no pivot reached,
// 1 … k by ascending luma of the pivot. The caller has checked the arguments (fastpgs/_problem.py says how).
//
// Time is linear in pixels; memory is documented in segment.cpp. Throws std::bad_alloc. Thread-safe. Results
// do not depend on threads nor on the instruction set.
Result segment(const ImageView& image, const MaskView& mask, const Params& params, std::int32_t* labels);

// Whether that chooses pivots among the colours of such an image, if they are not too many, counts them on
// one thread, and labels them alike. Then they may have been counted ahead, into the same labels; and if they
// are not too many, they are labelled, and pixels are not: Palette::write_labels does it.
bool counts_colours(const ImageView& image, const Params& params);
Result segment(const ImageView& image, const MaskView& mask, const Params& params, std::int32_t* labels,
               Counted* counted);

struct Job {
    ImageView image;
    MaskView mask;
    std::int32_t* labels = nullptr;
};

// Segments each image on one thread, several at once.
std::vector<Result> segment_batch(const std::vector<Job>& jobs, const Params& params, int threads);

// Exact sums over the pixels that take part of an integer feature space: n, sum x (F), sum x x^T (F, F).
struct Moments {
    std::int64_t n = 0;
    std::vector<std::int64_t> sums;
    std::vector<std::int64_t> products;
};
Moments moments(const ImageView& image, const MaskView& mask, const Params& params);

}  // namespace fastpgs
