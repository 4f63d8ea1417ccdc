// The convolution for the avx2 path; CMake gives this file its instruction set.
#define FASTPGS_PATH avx2_path
#define FASTPGS_PATH_NAME "avx2"
#include "conv3_impl.hpp"
