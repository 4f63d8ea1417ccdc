"""From files to tables: `fastpgs classify` beside its stages alone, and its memory.

    python bench_pipeline.py FOLDER [--images 300] [--rounds 3] [--model unet-plr] [--device auto] [--side 96]

Goal: at least 85 % of the slowest stage alone, memory flat in the number of files. A stage alone has the whole
machine: the same work, as many threads as there are processors, nothing else to do. The pipeline does all stages,
and outlines, thumbnails, tables and the report besides. Where stages share the processors, none can have them all:
even a pipeline that did nothing but its stages would reach only the slowest one's share of their CPU time, which is
printed as the bound. Whether the pipeline is as fast as its slowest part lets it be, the second ratio tells: that to
the slowest stage alone on as many processors as it has within a pipeline that does nothing but its stages and never
idles, which is its share of their CPU time. On those it takes its CPU time divided by them, which comes to the CPU time
of all stages divided by all processors. Two more figures tell what is lost: the stages' share of the pipeline's CPU
time, helper process included, and how much of the processors it keeps busy; the second ratio is their product. All take
turns; the least of the rounds counts. `--side` has the network look at the same part of the picture with more pixels,
as one trained on larger crops would: the more of the work is the network's, the closer a pipeline may come to it.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fastpgs.cli._console import print_profile
from fastpgs.inference.classifier import BlastClassifier
from fastpgs.inference.memory import keep_freed_memory
from fastpgs.inference.model import load_model
from fastpgs.inference.pipeline import classify
from fastpgs.inference.threads import available_cpus
from fastpgs.io import read_image
from fastpgs.io.decoder import close_helpers
from fastpgs.io.inputs import find_inputs


class Seconds(NamedTuple):
    """Wall time, and the time of all processors, which depends less on who else is busy."""

    wall: float
    cpu: float


T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[Seconds, T]:
    """What something costs, processes that it started and that have ended included, and what it returns."""
    start, before = time.perf_counter(), cpu_seconds()
    result = work()
    wall = time.perf_counter() - start
    close_helpers()  # the system tells the time of a process when it has ended
    return Seconds(wall, cpu_seconds() - before), result


def cpu_seconds() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def on_all(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """The results, on as many threads as there are processors."""
    with ThreadPoolExecutor(available_cpus()) as pool:
        return list(pool.map(work, items))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def look_closer(model: BlastClassifier, side: int) -> None:
    """Have crops show the same part of the picture with `side`² pixels: the network has more or fewer of them."""
    given = model.config.input
    seen = replace(given, size=side, scale=given.scale * side / given.size)
    model.config = replace(model.config, input=seen)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="unet-plr")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--side", type=int, help="of crops, instead of the model's own")
    given = parser.parse_args()

    keep_freed_memory()  # as the command line does
    found = [one.path for one in find_inputs([given.folder]) if one.path is not None]
    paths = found[:: max(1, len(found) // given.images)][: given.images]
    model = load_model(given.model, given.device)
    if given.side:
        look_closer(model, given.side)
    cpus = available_cpus()
    print(f"{model!r}, {cpus} processors, {len(paths)} images, least of {given.rounds} rounds\n")
    model.judge(read_image(paths[0]))

    least: dict[str, Seconds] = {}

    def best(name: str, work: Callable[[], T]) -> T:
        spent, result = timed(work)
        known = least.get(name, spent)
        least[name] = Seconds(min(known.wall, spent.wall), min(known.cpu, spent.cpu))
        return result

    for turn in range(given.rounds):
        with tempfile.TemporaryDirectory() as out:
            part = best("a quarter", lambda out=out: classify(paths[: len(paths) // 4], model, out=out))
        quarter = peak_mb()
        with tempfile.TemporaryDirectory() as out:
            result = best("pipeline", lambda out=out: classify(paths, model, out=out))
        whole = peak_mb()
        images = best("decode", lambda: on_all(read_image, paths))
        cells = best("cells", lambda images=images: on_all(lambda image: model.place_cells(image, 1), images))
        pairs = list(zip(images, cells, strict=True))
        crops = np.concatenate(
            best("crops", lambda pairs=pairs: on_all(lambda pair: model.crops(*pair), pairs))
        )
        best("model", lambda crops=crops: model.scores(crops, masks=False))
        if turn == 0:
            print(
                f"peak memory: {quarter:.0f} MB after {len(part.images)} images, {whole:.0f} after {len(paths)}"
            )

    alone = {name: least[name] for name in ("decode", "cells", "crops", "model")}
    pipeline = least["pipeline"]
    print(f"\n{'alone':<10}{'wall s':>9}{'CPU s':>9}{'images/s':>10}")
    for name, spent in (*alone.items(), ("pipeline", pipeline)):
        unit = f"{len(crops) / spent.wall:>10.0f} crops/s" if name == "model" else ""
        print(f"{name:<10}{spent.wall:>9.2f}{spent.cpu:>9.2f}{len(paths) / spent.wall:>10.1f}{unit}")
    print()
    print_profile(result.run["profile"])
    slowest = max(alone, key=lambda name: alone[name].wall)
    cpu = sum(spent.cpu for spent in alone.values())
    print(
        f"of the slowest stage ({slowest}) alone: {100 * alone[slowest].wall / pipeline.wall:.0f} % (goal 85 %),"
        f" by CPU time {100 * alone[slowest].cpu / pipeline.cpu:.0f} %;"
        f" bound on shared processors: {100 * alone[slowest].cpu / cpu:.0f} %"
    )
    share = alone[slowest].cpu / cpu
    print(
        f"of the same stage on the {share * cpus:.2f} of {cpus} processors that it has within the pipeline:"
        f" {100 * cpu / cpus / pipeline.wall:.0f} %"
    )
    print(
        f"of the pipeline's CPU time the stages' own: {100 * cpu / pipeline.cpu:.0f} %;"
        f" processors busy: {100 * pipeline.cpu / (cpus * pipeline.wall):.0f} % of its time"
    )


if __name__ == "__main__":
    main()
