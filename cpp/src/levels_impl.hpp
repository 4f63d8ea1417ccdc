// From real values to the levels that they hold; one translation unit an instruction set includes it, as
// real_kernels_impl.hpp.
#include "fastpgs/real_kernels.hpp"

namespace fastpgs {
namespace FASTPGS_PATH {

// Conversions are left to compilers, which turn loops without a question into vectors.
template <class Value, class Level>
static bool levels_of(const Value* values, std::size_t n, double top, double tolerance, Level* levels) {
    constexpr std::size_t kRun = 128;
    const Reals whole = all(6755399441055744.0);  // 1.5 * 2^52: added and subtracted, it rounds half to even
    double held[kRun] = {};
    for (std::size_t begin = 0; begin < n; begin += kRun) {
        const std::size_t count = n - begin < kRun ? n - begin : kRun;
        for (std::size_t i = 0; i < count; ++i) held[i] = static_cast<double>(values[begin + i]);
        Reals off = all(0.0);
        for (std::size_t i = 0; i < count; i += kReals) {
            const Reals scaled = multiply(load(held + i), all(top));
            const Reals level = rounded(scaled, whole);
            off = most(off, magnitude(subtract(scaled, level)));
            store(held + i, level);
        }
        if (most_of(off) > tolerance) return false;
        for (std::size_t i = 0; i < count; ++i)
            levels[begin + i] = static_cast<Level>(static_cast<std::int32_t>(held[i]));
    }
    return true;
}

template <class Value>
static bool levels_of(const LevelsArgs& args) {
    const auto* values = static_cast<const Value*>(args.values);
    if (args.top == 255.0)
        return levels_of(values, args.n, args.top, args.tolerance, static_cast<std::uint8_t*>(args.levels));
    return levels_of(values, args.n, args.top, args.tolerance, static_cast<std::uint16_t*>(args.levels));
}

static bool levels(const LevelsArgs& args) {
    return args.wide ? levels_of<double>(args) : levels_of<float>(args);
}

}  // namespace FASTPGS_PATH
}  // namespace fastpgs
