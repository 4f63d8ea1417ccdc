// Kernels over planes for the baseline path, which every machine of the architecture has.
#define FASTPGS_PATH baseline_path
#if defined(__x86_64__) || defined(_M_X64)
#include "doubles_sse2.hpp"
#include "lanes_sse2.hpp"
#else
#include "doubles_scalar.hpp"
#include "lanes_scalar.hpp"
#endif
#include "plane_kernels_impl.hpp"
