"""Which task is handed out when, and what follows from its end."""

from __future__ import annotations

import queue
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastpgs.distributed import tasks
from fastpgs.distributed.errors import SchedulerError, gone
from fastpgs.distributed.order import Order
from fastpgs.inference.items import Item
from fastpgs.inference.job import Tally
from fastpgs.inference.parts import RunFolder

__all__ = ["Roles", "Spread"]

PATIENCE = 60.0
"""Seconds without any worker until the run is given up."""

LOOK = 2.0
"""Seconds without news until the workers are counted."""

TRIALS = 3
"""How often a block is searched for inputs that kill; a bystander of another's death may be searched, too."""


@dataclass(frozen=True)
class Roles:
    """Which workers do what, by the resources that they declare; a task takes one of its kind.

    Attributes
    ----------
    judge : str or None
        Resource of the workers that run the model; None: all of them do.
    find : str or None
        Resource of those that find cells for the others; None: cells are found where they are judged.
    """

    judge: str | None = None
    find: str | None = None

    @classmethod
    def of(cls, workers: dict[str, dict[str, Any]]) -> Roles:
        """Those of a cluster: with GPUs only they judge, and CPUs find cells for them if some say that they do."""
        declared = [worker["resources"] for worker in workers.values()]
        if not any(resources.get("GPU") for resources in declared):
            return cls()
        helpers = any(resources.get("CPU") and not resources.get("GPU") for resources in declared)
        return cls("GPU", "CPU" if helpers else None)

    def judges(self, worker: dict[str, Any]) -> bool:
        """Whether a worker runs the model."""
        return self.judge is None or bool(worker["resources"].get(self.judge))

    def works(self, worker: dict[str, Any]) -> bool:
        """Whether a worker gets any task."""
        return self.judges(worker) or (self.find is not None and bool(worker["resources"].get(self.find)))


def workers_of(client: Any) -> dict[str, dict[str, Any]]:
    """All workers of a cluster by their addresses."""
    workers: dict[str, dict[str, Any]] = client.scheduler_info(n_workers=-1)["workers"]
    return workers


@dataclass
class _Block:
    """A block of inputs on its way."""

    items: list[Item]
    slides: list[Item]
    dead: set[int] = field(default_factory=set)
    waiting: int = 0
    trials: int = 0


