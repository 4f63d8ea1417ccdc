#include "fastpgs/interrupt.hpp"

namespace fastpgs {
namespace {

thread_local Listener* listener = nullptr;
thread_local const std::atomic<bool>* watched = nullptr;

}  // namespace

Listener::Listener(Ask ask)
    : ask_(ask), next_(std::chrono::steady_clock::now() + kPatience), outer_(listener), outer_stop_(watched) {
    if (ask_ == nullptr) return;
    listener = this;
    watched = &stop_;
}

Listener::~Listener() {
    listener = outer_;
    watched = outer_stop_;
}

void poll() {
    if (watched == nullptr) return;
    if (watched->load(std::memory_order_relaxed)) throw Interrupted();
    if (listener == nullptr) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < listener->next_) return;
    listener->next_ = now + Listener::kPatience;
    if (!listener->ask_()) return;
    listener->stop_.store(true, std::memory_order_relaxed);
    throw Interrupted();
}

bool listens() { return listener != nullptr; }

const std::atomic<bool>* stop_flag() { return watched; }

Watching::Watching(const std::atomic<bool>* flag) : outer_(watched) { watched = flag; }
Watching::~Watching() { watched = outer_; }

}  // namespace fastpgs
