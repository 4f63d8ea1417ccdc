"""Problems that were awkward once, and fresh ones: the core equals the reference, or both refuse alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fuzzing

CORPUS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "corpus.json").read_text())


@pytest.mark.parametrize("begin", range(0, len(CORPUS), 20))
def test_corpus(begin: int) -> None:
    for description in CORPUS[begin : begin + 20]:
        try:
            fuzzing.judge(description)
        except Exception as error:
            raise AssertionError(f"{description}: {error}") from error


def test_fresh_problems() -> None:
    """A hundred that nobody has seen; where one fails, its description belongs into the corpus."""
    rng = np.random.default_rng()
    for _ in range(100):
        description = fuzzing.draw(rng)
        if description["height"] * description["width"] > 1 << 16:
            continue  # slow in the reference; scripts/soak.py does them
        try:
            fuzzing.judge(description)
        except Exception as error:
            raise AssertionError(f"{description}: {error}") from error


def test_corpus_holds_what_it_should() -> None:
    kinds = {(one["features"], one["dtype"]) for one in CORPUS}
    assert {features for features, _ in kinds} == {"lab", "rgb", "gray", "xy", "raw"}
    assert {"uint8", "uint16", "float32", "float64"} <= {dtype for _, dtype in kinds}
    assert {one["layout"] for one in CORPUS} >= {
        "c",
        "fortran",
        "reversed",
        "step",
        "first",
        "broadcast",
        "offset",
    }
