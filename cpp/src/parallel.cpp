#include "fastpgs/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "fastpgs/crew.hpp"
#include "fastpgs/interrupt.hpp"
#include "fastpgs/quota.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define FASTPGS_HAS_FORK 1
#endif

namespace fastpgs {
namespace {

std::atomic<bool> openmp_used{false};
std::atomic<bool> openmp_lost{false};  // this process was forked from one that had used OpenMP

#ifdef FASTPGS_HAS_FORK
void after_fork_in_child() {
    if (openmp_used.load(std::memory_order_relaxed)) openmp_lost.store(true, std::memory_order_relaxed);
}

const int fork_handler = pthread_atfork(nullptr, nullptr, &after_fork_in_child);
#endif

int hardware_limit() {
    int limit = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
#ifdef __linux__
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0) limit = std::max(1, CPU_COUNT(&set));
#endif
    static const int quota = cgroup_cores();
    return quota > 0 ? std::min(limit, quota) : limit;
}

// Shared state of one parallel_for: the next task, and the first exception.
class Work {
  public:
    Work(std::size_t tasks, const std::function<void(std::size_t)>& body) : tasks_(tasks), body_(body) {}

    void run() noexcept {
        const Watching watching(stop_);
        ++entered_;
        for (std::size_t task = next_++; task < tasks_ && !failed_.load(std::memory_order_relaxed);
             task = next_++)
            attempt([this, task] {
                poll();
                body_(task);
            });
        ++left_;
        if (listens()) listen();
    }

    void rethrow() const {
        if (error_) std::rethrow_exception(error_);
    }

  private:
    template <class Step>
    void attempt(Step step) noexcept {
        try {
            step();
        } catch (...) {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!failed_.exchange(true)) error_ = std::current_exception();
        }
    }

    // The calling thread has no task left. While others work on it goes on asking whether they are to stop:
    // in the barrier it could not. Whoever enters later finds no task either.
    void listen() noexcept {
        const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
        while (left_.load() != entered_.load() && !failed_.load(std::memory_order_relaxed)) {
            attempt([] { poll(); });
            if (std::chrono::steady_clock::now() < soon)
                std::this_thread::yield();
            else
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }

    std::size_t tasks_;
    const std::function<void(std::size_t)>& body_;
    const std::atomic<bool>* stop_ = stop_flag();
    std::atomic<int> entered_{0}, left_{0};
    std::atomic<std::size_t> next_{0};
    std::atomic<bool> failed_{false};
    std::mutex mutex_;
    std::exception_ptr error_;
};

void run_on_threads(Work& work, int threads) {
    std::vector<std::thread> pool;
    pool.reserve(static_cast<std::size_t>(threads));
    try {
        for (int i = 1; i < threads; ++i) pool.emplace_back([&work] { work.run(); });
    } catch (const std::exception&) {
        // No further thread to be had: those that started, and this one, do the work.
    }
    work.run();
    for (auto& thread : pool) thread.join();
}

#ifdef _OPENMP
// Whether the system gives so many threads at once. libgomp ends the process where it does not.
bool can_start(int threads) {
    std::mutex gate;
    std::vector<std::thread> started;
    bool all = true;
    {
        const std::lock_guard<std::mutex> closed(gate);
        try {
            for (int i = 0; i < threads; ++i)
                started.emplace_back([&gate] { const std::lock_guard<std::mutex> pass(gate); });
        } catch (const std::exception&) {
            all = false;
        }
    }
    for (auto& thread : started) thread.join();
    return all;
}

// Whether OpenMP may be asked for a team of this size; asks the system only for a larger one than before,
// since the threads of a team stay with the thread that made it.
bool openmp_may(int team) {
    thread_local int largest = 1;
    if (team <= largest) return true;
    if (!can_start(team - 1)) return false;
    largest = team;
    return true;
}
#endif

}  // namespace

int permitted_threads() {
    int limit = hardware_limit();
    if (const char* text = std::getenv("OMP_NUM_THREADS")) {
        const int wanted = std::atoi(text);
        if (wanted > 0) limit = std::min(limit, wanted);
    }
    return limit;
}

int resolve_threads(int requested) { return requested > 0 ? requested : permitted_threads(); }

int team(std::size_t items, std::size_t worth, int threads) {
    const std::size_t most = std::max<std::size_t>(1, items / worth);
    return static_cast<int>(std::min<std::size_t>(most, static_cast<std::size_t>(std::max(1, threads))));
}

bool has_openmp() {
#ifdef _OPENMP
    return true;
#else
    return false;
#endif
}

void parallel_for(std::size_t tasks, int threads, const std::function<void(std::size_t)>& body) {
    const int team =
        static_cast<int>(std::min<std::size_t>(tasks, static_cast<std::size_t>(std::max(1, threads))));
    if (team <= 1) {
        for (std::size_t task = 0; task < tasks; ++task) {
            poll();
            body(task);
        }
        return;
    }
    if (team <= hands() && tasks <= crew::kMostPieces)
        return crew::each(tasks, [&body](std::size_t task) {
            poll();
            body(task);
        });
    Work work(tasks, body);
#ifdef _OPENMP
    if (!openmp_lost.load(std::memory_order_relaxed) && openmp_may(team)) {
        openmp_used.store(true, std::memory_order_relaxed);
#pragma omp parallel num_threads(team)
        work.run();
        work.rethrow();
        return;
    }
#endif
    run_on_threads(work, team);
    work.rethrow();
}

}  // namespace fastpgs
