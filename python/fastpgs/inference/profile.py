"""Where the time of a run goes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from fastpgs.inference.threads import available_cpus

__all__ = ["Profile"]


@dataclass
class _Stage:
    threads: int
    seconds: float = 0.0
    items: int = 0


class _Clock:
    """Runs while the block under it does; as a generator it would take three times as long."""

    __slots__ = ("_items", "_profile", "_stage", "_start")

    def __init__(self, profile: Profile, stage: str, items: int) -> None:
        self._profile, self._stage, self._items = profile, stage, items

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *exception: object) -> None:
        self._profile.add(self._stage, time.perf_counter() - self._start, self._items)


@dataclass
class Profile:
    """Busy seconds of each stage of a pipeline; safe to use from many threads."""

    stages: dict[str, _Stage] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    cpu_before: float = field(default_factory=time.process_time)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def declare(self, stage: str, threads: int) -> None:
        """Name a stage and the number of threads that work on it."""
        self.stages.setdefault(stage, _Stage(threads))

    def time(self, stage: str, items: int = 1) -> _Clock:
        """A context whose wall time counts as busy time of a stage."""
        return _Clock(self, stage, items)

    def add(self, stage: str, seconds: float, items: int) -> None:
        """Count busy time of a stage."""
        with self._lock:
            entry = self.stages.setdefault(stage, _Stage(1))
            entry.seconds += seconds
            entry.items += items

    @property
    def wall(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    def summary(self) -> dict[str, Any]:
        """Plain types: wall seconds, the CPU time of this process, the processors it may use, and of each stage its
        items, busy seconds, threads and utilisation."""
        wall = self.wall
        return {
            "wall_s": round(wall, 3),
            "cpu_s": round(time.process_time() - self.cpu_before, 3),
            "processors": available_cpus(),
            "stages": {
                name: {
                    "items": stage.items,
                    "busy_s": round(stage.seconds, 3),
                    "threads": stage.threads,
                    "utilisation": round(stage.seconds / (wall * stage.threads), 3) if wall > 0 else 0.0,
                }
                for name, stage in self.stages.items()
            },
        }
