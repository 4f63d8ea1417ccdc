"""Too much for memory or for an int is refused clearly, and nothing is left half done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastpgs

LITTLE = """
import resource, sys
import numpy as np, fastpgs
image = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
small = image[:50, :50]
expected = fastpgs.segment(small, num_threads=2)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
refused = 0
for spare in range(1, 60, 3):
    resource.setrlimit(resource.RLIMIT_AS, (size + (spare << 20), resource.getrlimit(resource.RLIMIT_AS)[1]))
    for options in ({}, {"features": "raw", "spatial_weight": 0.5}, {"threshold": 100.0, "connectivity": 1}):
        try:
            fastpgs.segment(image, 5, max_iter=2, num_threads=2, **options)
        except MemoryError:
            refused += 1
        except fastpgs.ConvergenceWarning:
            pass
resource.setrlimit(resource.RLIMIT_AS, (resource.getrlimit(resource.RLIMIT_AS)[1],) * 2)
assert (fastpgs.segment(small, num_threads=2) == expected).all()
print(refused)
"""


THREADS = """
import os, resource, sys
import numpy as np, fastpgs
image = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
expected = fastpgs.segment(image, num_threads=1, max_iter=3)
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_STACK, (2 << 30, resource.getrlimit(resource.RLIMIT_STACK)[1]))
resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 30), hard))  # room for the image, not for another stack
assert (fastpgs.segment(image, num_threads=4, max_iter=3) == expected).all()
resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
print("done")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_no_further_thread_to_be_had() -> None:
    """The threads that there are do the work; OpenMP's library would end the process."""
    limited = f"ulimit -s {2 << 20}; exec {sys.executable} -W ignore -c '{THREADS}'"
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-2000:]


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_allocation_failure_is_a_memory_error() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LITTLE],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 5


def test_more_pixels_than_memory_is_refused() -> None:
    """An image may be a view of little memory with more pixels than an int32 counts."""
    image = np.broadcast_to(np.uint8(7), (1 << 17, 1 << 17))
    code = (
        "import resource, numpy as np, fastpgs\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        f"image = np.broadcast_to(np.uint8(7), {image.shape})\n"
        "try:\n    fastpgs.segment(image, 1, num_threads=1)\n"
        "except MemoryError as error:\n    print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr[-2000:]


@pytest.mark.slow
def test_more_pixels_than_an_int32_counts() -> None:
    """2^31 + 2^17 pixels, where there is the memory for them."""
    shape = ((1 << 14) + 1, 1 << 17)
    need = shape[0] * shape[1] * 12
    with Path("/proc/meminfo").open() as file:
        free = next(int(line.split()[1]) << 10 for line in file if line.startswith("MemAvailable"))
    if free < 1.5 * need:
        pytest.skip(f"needs {1.5 * need / 1e9:.0f} GB of free memory, got {free / 1e9:.0f}")
    image = np.zeros(shape, np.uint8)
    image[-1, -5:] = 200
    labels = fastpgs.segment(image, 2, features="gray")
    assert labels[-1, -6:].tolist() == [1, 2, 2, 2, 2, 2]
    assert labels[0, 0] == 1
