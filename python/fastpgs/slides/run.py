"""One slide on one machine, from its file to its row."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastpgs.inference.formats import file_stem
from fastpgs.inference.items import Item, file_stamp
from fastpgs.inference.options import SlideOptions, StreamOptions
from fastpgs.inference.profile import Profile
from fastpgs.inference.provenance import describe_model
from fastpgs.inference.results import FieldResult
from fastpgs.inference.stream import explain

from .parts import SlideFolder
from .plan import Plan, Tile, make_plan
from .reader import Slide, open_slide
from .scaled import ScaledSlide
from .stitch import stitch
from .tiles import TileCells, judge_tile
from .tissue import Tissue

__all__ = ["judge_slide", "judge_tiles", "prepare"]


def judge_slide(
    item: Item, model: Any, options: StreamOptions, slides: SlideOptions, profile: Profile
) -> FieldResult:
    """Judge one slide; what goes wrong becomes its row. Tiles that were saved before are kept."""
    row = FieldResult(item.index, item.name)
    try:
        path = str(item.path)
        row.size_bytes, row.mtime_ns = file_stamp(path)
        with open_slide(path) as slide, _folder(slides, item.name) as folder:
            plan, tissue = prepare(slide, model, slides, folder, profile, options.workers)
            todo = [tile for tile in plan.tiles(tissue) if not folder.holds(tile)]
            judge_tiles(slide, plan, todo, model, folder, options.workers, profile)
            with profile.time("stitch"):
                return stitch(
                    row,
                    ScaledSlide(slide, plan.factor),
                    plan,
                    tissue,
                    folder,
                    model,
                    products=slides.products,
                    stem=file_stem(item.name),
                    labels=slides.labels,
                    outlines=slides.outlines,
                    thumbnail=options.thumbnail,
                    workers=options.workers,
                )
    except Exception as error:  # one bad slide must not end a night's work
        return row.fail(explain("slide", error), retry=isinstance(error, (MemoryError, OSError)))


def prepare(
    slide: Slide,
    model: Any,
    slides: SlideOptions,
    folder: SlideFolder,
    profile: Profile,
    workers: int = 1,
) -> tuple[Plan, Tissue]:
    """The plan of a slide, as saved or made anew."""
    spec = model.config.input
    if spec.source != "cells":
        raise ValueError(f"slides need a model of cells, got one whose input is {spec.source!r}")
    described = describe_model(model)
    identity = {
        "file": list(file_stamp(slide.path)),
        "shape": list(slide.levels[0].shape),
        "tile": slides.tile,
        "pixel_size": slides.pixel_size,
        "model": [described["config_sha256"], described["weights_sha256"]],
    }
    saved = folder.begin(identity)
    if saved is not None:
        return saved
    profile.declare("plan", 1)
    with profile.time("plan"):
        plan, tissue, _ = make_plan(
            slide,
            tile=slides.tile,
            wanted_pixel_size=spec.pixel_size,
            pixel_size=slides.pixel_size,
            options=spec.cells,
            workers=workers,
        )
        folder.save_plan(identity, plan, tissue)
    return plan, tissue


def judge_tiles(
    slide: Slide,
    plan: Plan,
    tiles: list[Tile],
    model: Any,
    folder: SlideFolder,
    workers: int,
    profile: Profile,
) -> None:
    """Judge tiles, as many at a time as there are workers, and save each when it and those before it are done."""
    scaled = ScaledSlide(slide, plan.factor)
    profile.declare("tiles", workers)
    profile.declare("save", 1)

    def work(tile: Tile) -> tuple[Tile, TileCells]:
        with profile.time("tiles"):
            return tile, judge_tile(scaled, plan, tile, model)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="fastpgs-tile")
    running: deque[Future[tuple[Tile, TileCells]]] = deque()

    def save() -> None:  # here, where nobody waits for the disk but who has nothing else to do
        done = running.popleft().result()
        with profile.time("save"):
            folder.write(*done)

    try:
        for tile in tiles:
            running.append(pool.submit(work, tile))
            while len(running) > 2 * workers:
                save()
        while running:
            save()
    finally:
        # A tile that is being saved when the run is stopped is saved wholly or not at all.
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _folder(slides: SlideOptions, name: str) -> Iterator[SlideFolder]:
    if slides.folder is not None:
        yield SlideFolder(slides.folder / file_stem(name))
        return
    with tempfile.TemporaryDirectory(prefix="fastpgs-slide-") as path:
        yield SlideFolder(Path(path))
