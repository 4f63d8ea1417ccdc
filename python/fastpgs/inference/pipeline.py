"""``fastpgs.classify``: from files or arrays to judged cells and fields."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from fastpgs.inference import outputs
from fastpgs.inference.parts import RunFolder
from fastpgs.inference.profile import Profile
from fastpgs.inference.provenance import describe_model, versions
from fastpgs.inference.results import FieldResult, Result, cell_table, count, image_table
from fastpgs.inference.stream import BLOCK, Item, SlideOptions, StreamOptions, stream
from fastpgs.inference.threads import available_cpus
from fastpgs.io.images import DEFAULT_MAX_PIXELS
from fastpgs.io.inputs import InputLister

__all__ = ["FORMATS", "Interrupted", "classify"]

FORMATS = ("csv", "labels", "overlays", "geojson", "coco")
"""What can be written beside the two parquet tables."""

TILE = 2048
"""Pixels of a side of a slide's tiles: two of them at a time fit into a gigabyte."""

SMALLEST_TILE = 256

Inputs = str | os.PathLike[str] | npt.NDArray[Any] | Iterable[Any]
Progress = Callable[[int, int | None, FieldResult | None], None]


class Interrupted(KeyboardInterrupt):
    """The run was stopped from outside; what was done is saved.

    Attributes
    ----------
    done, total : int
        Inputs judged, inputs in all.
    tables : bool
        Whether the tables of the output folder show the part that is done.
    """

    def __init__(self, done: int, total: int, tables: bool) -> None:
        super().__init__(f"stopped after {done} of {total} inputs; what is done is saved: --resume goes on")
        self.done, self.total, self.tables = done, total, tables


@overload
def classify(
    inputs: Inputs,
    model: Any = ...,
    device: str = ...,
    *,
    lazy: Literal[True],
    engine: str = ...,
    dtype: str = ...,
    trust: bool = ...,
    batch_size: int | None = ...,
    workers: int | None = ...,
    max_pixels: int = ...,
    tile: int = ...,
    pixel_size: float | None = ...,
) -> Iterator[FieldResult]: ...


@overload
def classify(
    inputs: Inputs,
    model: Any = ...,
    device: str = ...,
    *,
    out: str | os.PathLike[str] | None = ...,
    lazy: Literal[False] = ...,
    formats: Collection[str] = ...,
    report: bool = ...,
    resume: bool = ...,
    restart: bool = ...,
    shard: tuple[int, int] | None = ...,
    engine: str = ...,
    dtype: str = ...,
    trust: bool = ...,
    batch_size: int | None = ...,
    workers: int | None = ...,
    max_pixels: int = ...,
    tile: int = ...,
    pixel_size: float | None = ...,
    progress: Progress | None = ...,
) -> Result: ...


