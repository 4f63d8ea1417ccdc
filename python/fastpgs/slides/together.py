"""Parts of a slide looked at side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["in_order"]

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(make: Callable[[Given], Made], given: Iterable[Given], workers: int) -> list[Made]:
    """What ``make`` makes of each, in the given order; ``workers`` at a time, on threads if more than one."""
    if workers <= 1:
        return [make(one) for one in given]
    with ThreadPoolExecutor(workers, thread_name_prefix="fastpgs-overview") as pool:
        return list(pool.map(make, given))
