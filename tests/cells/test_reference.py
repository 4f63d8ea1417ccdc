"""Windows of a large picture, searched by measures that were taken once, show the cells of the whole."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest

from fastpgs import _core, synth
from fastpgs.cells import Cells, Reference, find_cells, fit_reference

SIDE = 900


@pytest.fixture(scope="module")
def image() -> npt.NDArray[np.uint8]:
    return synth.Slide((SIDE, SIDE), seed=3).read()


@pytest.fixture(scope="module")
def reference(image: npt.NDArray[np.uint8]) -> Reference:
    found = fit_reference(image[:600, :600])
    assert found is not None
    return found


def centres(cells: Cells) -> npt.NDArray[np.float64]:
    return np.stack([cells.table["centroid-0"], cells.table["centroid-1"]], axis=1)


def test_windows_agree_with_the_whole(image: npt.NDArray[np.uint8], reference: Reference) -> None:
    whole = find_cells(image, reference=reference)
    expected = centres(whole)
    assert len(expected) > 20
    tile, margin = 450, reference.margin
    assert 2 * margin < tile
    for top in range(0, SIDE, tile):
        for left in range(0, SIDE, tile):
            y, x = max(top - margin, 0), max(left - margin, 0)
            window = image[y : top + tile + margin, x : left + tile + margin]
            found = centres(find_cells(window, reference=reference)) + np.array([y, x])
            own = [c for c in found if top <= c[0] < top + tile and left <= c[1] < left + tile]
            here = [c for c in expected if top <= c[0] < top + tile and left <= c[1] < left + tile]
            assert len(own) == len(here)
            np.testing.assert_allclose(sorted(map(tuple, own)), sorted(map(tuple, here)), atol=1.0)


def test_a_window_without_glass_keeps_the_stain_of_the_slide(
    image: npt.NDArray[np.uint8], reference: Reference
) -> None:
    cells = find_cells(image, reference=reference)
    # The largest is a blast: red granules, which are told by what stands alone, need some glass around.
    largest = int(cells.table["area"].argmax())
    top, left, bottom, right = (int(cells.table[f"bbox-{i}"][largest]) for i in range(4))
    window = image[top:bottom, left:right]
    own = find_cells(window, reference=reference)
    assert len(own) >= 1
    area = int(cells.table["area"][largest])
    assert abs(int(own.table["area"].max()) - area) < 0.1 * area


def test_a_reference_survives_json(image: npt.NDArray[np.uint8], reference: Reference) -> None:
    again = Reference.from_dict(json.loads(json.dumps(reference.to_dict())))
    window = image[:400, :400]
    np.testing.assert_array_equal(
        find_cells(window, reference=again).labels, find_cells(window, reference=reference).labels
    )


def test_nothing_to_measure_is_none() -> None:
    assert fit_reference(np.full((200, 200, 3), 240, np.uint8)) is None


def test_a_window_without_cells_has_none(reference: Reference) -> None:
    assert len(find_cells(np.full((200, 200, 3), 240, np.uint8), reference=reference)) == 0


@pytest.mark.parametrize("lenient", [1.0, 1.7])
@pytest.mark.parametrize("nuclear", [[True, False, False, True], [False] * 4, [True] * 4])
def test_nearest_pivots_are_those_of_all_distances(nuclear: list[bool], lenient: float) -> None:
    rng = np.random.default_rng(5)
    features = rng.integers(0, 256, (37, 67, 3), dtype=np.uint8)
    colours = rng.integers(0, 256, (4, 3), dtype=np.uint8)
    chosen = np.array(nuclear)
    squares = np.square(features[:, :, None] - colours.astype(np.float64)).sum(axis=3)
    own = squares[..., chosen].min(axis=2, initial=np.inf)
    other = squares[..., ~chosen].min(axis=2, initial=np.inf)
    found = _core.nearest_is_nuclear(features, colours, chosen, lenient)
    np.testing.assert_array_equal(
        found, own.astype(np.float32) < np.float32(lenient) * other.astype(np.float32)
    )
