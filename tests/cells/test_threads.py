"""One call on several threads, several calls at once, forked processes: the same cells to the bit."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

from fastpgs.cells import Cells, find_cells, fit_reference
from fastpgs.synth import smear

# Large enough that every step is shared out; rows and columns that pieces do not divide.
PICTURES = {
    "one cell": smear((300, 301), n_blasts=1, n_normals=0, seed=3).image,
    "a field": smear((257, 411), n_blasts=4, n_normals=3, seed=4).image,
    "no cell": np.full((300, 300, 3), 240, np.uint8),
    "a strip": smear((64, 1500), n_blasts=3, n_normals=1, seed=5).image,
}


def assert_same(cells: Cells, wanted: Cells) -> None:
    np.testing.assert_array_equal(cells.labels, wanted.labels)
    np.testing.assert_array_equal(cells.nuclei, wanted.nuclei)
    assert list(cells.table) == list(wanted.table)
    for name, column in wanted.table.items():
        np.testing.assert_array_equal(cells.table[name], column, err_msg=name)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("threads", [2, 7, None])
def test_cells_on_threads(name: str, threads: int | None) -> None:
    image = PICTURES[name]
    mask = np.ones(image.shape[:2], bool)
    mask[: image.shape[0] // 5] = False
    for options in ({}, {"mask": mask}):
        wanted = find_cells(image, num_threads=1, **options)
        for _ in range(5):  # who takes which piece differs from call to call
            assert_same(find_cells(image, num_threads=threads, **options), wanted)


def test_cells_of_a_reference_on_threads() -> None:
    image = PICTURES["a field"]
    reference = fit_reference(image, num_threads=1)
    assert reference is not None
    shared = fit_reference(image, num_threads=2)
    assert shared is not None
    assert shared.to_dict() == reference.to_dict()
    wanted = find_cells(image, reference=reference, num_threads=1)
    for _ in range(5):
        assert_same(find_cells(image, reference=reference, num_threads=2), wanted)


def test_cells_on_threads_at_once() -> None:
    names = list(PICTURES)
    wanted = {name: find_cells(image, num_threads=1) for name, image in PICTURES.items()}
    got: list[Any] = [None] * 12

    def work(i: int) -> None:
        for _ in range(3):
            got[i] = find_cells(PICTURES[names[i % len(names)]], num_threads=(None, 2, 3)[i % 3])

    callers = [threading.Thread(target=work, args=(i,)) for i in range(len(got))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for i, cells in enumerate(got):
        assert_same(cells, wanted[names[i % len(names)]])


FORKS = """
import multiprocessing
import numpy as np
from fastpgs.cells import find_cells
from fastpgs.synth import smear

image = smear((300, 300), n_blasts=1, n_normals=1, seed=3).image
expected = find_cells(image, num_threads=2).labels

def child(threads):
    return all((find_cells(image, num_threads=threads).labels == expected).all() for _ in range(3))

for _ in range(3):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert all(pool.map(child, [1, 2, 3, None]))
    assert child(2)
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forks_after_a_shared_call_do_not_hang() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-2000:]
