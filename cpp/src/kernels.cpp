#include "fastpgs/kernels.hpp"

#include <cstdlib>
#include <cstring>

#include "fastpgs/plane_kernels.hpp"
#include "fastpgs/real_kernels.hpp"
#include "fastpgs/tile_kernels.hpp"

namespace fastpgs {

namespace baseline_path {
extern const Kernels table;
extern const TileKernels tile_table;
extern const RealKernels real_table;
extern const PlaneKernels plane_table;
}  // namespace baseline_path
#ifdef FASTPGS_X86_PATHS
namespace avx2_path {
extern const Kernels table;
extern const TileKernels tile_table;
extern const RealKernels real_table;
extern const PlaneKernels plane_table;
}  // namespace avx2_path
namespace avx512_path {
extern const Kernels table;
extern const TileKernels tile_table;
extern const RealKernels real_table;
}  // namespace avx512_path
#endif

namespace {

const Kernels& choose() {
    const char* wanted = std::getenv("FASTPGS_SIMD");
    const auto allowed = [wanted](const Kernels& table) {
        return wanted == nullptr || *wanted == '\0' || std::strcmp(wanted, table.name) == 0;
    };
#ifdef FASTPGS_X86_PATHS
    __builtin_cpu_init();
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512 && allowed(avx512_path::table)) return avx512_path::table;
    if (__builtin_cpu_supports("avx2") && allowed(avx2_path::table)) return avx2_path::table;
#else
    (void)allowed;
#endif
    return baseline_path::table;
}

}  // namespace

const Kernels& kernels() {
    static const Kernels& chosen = choose();
    return chosen;
}

const TileKernels& tile_kernels() {
#ifdef FASTPGS_X86_PATHS
    if (&kernels() == &avx512_path::table) return avx512_path::tile_table;
    if (&kernels() == &avx2_path::table) return avx2_path::tile_table;
#endif
    return baseline_path::tile_table;
}

const RealKernels& real_kernels() {
#ifdef FASTPGS_X86_PATHS
    if (&kernels() == &avx512_path::table) return avx512_path::real_table;
    if (&kernels() == &avx2_path::table) return avx2_path::real_table;
#endif
    return baseline_path::real_table;
}

const PlaneKernels& plane_kernels() {
#ifdef FASTPGS_X86_PATHS
    if (&kernels() != &baseline_path::table) return avx2_path::plane_table;
#endif
    return baseline_path::plane_table;
}

}  // namespace fastpgs
