#include "fastpgs/crew.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "fastpgs/interrupt.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define FASTPGS_HAS_FORK 1
#endif
#ifdef __linux__
#include <sys/resource.h>
#endif
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace fastpgs {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr microseconds kPatience{1000};    // a helper without work for so long goes to sleep
constexpr int kLooks = 200;                // some 50 microseconds
constexpr std::uint32_t kMostAlone = 255;  // shifts, before a helper is tried again
constexpr int kPieces = 4;                 // a thread: who comes late or is slow takes fewer

void breathe() {
#if defined(__SSE2__)
    for (int i = 0; i < 16; ++i) _mm_pause();
#else
    std::this_thread::yield();
#endif
}

// How often this thread has had to leave its core to another one, where that is known.
long interruptions() {
#ifdef __linux__
    rusage used{};
    if (getrusage(RUSAGE_THREAD, &used) == 0) return used.ru_nivcsw;
#endif
    return 0;
}

// Which pieces of a job have been taken, in one word: the job's number, how many pieces it has, how many the
// caller has taken from the front and helpers from the back, so that each mostly finds in its cache what it
// wrote there before. What else is known of a job is written before its word and stays until all its pieces
// have been taken: whoever takes one has read it as it was meant.
struct Ticket {
    std::uint64_t word;

    static constexpr std::uint64_t kMask = crew::kMostPieces;
    static constexpr int kBits = 12;
    std::uint64_t front() const { return word & kMask; }
    std::uint64_t back() const { return word >> kBits & kMask; }
    std::uint64_t pieces() const { return word >> 2 * kBits & kMask; }
    bool all_taken() const { return front() + back() >= pieces(); }
    Ticket of_next_job(std::size_t pieces) const {
        return {((word >> 3 * kBits) + 1) << 3 * kBits | static_cast<std::uint64_t>(pieces) << 2 * kBits};
    }
    std::uint64_t piece(bool helps) const { return helps ? pieces() - 1 - back() : front(); }
    Ticket taken(bool helps) const { return {word + (helps ? std::uint64_t{1} << kBits : 1)}; }
};

}  // namespace

// What waits for a helper. Whoever takes something out of its slot does it, and nobody else looks at it
// again.
class Asides {
  public:
    // False where there is no room.
    bool put(Aside* own) {
        for (auto& slot : slots_) {
            if (slot.load(std::memory_order_relaxed) != nullptr) continue;
            slot.store(own, std::memory_order_release);
            return true;
        }
        return false;
    }

    // Whether it was still there.
    bool take_back(Aside* own) {
        for (auto& slot : slots_) {
            Aside* there = own;
            if (slot.compare_exchange_strong(there, nullptr, std::memory_order_acq_rel)) return true;
        }
        return false;
    }

    // For a helper: does one of them; false where there is none.
    bool do_one() {
        for (auto& slot : slots_) {
            if (slot.load(std::memory_order_relaxed) == nullptr) continue;
            Aside* const own = slot.exchange(nullptr, std::memory_order_acq_rel);
            if (own == nullptr) continue;
            own->attempt();
            return true;
        }
        return false;
    }

  private:
    std::array<std::atomic<Aside*>, Aside::kMost> slots_{};
};

namespace {

class Crew;

std::atomic<Crew*> crew_of_process{nullptr};
std::atomic<int> shifts{0};            // that live
thread_local bool on_shift = false;    // this thread is in one,
thread_local Crew* at_hand = nullptr;  // has helpers, and works on no piece itself

// While this thread works on a piece.
class Alone {
  public:
    Alone() : crew_(at_hand) { at_hand = nullptr; }
    ~Alone() { at_hand = crew_ == crew_of_process.load(std::memory_order_relaxed) ? crew_ : nullptr; }
    Alone(const Alone&) = delete;
    Alone& operator=(const Alone&) = delete;

  private:
    Crew* crew_;
};

// Helpers that wait for work, lent to one shift at a time. Never destroyed: its threads sleep when the
// process ends.
class Crew {
  public:
    // Whether a shift of so many threads gets the crew, with at least one helper.
    bool lend(int threads) {
        const int helpers = std::min(threads - shifts.load(std::memory_order_relaxed), Shift::kMost - 1);
        if (helpers <= 0 || lent_.exchange(true, std::memory_order_acquire)) return false;
        if (alone_ > 0) --alone_;
        if (alone_ > 0 || !hire(helpers)) {
            lent_.store(false, std::memory_order_release);
            return false;
        }
        threads_ = threads;
        hands_ = std::min(helpers, hired_) + 1;
        interruptions_ = interruptions();
        open_.store(hands_ - 1, std::memory_order_relaxed);
        wake();
        return true;
    }

