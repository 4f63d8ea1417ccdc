// Tile kernels for the avx512 path; CMake gives this file its instruction set. A tile is 16 pixels, too few
// for 512 bits to pay: lanes stay at 256 and gain registers.
#define FASTPGS_PATH avx512_path
#include "lanes_avx2.hpp"
#include "tile_kernels_impl.hpp"
