// The only place that knows of threads.
#pragma once

#include <cstddef>
#include <functional>

namespace fastpgs {

// Threads that this process may use: the affinity mask or the quota of its control groups, whichever is less,
// and at most OMP_NUM_THREADS where that is set. At least 1.
int permitted_threads();

// `requested` if positive, else permitted_threads().
int resolve_threads(int requested);

// How many of `threads` are worth waking for `items`, of which each thread should get at least `worth`. Every
// parallel region ends in a barrier, and where other processes hold the cores a barrier waits for a turn of
// the scheduler: a job of a millisecond is done sooner by one thread.
int team(std::size_t items, std::size_t worth, int threads);

// True if this build uses OpenMP.
bool has_openmp();

// Runs body(0) … body(tasks - 1), each once, on up to `threads` threads, and returns when all have ended.
// The first exception that a task throws is rethrown here; tasks not yet started are then skipped.
// In a process forked after an OpenMP region, where libgomp would wait for threads that no longer exist,
// plain threads are used; likewise where the system gives fewer threads than asked for. On a shift of as many
// threads its helpers do it (crew.hpp), who are awake and for whom nobody waits. Calls poll() between
// tasks. Not re-entrant from within a task: nest with threads = 1.
void parallel_for(std::size_t tasks, int threads, const std::function<void(std::size_t)>& body);

}  // namespace fastpgs
