"""The oracle under libFuzzer: what its bytes choose is a problem, and the core must equal the NumPy reference on it.

Run it by ``scripts/sanitize-python --preset fuzz --run tests/guided.py CORPUS``, which builds an instrumented core. The
folder CORPUS keeps the bytes that reach code of the core, or of the reference, that none before them has reached;
``--tell CORPUS`` instead prints the problems that they stand for.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["fastpgs"]):
    import fastpgs  # noqa: F401

import fuzzing

SMALL = 1 << 15  # pixels, once a pivot and a start; beyond it the instrumented reference takes seconds


class Choices:
    """A source of choices for `fuzzing.draw`: the bytes of libFuzzer, and random numbers once they are used up."""

    def __init__(self, data: bytes) -> None:
        self._given = atheris.FuzzedDataProvider(data)
        self._more = np.random.default_rng(zlib.crc32(data))

    def integers(self, n: int) -> int:
        """The next choice out of `n`."""
        if self._given.remaining_bytes():
            return self._given.ConsumeIntInRange(0, n - 1)
        return int(self._more.integers(n))


def one(data: bytes) -> None:
    """One problem; raises where core and reference differ."""
    description = fuzzing.draw(Choices(data))
    if description["height"] * description["width"] * description["k"] * description["n_init"] > SMALL:
        return
    try:
        fuzzing.judge(description)
    except Exception as error:
        raise AssertionError(f"{description}: {error}") from error


def tell(corpus: Path) -> None:
    """Print the problems of a corpus, as ``trust/corpus.json`` holds them."""
    for path in sorted(corpus.iterdir()):
        print(json.dumps(fuzzing.draw(Choices(path.read_bytes()))))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--tell"]:
        tell(Path(sys.argv[2]))
    else:
        atheris.Setup([*sys.argv, "-len_control=0", "-max_len=200", "-rss_limit_mb=8000"], one)
        atheris.Fuzz()
