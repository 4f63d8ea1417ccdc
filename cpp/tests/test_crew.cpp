// Small work shared out within a call: every piece once, whoever comes and whoever does not.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "fastpgs/crew.hpp"
#include "fastpgs/feed.hpp"
#include "fastpgs/interrupt.hpp"

// ThreadSanitizer ends a forked process that starts a thread.
#if (defined(__unix__) || defined(__APPLE__)) && !defined(__SANITIZE_THREAD__)
#include <sys/wait.h>
#include <unistd.h>
#define FASTPGS_HAS_FORK 1
#endif

using namespace fastpgs;

namespace {

using Index = std::ptrdiff_t;

// Counts how often each of `items` is met; right after share() returns, whoever met it.
void every_item_once(Index items, Index worth) {
    std::vector<int> met(static_cast<std::size_t>(items), 0);
    share(items, worth, [&](Index begin, Index end) {
        for (; begin < end; ++begin) ++met[static_cast<std::size_t>(begin)];
    });
    for (const int own : met) CHECK(own == 1);
}

void pieces_are_done_once() {
    for (int round = 0; round < 300; ++round)
        for (const int threads : {1, 2, 3, 7}) {
            const Shift shift(threads);
            CHECK(hands() >= 1 && hands() <= std::min(threads, Shift::kMost));
            for (const Index items : {0, 1, 2, 5, 63, 1000}) every_item_once(items, 1 + round % 7);
        }
    CHECK(hands() == 1);
    every_item_once(100, 1);
}

void results_come_in_order() {
    for (int round = 0; round < 200; ++round) {
        const Shift shift(2);
        const auto lists = collect(1000, 10, [](Index begin, Index end) {
            std::vector<Index> own(static_cast<std::size_t>(end - begin));
            std::iota(own.begin(), own.end(), begin);
            return own;
        });
        Index next = 0;
        for (const auto& list : lists)
            for (const Index own : list) CHECK(own == next++);
        CHECK(next == 1000);
        int first = 0, second = 0;
        beside([&] { ++first; }, [&] { ++second; });
        CHECK(first == 1 && second == 1);
    }
}

// Pieces long enough for a helper to come, again and again until one has.
void somebody_helps() {
    const std::thread::id caller = std::this_thread::get_id();
    std::atomic<int> helped{0};
    for (int round = 0; round < 5000 && helped == 0; ++round) {
        const Shift shift(2);
        share(4, 1, [&](Index, Index) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
            if (std::this_thread::get_id() != caller) ++helped;
        });
    }
    CHECK(helped > 0);
}

void what_is_within_a_piece_is_alone() {
    const Shift shift(2);
    share(8, 1, [&](Index, Index) {
        CHECK(hands() == 1);
        every_item_once(50, 1);
        const Shift inner(2);
        every_item_once(50, 1);
    });
    {
        const Shift again(7);  // is the outer one
        every_item_once(50, 1);
    }
    every_item_once(50, 1);
}

void one_shift_at_a_time() {
    const Shift shift(2);
    std::thread([] {
        const Shift other(2);
        CHECK(hands() == 1);
        every_item_once(50, 1);
    }).join();
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i)
        callers.emplace_back([] {
            for (int round = 0; round < 200; ++round) {
                const Shift own(3);
                every_item_once(100, 3);
            }
        });
    for (auto& caller : callers) caller.join();
}

void exceptions_come_to_the_caller() {
    for (int round = 0; round < 200; ++round) {
        const Shift shift(2);
        for (const Index bad : {0, 7, 31}) {
            bool caught = false;
            try {
                share(32, 4, [&](Index begin, Index end) {
                    if (begin <= bad && bad < end) throw std::runtime_error("item " + std::to_string(bad));
                });
            } catch (const std::runtime_error& error) {
                caught = error.what() == "item " + std::to_string(bad);
            }
            CHECK(caught);
            every_item_once(100, 3);
        }
    }
}

void helpers_hear_an_interrupt() {
    for (int round = 0; round < 5; ++round) {
        const Listener listener([] { return true; });
        const Shift shift(2);
        bool ended = false;
        try {
            share(8, 1, [](Index, Index) {
                for (;;) poll();
            });
        } catch (const Interrupted&) {
            ended = true;
        }
        CHECK(ended);
    }
    poll();
}

