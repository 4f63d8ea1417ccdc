"""Shapes in the core equal those of SciPy and scikit-image, ties included."""

import heapq
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial import ConvexHull
from skimage import segmentation

from fastpgs import _core
from fastpgs.cells import shapes


@st.composite
def masks(draw, side=40):
    """Blobs of every size: noise, smoothed and cut; rows of one word of bits, of two or of three."""
    rows, cols = draw(st.integers(1, side)), draw(st.integers(1, side) | st.integers(60, 70) | st.just(135))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    field = ndimage.gaussian_filter(rng.normal(size=(rows, cols)), draw(st.floats(0, 3)))
    return field > draw(st.floats(-0.5, 0.5)) * field.std()


radii = st.floats(0.0, 9.0)


@given(masks())
def test_components_are_numbered_as_scipy_does(mask):
    parts, n = shapes.label(mask)
    expected, expected_n = ndimage.label(mask)
    assert n == expected_n
    np.testing.assert_array_equal(parts, expected)
    assert parts.dtype == np.int32


@given(masks())
def test_distances_are_exact(mask):
    away, index = _core.nearest(mask)
    np.testing.assert_array_equal(away, _core.distance(mask))
    if mask.all():
        assert (away == max(mask.shape)).all()
        assert (index == -1).all()
        return
    expected, (rows, cols) = ndimage.distance_transform_edt(mask, return_indices=True)
    np.testing.assert_array_equal(away, expected)
    np.testing.assert_array_equal(
        index, rows * mask.shape[1] + cols
    )  # of several nearest pixels the same one


def disc(radius):
    """Pixels within the radius of the middle."""
    reach = int(radius)
    row, col = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return row**2 + col**2 <= radius**2


@given(masks(), radii)
def test_erosion_with_a_disc(mask, radius):
    expected = ndimage.binary_erosion(mask, disc(radius), border_value=1)
    np.testing.assert_array_equal(_core.erode_disc(mask, radius), expected)


@given(masks(), radii)
def test_opening_and_closing_with_a_disc(mask, radius):
    def opened(inside):
        eroded = ndimage.binary_erosion(inside, disc(radius), border_value=1)
        return ndimage.binary_dilation(eroded, disc(radius))

    np.testing.assert_array_equal(shapes.open_disc(mask, radius), opened(mask))
    np.testing.assert_array_equal(_core.close_disc(mask, radius), ~opened(~mask))


@pytest.mark.parametrize("radius", [63.0, 64.0, 65.3, 130.0, 1000.0])
def test_discs_wider_than_words(radius):
    mask = np.ones((90, 333), bool)
    mask[[0, 41, 70, 89], [70, 200, 3, 332]] = False
    near = ndimage.distance_transform_edt(mask) <= radius
    eroded = _core.erode_disc(mask, radius)
    np.testing.assert_array_equal(eroded, ~near)
    opened = ndimage.distance_transform_edt(~eroded) <= radius if eroded.any() else eroded
    np.testing.assert_array_equal(shapes.open_disc(mask, radius), opened)


@given(masks(), st.floats(0, 60))
def test_only_small_holes_away_from_the_frame_are_filled(mask, largest):
    parts, n = ndimage.label(~mask)
    expected = mask.copy()
    for i in range(1, n + 1):
        hole = parts == i
        on_frame = hole[0].any() or hole[-1].any() or hole[:, 0].any() or hole[:, -1].any()
        if not on_frame and hole.sum() <= largest:
            expected |= hole
    np.testing.assert_array_equal(shapes.fill_holes(mask, largest), expected)


@given(masks(), st.integers(0, 2**32 - 1))
def test_components_that_touch_a_seed(mask, seed):
    seeds = np.random.default_rng(seed).random(mask.shape) < 0.02
    parts, _ = ndimage.label(mask)
    expected = np.isin(parts, np.unique(parts[seeds & mask])) & mask
    np.testing.assert_array_equal(_core.touching(mask, seeds), expected)


@given(masks())
def test_hulls(mask):
    rows, cols = np.nonzero(mask)
    if rows.size == 0:
        assert _core.hull_area(mask) == 0.0
        assert _core.solidity(mask) == 0.0
        return
    corners = np.concatenate([np.stack([rows + a, cols + b], axis=1) for a in (0, 1) for b in (0, 1)])
    expected = ConvexHull(corners).volume
    assert _core.hull_area(mask) == pytest.approx(expected, rel=1e-12)
    assert _core.solidity(mask) == pytest.approx(min(rows.size / expected, 1.0), rel=1e-12)


def flood_in_python(mask, levels, markers):
    """Lowest first; among equals the older; markers are the oldest, in raster order."""
    out = np.where(mask, markers, 0).astype(np.int32)
    heap = [(levels.flat[i], age, i) for age, i in enumerate(np.flatnonzero(out))]
    heapq.heapify(heap)
    age = len(heap)
    rows, cols = mask.shape
    while heap:
        level, _, i = heapq.heappop(heap)
        r, c = divmod(i, cols)
        for y, x in ((r - 1, c), (r, c - 1), (r, c + 1), (r + 1, c)):
            if 0 <= y < rows and 0 <= x < cols and mask[y, x] and not out[y, x]:
                out[y, x] = out[r, c]
                heapq.heappush(heap, (max(levels[y, x], level), age, y * cols + x))
                age += 1
    return out


