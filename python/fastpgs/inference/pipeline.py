"""``fastpgs.classify``: from files or arrays to judged cells and fields."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, overload

from fastpgs.inference import outputs
from fastpgs.inference.items import Inputs, names_files, number_inputs
from fastpgs.inference.job import Interrupted, Job, Progress, judge
from fastpgs.inference.options import (
    FORMATS,
    TILE,
    SlideOptions,
    StreamOptions,
    check_options,
    row_options,
    slide_options,
)
from fastpgs.inference.profile import Profile
from fastpgs.inference.provenance import describe_model, versions
from fastpgs.inference.results import FieldResult, Result, cell_table, count, image_table
from fastpgs.inference.threads import available_cpus
from fastpgs.io.decoder import start_helper
from fastpgs.io.images import DEFAULT_MAX_PIXELS

__all__ = ["FORMATS", "Interrupted", "classify"]


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
        Micrometres a pixel: of pictures, whose cells are then shown to the model at the size of its training, which
        a picture is taken to have otherwise; of slides, where their files are wrong or silent.
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
    check_options(out, lazy, formats, resume, restart, shard, batch_size, workers, max_pixels)
    slides = slide_options(tile, pixel_size)
    if names_files(inputs):
        start_helper()  # while the model is loaded and the inputs are listed
    if isinstance(model, (str, os.PathLike)):
        from fastpgs.inference.model import load_model

        model = load_model(os.fspath(model), device, engine=engine, dtype=dtype, trust=trust)
        if batch_size is not None:
            model.batch_size = batch_size
    options = StreamOptions(
        max_pixels=max_pixels,
        batch_size=batch_size or model.batch_size,
        workers=workers or available_cpus(),
        readers=_readers(available_cpus()),
        zoom=model.zoom(pixel_size),
        # Beside a GPU one thread gathers crops while the other's batch is there.
        judges=(workers or available_cpus()) if str(model.device).startswith("cpu") else 2,
    )
    if lazy:
        return judge(number_inputs(inputs), model, replace(options, labels=True), slides, Profile())
    if out is None:
        return _in_memory(inputs, model, options, slides, progress)
    job = Job(Path(out), model, options, slides, frozenset(formats), report, shard, progress)
    return job.run(list(number_inputs(inputs, exclude=out)), resume=resume, restart=restart)


def _readers(cpus: int) -> int:
    """Threads that read, with a process each that decodes: a seventh of what finding cells costs, and some waiting."""
    return 1 if cpus < 4 else max(2, cpus // 4)


def _in_memory(
    inputs: Inputs, model: Any, options: StreamOptions, slides: SlideOptions, progress: Progress | None
) -> Result:
    profile = Profile()
    fields = []
    for one in judge(number_inputs(inputs), model, options, slides, profile):
        one.pixels = None
        fields.append(one)
        if progress is not None:
            progress(len(fields), None, one)
    images, cells = image_table(fields), cell_table(fields)
    made_with = {"versions": versions(), "model": describe_model(model), "options": row_options(options)}
    record = {
        **outputs.run_record(made_with, model),
        "counts": count(images, len(cells)),
        "profile": profile.summary(),
    }
    return Result(images, cells, record)
