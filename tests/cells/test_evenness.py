"""Cells under uneven light: as under even light, which is left as it is."""

from __future__ import annotations

import numpy as np
import pytest

from fastpgs import _core
from fastpgs.cells import find_cells
from fastpgs.cells.rules import RULES
from fastpgs.synth import single_cell, smear


def shaded(image: np.ndarray, kind: str, amount: float) -> np.ndarray:
    """The picture with light that falls off by a share of itself: from corner to corner, or from the middle."""
    height, width = image.shape[:2]
    row, column = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    fall = (row + column + 2.0) / 4.0 if kind == "slope" else (row**2 + column**2) / 2.0
    return np.rint(image * (1.0 - amount * fall)[..., None]).astype(np.uint8)


def without(image: np.ndarray) -> np.ndarray:
    """Labels where uneven light is left as it is."""
    return _core.find_cells(image, False, None, RULES, 0.9, 5, 0, 1, None, False, False)[0]


def agreement(found: np.ndarray, expected: np.ndarray) -> float:
    return float(2 * (found & expected).sum() / (found.sum() + expected.sum()))


@pytest.mark.parametrize("kind", ["slope", "vignette"])
@pytest.mark.parametrize("seed", [0, 1])
def test_cells_are_those_under_even_light(kind: str, seed: int) -> None:
    image = smear(seed=seed, illumination=0.0).image
    expected = find_cells(image)
    dim = shaded(image, kind, 0.5)
    found = find_cells(dim)
    assert len(found) == len(expected)
    even = agreement(found.labels > 0, expected.labels > 0)
    assert even > 0.97
    assert even > agreement(without(dim) > 0, expected.labels > 0)


def test_even_light_is_left_alone() -> None:
    for image in (smear(seed=2, illumination=0.0).image, single_cell(seed=3).image):
        assert np.array_equal(find_cells(image).labels, without(image))


def test_light_is_told_from_what_is_seen_alone() -> None:
    """Pixels that a mask hides say nothing of the light."""
    image = smear(seed=1, illumination=0.0).image
    third = image.shape[1] // 3
    mask = np.ones(image.shape[:2], bool)
    mask[:, :third] = False
    hidden = image.copy()
    hidden[:, : third - 2] //= 2  # smoothing takes in what lies beside
    assert np.array_equal(find_cells(hidden, mask=mask).labels, find_cells(image, mask=mask).labels)


def test_colours_are_those_of_the_picture() -> None:
    """Light is evened for the search alone; what is measured of a cell is what the picture shows."""
    dim = shaded(smear(seed=0, illumination=0.0).image, "slope", 0.5)
    found = find_cells(dim)
    for number, mean in enumerate(
        zip(*(found.table[f"intensity_mean-{i}"] for i in range(3)), strict=True), 1
    ):
        assert np.allclose(mean, dim[found.labels == number].mean(axis=0), atol=0.01)


@pytest.mark.parametrize("side", [63, 64, 65, 66, 127, 128])
def test_spots_lie_within_small_pictures(side: int) -> None:
    """The smallest pictures that are looked at: no byte beyond them is read, which sanitizers see."""
    image = np.random.default_rng(side).integers(200, 240, (side, 130, 3)).astype(np.uint8)
    for picture in (image, np.ascontiguousarray(image.transpose(1, 0, 2))):
        assert find_cells(picture).labels.shape == picture.shape[:2]
