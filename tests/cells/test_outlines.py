"""The outline and the nucleus of one cell, drawn by ``_core.draw_cells`` where the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fastpgs import _core
from fastpgs.cells.rules import RULES as SEARCH
from fastpgs.cells.rules import CytoplasmRules, NucleusRules

SIDE = 96
RADIUS = 16.0  # of the nucleus
GLASS, CYTOPLASM, GRANULES, NUCLEUS = (0, 64, 64), (80, 125, 160), (104, 142, 160), (120, 150, 100)

RULES: dict[str, Any] = {
    **CytoplasmRules()._asdict(),
    **NucleusRules()._asdict(),  # its edge, not the cytoplasm's
    "radius": RADIUS,
    "opening": 1.6,
    "vacuole": 80.0,
    "solid": 0.82,
    "faintest": 0.5,
    "pale": 0.85,
    "blurred": 0.6,
    "reaches": [1.2, 0.5, 0.0],
}


def disc(row: float, col: float, radius: float) -> npt.NDArray[np.bool_]:
    rows, cols = np.mgrid[:SIDE, :SIDE]
    inside: npt.NDArray[np.bool_] = (rows - row) ** 2 + (cols - col) ** 2 <= radius**2
    return inside


def draw(
    body: npt.NDArray[np.bool_], rough: npt.NDArray[np.bool_], features: npt.NDArray[np.uint8], **changed: Any
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    rules = {**NucleusRules()._asdict(), **CytoplasmRules()._asdict()}
    rules |= {
        "radius": RADIUS,
        "opening": 1.6,
        "vacuole": 80.0,
        "solid": 0.82,
        "faintest": 0.5,
        "pale": 0.85,
        "blurred": 0.6,
        "edge": 0.535,
    }
    rules |= {"reaches": [1.2, 0.5, 0.0], "smooth": NucleusRules().smooth} | changed
    depth = features[..., 0].astype(np.int16) + features[..., 1] - 64
    labels, nuclei, _ = _core.draw_cells(
        body.astype(np.int32), 1, rough, np.zeros(body.shape, np.int32), depth, features, rules
    )
    return labels > 0, nuclei > 0


def dice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    return float(2.0 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))


def paint(*layers: tuple[npt.NDArray[np.bool_], tuple[int, int, int]]) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(1).integers(-4, 5, (SIDE, SIDE, 3))
    features = np.empty((SIDE, SIDE, 3), int)
    features[:] = GLASS
    for where, colour in layers:
        features[where] = colour
    return np.clip(features + noise, 0, 255).astype(np.uint8)


def test_granules_as_deep_as_the_nucleus_are_told_by_colour() -> None:
    body, nucleus = disc(48, 48, 38), disc(42, 42, RADIUS)
    granules = disc(58, 60, 9) & ~nucleus
    features = paint((body, CYTOPLASM), (granules, GRANULES), (nucleus, NUCLEUS))
    deep = features[..., 0].astype(int) + features[..., 1]
    middle = (np.median(deep[nucleus]) + np.median(deep[body & ~nucleus & ~granules])) / 2.0
    assert np.median(deep[granules]) > middle + 5.0  # nearer to the nucleus than to the cytoplasm
    _, found = draw(body, nucleus, features)
    assert dice(found, nucleus) > 0.96
    # Of a picture without colours depth is all there is, and the granules count.
    grey = features.copy()
    grey[..., 2] = 64
    _, found = draw(body, nucleus, grey)
    assert np.count_nonzero(found & granules) > 0.8 * np.count_nonzero(granules)


@pytest.mark.parametrize(("radius", "grown_anew"), [(24.0, True), (16.0, False)])
def test_a_nucleus_that_is_vaguely_told_grows_anew_from_its_deeper_half(
    radius: float, grown_anew: bool
) -> None:
    """Granules nearly as deep as the nucleus, all of them taken for it; more than half must prove to be nucleus."""
    body, rough, nucleus = disc(48, 48, 40), disc(44, 48, 33), disc(40, 44, radius)
    features = paint((body, (180, 122, 150)), (rough, (222, 128, 145)), (nucleus, (235, 145, 130)))
    uneven = np.random.default_rng(3).normal(0.0, 8.0, (SIDE, SIDE, 1))
    features = np.clip(features + uneven, 0, 255).astype(np.uint8)
    _, once = draw(body, rough, features, vague=0.0)
    assert dice(once, rough) > 0.98 > 0.75 > dice(once, nucleus)
    _, found = draw(body, rough, features, vague=4.0)
    if grown_anew:
        assert dice(found, nucleus) > 0.98
    else:
        np.testing.assert_array_equal(found, once)
    _, found = draw(body, rough, features)  # by the rules: the outline is told clearly enough
    np.testing.assert_array_equal(found, once)


def test_a_hole_of_the_nucleus_may_be_no_part_of_the_cell() -> None:
    """What another body holds there is filled, but is not of the cell, so it has no place on its axis of colour."""
    body, nucleus, hole = disc(48, 48, 38), disc(48, 48, RADIUS), disc(48, 48, 2)
    features = paint((body, CYTOPLASM), (nucleus, NUCLEUS))
    depth = features[..., 0].astype(np.int16) + features[..., 1] - 64
    bodies = body.astype(np.int32)
    bodies[hole] = 2
    labels, nuclei, _ = _core.draw_cells(
        bodies, 2, nucleus, np.zeros(body.shape, np.int32), depth, features, RULES
    )
    whole, inner = draw(body, nucleus, features)
    assert dice((labels == 1) | hole, whole) > 0.99
    assert dice((nuclei == 1) | hole, inner) > 0.99


@pytest.mark.parametrize("colour", [NUCLEUS, CYTOPLASM])
def test_a_cell_of_one_colour_keeps_its_nucleus(colour: tuple[int, int, int]) -> None:
    """No cytoplasm to compare with, or none that differs: no axis of colour, no accident."""
    body = disc(48, 48, RADIUS)
    cell, nucleus = draw(body, body, paint((body, colour)))
    assert dice(cell, body) > 0.97
    assert dice(nucleus, body) > 0.9
    flat = np.empty((SIDE, SIDE, 3), np.uint8)
    flat[:] = colour
    cell, nucleus = draw(disc(48, 48, 38), body, flat)
    assert not nucleus.any() or dice(nucleus, body) > 0.9


def test_outlines_are_smooth() -> None:
    body, nucleus = disc(48, 48, 34), disc(48, 48, RADIUS)
    ragged = body.copy()
    ragged[12:24, 47:50] = False  # a notch
    ragged[40:44, 80:92] = True  # and a hair, each narrower than a tenth of the cell
    features = paint((ragged, CYTOPLASM), (nucleus, NUCLEUS))
    rules = {"tongue_length": 9.0}  # no tongues cut
    cell, _ = draw(ragged, nucleus, features, **rules)
    assert dice(cell, body) > 0.99
    assert not cell[:, 88:].any()
    assert cell[16:24, 47:50].all()
    as_is, _ = draw(ragged, nucleus, features, **rules, outline=0.0)
    np.testing.assert_array_equal(as_is, ragged)
    cut_out, _ = draw(ragged, nucleus, features, **rules, solid=0.0)  # on black the outline is not judged
    np.testing.assert_array_equal(cut_out, ragged)


def test_smoothing_takes_nothing_from_a_neighbour_or_the_nucleus() -> None:
    left, right = disc(48, 30, 20), disc(48, 68, 20)
    right &= ~left
    bodies = np.where(left, 1, np.where(right, 2, 0)).astype(np.int32)
    nuclei = disc(48, 30, 12) | disc(48, 68, 12)
    nuclei[30:34, 66:69] = True  # a thin lobe, not to be cut off
    features = paint((left | right, CYTOPLASM), (nuclei, NUCLEUS))
    rules = {**NucleusRules()._asdict(), **CytoplasmRules()._asdict()}
    rules |= {
        "radius": RADIUS,
        "opening": 1.6,
        "vacuole": 80.0,
        "solid": 0.82,
        "faintest": 0.5,
        "pale": 0.85,
        "blurred": 0.6,
        "edge": 0.535,
    }
    rules |= {"reaches": [1.2, 0.5, 0.0], "smooth": NucleusRules().smooth}
    depth = features[..., 0].astype(np.int16) + features[..., 1] - 64
    labels, _, _ = _core.draw_cells(
        bodies, 2, nuclei, np.zeros(bodies.shape, np.int32), depth, features, RULES
    )
    assert labels.max() == 2
    assert not ((labels == 1) & right).any()
    assert not ((labels == 2) & left).any()
    assert (labels[nuclei & left] == 1).all()
    assert (labels[nuclei & right] == 2).all()


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ([], True),
        ([disc(48, 67, 20)], False),  # a red cell touches it: the outline of both is not convex
        ([disc(48, 72, 20)], True),  # one lies apart
    ],
)
def test_blobs_that_touch_nothing_stand_alone(beside: list[npt.NDArray[np.bool_]], expected: bool) -> None:
    blob, nucleus = disc(48, 26, 22), disc(46, 28, RADIUS)
    stained = np.logical_or.reduce([blob, *beside])
    chosen = _core.blobs_alone(
        stained & ~nucleus, nucleus, np.zeros((SIDE, SIDE), np.int32), SEARCH, RADIUS, 1.6
    )
    assert chosen.any() == expected
    if expected:
        assert dice(chosen | nucleus, blob) > 0.995


def test_what_the_frame_cuts_does_not_stand_alone() -> None:
    blob, nucleus = disc(48, 24, 30), disc(44, 26, RADIUS)
    chosen = _core.blobs_alone(
        blob & ~nucleus, nucleus, np.zeros((SIDE, SIDE), np.int32), SEARCH, RADIUS, 1.6
    )
    assert not chosen.any()


def test_what_reaches_too_far_does_not_stand_alone() -> None:
    blob, nucleus = disc(48, 48, 30), disc(48, 48, 8)
    limit = (8.0 * CytoplasmRules().reach) ** 2
    for square, expected in ((limit - 1.0, True), (limit, False)):
        squares = np.where(disc(48, 48, 29), 0, np.ceil(square)).astype(np.int32)
        chosen = _core.blobs_alone(blob & ~nucleus, nucleus, squares, SEARCH, 8.0, 1.0)
        assert chosen.any() == expected


def smudged(depth: int, blur: float) -> tuple[npt.NDArray[np.int32], ...]:
    """Three whole cells and one of other depth and sharpness: its picture's bodies, nuclei, depth and features."""
    from scipy.ndimage import gaussian_filter

    centres = [(24, 24), (24, 72), (72, 24), (72, 72)]
    bodies = np.zeros((SIDE, SIDE), np.int32)
    for number, (row, col) in enumerate(centres, start=1):
        bodies[disc(row, col, 16)] = number
    whole = np.where((bodies > 0) & (bodies < 4), 200.0, 0.0)
    burst = gaussian_filter(np.where(bodies == 4, float(depth), 0.0), blur)
    planes = np.maximum(whole, burst).astype(np.int16)
    features = np.stack([planes, np.full_like(planes, 64), np.full_like(planes, 64)], axis=-1)
    return bodies, bodies > 0, planes, features.astype(np.uint8)