    void take_back() {
        open_.store(0, std::memory_order_relaxed);
        const bool late = late_.exchange(false, std::memory_order_relaxed);
        if (late || interruptions() != interruptions_)  // once is an accident
            alone_ = distrust_ = std::min(2 * distrust_ + 1, kMostAlone);
        else
            distrust_ /= 2;
        lent_.store(false, std::memory_order_release);
    }

    // Threads at work for the shift; fewer where others have begun since.
    int hands() const {
        return std::max(1, std::min(hands_, threads_ + 1 - shifts.load(std::memory_order_relaxed)));
    }

    void run(std::size_t pieces, crew::Piece piece, const void* body) {
        crew::Patience patience;
        body_.store(body, std::memory_order_relaxed);
        piece_.store(piece, std::memory_order_relaxed);
        stop_.store(stop_flag(), std::memory_order_relaxed);
        done_.store(0, std::memory_order_relaxed);
        const Ticket before{ticket_.load(std::memory_order_relaxed)};
        ticket_.store(before.of_next_job(pieces).word, std::memory_order_release);
        if (asleep_.load(std::memory_order_relaxed) > 0) wake();
        while (take_piece(false)) continue;
        // Until helpers have done what they had taken.
        while (done_.load(std::memory_order_acquire) != pieces) patience.wait();
        if (failed_.load(std::memory_order_relaxed)) rethrow();
    }

    // Where a helper finds what is done aside; null where all have been given something already.
    Asides* put(Aside* own) {
        if (hands() == 1 || !asides_.put(own)) return nullptr;
        if (asleep_.load(std::memory_order_relaxed) > 0) wake();
        return &asides_;
    }

  private:
    // As many helpers as are to be had; false where there is none.
    bool hire(int helpers) {
        try {
            for (; hired_ < helpers; ++hired_) std::thread([this, own = hired_] { serve(own); }).detach();
        } catch (const std::exception&) {
            // No further thread is to be had.
        }
        return hired_ > 0;
    }

    void wake() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            ++calls_;
        }
        called_.notify_all();
    }

    // A helper's life.
    void serve(int own) {
        std::uint64_t heard = 0;
        for (;;) {
            {
                std::unique_lock<std::mutex> lock(mutex_);
                asleep_.fetch_add(1, std::memory_order_relaxed);
                called_.wait(lock, [&] { return calls_ != heard; });
                asleep_.fetch_sub(1, std::memory_order_relaxed);
                heard = calls_;
            }
            if (own < open_.load(std::memory_order_relaxed)) watch(own);
        }
    }

    // Takes pieces as they come, until none has come for a while or the shift has ended.
    void watch(int own) {
        const long before = interruptions();
        auto last = Clock::now();
        while (own < open_.load(std::memory_order_relaxed)) {
            if (take_piece(true) || asides_.do_one()) {
                last = Clock::now();
                continue;
            }
            breathe();
            if (Clock::now() - last > kPatience) break;
        }
        if (interruptions() != before) late_.store(true, std::memory_order_relaxed);
    }

    bool take_piece(bool helps) {
        Ticket ticket{ticket_.load(std::memory_order_acquire)};
        const void* body = nullptr;
        crew::Piece piece = nullptr;
        const std::atomic<bool>* stop = nullptr;
        do {
            if (ticket.all_taken()) return false;
            body = body_.load(std::memory_order_relaxed);
            piece = piece_.load(std::memory_order_relaxed);
            stop = stop_.load(std::memory_order_relaxed);
        } while (!ticket_.compare_exchange_weak(ticket.word, ticket.taken(helps).word,
                                                std::memory_order_acq_rel, std::memory_order_acquire));
        if (!failed_.load(std::memory_order_relaxed)) attempt(piece, body, ticket.piece(helps), stop);
        done_.fetch_add(1, std::memory_order_release);
        return true;
    }

    void attempt(crew::Piece piece, const void* body, std::size_t i, const std::atomic<bool>* stop) noexcept {
        const Alone alone;
        const Watching watching(stop);
        try {
            piece(body, i);
        } catch (...) {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!failed_.exchange(true)) error_ = std::current_exception();
        }
    }

    void rethrow() {
        std::exception_ptr error;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            error.swap(error_);
        }
        failed_.store(false, std::memory_order_relaxed);
        std::rethrow_exception(error);
    }

    std::atomic<bool> lent_{false};
    // Of who has the crew.
    int hired_ = 0, hands_ = 1, threads_ = 1;
    std::uint32_t alone_ = 0, distrust_ = 0;
    long interruptions_ = 0;

    std::atomic<std::uint64_t> ticket_{0};
    std::atomic<const void*> body_{nullptr};
    std::atomic<crew::Piece> piece_{nullptr};
    std::atomic<const std::atomic<bool>*> stop_{nullptr};
    std::atomic<bool> failed_{false}, late_{false};
    alignas(64) std::atomic<std::size_t> done_{0};
    alignas(64) Asides asides_;
    alignas(64) std::atomic<int> open_{0}, asleep_{0};  // helpers that are to watch; that sleep
    std::mutex mutex_;
    std::condition_variable called_;
    std::uint64_t calls_ = 0;
    std::exception_ptr error_;
};