@given(masks(side=3), st.integers(0, 2**32 - 1))
def test_nothing_outside_in_a_strip(mask, seed):
    """Distances whose squares outnumber the pixels."""
    rng = np.random.default_rng(seed)
    strip = np.ones((1, mask.size), bool)
    assert (_core.inscribed_radii(strip) == mask.size).all()
    strip[0, rng.integers(mask.size)] = mask.flat[0]
    np.testing.assert_array_equal(
        _core.inscribed_radii(strip),
        [
            _core.distance(strip)[part].max()
            for part in (shapes.label(strip)[0] == i for i in range(1, 3))
            if part.any()
        ],
    )


@settings(max_examples=200)
@given(masks(), st.integers(0, 2**32 - 1), st.booleans())
def test_floods_meet_where_those_of_scikit_image_do(mask, seed, coarse):
    rng = np.random.default_rng(seed)
    levels = rng.normal(size=mask.shape) * 2
    if coarse:
        levels = np.rint(levels)
    markers = np.where(rng.random(mask.shape) < 0.06, rng.integers(1, 6, mask.shape), 0).astype(np.int32)
    before = markers.copy()
    got = _core.flood(mask, levels, markers)
    np.testing.assert_array_equal(got, flood_in_python(mask, levels, markers))
    np.testing.assert_array_equal(markers, before)
    if not coarse:  # which of two markers of one level goes first is not laid down there
        np.testing.assert_array_equal(got, segmentation.watershed(levels, markers, mask=mask))


def test_a_view_is_as_good_as_an_array():
    mask = np.random.default_rng(1).random((60, 70)) < 0.6
    view = mask[3:50:2, 60:5:-1]
    np.testing.assert_array_equal(shapes.open_disc(view, 1.5), shapes.open_disc(view.copy(), 1.5))
    np.testing.assert_array_equal(shapes.fill_holes(view, 9), shapes.fill_holes(view.copy(), 9))


@pytest.mark.parametrize("radius", [-1.0, math.inf, math.nan])
def test_impossible_discs_are_refused(radius):
    with pytest.raises(ValueError, match=r"radius must be in \[0, 60000\), got"):
        shapes.open_disc(np.ones((3, 3), bool), radius)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"seed must have shape \(3, 4\)"):
        _core.touching(np.ones((3, 4), bool), np.ones((4, 3), bool))
    with pytest.raises(ValueError, match="non-empty array of two dimensions"):
        shapes.label(np.ones((0, 4), bool))


def without_tongues(mask, kept, core, length, neck):
    inscribed = _core.distance(mask)[mask].max(initial=0.0)
    opened = shapes.open_disc(mask, core * inscribed)
    away = _core.distance(~opened)
    parts, n = ndimage.label(mask & ~opened)
    expected = mask.copy()
    for i in range(1, n + 1):
        part = parts == i
        longest, contact = away[part].max(), np.count_nonzero(away[part] <= 1.0)
        if longest > length * inscribed and longest > neck * contact and not (part & kept).any():
            expected &= ~part
    return expected


@given(masks(), st.integers(0, 2**32 - 1), st.floats(0.2, 0.9), st.floats(0, 1), st.floats(0, 2))
def test_tongues_are_long_outgrowths_with_a_narrow_contact(mask, seed, core, length, neck):
    kept = np.random.default_rng(seed).random(mask.shape) < 0.01
    expected = without_tongues(mask, kept, core, length, neck)
    np.testing.assert_array_equal(_core.cut_tongues(mask, kept, core, length, neck), expected)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.5), st.floats(0, 0.6))
def test_tongues_of_cells_round_and_long(seed, length, neck):
    # Ellipses of all proportions, with and without outgrowths of about the length that makes a tongue.
    rng = np.random.default_rng(seed)
    row, col = np.mgrid[:90, :110]
    large = rng.uniform(8, 40)
    small, turn = large * rng.uniform(0.5, 1.0), rng.uniform(0, np.pi)
    down, right = row - rng.uniform(25, 65), col - rng.uniform(30, 80)
    along, across = down * np.cos(turn) + right * np.sin(turn), right * np.cos(turn) - down * np.sin(turn)
    mask = (along / large) ** 2 + (across / small) ** 2 <= 1.0
    reach = small * (1.0 + length) + rng.uniform(-4, 4)
    if rng.random() < 0.5:
        mask |= (abs(along) <= rng.uniform(1, 6)) & (across >= 0) & (across <= reach)
    nothing = np.zeros_like(mask)
    expected = without_tongues(mask, nothing, 0.65, length, neck)
    np.testing.assert_array_equal(_core.cut_tongues(mask, nothing, 0.65, length, neck), expected)


def test_a_disc_loses_its_tongue_and_a_pear_nothing():
    row, col = np.mgrid[:80, :80]
    cell = (row - 40) ** 2 + (col - 30) ** 2 <= 20**2
    tongue = (abs(row - 40) <= 3) & (col >= 30) & (col < 68)
    nothing = np.zeros_like(cell)
    cut = _core.cut_tongues(cell | tongue, nothing, 0.65, 0.35, 0.9)
    assert np.count_nonzero(cut & ~cell) <= 12  # but for the corners where it holds
    assert (cut | ~cell).all()
    np.testing.assert_array_equal(_core.cut_tongues(cell | tongue, tongue, 0.65, 0.35, 0.9), cell | tongue)
    pear = cell | ((row - 40) ** 2 + (col - 52) ** 2 <= 11**2)
    np.testing.assert_array_equal(_core.cut_tongues(pear, nothing, 0.65, 0.35, 0.9), pear)
