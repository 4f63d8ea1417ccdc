// Whether an image's values are what they are promised to be.
#pragma once

#include <exception>

#include "fastpgs/params.hpp"
#include "fastpgs/views.hpp"

namespace fastpgs {

// Thrown by what finds values that are not finite, or not within the bounds that the parameters set.
struct Beyond : std::exception {
    const char* what() const noexcept override { return "values are not finite, or beyond their bounds"; }
};

// Looks at the whole image, where there are bounds. Whoever reads it all anyway looks on the way.
void check_bounds(const ImageView& image, const Params& params);

}  // namespace fastpgs