Crew& this_crew() {
    Crew* own = crew_of_process.load(std::memory_order_acquire);
    if (own == nullptr) {
        Crew* const made = new Crew;
        if (crew_of_process.compare_exchange_strong(own, made, std::memory_order_acq_rel)) return *made;
        delete made;
    }
    return *own;
}

#ifdef FASTPGS_HAS_FORK
// A forked process has none of the helpers, and of the threads in a shift at most the one that forked.
void after_fork_in_child() {
    crew_of_process.store(nullptr, std::memory_order_relaxed);
    shifts.store(on_shift ? 1 : 0, std::memory_order_relaxed);
    at_hand = nullptr;
}

const int fork_handler = pthread_atfork(nullptr, nullptr, &after_fork_in_child);
#endif

}  // namespace

Shift::Shift(int threads) {
    if (on_shift) return;
    on_shift = counted_ = true;
    shifts.fetch_add(1, std::memory_order_relaxed);
    if (threads <= 1) return;
    Crew& crew = this_crew();
    if (crew.lend(threads)) at_hand = &crew;
}

Shift::~Shift() {
    if (!counted_) return;
    if (at_hand != nullptr) at_hand->take_back();
    at_hand = nullptr;
    on_shift = false;
    shifts.fetch_sub(1, std::memory_order_relaxed);
}

int hands() { return at_hand == nullptr ? 1 : at_hand->hands(); }

void Aside::begin() {
    stop_ = stop_flag();
    if (at_hand != nullptr) list_ = at_hand->put(this);
    if (list_ == nullptr) body_();
}

void Aside::attempt() noexcept {
    const Watching watching(stop_);
    try {
        body_();
    } catch (...) {
        error_ = std::current_exception();
    }
    done_.store(true, std::memory_order_release);
}

void Aside::finish() {
    if (list_ == nullptr) return;
    if (std::exchange(list_, nullptr)->take_back(this)) return body_();
    while (!done_.load(std::memory_order_acquire)) patience_.wait();
    if (error_) std::rethrow_exception(error_);
}

Aside::~Aside() {
    if (list_ == nullptr || list_->take_back(this)) return;
    try {
        while (!done_.load(std::memory_order_acquire)) patience_.wait();
    } catch (const std::exception&) {
        // Who was at it is gone.
    }
}

namespace crew {

Patience::Patience() : crew_(crew_of_process.load(std::memory_order_relaxed)) {}

void Patience::wait() {
    if (crew_of_process.load(std::memory_order_relaxed) != crew_)
        throw std::runtime_error("forked within a call, whose other threads are gone");
    breathe();
    if (++looks_ > kLooks) std::this_thread::yield();  // the helper may want this core
}

std::ptrdiff_t pieces_of(std::ptrdiff_t items, std::ptrdiff_t worth) {
    const int own = hands();
    return own == 1 ? 1 : std::min<std::ptrdiff_t>(items / worth, own * kPieces);
}

void run(std::size_t pieces, Piece piece, const void* body) {
    if (hands() > 1 && pieces > 1 && pieces <= kMostPieces) return at_hand->run(pieces, piece, body);
    for (std::size_t i = 0; i < pieces; ++i) piece(body, i);
}

}  // namespace crew

}  // namespace fastpgs
