// The convolution for the avx512 path; CMake gives this file its instruction set.
#define FASTPGS_PATH avx512_path
#define FASTPGS_PATH_NAME "avx512"
#include "conv3_impl.hpp"
