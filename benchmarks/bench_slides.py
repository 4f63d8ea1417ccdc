"""What a whole slide costs: wall and CPU time of each stage, peak memory, and how many of its cells are found.

    python bench_slides.py                               # a thin smear of 20,000², written first (minutes)
    python bench_slides.py --side 6000 --white 0.6       # a small one full of white cells
    python bench_slides.py --file slide.ome.tiff         # as written before, with the same --side, --white, --seed

Every run is a process of its own, so that its peak memory is its own. The search alone runs on `--workers` threads; the
table of stages is of one thread. CPU time tells more than wall time on a machine that does other work, though busy
neighbours slow it down too. The least of the rounds counts. What a process pays once, its imports, is printed apart.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

GOAL_SPEED = 60.0  # megapixels of level 0 a second on two cores: PGS and cells, reading included
GOAL_MEMORY = 1.5  # GB
NEAR = 5.0  # micrometres from a known centre


def timed(function: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    """The function, adding the CPU time of its calls: true where they come one at a time."""

    def call(*given: Any, **named: Any) -> Any:
        start = time.process_time()
        try:
            return function(*given, **named)
        finally:
            spent.append(time.process_time() - start)

    return call


class NoScores:
    """Stands for the network where only the search is measured."""

    def __init__(self, n: int) -> None:
        self.p = np.zeros(n, np.float32)
        self.embeddings = np.zeros((n, 1), np.float32)


def run(file: Path, tile: int, workers: int, judged: bool) -> dict[str, Any]:
    """One pass over the slide, in this process."""
    import fastpgs
    from fastpgs.inference.memory import keep_freed_memory
    from fastpgs.inference.options import SlideOptions
    from fastpgs.inference.profile import Profile
    from fastpgs.inference.results import FieldResult
    from fastpgs.slides import open_slide
    from fastpgs.slides.parts import SlideFolder
    from fastpgs.slides.run import judge_tiles, prepare
    from fastpgs.slides.scaled import ScaledSlide
    from fastpgs.slides.stitch import stitch

    keep_freed_memory()  # as the command line does
    model: Any = fastpgs.load_model()
    start = time.perf_counter()
    with open_slide(file) as slide:  # opening and decoding import what the format needs
        slide.read(0, (0, 0, 1, 1))
    first = time.perf_counter() - start
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reading: list[float] = []
    scoring: list[float] = []
    own = model.scores if judged else lambda crops, *_, **__: NoScores(len(crops))
    model.scores = timed(own, scoring)
    wall, cpu = [time.perf_counter()], [time.process_time()]

    def mark() -> None:
        wall.append(time.perf_counter())
        cpu.append(time.process_time())

    profile = Profile()
    with tempfile.TemporaryDirectory() as place, open_slide(file) as slide:
        slide.read = timed(slide.read, reading)  # type: ignore[method-assign]
        folder = SlideFolder(Path(place) / "tiles")
        plan, tissue = prepare(slide, model, SlideOptions(tile), folder, profile, workers)
        mark()
        reading.clear()
        tiles = list(plan.tiles(tissue))
        judge_tiles(slide, plan, tiles, model, folder, workers, profile)
        mark()
        read, scored = sum(reading), sum(scoring)
        row = FieldResult(0, str(file))
        if judged:
            stitch(
                row,
                ScaledSlide(slide, plan.factor),
                plan,
                tissue,
                folder,
                model,
                products=Path(place),
                labels=True,
            )
        mark()
        index = folder.index(tiles)
    at = (index.centroid + 0.5) * plan.factor - 0.5
    stages = {
        "overview and plan": cpu[1] - cpu[0],
        "reading tiles": read,
        "finding cells": cpu[2] - cpu[1] - read - scored,
        "network": scored,
    }
    if judged:
        stages["stitch, heat map, labels"] = cpu[3] - cpu[2]
    return {
        "megapixels": plan.native_shape[0] * plan.native_shape[1] / 1e6,
        "pixel_size": plan.pixel_size,
        "cells": len(index),
        "tiles": len(tiles),
        "first": first,
        "wall": wall[2] - wall[0],
        "wall_all": wall[3] - wall[0],
        "cpu": stages,
        "cpu_search": cpu[2] - cpu[0],
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "before_gb": before / 1e6,
        "centroids": at.tolist(),
    }


def measure(given: argparse.Namespace, judged: bool, rounds: int) -> dict[str, Any]:
    """The run with the least CPU time, of some in processes of their own."""
    command = [sys.executable, __file__, "--file", str(given.file), "--tile", str(given.tile)]
    command += [
        "--workers",
        "1" if judged else str(given.workers),
        "--child",
        "judged" if judged else "search",
    ]
    done = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(rounds)
    ]
    best: dict[str, Any] = min(done, key=lambda one: sum(one["cpu"].values()))
    best["wall"] = min(one["wall"] for one in done)
    best["wall_all"] = min(one["wall_all"] for one in done)
    best["peak_gb"] = max(one["peak_gb"] for one in done)
    return best


def found(centroids: Any, known: Any, pixel_size: float) -> tuple[float, float]:
    """Part of the known cells that were found, and of the found ones that are known; one found twice is not."""
    from scipy.spatial import cKDTree

    if not len(centroids) or not len(known):
        return 0.0, 0.0
    recall = cKDTree(centroids).query(known)[0] * pixel_size < NEAR
    away, which = cKDTree(known).query(centroids)
    once = len(np.unique(which[away * pixel_size < NEAR]))
    return float(recall.mean()), once / len(centroids)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=20000, help="rows and columns")
    parser.add_argument("--white", type=float, default=0.1, help="part of the places that hold a white cell")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--file", type=Path, help="where the slide is, or is to be written")
    parser.add_argument("--tile", type=int, default=2048)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=["search", "judged"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(run(given.file, given.tile, given.workers, given.child == "judged")))
        return
    from fastpgs import synth

    smear = synth.Slide((given.side, given.side), seed=given.seed, white_part=given.white)
    with tempfile.TemporaryDirectory() as place:
        if given.file is None:
            given.file = Path(place) / "slide.ome.tiff"
        if not given.file.exists():
            sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
            from pyramids import write_big

            print(f"writing {given.file}", flush=True)
            write_big(given.file, smear)
        search = measure(given, judged=False, rounds=given.rounds)
        judged = measure(given, judged=True, rounds=1)
    size, n = search["megapixels"], max(1, search["cells"])
    recall, precision = found(search["centroids"], smear.cells().centroids, search["pixel_size"])
    print(
        f"{given.side:,}², {size:.0f} megapixels, {n:,} cells in {search['tiles']} tiles of {given.tile},"
        f" {given.workers} threads; found {recall:.1%} of the known cells, {precision:.1%} of the found are known\n"
    )
    print(f"{'CPU time':<28}{'s':>8}{'ms a megapixel':>16}{'ms a cell':>11}")
    for stage, seconds in judged["cpu"].items():
        print(f"{stage:<28}{seconds:>8.2f}{1e3 * seconds / size:>16.2f}{1e3 * seconds / n:>11.2f}")
    ideal = given.workers * size / search["cpu_search"]
    rows = [
        ("PGS and cells, wall, megapixels a second", size / search["wall"], GOAL_SPEED, ">="),
        ("the same by CPU time, were all threads busy", ideal, GOAL_SPEED, ">="),
        ("peak memory of the search, GB", search["peak_gb"], GOAL_MEMORY, "<="),
        ("peak memory of all, network included, GB", judged["peak_gb"], GOAL_MEMORY, "<="),
    ]
    print(f"\n{'':<46}{'figure':>8}{'goal':>10}  met")
    for name, figure, goal, sign in rows:
        met = figure >= goal if sign == ">=" else figure <= goal
        print(f"{name:<46}{figure:>8.2f}{sign + ' ' + format(goal, 'g'):>10}  {'yes' if met else 'no'}")
    print(
        f"all of it, wall, one thread: {judged['wall_all']:.1f} s; {judged['before_gb']:.2f} GB before the first pixel;"
        f" opening a slide for the first time, imports included: {search['first']:.2f} s"
    )


if __name__ == "__main__":
    main()