def classify(
    inputs: Inputs,
    model: Any = "unet-plr",
    device: str = "auto",
    *,
    out: str | os.PathLike[str] | None = None,
    lazy: bool = False,
    formats: Collection[str] = (),
    report: bool = True,
    resume: bool = False,
    restart: bool = False,
    shard: tuple[int, int] | None = None,
    engine: str = "auto",
    dtype: str = "auto",
    trust: bool = False,
    batch_size: int | None = None,
    workers: int | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    tile: int = TILE,
    pixel_size: float | None = None,
    progress: Progress | None = None,
) -> Result | Iterator[FieldResult]:
    """Find the white cells of smear images and judge them.

    A research tool, not a medical device. One bad input never ends the run: it becomes a row with its reason.

    Parameters
    ----------
    inputs : path-like, array, or iterable of them
        Files, folders and patterns as in `fastpgs.io.find_inputs`; images as (H, W) or (H, W, C) arrays.
    model : str, Path or BlastClassifier
        As in `fastpgs.load_model`, or a loaded model.
    device : str
        As in `fastpgs.load_model`; not used with a loaded model.
    out : path-like, optional
        Folder for ``cells.parquet``, ``images.parquet``, ``report.html`` and ``run.json``. Without it nothing
        is written.
    lazy : bool
        Yield a `FieldResult` an input, with label images, as they come, and write nothing. Inputs are
        consumed as needed.
    formats : collection of str
        Also write, from `FORMATS`: ``"csv"`` tables, ``"labels"`` (TIFF), ``"overlays"`` (PNG), ``"geojson"``
        (QuPath), ``"coco"``. Needs ``out``.
    report : bool
        Write ``report.html``.
    resume : bool
        Keep what an earlier run saved in ``out``; redo what was not saved, has changed since or failed for a
        passing reason. The result equals that of a run in one go.
    restart : bool
        Discard an unfinished run in ``out``; without it and without ``resume`` such a folder is refused.
    shard : (i, n), optional
        Judge the i-th of n parts, i from 1, into ``out/shards/i-of-n``. The shard that finishes last writes
        the tables of the whole into ``out``.
    engine, dtype, trust
        As in `fastpgs.load_model`.
    batch_size : int, optional
        Cells a batch; default: the model's.
    workers : int, optional
        Threads that find cells; default: one a processor.
    max_pixels : int
        Pictures with more pixels are refused; whole slides have no limit.
    tile : int
        Side of the tiles in which whole slides (`fastpgs.slides`) are judged, pixels. The cells do not depend on
        it, the memory does.
    pixel_size : float, optional
        Micrometres a pixel of the slides, where their files are wrong or silent.
    progress : callable, optional
        Called with (inputs done, inputs in all or None, last result or None).

    Returns
    -------
    Result, or iterator of FieldResult if ``lazy``

    Raises
    ------
    ValueError
        An option out of range, options that exclude each other, or an unusable model.
    fastpgs.inference.parts.ResumeError
        The folder holds an unfinished run, or one made with other options.
    fastpgs.io.lock.LockedError
        Another run is writing to the folder.
    Interrupted
        On Ctrl-C with ``out``, after saving. A `KeyboardInterrupt`.
    """
    _check(out, lazy, formats, resume, restart, shard, batch_size, workers, max_pixels)
    slides = _slide_options(tile, pixel_size)
    if isinstance(model, (str, os.PathLike)):
        from fastpgs.inference.model import load_model

        model = load_model(os.fspath(model), device, engine=engine, dtype=dtype, trust=trust)
        if batch_size is not None:
            model.batch_size = batch_size
    options = StreamOptions(
        max_pixels=max_pixels,
        batch_size=batch_size or model.batch_size,
        workers=workers or available_cpus(),
        readers=1 if available_cpus() < 4 else 2,
        judges=(workers or available_cpus()) if str(model.device).startswith("cpu") else 1,
    )
    if lazy:
        return judge(_items(inputs), model, replace(options, labels=True), slides, Profile())
    if out is None:
        return _in_memory(inputs, model, options, slides, progress)
    job = _Job(Path(out), model, options, slides, frozenset(formats), report, shard, progress)
    return job.run(list(_items(inputs, exclude=out)), resume=resume, restart=restart)


