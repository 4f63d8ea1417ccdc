"""Dask beside one process: what its messages, its tasks and its worker processes cost, and how they scale.

    python bench_distributed.py FOLDER [--images 256] [--rounds 2] [--processes 1 2 4]

The same images, blocks of 64, one thread a process, model loaded beforehand in each process; without a report. Ways
take turns, and the least of all rounds counts. Goal: one worker process takes at most 5 % more than one process
without Dask. CPU seconds are those of all processes and depend less on who else is busy than wall seconds do.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from distributed import Client, LocalCluster

from fastpgs import distributed
from fastpgs.inference.memory import keep_freed_memory
from fastpgs.inference.model import load_model
from fastpgs.inference.pipeline import classify
from fastpgs.io.inputs import find_inputs


def cpu_seconds() -> float:
    """Of this process and its living children."""
    own = psutil.Process()
    total = 0.0
    for process in (own, *own.children(recursive=True)):
        times = process.cpu_times()
        total += times.user + times.system
    return total


def measure(work: Callable[[], Any]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), cpu_seconds()
    work()
    return time.perf_counter() - wall, cpu_seconds() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    keep_freed_memory()  # as the command line and the workers do
    names = [one.path for one in find_inputs([options.folder]) if one.path is not None]
    names = names[:: max(1, len(names) // options.images)][: options.images]
    model = load_model()
    clusters = {
        n: LocalCluster(
            n_workers=n, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
        )
        for n in options.processes
    }
    ways: dict[str, Callable[[Path], Any]] = {
        "one process": lambda out: classify(names, model, out=out, report=False, workers=1)
    }
    for n, cluster in clusters.items():
        client = Client(cluster)
        client.wait_for_workers(n)
        ways[f"Dask, {n} worker{'s' if n > 1 else ''}"] = lambda out, client=client: distributed.classify(
            names, client, out=out, report=False
        )
    best: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(options.rounds + 1):  # the first warms up
            for name, way in ways.items():
                wall, cpu = measure(lambda: way(Path(scratch, f"{turn}-{name}")))  # noqa: B023
                if turn:
                    old = best.get(name, (wall, cpu))
                    best[name] = (min(old[0], wall), min(old[1], cpu))
    for cluster in clusters.values():
        cluster.close()
    plain = best["one process"]
    print(f"{len(names)} images, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("| | wall s | CPU s | images/s | CPU, beside one process |")
    print("|---|---:|---:|---:|---:|")
    for name, (wall, cpu) in best.items():
        print(f"| {name} | {wall:.1f} | {cpu:.1f} | {len(names) / wall:.1f} | {cpu / plain[1] - 1:+.1%} |")


if __name__ == "__main__":
    main()
