"""Threads for the network on a CPU: one a processor, each judging crops of its own.

Crops do not depend on each other, so a thread with its own crops needs no barrier. torch's own threads meet
at one in every layer, and on a machine whose other cores look for cells each meeting waits for the scheduler.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_lock = threading.Lock()
_pools: dict[bool, ThreadPoolExecutor] = {}  # for work with torch and without


def available_cpus() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(
    work: Callable[[T], R], parts: Sequence[T], num_threads: int | None = None, *, with_torch: bool = True
) -> list[R]:
    """``[work(part) for part in parts]`` on threads in which torch has no threads of its own.

    One thread without torch is the one that asks.

    Parameters
    ----------
    work : callable
        Must be safe to call from several threads.
    parts : sequence
    num_threads : int, optional
        How many threads may work at a time; default: one a processor. Results do not depend on it.
    with_torch : bool
        Whether the work needs torch, which is imported for it then.
    """
    if not parts:
        return []
    n = min(len(parts), available_cpus() if num_threads is None else num_threads)
    if n <= 1 and not with_torch:
        return [work(part) for part in parts]
    pool = _started(with_torch)
    results: list[R | None] = [None] * len(parts)
    waiting = iter(range(len(parts)))  # next() of it is atomic

    def run() -> None:
        for i in waiting:
            results[i] = work(parts[i])

    for task in [pool.submit(run) for _ in range(n)]:
        task.result()
    return results  # type: ignore[return-value]


def _started(with_torch: bool) -> ThreadPoolExecutor:
    """The pool for such work; with torch all its threads run and are set."""
    with _lock:
        if with_torch not in _pools:
            n = available_cpus()
            _pools[with_torch] = pool = ThreadPoolExecutor(n, thread_name_prefix="fastpgs-net")
            if with_torch:
                _set_torch(pool, n)
        return _pools[with_torch]


def _set_torch(pool: ThreadPoolExecutor, n: int) -> None:
    import torch

    there = threading.Barrier(n + 1)
    before = torch.get_num_threads()

    def start() -> None:
        torch.get_num_threads()
        torch.set_num_threads(1)
        there.wait()

    for _ in range(n):
        pool.submit(start)
    there.wait()
    # The setting holds for its thread, but also for threads that are yet to come: give those theirs back.
    torch.set_num_threads(before)


def _forget() -> None:
    """Threads do not survive a fork."""
    global _lock
    _pools.clear()
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
