// Tile kernels for the avx2 path; CMake gives this file its instruction set.
#define FASTPGS_PATH avx2_path
#include "lanes_avx2.hpp"
#include "tile_kernels_impl.hpp"
