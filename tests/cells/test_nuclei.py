"""Which pivots are nuclear, at colours as measured on real fields: mean score, g, u and v of five pivots."""

from __future__ import annotations

import numpy as np
import pytest

from fastpgs import _core, find_cells
from fastpgs.cells.rules import RULES

#: Shares of all pixels, where it does not matter how many there are of each.
PARTS = (0.5, 0.2, 0.15, 0.12, 0.03)

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
    assert nuclear(pivots, PARTS) == expected


#: A smear of d2 whose depth was taken to 0.6 of itself, towards white.
FADED = [(-1, 3, 0, 1), (17, 32, 17, 11), (27, 57, 24, 26), (43, 71, 38, 26), (81, 108, 69, 23)]


@pytest.mark.parametrize(
    ("scores", "parts", "expected"),
    [
        ((), (0.23, 0.07, 0.43, 0.16, 0.11), [False] * 4 + [True]),
        ((), (0.23, 0.07, 0.50, 0.17, 0.03), [False] * 5),  # so little may be precipitate
        ((), (0.23, 0.07, 0.16, 0.43, 0.11), [False] * 5),  # most of what is stained comes close to it
        ((45,), (0.23, 0.07, 0.43, 0.16, 0.11), [False] * 5),  # too pale for any nucleus
    ],
)
def test_in_a_faded_stain_nuclei_stand_out(scores, parts, expected):
    pivots = [*FADED[:-1], (*scores, *FADED[-1][len(scores) :])]
    assert nuclear(pivots, parts) == expected


def nuclear(pivots, parts):
    score, g, u, v = np.array(pivots, float).T
    # Pivot 0 stands for the pixels of none.
    score = np.concatenate([[-np.inf], score])
    green = np.concatenate([[np.inf], np.maximum(g, 1.0)])
    blue, red = (np.concatenate([[0.0], part]) / green for part in (u, v))
    part = np.concatenate([[0.0], parts])
    return _core.nuclear_groups(score, green, blue, red, part, RULES)[1:].tolist()


@pytest.mark.parametrize(("period", "width"), [(6, 3), (7, 3), (8, 4)])
def test_coarse_chromatin_is_one_nucleus(period, width):
    """Its dark half alone is a mesh into which no disc of an opening fits."""
    row, column = np.indices((240, 240))
    away = np.hypot(row - 120, column - 120)
    nucleus = away < 48
    image = np.full((240, 240, 3), 235, np.uint8)
    image[away < 75] = (200, 205, 225)
    image[nucleus] = (165, 120, 195)
    image[nucleus & ((row % period < width) | (column % period < width))] = (40, 10, 80)
    found = find_cells(image)
    assert len(found) == 1
    assert np.mean((found.nuclei > 0) == nucleus) > 0.99
