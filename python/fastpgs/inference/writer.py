"""Saving what is judged, behind the other stages' backs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from fastpgs.inference import outputs
from fastpgs.inference.items import BLOCK
from fastpgs.inference.parts import RunFolder
from fastpgs.inference.profile import Profile
from fastpgs.inference.results import FieldResult

if TYPE_CHECKING:
    from fastpgs.report.cards import Drawings

__all__ = ["Writer"]


class Writer:
    """Writes in order, in a thread of its own; what it could not write is raised by the next call."""

    def __init__(
        self, folder: RunFolder, formats: frozenset[str], profile: Profile, drawings: Drawings | None = None
    ) -> None:
        self._folder = folder
        self._drawings = drawings
        self._formats = formats
        self._profile = profile
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fastpgs-write")
        self._waiting: deque[Future[None]] = deque()
        profile.declare("write", 1)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def prepare(self, work: Callable[[], None]) -> None:
        """Do something first that what is written in the end will need."""
        self._submit(lambda _: work(), None)

    def files(self, one: FieldResult) -> None:
        """Write the pictures of one input, and let go of them."""
        if one.labels is not None or one.pixels is not None:
            self._submit(self._write_files, one)

    def save(self, rows: list[FieldResult]) -> None:
        """Write a block, which may be cut short."""
        if rows:
            self._submit(self._save, rows)

    def wait(self, most: int = 0) -> None:
        """Wait until no more than `most` orders are open."""
        while len(self._waiting) > most:
            self._waiting.popleft().result()

    def _submit(self, work: Callable[[Any], None], what: Any) -> None:
        self._waiting.append(self._pool.submit(work, what))
        self.wait(most=4)

    def _write_files(self, one: FieldResult) -> None:
        with self._profile.time("write"):
            outputs.write_pictures(self._folder.path, one, self._formats)
        one.labels = one.nuclei = one.pixels = None

    def _save(self, rows: list[FieldResult]) -> None:
        block = rows[0].index // BLOCK
        with self._profile.time("write"):
            self._folder.write(block, rows)
            if self._drawings is not None:
                self._drawings.add(self._folder, block)
