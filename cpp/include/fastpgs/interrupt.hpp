// Ending long work early, on Ctrl-C say. The core asks now and then whether it is to stop; who calls it says
// how that is found out.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>

namespace fastpgs {

// Thrown by poll(): the listener wants the work to end. Results written so far are worthless.
class Interrupted : public std::exception {
  public:
    const char* what() const noexcept override { return "interrupted"; }
};

// While one lives, poll() on its thread asks it at most once in kPatience, and poll() on the threads of a
// parallel_for that its thread started hears of the answer.
class Listener {
  public:
    using Ask = bool (*)();  // whether to stop; null: never

    explicit Listener(Ask ask);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    static constexpr std::chrono::milliseconds kPatience{50};

  private:
    friend void poll();

    Ask ask_;
    std::atomic<bool> stop_{false};
    std::chrono::steady_clock::time_point next_;
    Listener* outer_;
    const std::atomic<bool>* outer_stop_;
};

// Throws Interrupted if a listener wants it. Costs a look at the clock on the listener's thread, less on
// others and without a listener: call it every hundred microseconds or so, never a pixel.
void poll();

// The same for loops of small steps: looks only every `every` steps, a power of two.
inline void poll(std::size_t step, std::size_t every) {
    if ((step & (every - 1)) == 0) poll();
}

// Whether this thread has a listener.
bool listens();

// What threads that work for this one are to watch, and on one of them: watching it while in scope.
const std::atomic<bool>* stop_flag();

class Watching {
  public:
    explicit Watching(const std::atomic<bool>* flag);
    ~Watching();
    Watching(const Watching&) = delete;
    Watching& operator=(const Watching&) = delete;

  private:
    const std::atomic<bool>* outer_;
};

}  // namespace fastpgs
