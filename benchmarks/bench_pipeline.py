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
from typing import Any, NamedTuple

import numpy as np

from fastpgs.cli._console import print_profile
from fastpgs.inference.model import load_model
from fastpgs.inference.pipeline import classify
from fastpgs.inference.threads import available_cpus
from fastpgs.io import read_image
from fastpgs.io.inputs import find_inputs


def timed(work: Callable[[Any], Any], items: Sequence[Any]) -> tuple[Seconds, list[Any]]:
    """The time and the results, on as many threads as there are processors."""
    start = now()
    with ThreadPoolExecutor(available_cpus()) as pool:
        results = list(pool.map(work, items))
    return now() - start, results


class Seconds(NamedTuple):
    """Wall time, and the time of all processors, which does not depend on who else is busy."""

    wall: float
    cpu: float

    def __sub__(self, other: Seconds) -> Seconds:  # type: ignore[override]
        return Seconds(self.wall - other.wall, self.cpu - other.cpu)


def now() -> Seconds:
    return Seconds(time.perf_counter(), time.process_time())


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

    for part in (max(1, len(paths) // 4), len(paths)):
        with tempfile.TemporaryDirectory() as out:
            start = now()
            result = classify(paths[:part], model, out=out)
            whole = now() - start
        print(f"{part:>6} images: {whole.wall:.2f} s, peak memory {peak_mb():.0f} MB")

    alone: dict[str, Seconds] = {}
    alone["decode"], images = timed(read_image, paths)
    alone["cells"], cells = timed(lambda image: model.find_cells(image, 1), images)
    alone["crops"], crops = timed(lambda pair: model.crops(*pair), list(zip(images, cells, strict=True)))
    start = now()
    model.scores(np.concatenate(crops), masks=False)
    alone["model"] = now() - start
    n = sum(map(len, crops))
    print(f"\n{'alone':<10}{'wall s':>9}{'CPU s':>9}{'images/s':>10}")
    for name, spent in alone.items():
        unit = f"{n / spent.wall:>10.0f} crops/s" if name == "model" else ""
        print(f"{name:<10}{spent.wall:>9.2f}{spent.cpu:>9.2f}{len(paths) / spent.wall:>10.1f}{unit}")
    print(f"{'pipeline':<10}{whole.wall:>9.2f}{whole.cpu:>9.2f}{len(paths) / whole.wall:>10.1f}\n")
    print_profile(result.run["profile"])
    slowest, total = max(alone.values()), sum(spent.cpu for spent in alone.values())
    print(
        f"of the slowest stage alone: {100 * slowest.wall / whole.wall:.0f} % in wall time (goal 85 %);"
        f" it has {100 * slowest.cpu / total:.0f} % of all stages' CPU time, which bounds that on shared processors"
    )
    print(f"CPU time of the stages by themselves over that of the pipeline: {100 * total / whole.cpu:.0f} %")


if __name__ == "__main__":
    main()
