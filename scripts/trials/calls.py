"""Calls of the core: random problems, many threads at once, worker processes."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import fastpgs
import fuzzing
from fastpgs import synth
from trials.common import SCRATCH, Trial, complaint, run
from trust.test_processes import ORDERS, PROGRAM


def trial_fuzz(small: bool, minutes: float | None = None) -> Iterator[Trial]:
    """Random problems: the C++ core equals the NumPy reference to the bit, or both refuse alike."""
    trial = Trial("random problems against the NumPy reference")
    rng = np.random.default_rng(int(time.time()))
    end = time.monotonic() + 60 * (minutes if minutes is not None else 0.2 if small else 10)
    kinds: Counter[str] = Counter()
    while time.monotonic() < end:
        description = fuzzing.draw(rng)
        try:
            kinds[fuzzing.judge(description).split(":")[0]] += 1
            trial.check(True, "")
        except Exception as error:
            trial.check(False, f"{description}: {type(error).__name__}: {error}")
    refused = kinds.pop("refused", 0)
    trial.note = f"{kinds.total()} segmented, {refused} refused alike"
    yield trial


def trial_threads(small: bool) -> Iterator[Trial]:
    """Sixteen Python threads at once, each with threads of its own: every result equals that of one thread."""
    trial = Trial("16 Python threads at once")
    warnings.simplefilter("ignore")  # few iterations: what they reach must be the same
    images = [synth.smear((420, 420), seed=i, n_blasts=1, n_normals=1).image for i in range(4)]
    kinds: list[dict[str, Any]] = [
        {"max_iter": 10},
        {"features": "raw", "spatial_weight": 0.5, "max_iter": 5},
        {"threshold": 300.0, "connectivity": 1, "max_iter": 5},
    ]
    jobs = [(image, kind) for image in images for kind in kinds]
    expected = [fastpgs.segment(image, num_threads=1, **kind) for image, kind in jobs]
    cells = [fastpgs.find_cells(image, num_threads=1).labels for image in images]

    def work(i: int) -> bool:
        at = i % len(jobs)
        labels = fastpgs.segment(jobs[at][0], num_threads=(None, 1, 2, 5)[i % 4], **jobs[at][1])
        if i % 16:
            return np.array_equal(labels, expected[at])
        found = fastpgs.find_cells(images[i // 16 % len(images)]).labels
        return np.array_equal(labels, expected[at]) and np.array_equal(found, cells[i // 16 % len(images)])

    with ThreadPoolExecutor(16) as pool:
        for i, equal in enumerate(pool.map(work, range(160 if small else 3200))):
            trial.check(equal, f"call {i} differs from one thread")
    trial.note = "segment and find_cells against one thread"
    yield trial


def trial_loaders(small: bool) -> Iterator[Trial]:
    """DataLoader workers of every start method and pools after a fork, both import orders: no hang, same labels."""
    trial = Trial("DataLoader workers and pools")
    for i in range(1 if small else 10):
        for order, imports in ORDERS.items():
            program = SCRATCH / "loaders.py"
            program.write_text(PROGRAM.format(imports=imports))
            for method in ("fork", "forkserver", "spawn"):
                try:
                    done = run([sys.executable, str(program), method])
                    trial.check(done.stdout == b"done\n", f"{order}, {method}, round {i}: {complaint(done)}")
                except subprocess.TimeoutExpired:
                    trial.check(False, f"{order}, {method}, round {i}: a hang")
    trial.note = "fork, forkserver, spawn; torch and fastpgs imported in both orders"
    yield trial
