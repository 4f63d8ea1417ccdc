// The share of the processors that control groups leave to this process.
#pragma once

#include <string>

namespace fastpgs {

// Whole cores that the control groups of this process allow, at least 1, or 0 where none sets a limit. Of
// both versions, and of all groups above: the least counts. `groups` lists the groups of the process as the
// kernel does, `root` is where they are mounted.
int cgroup_cores(const std::string& groups = "/proc/self/cgroup", const std::string& root = "/sys/fs/cgroup");

}  // namespace fastpgs
