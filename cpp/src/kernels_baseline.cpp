// Kernels for the baseline path; CMake gives this file its instruction set.
#define FASTPGS_PATH baseline_path
#define FASTPGS_PATH_NAME "baseline"
#include "kernels_impl.hpp"