def _check(
    out: Any,
    lazy: bool,
    formats: Collection[str],
    resume: bool,
    restart: bool,
    shard: tuple[int, int] | None,
    batch_size: int | None,
    workers: int | None,
    max_pixels: int,
) -> None:
    unknown = sorted(set(formats) - set(FORMATS))
    if isinstance(formats, str) or unknown:
        raise ValueError(f"formats must be a collection of {', '.join(FORMATS)}, got {formats!r}")
    if out is None and (formats or resume or restart or shard):
        raise ValueError("formats, resume, restart and shard need an output folder: pass out=")
    if lazy and out is not None:
        raise ValueError("lazy=True writes nothing; leave out=None")
    if resume and restart:
        raise ValueError("resume keeps what restart discards; pass one of them")
    if shard is not None and not (len(shard) == 2 and 1 <= shard[0] <= shard[1]):
        raise ValueError(f"shard must be (i, n) with 1 <= i <= n, got {shard!r}")
    for name, value in (("batch_size", batch_size), ("workers", workers), ("max_pixels", max_pixels)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def _slide_options(tile: int, pixel_size: float | None) -> SlideOptions:
    if isinstance(tile, bool) or tile < SMALLEST_TILE:
        raise ValueError(f"tile must be at least {SMALLEST_TILE} pixels, got {tile}")
    if pixel_size is not None and not (np.isfinite(pixel_size) and pixel_size > 0):
        raise ValueError(f"pixel_size must be a finite number of micrometres > 0, got {pixel_size!r}")
    return SlideOptions(tile, pixel_size)


def judge(
    items: Iterable[Item], model: Any, options: StreamOptions, slides: SlideOptions, profile: Profile
) -> Iterator[FieldResult]:
    """Judge items lazily, in order: pictures in a stream, slides one after the other."""

    def big(item: Item) -> bool:
        if item.path is None:
            return False
        from fastpgs.slides.reader import is_slide

        return is_slide(item.path, options.max_pixels)

    for are_slides, group in groupby(items, key=big):
        if not are_slides:
            yield from stream(group, model, options, profile)
            continue
        from fastpgs.slides.run import judge_slide

        for item in group:
            yield judge_slide(item, model, options, slides, profile)


def _items(inputs: Inputs, exclude: Any = None) -> Iterator[Item]:
    """Number the inputs: names expanded, arrays as they are."""
    if isinstance(inputs, (str, os.PathLike)) or (isinstance(inputs, np.ndarray) and inputs.ndim < 4):
        inputs = [inputs]
    lister = InputLister(exclude)
    index = 0
    for given in inputs:
        if isinstance(given, (str, os.PathLike)):
            for found in lister.expand(given):
                yield Item(index, found.name, path=found.path, error=found.error)
                index += 1
        else:
            yield Item(index, f"array-{index}", pixels=np.asarray(given))
            index += 1


def _in_memory(
    inputs: Inputs, model: Any, options: StreamOptions, slides: SlideOptions, progress: Progress | None
) -> Result:
    profile = Profile()
    fields = []
    for one in judge(_items(inputs), model, options, slides, profile):
        one.pixels = None
        fields.append(one)
        if progress is not None:
            progress(len(fields), None, one)
    images, cells = image_table(fields), cell_table(fields)
    made_with = {"versions": versions(), "model": describe_model(model), "options": _options(options)}
    record = {
        **outputs.run_record(made_with, model),
        "counts": count(images, len(cells)),
        "profile": profile.summary(),
    }
    return Result(images, cells, record)


def _options(options: StreamOptions) -> dict[str, Any]:
    """The options that rows depend on."""
    return {"max_pixels": options.max_pixels, "batch_size": options.batch_size}


class _Job:
    """A run that writes to a folder."""

    def __init__(
        self,
        out: Path,
        model: Any,
        options: StreamOptions,
        slides: SlideOptions,
        formats: frozenset[str],
        report: bool,
        shard: tuple[int, int] | None,
        progress: Progress | None,
    ) -> None:
        self.out = out
        self.model = model
        self.formats = formats
        self.report = report
        self.shard = shard
        self.progress = progress
        self.profile = Profile()
        thumbnail = None
        if report:
            from fastpgs.report import overlay

            thumbnail = overlay.thumbnail
        self.options = replace(
            options,
            outlines=True,
            labels="labels" in formats,
            pixels="overlays" in formats,
            thumbnail=thumbnail,
        )
        self.made_with = {
            "versions": versions(),
            "model": describe_model(model),
            "options": {
                **_options(options),
                "report": report,
                # These need the pictures, so they cannot be added to blocks that are done.
                **{name: name in formats for name in ("labels", "overlays")},
            },
        }
        if slides.pixel_size is not None:
            self.made_with["options"]["pixel_size"] = slides.pixel_size
        self.slides = replace(
            slides, labels="labels" in formats, outlines=bool(formats & {"geojson", "coco"})
        )
        if shard is not None:
            self.made_with["options"]["shard"] = f"{shard[0]}/{shard[1]}"

    def run(self, items: list[Item], *, resume: bool, restart: bool) -> Result:
        if resume and any(item.pixels is not None for item in items):
            raise ValueError("resume needs files: arrays carry nothing to tell whether they have changed")
        path = self.out
        if self.shard is not None:
            i, n = self.shard
            path = self.out / "shards" / f"{i}-of-{n}"
            items = [item for item in items if item.block % n == i - 1]
        with RunFolder(path) as folder:
            folder.begin(self.made_with, resume=resume, restart=restart)
            try:
                result = self._fill(folder, items)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise
                raise OSError(
                    error.errno,
                    f"{os.strerror(error.errno)} while writing to {path.name!r}; what is done is saved:"
                    " make room, and --resume goes on",
                ) from error
        if self.shard is not None:
            self._merge(self.shard[1])
        return result

    def _fill(self, folder: RunFolder, items: list[Item]) -> Result:
        _, todo = self._blocks(folder, items)
        kept = len(items) - sum(map(len, todo))
        tally = _Tally(kept, len(items), self.progress)
        slides = replace(self.slides, folder=folder.parts / "slides", products=folder.path)
        results = judge(
            (item for block in todo for item in block), self.model, self.options, slides, self.profile
        )
        with _Writer(folder, self.formats, self.profile) as writer:
            rows: list[FieldResult] = []
            try:
                for block in todo:
                    rows = []
                    for _ in block:
                        one = next(results)
                        rows.append(one)
                        writer.files(one)
                        tally.add(one)
                    writer.save(rows)
                writer.wait()
            except KeyboardInterrupt:
                results.close()  # type: ignore[attr-defined]  # the processors are for saving now
                writer.save(rows)
                writer.wait()
                tables = not (folder.path / outputs.RUN).exists()
                if tables:
                    self._finish([folder], complete=False, kept=kept)
                raise Interrupted(tally.done, tally.total, tables) from None
            finally:
                results.close()  # type: ignore[attr-defined]
        result = self._finish([folder], complete=True, kept=kept)
        folder.complete(self.made_with)
        return result

    def _blocks(self, folder: RunFolder, items: list[Item]) -> tuple[list[list[Item]], list[list[Item]]]:
        """All blocks, and those that are to be done; parts beyond the last block are removed."""
        blocks = [list(group) for _, group in groupby(items, key=lambda item: item.block)]
        todo = [block for block in blocks if not folder.holds(block)]
        folder.drop_from(blocks[-1][0].block + 1 if blocks else 0)
        return blocks, todo

    def _finish(self, folders: list[RunFolder], *, complete: bool, kept: int) -> Result:
        record = {
            "complete": complete,
            "resumed_inputs": kept,
            "formats": sorted(self.formats),
            **outputs.run_record(self.made_with, self.model),
        }
        return outputs.finish(folders[0].path, folders, record, self.formats, self.report, self.profile)

    def _merge(self, n: int) -> None:
        """Join the shards in the folder above, if all of them are done."""
        wanted = _without_shard(self.made_with)
        shards = [RunFolder(self.out / "shards" / f"{i}-of-{n}") for i in range(1, n + 1)]
        with RunFolder(self.out, wait=600):
            for shard in shards:
                state = shard.state()
                if state is None or not state["complete"] or _without_shard(state["made_with"]) != wanted:
                    return
            record = {
                "complete": True,
                "shards": n,
                "formats": sorted(self.formats),
                **outputs.run_record(wanted, self.model),
            }
            outputs.finish(self.out, shards, record, self.formats, self.report, None)


def _without_shard(made_with: dict[str, Any]) -> dict[str, Any]:
    options = {name: value for name, value in made_with["options"].items() if name != "shard"}
    return {**made_with, "options": options}


@dataclass
class _Tally:
    """Counts inputs and tells the caller."""

    done: int
    total: int
    progress: Progress | None

    def __post_init__(self) -> None:
        if self.progress is not None and self.done:
            self.progress(self.done, self.total, None)

    def add(self, one: FieldResult) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total, one)


class _Writer:
    """Writes behind the other stages' backs, in order; what it could not write is raised by the next call."""

    def __init__(self, folder: RunFolder, formats: frozenset[str], profile: Profile) -> None:
        self._folder = folder
        self._formats = formats
        self._profile = profile
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fastpgs-write")
        self._waiting: deque[Future[None]] = deque()
        profile.declare("write", 1)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

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
        with self._profile.time("write"):
            self._folder.write(rows[0].index // BLOCK, rows)
