// Small work on more than one thread: pieces of tens of microseconds within one call of a few milliseconds.
//
// parallel_for ends in a barrier, and a barrier waits for threads that the scheduler has not even begun to
// run: on a machine with other work that takes longer than the work. Here nobody waits for who has not come.
// Helpers are woken once, where a shift begins; whoever is awake takes the next piece, and the caller takes
// all of them if nobody else does. A helper that has gone without work for a while sleeps again.
//
// A call that shares its work out must give the same bits in whatever pieces: integer sums, or pieces that
// write where no other one does.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <utility>
#include <vector>

namespace fastpgs {

// While one lives, share() and beside() on its thread have helpers, where it gets any: no more than `threads`
// less the shifts that live, so that calls side by side are alone. The crew is lent to one shift at a time;
// where it is lent out, the system gives no threads or threads == 1, the shift is its thread's alone. A shift
// within another one is that one.
//
// A machine may have other work, and then a helper be away with a piece that it has taken. After a shift in
// which one of its threads had to leave its core the next ones are alone, the more of them the more often
// that happens.
class Shift {
  public:
    explicit Shift(int threads);
    ~Shift();
    Shift(const Shift&) = delete;
    Shift& operator=(const Shift&) = delete;

    static constexpr int kMost = 4;  // threads, the caller's among them; nobody has measured more than 2

  private:
    bool counted_ = false;
};

// How many threads this thread has at hand, itself among them: 1 without a shift, within a piece and where
// the shift is alone.
int hands();

namespace crew {

using Piece = void (*)(const void* body, std::size_t piece);

constexpr std::size_t kMostPieces = 4095;  // of one job; of more the thread does all itself

// Calls piece(body, 0) … piece(body, pieces - 1), each once, in order where the thread is alone. The first
// exception of a piece is rethrown here when all that were begun have ended; pieces not yet begun are then
// skipped. Within a piece poll() hears what the caller hears.
void run(std::size_t pieces, Piece piece, const void* body);

template <class Body>
void each(std::size_t pieces, const Body& body) {
    run(pieces, [](const void* own, std::size_t piece) { (*static_cast<const Body*>(own))(piece); }, &body);
}

// For who may have to wait for what another thread has taken: some moments awake, then others may have the
// core. Throws where the process has been forked since this was made, and other threads are gone.
class Patience {
  public:
    Patience();
    void wait();
    void end_wait() { looks_ = 0; }  // of one wait

  private:
    const void* crew_;
    int looks_ = 0;
};

// How many pieces to make of `items`, each of about `worth` or more.
std::ptrdiff_t pieces_of(std::ptrdiff_t items, std::ptrdiff_t worth);

// Where a piece of 0..items begins. Of eight the outermost, which are taken first, are the largest: in the
// end nobody waits long for the other one.
inline std::ptrdiff_t start_of(std::ptrdiff_t piece, std::ptrdiff_t pieces, std::ptrdiff_t items) {
    constexpr std::ptrdiff_t kStarts[] = {0, 4, 6, 7, 8, 9, 10, 12, 16};
    return pieces == 8 ? kStarts[piece] * items / 16 : piece * items / pieces;
}

}  // namespace crew

// Something that is wanted later: a helper with nothing else to do does it meanwhile, or finish() where none
// has begun; the constructor where nobody is at hand. Lives within one shift, and must not write what is
// looked at meanwhile.
class Aside {
  public:
    template <class Body>
    explicit Aside(Body body) : body_(std::move(body)) {
        begin();
    }
    ~Aside();  // takes it back, or waits for who is at it
    Aside(const Aside&) = delete;
    Aside& operator=(const Aside&) = delete;

    // Once done, whoever did it; its exception is rethrown here.
    void finish();

    static constexpr std::size_t kMost = 4;  // that wait for a helper; more are done at once

  private:
    friend class Asides;

    void begin();
    void attempt() noexcept;

    std::function<void()> body_;
    class Asides* list_ = nullptr;  // where it waits, or did
    const std::atomic<bool>* stop_ = nullptr;
    crew::Patience patience_;
    std::exception_ptr error_;
    std::atomic<bool> done_{false};
};

// How many rows of a picture are worth sharing out, where a pixel takes a nanosecond or more.
inline std::ptrdiff_t rows_worth(std::ptrdiff_t cols) { return 1 + 8192 / std::max<std::ptrdiff_t>(cols, 1); }

// Calls body(begin, end) for pieces of 0..items, each of about `worth` items or more, which should take some
// microseconds; once, for all, where nobody else is at hand. Pieces come in any order, at the same time.
template <class Body>
void share(std::ptrdiff_t items, std::ptrdiff_t worth, const Body& body) {
    const std::ptrdiff_t pieces = crew::pieces_of(items, worth);
    if (pieces <= 1) return body(std::ptrdiff_t{0}, items);
    crew::each(static_cast<std::size_t>(pieces), [&](std::size_t i) {
        const auto piece = static_cast<std::ptrdiff_t>(i);
        body(crew::start_of(piece, pieces, items), crew::start_of(piece + 1, pieces, items));
    });
}

// The same; what body returns for each piece, in order.
template <class Body>
auto collect(std::ptrdiff_t items, std::ptrdiff_t worth, const Body& body) {
    const std::ptrdiff_t pieces = std::max<std::ptrdiff_t>(crew::pieces_of(items, worth), 1);
    std::vector<decltype(body(items, items))> out(static_cast<std::size_t>(pieces));
    crew::each(out.size(), [&](std::size_t i) {
        const auto piece = static_cast<std::ptrdiff_t>(i);
        out[i] = body(crew::start_of(piece, pieces, items), crew::start_of(piece + 1, pieces, items));
    });
    return out;
}

// Calls both, at the same time where somebody else is at hand. They must not write what the other one looks
// at.
template <class First, class Second>
void beside(const First& first, const Second& second) {
    crew::each(2, [&](std::size_t i) { i == 0 ? first() : second(); });
}

}  // namespace fastpgs
