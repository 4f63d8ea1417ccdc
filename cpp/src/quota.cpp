#include "fastpgs/quota.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

namespace fastpgs {
namespace {

// Version 2: "<quota or max> <period>" in one file.
double cores_of_max(const std::string& folder) {
    std::ifstream file(folder + "/cpu.max");
    std::string quota;
    double period = 0.0;
    if (!(file >> quota >> period) || quota == "max" || period <= 0.0) return 0.0;
    return std::strtod(quota.c_str(), nullptr) / period;
}

// Version 1: two files; a quota of -1 is none.
double cores_of_cfs(const std::string& folder) {
    std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
    double quota = 0.0, period = 0.0;
    if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0.0 || period <= 0.0) return 0.0;
    return quota / period;
}

bool names_cpu(const std::string& controllers) {
    std::istringstream list(controllers);
    for (std::string name; std::getline(list, name, ',');)
        if (name == "cpu") return true;
    return false;
}

}  // namespace

int cgroup_cores(const std::string& groups, const std::string& root) {
    std::ifstream file(groups);
    double least = 0.0;
    const auto take = [&least](double cores) {
        if (cores > 0.0 && (least == 0.0 || cores < least)) least = cores;
    };
    // A line is "number:controllers:/path"; version 2 names no controllers.
    for (std::string line; std::getline(file, line);) {
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const bool unified = controllers.empty();
        if (!unified && !names_cpu(controllers)) continue;
        const std::vector<std::string> mounts =
            unified ? std::vector<std::string>{root, root + "/unified"}
                    : std::vector<std::string>{root + "/cpu", root + "/" + controllers};
        // In a container the path may be the host's, and nothing is there; its own group is then the root.
        for (std::string path = line.substr(second + 1);; path.erase(path.find_last_of('/'))) {
            if (path == "/") path.clear();
            for (const std::string& mount : mounts)
                take(unified ? cores_of_max(mount + path) : cores_of_cfs(mount + path));
            if (path.find_last_of('/') == std::string::npos) break;
        }
    }
    return least > 0.0 ? std::max(1, static_cast<int>(least)) : 0;
}

}  // namespace fastpgs