@pytest.mark.parametrize(
    ("depth", "blur", "cells"),
    [
        (200, 0.6, 4),
        (150, 0.6, 4),  # pale, but as sharp as the others
        (200, 3.0, 4),  # blurred, but as deep
        (150, 3.0, 3),  # burst
        (90, 0.6, 3),  # a clot
    ],
)
def test_burst_cells_are_both_pale_and_blurred(depth: int, blur: float, cells: int) -> None:
    bodies, nuclei, planes, features = smudged(depth, blur)
    squares = np.zeros(bodies.shape, np.int32)
    labels, _, edge = _core.draw_cells(bodies, 4, nuclei, squares, planes, features, RULES)
    assert labels.max() == cells
    assert edge == pytest.approx(100.0, abs=1.0)  # levels a pixel, across a step of 200
    # Alone a cell is what it is compared with, unless one knows better of the whole picture.
    one = np.where(bodies == 4, 1, 0).astype(np.int32)
    labels, _, _ = _core.draw_cells(one, 1, nuclei & (one > 0), squares, planes, features, RULES)
    assert labels.max() == 1
    known = RULES | {"typical_depth": 200.0, "typical_edge": edge}
    labels, _, _ = _core.draw_cells(one, 1, nuclei & (one > 0), squares, planes, features, known)
    assert labels.max() == cells - 3


def test_features_must_fit() -> None:
    body = disc(48, 48, 30)
    bodies, squares, depth = (
        body.astype(np.int32),
        np.zeros(body.shape, np.int32),
        np.zeros(body.shape, np.int16),
    )
    with pytest.raises(ValueError, match=r"features must have shape \(96, 96, 3\)"):
        _core.draw_cells(bodies, 1, body, squares, depth, np.zeros((4, 4, 3), np.uint8), {})
