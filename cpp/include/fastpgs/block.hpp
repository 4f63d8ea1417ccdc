// Memory for large arrays.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace fastpgs {

// What a thread keeps of the blocks that it gave back, for its next ones: for a small picture, fresh pages
// cost a third of all time. It is what a megapixel of reals asks for (room for places 8 MB, tiles 4, its
// labels and those of the picture before it 8), and a little more.
constexpr std::size_t kKeptBytes = std::size_t{24} << 20;

// Bytes on pages as large as the system gives without being told (Linux: transparent huge pages). Each
// segmentation touches new pages, and small ones cost more than the arithmetic on what lies in them. `bytes`
// becomes the size of the block, by which it is to be freed, on any thread. Throws std::bad_alloc.
void* allocate_block(std::size_t& bytes);
void free_block(void* block, std::size_t bytes) noexcept;

// An array of n values that are undefined until they are written.
template <class T>
class Block {
    static_assert(std::is_trivial_v<T>);

  public:
    Block() = default;
    explicit Block(std::size_t n) {
        std::size_t bytes = n * sizeof(T);
        T* values = static_cast<T*>(allocate_block(bytes));
        values_ = std::unique_ptr<T, Free>(values, Free{bytes});
    }

    T* data() { return values_.get(); }
    const T* data() const { return values_.get(); }
    T& operator[](std::size_t i) { return values_.get()[i]; }
    const T& operator[](std::size_t i) const { return values_.get()[i]; }

  private:
    struct Free {
        std::size_t bytes = 0;
        void operator()(T* values) const noexcept { free_block(values, bytes); }
    };
    std::unique_ptr<T, Free> values_;
};

// Values one after the other, whose number shows only as they come.
template <class T>
class Pile {
  public:
    // n more, undefined until they are written.
    T* extend(std::size_t n) {
        if (size_ + n > room_) reserve(std::max(2 * room_, size_ + n));
        size_ += n;
        return values_.data() + size_ - n;
    }
    void reserve(std::size_t room) {
        Block<T> more(room);
        if (size_ > 0) std::copy_n(values_.data(), size_, more.data());
        values_ = std::move(more);
        room_ = room;
    }
    // Forgets all but the first n.
    void cut(std::size_t n) { size_ = n; }

    std::size_t size() const { return size_; }
    T* data() { return values_.data(); }
    const T* data() const { return values_.data(); }
    T operator[](std::size_t i) const { return values_[i]; }

  private:
    Block<T> values_;
    std::size_t size_ = 0, room_ = 0;
};

}  // namespace fastpgs
