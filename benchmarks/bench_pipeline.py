"""From files to tables: `fastpgs classify` beside its stages alone, and its memory.

    python bench_pipeline.py FOLDER [--images 200] [--model unet-plr] [--device auto]

Goal: at least 85 % of the slowest stage alone, memory flat in the number of files. A stage alone has the whole
machine: as many threads as there are processors, nothing else to do. Where the stages share the processors, no
pipeline can pass "all stages one after the other"; so that is given too.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from fastpgs.cli._console import print_profile
from fastpgs.inference.model import load_model
from fastpgs.inference.pipeline import classify
from fastpgs.inference.threads import available_cpus
from fastpgs.io import read_image
from fastpgs.io.inputs import find_inputs


def timed(work: Callable[[Any], Any], items: Sequence[Any]) -> tuple[float, list[Any]]:
    """Seconds of wall time and the results, on as many threads as there are processors."""
    start = time.perf_counter()
    with ThreadPoolExecutor(available_cpus()) as pool:
        results = list(pool.map(work, items))
    return time.perf_counter() - start, results


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--model", default="unet-plr")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()

    found = [one.path for one in find_inputs([given.folder]) if one.path is not None]
    paths = found[:: max(1, len(found) // given.images)][: given.images]
    model = load_model(given.model, given.device)
    print(f"{model!r}, {available_cpus()} processors, {len(paths)} images\n")
    model.judge(read_image(paths[0]))

    decode, images = timed(read_image, paths)
    cells_s, cells = timed(lambda image: model.find_cells(image, 1), images)
    cut_s, crops = timed(lambda pair: model.crops(*pair), list(zip(images, cells, strict=True)))
    start = time.perf_counter()
    model.scores(np.concatenate(crops), masks=False)
    model_s = time.perf_counter() - start
    n = sum(map(len, crops))
    alone = {"decode": decode, "cells and crops": cells_s + cut_s, "model": model_s}
    for name, seconds in alone.items():
        unit = f", {n / seconds:,.0f} crops/s" if name == "model" else ""
        print(f"{name:<18}{seconds:>8.2f} s alone {len(paths) / seconds:>8.1f} images/s{unit}")

    for part in (max(1, len(paths) // 4), len(paths)):
        with tempfile.TemporaryDirectory() as out:
            start = time.perf_counter()
            result = classify(paths[:part], model, out=out)
            seconds = time.perf_counter() - start
        print(f"{part:>6} images: {seconds:.2f} s, peak memory {peak_mb():.0f} MB")
    slowest, together = max(alone.values()), sum(alone.values())
    print_profile(result.run["profile"])
    print(
        f"end to end {len(paths) / seconds:.1f} images/s: {100 * slowest / seconds:.0f} % of the slowest stage alone"
        f" (goal 85 %), {100 * together / seconds:.0f} % of all stages one after the other"
    )


if __name__ == "__main__":
    main()
