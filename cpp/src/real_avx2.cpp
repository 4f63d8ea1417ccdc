// Kernels over real points for the avx2 path; CMake gives this file its instruction set.
#define FASTPGS_PATH avx2_path
#include "doubles_avx2.hpp"
#include "real_kernels_impl.hpp"