// What one step makes, the other one finds made, in order, as soon as it asks.
void what_is_made_is_fed() {
    for (int round = 0; round < 300; ++round)
        for (const int threads : {1, 2, 4}) {
            const Shift shift(threads);
            for (const std::size_t pieces : {0, 1, 2, 7, 40}) {
                std::vector<int> made(pieces, 0);
                std::size_t used = 0;
                feed(
                    pieces, [&](std::size_t i) { made[i] += static_cast<int>(i) + 1; },
                    [&](const auto& ready) {
                        for (; used < pieces / 2; ++used) {
                            ready(used + 1);
                            for (std::size_t i = 0; i <= used; ++i) CHECK(made[i] == static_cast<int>(i) + 1);
                        }
                        ready(used);
                    });
                CHECK(used == pieces / 2);
                for (std::size_t i = 0; i < pieces; ++i) CHECK(made[i] == static_cast<int>(i) + 1);
            }
        }
}

void feeding_ends_with_an_exception() {
    for (int round = 0; round < 200; ++round) {
        const Shift shift(2);
        for (const std::size_t bad : {0, 3, 9})
            for (const bool making : {true, false}) {
                bool caught = false;
                try {
                    feed(
                        10,
                        [&](std::size_t i) {
                            if (making && i == bad) throw std::runtime_error("piece");
                        },
                        [&](const auto& ready) {
                            ready(making ? 10 : bad);
                            CHECK(!making);
                            throw std::runtime_error("piece");
                        });
                } catch (const std::runtime_error& error) {
                    caught = std::string(error.what()) == "piece";
                }
                CHECK(caught);
                every_item_once(50, 3);
            }
    }
}

void what_is_aside_is_done_once() {
    for (int round = 0; round < 500; ++round)
        for (const int threads : {1, 2, 4}) {
            const Shift shift(threads);
            std::vector<int> done(2 * Aside::kMost, 0);
            {
                std::vector<std::unique_ptr<Aside>> asides;
                for (int& own : done)
                    asides.push_back(std::make_unique<Aside>([&own] {
                        ++own;
                        every_item_once(20, 3);
                    }));
                every_item_once(round % 7 * 20, 3);
                for (std::size_t i = 0; i < asides.size(); ++i) {
                    const std::size_t own = round % 2 == 0 ? i : asides.size() - 1 - i;
                    asides[own]->finish();
                    CHECK(done[own] == 1);
                    asides[own]->finish();  // is all the same
                }
            }
            for (const int own : done) CHECK(own == 1);
            share(4, 1, [&](Index begin, Index end) {
                for (; begin < end; ++begin) {
                    int met = 0;
                    Aside aside([&] { ++met; });
                    CHECK(met == 1);  // within a piece it is done at once
                }
            });
        }
}

void what_is_aside_may_fail_or_be_dropped() {
    for (int round = 0; round < 500; ++round) {
        const Shift shift(2);
        int kept = 0;
        bool caught = false;
        try {
            Aside good([&] { ++kept; });
            Aside bad([] { throw std::runtime_error("aside"); });
            every_item_once(round % 5 * 20, 3);
            good.finish();
            bad.finish();
        } catch (const std::runtime_error& error) {
            caught = std::string(error.what()) == "aside";
        }
        CHECK(caught);
        CHECK(kept == 1);
        {
            Aside dropped([&] { ++kept; });
            every_item_once(round % 3 * 20, 3);
        }
        CHECK(kept == 1 || kept == 2);  // nobody does it any more
        const int now = kept;
        every_item_once(50, 3);
        CHECK(kept == now);
    }
}

#ifdef FASTPGS_HAS_FORK
// The helpers of the parent are none of the child's; it makes its own.
void forks_go_on() {
    for (int round = 0; round < 10; ++round) {
        {
            const Shift shift(2);
            every_item_once(100, 3);
        }
        const pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            for (int i = 0; i < 20; ++i) {
                const Shift shift(2);
                every_item_once(100, 3);
            }
            _exit(0);
        }
        int status = 1;
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(status == 0);
    }
    // From within a shift, as a signal handler might.
    const Shift shift(2);
    every_item_once(100, 3);
    const pid_t child = fork();
    if (child == 0) {
        every_item_once(100, 3);
        CHECK(hands() == 1);
        _exit(0);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    every_item_once(100, 3);
}
#endif

}  // namespace

int main() {
    pieces_are_done_once();
    results_come_in_order();
    somebody_helps();
    what_is_within_a_piece_is_alone();
    one_shift_at_a_time();
    exceptions_come_to_the_caller();
    helpers_hear_an_interrupt();
    what_is_made_is_fed();
    feeding_ends_with_an_exception();
    what_is_aside_is_done_once();
    what_is_aside_may_fail_or_be_dropped();
#ifdef FASTPGS_HAS_FORK
    forks_go_on();
#endif
    std::puts("crew: ok");
    return 0;
}