class Spread:
    """Hands the blocks of a run to workers; a crew of `fastpgs.inference.job.Job`.

    A slide is planned by one task and searched by many, which save its tiles; then the task of its block finds
    them done. Where a block's workers die again and again, its inputs are tried one after the other, and those
    that kill become rows that say so.

    Parameters
    ----------
    client : distributed.Client
    order : Order
    made_with : dict
        What rows are to be made with.
    roles : Roles
    """

    def __init__(self, client: Any, order: Order, made_with: dict[str, Any], roles: Roles) -> None:
        self._client, self._order, self._made_with, self._roles = client, order, made_with, roles
        self._run = uuid.uuid4().hex[:8]
        self._number = 0
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._open: dict[str, tuple[Any, Callable[[Any, bool], None]]] = {}
        self._suspects: deque[tuple[_Block, Item]] = deque()
        self._trying = False

    def __call__(self, folder: RunFolder, todo: list[list[Item]], tally: Tally) -> None:
        self._folder, self._tally = folder, tally
        blocks = deque(todo)
        try:
            while blocks or self._open:
                while blocks and len(self._open) < self._most_open():
                    self._begin(blocks.popleft())
                self._settle(self._next())
        finally:
            if self._open and self._client.status == "running":
                self._client.cancel([future for future, _ in self._open.values()], force=True)

    def _most_open(self) -> float:
        """Found cells must not pile up before the GPUs; everything else may wait at the scheduler."""
        if self._roles.find is None:
            return float("inf")
        return 4 * max(1, len(self._client.ncores()))

    def _begin(self, items: list[Item]) -> None:
        from fastpgs.slides.reader import is_slide

        most = self._order.max_pixels
        slides = [item for item in items if item.path is not None and is_slide(item.path, most)]
        block = _Block(items, slides)
        for slide in slides:
            self._prepare(block, slide, tasks.plan_slide)
        if not slides:
            self._judge(block)

    def _prepare(self, block: _Block, item: Item, work: Callable[..., Any], *arguments: Any) -> None:
        """A task that must end before the block's own."""
        block.waiting += 1

        def ended(future: Any, killed: bool) -> None:
            block.waiting -= 1
            if killed:
                block.dead.add(item.index)
            elif work is tasks.plan_slide:
                for tiles in future.result():
                    self._prepare(block, item, tasks.judge_tiles, tiles)
            if not block.waiting:
                self._judge(block)

        self._submit(ended, self._roles.judge, work, item, *arguments)

    def _try_next(self) -> None:
        """Try the next suspect; one at a time, since who waits behind a killer is suspected with it."""
        if self._trying or not self._suspects:
            return
        block, item = self._suspects.popleft()
        self._trying = True

        def ended(future: Any, killed: bool) -> None:
            self._trying = False
            block.waiting -= 1
            if killed:
                block.dead.add(item.index)
            if not block.waiting:
                self._judge(block)
            self._try_next()

        self._submit(ended, self._roles.judge, tasks.try_one, item)

    def _judge(self, block: _Block) -> None:
        def ended(future: Any, killed: bool) -> None:
            if killed and block.trials < TRIALS:
                block.trials += 1
                alive = [item for item in block.items if item.index not in block.dead]
                block.waiting = len(alive)
                self._suspects.extend((block, item) for item in alive)
                self._try_next()
                return
            if killed:
                number = block.items[0].block
                self._folder.write(number, [tasks.killed_row(item) for item in block.items])
            self._tally.add_block(len(block.items))

        rest = (block.items, frozenset(block.dead))
        if self._roles.find is None or block.slides:
            self._submit(ended, self._roles.judge, tasks.judge_block, *rest)
            return
        found = self._client.submit(
            tasks.find_cells,
            self._order,
            self._made_with,
            *rest,
            key=self._key(tasks.find_cells),
            pure=False,
            resources={self._roles.find: 1},
        )
        self._submit(ended, self._roles.judge, tasks.judge_found, *rest, found)

    def _submit(
        self, ended: Callable[[Any, bool], None], role: str | None, work: Callable[..., Any], *arguments: Any
    ) -> None:
        future = self._client.submit(
            work,
            self._order,
            self._made_with,
            *arguments,
            key=self._key(work),
            pure=False,
            resources=None if role is None else {role: 1},
        )
        self._open[future.key] = future, ended
        future.add_done_callback(self._ended.put)

    def _key(self, work: Callable[..., Any]) -> str:
        self._number += 1
        return f"fastpgs_{work.__name__}-{self._run}-{self._number:07d}"

    def _next(self) -> Any:
        """The next task that has ended; waits as long as there are workers for it."""
        lonely: float | None = None
        while True:
            try:
                return self._ended.get(timeout=LOOK)
            except queue.Empty:
                workers = workers_of(self._client)
            missing = Roles.of(workers) != self._roles if self._roles.judge else not workers
            if not missing:
                lonely = None
            elif lonely is None:
                lonely = time.monotonic()
            elif time.monotonic() - lonely > PATIENCE:
                kind = f" with the resource {self._roles.judge}" if self._roles.judge and workers else ""
                raise SchedulerError(
                    f"the Dask scheduler has had no workers{kind} for {PATIENCE:.0f} s; what is done is saved:"
                    " start workers again, and --resume goes on"
                )

    def _settle(self, future: Any) -> None:
        from distributed import KilledWorker

        if future.status in ("cancelled", "lost"):
            raise gone("its connection was lost")
        _, ended = self._open.pop(future.key)
        error = future.exception() if future.status == "error" else None
        killed = isinstance(error, KilledWorker)
        if error is not None and not killed:
            raise error
        ended(future, killed)
        future.release()
