"""Freed memory that stays with the process."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")

CHURN = """
import resource, sys
import numpy as np
from fastpgs.inference.memory import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else None
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    np.ones(1 << 20, np.uint8)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def churn(what: str, **environment: str) -> tuple[str, int]:
    """What was returned, and how many pages were faulted in."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", CHURN, what], env={**own, **environment}, capture_output=True, check=True
    )
    kept, faults = done.stdout.decode().split()
    return kept, int(faults)


def test_pages_are_faulted_in_once() -> None:
    dask = {"MALLOC_TRIM_THRESHOLD_": "65536"}
    assert churn("leave", **dask)[1] > 20_000
    kept, faults = churn("keep", **dask)
    assert kept == "True"
    assert faults < 2_000


def test_what_a_user_has_set_stays() -> None:
    kept, faults = churn("keep", MALLOC_TRIM_THRESHOLD_="70000")
    assert kept == "False"
    assert faults > 20_000
    assert churn("keep", MALLOC_MMAP_THRESHOLD_="100000")[0] == "False"
    assert churn("keep", GLIBC_TUNABLES="glibc.malloc.trim_threshold=70000")[0] == "False"
