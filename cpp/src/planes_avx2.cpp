// Kernels over planes for the avx2 path, and for avx512: rows of pictures are short. CMake gives this file
// its instruction set.
#define FASTPGS_PATH avx2_path
#include "doubles_avx2.hpp"
#include "lanes_avx2.hpp"
#include "plane_kernels_impl.hpp"
