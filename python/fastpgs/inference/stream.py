"""The stages from files to judged fields, each busy while the others are.

    items -> read (threads) -> cells and crops (threads) -> batches by cells -> model (threads) -> judged

Everything is bounded: a stage runs ahead of the next by a few pictures, fewer where they are large, so that
memory does not grow with the number of files. Results come in the order of the inputs. What goes wrong with
one input becomes its row.

Batches hold cells of several pictures but never cross the border of a block of `BLOCK` consecutive inputs,
and they close by rules that do not depend on timing. So the numbers of a picture depend on its block alone:
a resumed or sharded run gives the same bits as a run in one go.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fastpgs.inference.items import Item, file_stamp
from fastpgs.inference.options import StreamOptions
from fastpgs.inference.outlines import trace
from fastpgs.inference.profile import Profile
from fastpgs.inference.results import CellRows, FieldResult
from fastpgs.inference.threads import available_cpus
from fastpgs.io.decoder import decode_apart
from fastpgs.io.images import ImageReadError, byte_limit, read_file

__all__ = ["MIN_SIDE", "Found", "Model", "explain", "find", "score", "stream"]

MIN_SIDE = 16
"""Pixels below which a side of a picture cannot show a cell."""

BATCH_PIXELS = 1 << 24
"""Pixels of pictures whose cells may wait for a batch to fill."""

AHEAD_PIXELS = 1 << 26
"""Pixels of pictures that the first stages may be ahead."""

QUEUED_BATCHES = 2
"""Batches that may wait for each thread of the model."""


class Scores(Protocol):
    """What a model returns of crops."""

    @property
    def p(self) -> npt.NDArray[np.float32]: ...

    @property
    def embeddings(self) -> npt.NDArray[np.float32]: ...


class Model(Protocol):
    """What the pipeline asks of a model; `fastpgs.load_model` returns one."""

    batch_size: int

    def place_cells(self, image: npt.NDArray[Any], num_threads: int | None = None) -> Any: ...

    def zoom(self, pixel_size: float | None) -> float: ...

    def look(self, image: npt.NDArray[Any]) -> Any: ...

    def crops(
        self, image: npt.NDArray[Any], cells: Any, zoom: float = 1.0, look: Any = None
    ) -> npt.NDArray[np.uint8]: ...

    def scores(
        self, crops: npt.NDArray[np.uint8], num_threads: int | None = None, *, masks: bool = True
    ) -> Scores: ...

    def call(self, p: npt.ArrayLike, *, level: str = "cell") -> npt.NDArray[np.str_]: ...

    def pool(self, p_cells: npt.ArrayLike, shift: float = 0.0) -> float: ...

    def describe(self, look: Any, areas: npt.NDArray[Any], crops: npt.NDArray[np.uint8]) -> Any: ...

    def novelty(self, described: Any, embeddings: npt.NDArray[Any]) -> float: ...

    def doubt(self, look: Any, p_blast: float, n_cells: int, novelty: float) -> str: ...


@dataclass
class Found:
    """A picture and its cells, on their way through the model.

    Once its cells are cut out the picture itself is kept only in `row`, and only if somebody wants it there.
    """

    block: int
    row: FieldResult
    image: npt.NDArray[Any] | None = None
    n_pixels: int = 0
    look: Any = None
    described: Any = None
    crops: npt.NDArray[np.uint8] | None = None
    waiting: int = 0
    scores: list[Scores] = field(default_factory=list)
    error: str | None = None


def stream(
    items: Iterable[Item], model: Model, options: StreamOptions, profile: Profile
) -> Iterator[FieldResult]:
    """Judge items lazily, in order. Closing the iterator stops the stages; it does not wait for them."""
    found = find(items, model, options, profile)
    scored = score(found, model, options, profile)
    try:
        yield from scored
    finally:
        scored.close()
        found.close()


# --- reading and cells ------------------------------------------------------------------------------------


def find(
    items: Iterable[Item], model: Model, options: StreamOptions, profile: Profile
) -> Generator[Found, None, None]:
    """Pictures with their cells and crops, in order; a bounded number of them ahead."""
    readers = _pool("read", options.readers, profile)
    workers = _pool("cells", options.workers, profile)
    ahead: deque[Future[Found]] = deque()
    most = 2 * options.workers + options.readers
    threads = options.threads or max(1, available_cpus() // options.workers)
    recent: deque[int] = deque(maxlen=8)
    try:
        for item in items:
            loaded = readers.submit(_load, item, options, profile)
            ahead.append(workers.submit(_prepare, loaded, model, options, profile, threads))
            typical = max(1, sum(recent) // max(1, len(recent)))
            while len(ahead) > max(options.workers, min(most, AHEAD_PIXELS // typical)):
                pending = ahead.popleft().result()
                recent.append(pending.n_pixels)
                yield pending
        while ahead:
            yield ahead.popleft().result()
    finally:
        for pool in (readers, workers):
            pool.shutdown(wait=False, cancel_futures=True)


def _pool(stage: str, threads: int, profile: Profile) -> ThreadPoolExecutor:
    profile.declare(stage, threads)
    return ThreadPoolExecutor(threads, thread_name_prefix=f"fastpgs-{stage}")


def _load(item: Item, options: StreamOptions, profile: Profile) -> Found:
    row = FieldResult(item.index, item.name)
    pending = Found(item.block, row)
    with profile.time("read"):
        if item.pixels is not None:
            pending.image = item.pixels
        elif item.path is None:
            row.fail(item.error or "no file")
            return pending
        else:
            try:
                _read(item.path, row, pending, options.max_pixels)
            except ImageReadError as error:
                row.fail(error.reason, status=error.status, retry=error.retry)
                return pending
            except Exception as error:  # whatever it is, it is this file's
                row.fail(explain("reading", error), retry=isinstance(error, MemoryError))
                return pending
    shape = () if pending.image is None else pending.image.shape
    if len(shape) not in (2, 3):
        row.fail(f"expected an image of shape (H, W) or (H, W, C), got {shape}")
        return pending
    row.height, row.width = shape[:2]
    if min(shape[:2]) < MIN_SIDE:
        row.fail(
            f"{shape[1]} x {shape[0]} pixels; expected at least {MIN_SIDE} x {MIN_SIDE} to show a cell",
            status="refused",
        )
    elif shape[0] * shape[1] > options.max_pixels:
        row.fail(
            f"{shape[0] * shape[1]:,} pixels, more than the limit of {options.max_pixels:,}", status="refused"
        )
    return pending


def _read(path: str, row: FieldResult, pending: Found, max_pixels: int) -> None:
    try:
        content = read_file(path, max_bytes=byte_limit(max_pixels))
    except ImageReadError:
        row.size_bytes, row.mtime_ns = file_stamp(path)
        raise
    row.size_bytes, row.mtime_ns, row.sha256 = content.size, content.mtime_ns, content.sha256()
    picture = decode_apart(content.data, path, max_pixels=max_pixels)
    pending.image, row.note = picture.pixels, picture.note


def _prepare(
    loaded: Future[Found], model: Model, options: StreamOptions, profile: Profile, threads: int
) -> Found:
    pending = loaded.result()
    row, image = pending.row, pending.image
    if row.status != "ok" or image is None:
        pending.image = None
        return pending
    with profile.time("cells"):
        try:
            cells = model.place_cells(image, threads)
            pending.look = model.look(image)
            pending.crops = model.crops(image, cells, options.zoom, pending.look)
            row.cells = CellRows.from_table(cells.table)
            # Here and not when the field is judged: that is for one thread alone.
            pending.described = model.describe(pending.look, row.cells.area * options.zoom**2, pending.crops)
            if options.outlines:
                row.cells.outline = trace(cells.labels, row.cells.cell, row.cells.bbox)
                row.cells.nucleus = trace(cells.nuclei, row.cells.cell, row.cells.bbox)
            if options.thumbnail is not None:
                row.thumbnail = options.thumbnail(image)
        except Exception as error:  # one bad picture must not end a night's work
            row.fail(explain("finding cells", error), retry=isinstance(error, MemoryError))
            pending.image = pending.crops = None
            return pending
    pending.image, pending.n_pixels = None, image.shape[0] * image.shape[1]
    pending.waiting = len(pending.crops)
    if options.pixels:
        row.pixels = image
    if options.labels:
        row.labels, row.nuclei = cells.labels, cells.nuclei
    return pending


def explain(stage: str, error: BaseException) -> str:
    """One line on what went wrong where."""
    text = " ".join(str(error).split())[:300]
    if isinstance(error, MemoryError):
        return f"{stage}: not enough memory" + (f" ({text})" if text else "")
    kind = "" if isinstance(error, ValueError) and text else f"{type(error).__name__}: "
    return f"{stage}: {kind}{text}".rstrip(": ")


# --- the model --------------------------------------------------------------------------------------------


def score(
    found: Iterable[Found], model: Model, options: StreamOptions, profile: Profile
) -> Generator[FieldResult, None, None]:
    """Judge pictures whose cells were found, in order."""
    pool = _pool("model", options.judges, profile)
    profile.declare("judge", 1)
    try:
        batcher = _Batcher(model, options, pool, profile)
        for pending in found:
            batcher.add(pending)
            for done in batcher.judged():
                yield _judge(done, model, options, profile)
        batcher.flush()
        for done in batcher.judged(everything=True):
            yield _judge(done, model, options, profile)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_Slice = tuple[Found, int, int]


class _Batcher:
    """Gathers crops to batches, has them judged one batch after the other, hands pictures out in order."""

    def __init__(
        self, model: Model, options: StreamOptions, pool: ThreadPoolExecutor, profile: Profile
    ) -> None:
        self._model = model
        self._batch_size = options.batch_size
        self._most_queued = (1 + QUEUED_BATCHES) * options.judges
        self._pool = pool
        self._profile = profile
        self._order: deque[Found] = deque()
        self._queue: deque[_Slice] = deque()
        self._queued = 0
        self._pixels = 0
        self._block = -1
        self._running: deque[tuple[list[_Slice], Future[list[Scores | str]]]] = deque()

    def add(self, pending: Found) -> None:
        if pending.block != self._block:
            self.flush()
            self._block = pending.block
        self._order.append(pending)
        self._pixels += pending.n_pixels
        if pending.crops is not None and len(pending.crops):
            self._queue.append((pending, 0, len(pending.crops)))
            self._queued += len(pending.crops)
        while self._queued >= self._batch_size:
            self._submit()
        if self._pixels >= BATCH_PIXELS:
            self.flush()

    def flush(self) -> None:
        """Close the batch that is being filled."""
        if self._queued:
            self._submit()
        self._pixels = 0

    def judged(self, everything: bool = False) -> Iterator[Found]:
        """Pictures that are done, in order; waits only where too many batches are queued."""
        while self._running and (
            everything or len(self._running) > self._most_queued or self._running[0][1].done()
        ):
            slices, future = self._running.popleft()
            for (pending, start, stop), scores in zip(slices, future.result(), strict=True):
                if isinstance(scores, str):
                    pending.error = scores
                else:
                    pending.scores.append(scores)
                pending.waiting -= stop - start
        while self._order and self._order[0].waiting == 0:
            yield self._order.popleft()

    def _submit(self) -> None:
        slices: list[_Slice] = []
        room = self._batch_size
        while self._queue and room:
            pending, start, stop = self._queue.popleft()
            cut = min(stop, start + room)
            slices.append((pending, start, cut))
            room -= cut - start
            if cut < stop:
                self._queue.appendleft((pending, cut, stop))
        self._queued -= self._batch_size - room
        self._running.append((slices, self._pool.submit(self._predict, slices)))

    def _predict(self, slices: list[_Slice]) -> list[Scores | str]:
        crops = [pending.crops[start:stop] for pending, start, stop in slices if pending.crops is not None]
        with self._profile.time("model", sum(map(len, crops))):
            try:
                scores = self._model.scores(np.concatenate(crops), 1, masks=False)
                return list(_split(scores, [len(crop) for crop in crops]))
            except Exception:  # which picture is to blame? ask one by one
                return [self._predict_one(crop) for crop in crops]

    def _predict_one(self, crops: npt.NDArray[np.uint8]) -> Scores | str:
        try:
            return next(_split(self._model.scores(crops, 1, masks=False), [len(crops)]))
        except Exception as error:
            return explain("model", error)


@dataclass(frozen=True)
class _Scores:
    p: npt.NDArray[np.float32]
    embeddings: npt.NDArray[np.float32]


def _split(scores: Scores, sizes: list[int]) -> Iterator[_Scores]:
    p, start = scores.p, 0
    if len(p) != sum(sizes):
        raise ValueError(f"expected {sum(sizes)} probabilities, got {len(p)}")
    if not (p.min(initial=0) >= 0 and p.max(initial=0) <= 1):  # nan is neither
        raise ValueError(f"expected probabilities in [0, 1], got {p.min()} to {p.max()}")
    for size in sizes:
        yield _Scores(p[start : start + size], scores.embeddings[start : start + size])
        start += size


def _joined(parts: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _judge(pending: Found, model: Model, options: StreamOptions, profile: Profile) -> FieldResult:
    row, look = pending.row, pending.look
    if row.cells is None or pending.crops is None:
        return row
    if pending.error is not None:
        return row.fail(pending.error, retry=True)
    with profile.time("judge"):
        try:
            parts = pending.scores
            p = _joined([part.p for part in parts]) if parts else np.zeros(0, np.float32)
            features = _joined([part.embeddings for part in parts]) if parts else np.zeros((0, 0))
            row.cells.p_blast = p.astype(np.float32)  # a copy: the batch it is a part of goes
            row.cells.call = model.call(p).tolist() if len(p) else []
            p_field = model.pool(p, pending.described.shift)
            novelty = model.novelty(pending.described, features)
            row.reason = model.doubt(look, p_field, len(p), novelty) or None
            row.call = "uncertain" if row.reason else str(model.call(p_field, level="field"))
            row.p_blast = float(p_field) if math.isfinite(p_field) else None
            row.novelty = float(novelty) if math.isfinite(novelty) else None
        except Exception as error:
            return row.fail(explain("judging", error))
    return row
