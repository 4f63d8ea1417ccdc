"""What workers do. Every task may be run twice, or be cut short by the death of its worker."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from fastpgs.distributed.errors import mismatch
from fastpgs.distributed.order import Order, job_of
from fastpgs.inference import outputs
from fastpgs.inference.formats import file_stem
from fastpgs.inference.items import Item
from fastpgs.inference.job import Job, judge
from fastpgs.inference.memory import keep_freed_memory
from fastpgs.inference.parts import RunFolder, differences
from fastpgs.inference.profile import Profile
from fastpgs.inference.results import FieldResult
from fastpgs.inference.stream import Found, find, score

__all__ = [
    "DEVICE",
    "find_cells",
    "judge_block",
    "judge_found",
    "judge_tiles",
    "killed_row",
    "plan_slide",
    "try_one",
    "without_device",
]

DEVICE = ("engine", "device", "dtype")
"""What of a model follows from the machine it is on."""

TILES = 16
"""Tiles a task: seconds of work for the time it takes to open the slide."""


def judge_block(order: Order, made_with: dict[str, Any], items: list[Item], dead: Collection[int]) -> None:
    """Judge one block and save it; the inputs whose indices are in `dead` become failed rows."""
    job = _job(order, made_with)
    folder = _folder(job, made_with)
    if folder.holds(items):  # the task was run before, and its worker died before it could say so
        return
    alive = [item for item in items if item.index not in dead]
    rows = judge(alive, job.model, job.options, job.slides_in(folder), Profile())
    _save(job, folder, made_with, items, rows, dead)


def try_one(order: Order, made_with: dict[str, Any], item: Item) -> None:
    """Judge one input and forget the result: does the worker outlive it?"""
    job = _job(order, made_with)
    folder = _folder(job, made_with)
    for _ in judge([item], job.model, job.options, job.slides_in(folder), Profile()):
        pass


def find_cells(
    order: Order, made_with: dict[str, Any], items: list[Item], dead: Collection[int]
) -> list[Found]:
    """The cells of a block's pictures, for another worker to judge."""
    job = _job(order, without_device(made_with))
    alive = (item for item in items if item.index not in dead)
    return list(find(alive, job.model, job.options, Profile()))


def judge_found(
    order: Order, made_with: dict[str, Any], items: list[Item], dead: Collection[int], found: list[Found]
) -> None:
    """Judge and save a block whose cells another worker has found."""
    job = _job(order, made_with)
    folder = _folder(job, made_with)
    rows = score(found, job.model, job.options, Profile())
    _save(job, folder, made_with, items, rows, dead)


def plan_slide(order: Order, made_with: dict[str, Any], item: Item) -> list[list[Any]]:
    """Lay out a slide; returns the tiles that are not done yet, task by task.

    What is wrong with the slide is said by the block's task, which finds nothing prepared.
    """
    from fastpgs.slides.parts import SlideFolder
    from fastpgs.slides.reader import open_slide
    from fastpgs.slides.run import prepare

    job = _job(order, made_with)
    slides = job.slides_in(_folder(job, made_with))
    try:
        with open_slide(str(item.path)) as slide:
            folder = SlideFolder(slides.folder / file_stem(item.name))  # type: ignore[operator]
            plan, tissue = prepare(slide, job.model, slides, folder, Profile())
            todo = [tile for tile in plan.tiles(tissue) if not folder.holds(tile)]
    except Exception:
        return []
    return [todo[i : i + TILES] for i in range(0, len(todo), TILES)]


def judge_tiles(order: Order, made_with: dict[str, Any], item: Item, tiles: list[Any]) -> None:
    """Judge some tiles of a slide and save them; those that cannot be are left to the block's task."""
    from fastpgs.slides import run
    from fastpgs.slides.parts import SlideFolder
    from fastpgs.slides.reader import open_slide

    job = _job(order, made_with)
    slides = job.slides_in(_folder(job, made_with))
    try:
        with open_slide(str(item.path)) as slide:
            folder = SlideFolder(slides.folder / file_stem(item.name))  # type: ignore[operator]
            plan, _ = run.prepare(slide, job.model, slides, folder, Profile())
            todo = [tile for tile in tiles if not folder.holds(tile)]
            run.judge_tiles(slide, plan, todo, job.model, folder, order.workers, Profile())
    except Exception:
        return


def killed_row(item: Item) -> FieldResult:
    """The row of an input on which one worker after the other has died."""
    text = "the workers that judged it died, one after the other"
    return FieldResult(item.index, item.name).fail(text, retry=True)


def without_device(made_with: dict[str, Any]) -> dict[str, Any]:
    """What finding cells depends on."""
    model = {name: value for name, value in made_with["model"].items() if name not in DEVICE}
    return {**made_with, "model": model}


def _job(order: Order, made_with: dict[str, Any]) -> Job:
    keep_freed_memory()
    job = job_of(order)
    own = job.made_with if DEVICE[0] in made_with["model"] else without_device(job.made_with)
    changed = differences(made_with, own)
    if changed:
        raise mismatch("a worker", changed)
    return job


def _folder(job: Job, made_with: dict[str, Any]) -> RunFolder:
    """The run's folder, if this worker sees it and nobody else has taken it."""
    folder = RunFolder(job.out)
    state = folder.state()
    if state is None:
        raise ValueError(
            f"a worker does not see the run in {str(folder.path)!r}; the output folder must be on a disk that"
            " the client and all workers share under one path"
        )
    if json.dumps(state["made_with"], sort_keys=True) != json.dumps(made_with, sort_keys=True):
        raise ValueError(f"another run has begun in {folder.path.name!r}; this task writes nothing")
    return folder


def _save(
    job: Job,
    folder: RunFolder,
    made_with: dict[str, Any],
    items: list[Item],
    judged: Iterable[FieldResult],
    dead: Collection[int],
) -> None:
    rows = [killed_row(item) for item in items if item.index in dead]
    for one in judged:
        outputs.write_pictures(folder.path, one, job.formats)
        one.labels = one.nuclei = one.pixels = None
        rows.append(one)
    _folder(job, made_with)  # another run may have taken the folder since
    folder.write(items[0].block, sorted(rows, key=lambda row: row.index))
