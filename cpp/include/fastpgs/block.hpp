// Memory for large arrays.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

namespace fastpgs {

// Bytes on pages as large as the system gives without being told (Linux: transparent huge pages). Each
// segmentation touches new pages, and small ones cost more than the arithmetic on what lies in them.
// Throws std::bad_alloc.
void* allocate_block(std::size_t bytes);
void free_block(void* block) noexcept;

// An array of n values that are undefined until they are written.
template <class T>
class Block {
    static_assert(std::is_trivial_v<T>);

  public:
    Block() = default;
    explicit Block(std::size_t n) : values_(static_cast<T*>(allocate_block(n * sizeof(T)))) {}

    T* data() { return values_.get(); }
    const T* data() const { return values_.get(); }
    T& operator[](std::size_t i) { return values_.get()[i]; }
    const T& operator[](std::size_t i) const { return values_.get()[i]; }

  private:
    struct Free {
        void operator()(T* values) const noexcept { free_block(values); }
    };
    std::unique_ptr<T, Free> values_;
};

}  // namespace fastpgs
