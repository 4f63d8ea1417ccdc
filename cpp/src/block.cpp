#include "fastpgs/block.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace fastpgs {
namespace {

constexpr std::align_val_t kAlignment{64};
// ThreadSanitizer cannot see that glibc frees what a thread keeps for itself only after that thread has
// ended, on whichever thread comes next: under it nothing is kept.
#ifdef __SANITIZE_THREAD__
constexpr bool kKeep = false;
#else
constexpr bool kKeep = true;
#endif
constexpr std::size_t kPage = 4096;  // sizes are whole pages, so that pictures of about one size share blocks

// Blocks that a thread has given back, the oldest first.
class Shelf {
  public:
    Shelf() = default;
    Shelf(const Shelf&) = delete;
    Shelf& operator=(const Shelf&) = delete;
    ~Shelf() {
        closed = true;
        while (n_ > 0) drop(0);
    }

    // The smallest block that is large enough, and not far too large; null where there is none.
    void* take(std::size_t& bytes) noexcept {
        std::size_t best = n_;
        for (std::size_t i = 0; i < n_; ++i)
            if (kept_[i].bytes >= bytes && kept_[i].bytes / 4 <= bytes &&
                (best == n_ || kept_[i].bytes < kept_[best].bytes))
                best = i;
        if (best == n_) return nullptr;
        bytes = kept_[best].bytes;
        void* block = kept_[best].block;
        remove(best);
        return block;
    }

    void give(void* block, std::size_t bytes) noexcept {
        if (bytes > kKeptBytes) return ::operator delete(block, kAlignment);
        // The oldest go: pictures have another size now.
        while (n_ == kept_.size() || total_ + bytes > kKeptBytes) drop(0);
        kept_[n_++] = {block, bytes};
        total_ += bytes;
    }

    static thread_local bool closed;  // the thread ends: it keeps nothing any more

  private:
    struct Kept {
        void* block;
        std::size_t bytes;
    };

    void drop(std::size_t i) noexcept {
        ::operator delete(kept_[i].block, kAlignment);
        remove(i);
    }
    void remove(std::size_t i) noexcept {
        total_ -= kept_[i].bytes;
        std::copy(kept_.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                  kept_.begin() + static_cast<std::ptrdiff_t>(n_),
                  kept_.begin() + static_cast<std::ptrdiff_t>(i));
        --n_;
    }

    std::array<Kept, 64> kept_;
    std::size_t n_ = 0, total_ = 0;
};

thread_local bool Shelf::closed = false;
thread_local Shelf shelf;

}  // namespace

void* allocate_block(std::size_t& bytes) {
    bytes = std::max(bytes, kPage) + (kPage - 1);
    bytes -= bytes % kPage;
    if (kKeep && !Shelf::closed)
        if (void* block = shelf.take(bytes)) return block;
    void* block = ::operator new(bytes, kAlignment);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr std::size_t kWorth = std::size_t{1} << 21;
    if (bytes >= kWorth) {
        const auto begin = reinterpret_cast<std::uintptr_t>(block);
        const std::uintptr_t from = (begin + kPage - 1) / kPage * kPage, to = (begin + bytes) / kPage * kPage;
        // A hint: where it is refused, pages are small.
        (void)madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
    }
#endif
    return block;
}

void free_block(void* block, std::size_t bytes) noexcept {
    if (block == nullptr) return;
    if (!kKeep || Shelf::closed)
        ::operator delete(block, kAlignment);
    else
        shelf.give(block, bytes);
}

}  // namespace fastpgs
