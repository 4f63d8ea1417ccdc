// The same pivots in another order, as the last assignment gets them: what they own only changes its name.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace fastpgs {

class Renaming {
  public:
    // From at most 32 pivots (k, dims) to the same ones; nothing where they are not.
    template <class T>
    static std::optional<Renaming> between(const std::vector<T>& before, const std::vector<T>& now,
                                           std::size_t dims) {
        if (before.size() != now.size()) return std::nullopt;
        const std::size_t k = now.size() / dims;
        Renaming out;
        out.to_.assign(k, k);
        for (std::size_t j = 0; j < k; ++j) {
            std::size_t i = 0;
            const T* p = now.data() + j * dims;
            while (i < k && (out.to_[i] < k || !std::equal(p, p + dims, before.data() + i * dims))) ++i;
            if (i == k) return std::nullopt;
            out.to_[i] = j;
        }
        out.bytes_.resize(std::min((k + 7) / 8, sizeof(std::uint32_t)));
        for (std::size_t i = 0; i < std::min(k, 8 * out.bytes_.size()); ++i)
            for (std::size_t bits = std::size_t{1} << i % 8; bits < 256; ++bits)
                if ((bits >> i % 8 & 1U) != 0) out.bytes_[i / 8][bits] |= 1U << out.to_[i];
        return out;
    }

    std::size_t operator()(std::size_t pivot) const { return to_[pivot]; }

    // A mask of candidates, a bit each.
    std::uint32_t mask(std::uint32_t before) const {
        std::uint32_t out = 0;
        for (std::size_t byte = 0; byte < bytes_.size(); ++byte)
            out |= bytes_[byte][before >> 8 * byte & 255U];
        return out;
    }
    // Sums (k, width) of what each owns.
    template <class T>
    void move_rows(std::vector<T>& sums, std::size_t width) const {
        const std::vector<T> before = sums;
        for (std::size_t i = 0; i < to_.size(); ++i)
            std::copy_n(before.data() + i * width, width, sums.data() + to_[i] * width);
    }

  private:
    std::vector<std::size_t> to_;
    std::vector<std::array<std::uint32_t, 256>> bytes_;  // what a byte of a mask becomes
};

// Where the same pivots (k, 3) come in another order, masks of candidates follow them, and so do the sums (k,
// 4) of what they own. False where they are other pivots.
inline bool rename_candidates(const std::vector<std::int32_t>& before, const std::vector<std::int32_t>& now,
                              std::vector<std::int64_t>& owned, std::vector<std::uint32_t>& masks) {
    if (now == before) return true;
    const std::optional<Renaming> to = Renaming::between(before, now, 3);
    if (!to) return false;
    to->move_rows(owned, 4);
    for (std::uint32_t& mask : masks) mask = to->mask(mask);
    return true;
}

}  // namespace fastpgs
