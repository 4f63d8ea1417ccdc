// Kernels over real points for the avx512 path; CMake gives this file its instruction set.
#define FASTPGS_PATH avx512_path
#include "doubles_avx2.hpp"
#include "real_kernels_impl.hpp"
