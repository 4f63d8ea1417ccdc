// Kernels over planes for the baseline path, which every machine of the architecture has.
#define FASTPGS_PATH baseline_path
#include "plane_kernels_impl.hpp"
