// Work on what is still being made: one piece after the other is wanted, in order, by who works on them, and
// made by whoever is at hand.
//
// Two steps over a picture, of which the second goes through it in order and cannot be cut in pieces, thus
// take as long as half of both, and the second step finds in a cache what the first one wrote.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>

#include "fastpgs/crew.hpp"

namespace fastpgs {

// Pieces 0..n that are made once each, by who wants them or by others.
template <class Make>
class Feed {
  public:
    Feed(std::size_t pieces, const Make& make)
        : pieces_(pieces), make_(make), made_(new std::atomic<bool>[pieces]) {
        for (std::size_t i = 0; i < pieces; ++i) made_[i].store(false, std::memory_order_relaxed);
    }

    // Makes the next piece; false where all have been taken.
    bool make_next() {
        const std::size_t own = next_.fetch_add(1, std::memory_order_relaxed);
        if (own >= pieces_) return false;
        try {
            make_(own);
        } catch (...) {
            if (!failing_.exchange(true)) {
                error_ = std::current_exception();
                failed_.store(true, std::memory_order_release);
            }
            throw;
        }
        made_[own].store(true, std::memory_order_release);
        return true;
    }

    // Returns when the first `wanted` pieces have been made; one thread at a time. Whose turn it is to wait
    // makes others instead.
    void ready(std::size_t wanted) {
        while (known_ < wanted) {
            if (made_[known_].load(std::memory_order_acquire)) {
                ++known_;
                patience_.end_wait();
            } else if (failed_.load(std::memory_order_acquire)) {
                std::rethrow_exception(error_);
            } else if (!make_next()) {
                patience_.wait();
            }
        }
    }

  private:
    std::size_t pieces_;
    const Make& make_;
    crew::Patience patience_;
    std::unique_ptr<std::atomic<bool>[]> made_;
    std::size_t known_ = 0;  // pieces that whoever wants them knows to be made
    std::atomic<std::size_t> next_{0};
    std::atomic<bool> failing_{false}, failed_{false};
    std::exception_ptr error_;
};

// Calls use(ready) once and make(i) once for each of `pieces`, and ready(n), called within use, returns when
// the first n pieces have been made. Where nobody else is at hand each is made when it is wanted, and in the
// end the rest.
template <class Make, class Use>
void feed(std::size_t pieces, const Make& make, const Use& use) {
    Feed<Make> line(pieces, make);
    // Helpers take pieces from the back: the first one is for who uses what is made.
    crew::each(pieces + 1, [&](std::size_t i) {
        if (i == 0)
            use([&line](std::size_t wanted) { line.ready(wanted); });
        else
            line.make_next();
    });
}

}  // namespace fastpgs
