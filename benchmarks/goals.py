"""Every goal of speed with its figure beside it, measured in one run.

OMP_NUM_THREADS=1 python benchmarks/goals.py [--out results.json] [--rounds 30] [--threads]

CPU time of the calling thread, contenders in turn, the least of all rounds: other work on the machine
lengthens wall times, but not these. `--threads` adds what can only be told by wall time, on two threads.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from cases import PATHS, PEERS, SIZES, Call, copy_and_labels, core, histogram_and_table, picture

import fastpgs

#: Peers that take long are called less often.
SLOW = {"scikit-image slic": 3, "NumPy reference": 2, "scikit-learn KMeans": 10, "cv2.kmeans": 10}

#: Ways through the core that may take four times as long as RGB.
WITHIN_FOUR = (
    "global growth",
    "connected growth",
    "mahalanobis",
    "spatial weight",
    "uint16",
    "float32",
    "float32 of levels",
)


def in_turn(
    calls: Mapping[str, Call], rounds: int, clock: Callable[[], int] = time.thread_time_ns
) -> dict[str, float]:
    """Return the least milliseconds of each call; all have a turn in each round."""
    best = dict.fromkeys(calls, float("inf"))
    for turn in range(rounds + 1):
        for name, call in calls.items():
            if turn > SLOW.get(name, rounds):
                continue
            for _ in range(1 if name in SLOW else 3):  # what ran before has the caches
                begin = clock()
                call()
                took = (clock() - begin) / 1e6
                if turn > 0:  # the first round warms up
                    best[name] = min(best[name], took)
    return best


def measure(rounds: int) -> dict[str, Any]:
    """Return the times of everything that the goals compare."""
    out: dict[str, Any] = {"peers": {}, "paths": {}}
    for size in SIZES:
        image = picture(size)
        fewer = max(5, rounds * 65536 // (size * size) * 4)
        print(f"peers, {size} x {size}", flush=True)
        out["peers"][size] = in_turn({name: make(image) for name, make in PEERS.items()}, fewer)
        print(f"paths, {size} x {size}", flush=True)
        calls = {name: make(image) for name, make in PATHS.items()}
        calls["histogram and table"] = histogram_and_table(np.ascontiguousarray(image[..., 1]))
        out["paths"][size] = in_turn(calls, fewer)
    print("4096 x 4096", flush=True)
    image = picture(4096)
    out["large"] = in_turn({"rgb": core(image), "copy and labels": copy_and_labels(image)}, 7)
    return out


def measure_threads(rounds: int) -> dict[str, Any]:
    """Return wall times on one and on two threads."""
    images = [picture(450)] * 16
    out = {"load": os.getloadavg()[0]}
    calls: dict[str, Call] = {}
    for threads in (1, 2):
        calls[f"batch, {threads}"] = lambda t=threads: fastpgs.segment_batch(images, num_threads=t)  # type: ignore[misc]
        for size in (1024, 4096):
            calls[f"{size}, {threads}"] = core(picture(size), num_threads=threads)
    out.update(in_turn(calls, rounds, time.perf_counter_ns))
    return out


def goals(found: dict[str, Any]) -> list[tuple[str, list[float], float, bool]]:
    """Return (goal, figures, bound, whether greater is better)."""
    peers, paths = found["peers"], found["paths"]

    def times(peer: str) -> list[float]:
        return [peers[s][peer] / peers[s]["fastpgs"] for s in SIZES]

    def ratio(path: str, base: str = "rgb") -> list[float]:
        return [paths[s][path] / paths[s][base] for s in SIZES]

    rows = [
        ("≥ 10× cv2.kmeans", times("cv2.kmeans"), 10, True),
        ("≥ 40× scikit-learn KMeans", times("scikit-learn KMeans"), 40, True),
        ("≥ 100× scikit-image slic", times("scikit-image slic"), 100, True),
        ("≥ 200× the NumPy reference", times("NumPy reference"), 200, True),
        ("k = 8 at ≤ 3× k = 3 (pivots given)", ratio("k = 8, given pivots"), 3, False),
        ("k = 8 at ≤ 3× k = 3 (both k-medoids++)", ratio("k = 8", "rgb, k-medoids++"), 3, False),
        ("default call (lab) ≤ 2× rgb", ratio("lab, k-medoids++ (default)"), 2, False),
        ("grey ≤ 2× a histogram and a look-up", ratio("grey", "histogram and table"), 2, False),
    ]
    rows += [(f"{path} ≤ 4× rgb", ratio(path), 4, False) for path in WITHIN_FOUR]
    large = found["large"]["rgb"] / found["large"]["copy and labels"]
    rows.append(("4096² ≤ 3× copying the image and writing labels", [large], 3, False))
    if "threads" in found:
        t = found["threads"]
        rows.append(
            ("segment_batch of 450² ≥ 1.8× on two threads", [t["batch, 1"] / t["batch, 2"]], 1.8, True)
        )
    return rows


def table(found: dict[str, Any]) -> str:
    """Return the goals as a Markdown table."""
    lines = ["| goal | 256², 450², 1024² | met |", "|---|---|---|"]
    for text, figures, bound, greater in goals(found):
        met = [(f >= bound) if greater else (f <= bound) for f in figures]
        answer = "yes" if all(met) else "no" if not any(met) else f"{sum(met)} of {len(met)}"
        lines.append(f"| {text} | {', '.join(f'{f:.1f}×' for f in figures)} | {answer} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", action="store_true")
    args = parser.parse_args()
    import cv2

    cv2.setNumThreads(1)
    warnings.simplefilter("ignore")
    found = measure(args.rounds)
    if args.threads:
        found["threads"] = measure_threads(args.rounds)
    found["image"] = Path(os.environ.get("FASTPGS_BENCH_IMAGE", "synthetic smear")).name
    found["machine"] = {"processor": platform.processor() or platform.machine(), **fastpgs.build_info()}
    print(table(found))
    for size in SIZES:
        both = {**found["peers"][size], **found["paths"][size]}
        print(f"{size}²: " + ", ".join(f"{name} {ms:.3f}" for name, ms in both.items()))
    print("4096²:", found["large"], found.get("threads", ""))
    if args.out:
        args.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
