// Tile kernels for the baseline path, which every machine of the architecture has.
#define FASTPGS_PATH baseline_path
#if defined(__x86_64__) || defined(_M_X64)
#include "lanes_sse2.hpp"
#else
#include "lanes_scalar.hpp"
#endif
#include "tile_kernels_impl.hpp"
