// The convolution for processors of the avx512 path that add up products of integers; CMake gives this file
// its instruction set.
#define FASTPGS_PATH avx512vnni_path
#define FASTPGS_PATH_NAME "avx512vnni"
#include "conv3_impl.hpp"
