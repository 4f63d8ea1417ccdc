"""Which pivots are nuclear, at colours as measured on real fields: mean score, g, u and v of five pivots."""

from __future__ import annotations

import numpy as np
import pytest

from fastpgs import _core
from fastpgs.cells.rules import RULES

FIELDS = {
    "grey-blue red cells": (
        [(-1, 6, 3, 0), (22, 41, 34, -3), (47, 77, 64, -9), (77, 80, 77, 30), (114, 117, 113, 36)],
        [False, False, False, True, True],
    ),
    "the same, all turned purple": (
        [(4, 6, 4, 0), (25, 41, 24, 3), (51, 79, 44, 8), (72, 108, 58, 8), (98, 131, 78, 32)],
        [False, False, False, False, True],
    ),
    "the same, a stronger blue dye": (
        [(0, 6, 4, -1), (21, 39, 31, -3), (49, 81, 62, -5), (73, 113, 84, -6), (127, 135, 120, 20)],
        [False, False, False, False, True],
    ),
    "salmon red cells": (
        [(-1, 3, 0, 1), (26, 65, 22, 35), (41, 92, 32, 50), (90, 136, 65, 50), (146, 171, 113, 32)],
        [False, False, False, True, True],
    ),
    "salmon red cells alone": (
        [(-1, 3, 0, 1), (10, 30, 10, 15), (26, 65, 22, 35), (41, 92, 32, 50), (75, 130, 52, 48)],
        [False] * 5,
    ),
    "grey-blue red cells alone": (
        [(-3, 5, 1, -2), (0, 20, 9, -3), (5, 42, 19, -6), (15, 60, 30, -5), (27, 72, 36, -4)],
        [False] * 5,
    ),
    "overexposed": (
        [(0, 0, 0, 0), (-3, 12, 7, -4), (18, 20, 18, 18), (32, 35, 32, 32), (50, 51, 50, 50)],
        [False, False, False, True, True],
    ),
}


@pytest.mark.parametrize("name", list(FIELDS))
def test_nuclear_pivots_are_told_by_score_and_hue(name):
    pivots, expected = FIELDS[name]
    score, g, u, v = np.array(pivots, float).T
    # Pivot 0 stands for the pixels of none.
    score = np.concatenate([[-np.inf], score])
    green = np.concatenate([[np.inf], np.maximum(g, 1.0)])
    blue, red = (np.concatenate([[0.0], part]) / green for part in (u, v))
    assert _core.nuclear_groups(score, green, blue, red, RULES)[1:].tolist() == expected
