#include "fastpgs/block.hpp"

#include <cstdint>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace fastpgs {
namespace {

constexpr std::align_val_t kAlignment{64};

}  // namespace

void* allocate_block(std::size_t bytes) {
    void* block = ::operator new(bytes, kAlignment);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr std::size_t kWorth = std::size_t{1} << 21, kPage = 4096;
    if (bytes >= kWorth) {
        const auto begin = reinterpret_cast<std::uintptr_t>(block);
        const std::uintptr_t from = (begin + kPage - 1) / kPage * kPage, to = (begin + bytes) / kPage * kPage;
        // A hint: where it is refused, pages are small.
        (void)madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
    }
#endif
    return block;
}

void free_block(void* block) noexcept { ::operator delete(block, kAlignment); }

}  // namespace fastpgs
