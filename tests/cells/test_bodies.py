"""Bodies and colours in the core against the same rules in NumPy and SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from test_shapes import masks

from fastpgs import _core
from fastpgs.cells import shapes
from fastpgs.cells.rules import CellRules

RULES = CellRules()


def lowest_between(plane, a, b):
    n = int(np.abs(a - b).max()) + 1
    rows = np.rint(np.linspace(a[0], b[0], n)).astype(int)
    cols = np.rint(np.linspace(a[1], b[1], n)).astype(int)
    return plane[rows, cols].min()


def markers_in_numpy(distance, region, neck):
    smooth = np.rint(4096.0 * ndimage.uniform_filter(distance, 3, mode="constant")) / 4096.0
    rows, cols = np.nonzero((smooth == ndimage.maximum_filter(smooth, 5)) & (region > 0))
    markers = np.zeros(region.shape, np.int32)
    if rows.size == 0:
        return markers
    height, part = smooth[rows, cols], region[rows, cols]
    largest = ndimage.maximum(smooth, region, np.arange(region.max() + 1))
    keep = height >= 0.25 * largest[part]
    points, height, part = np.stack([rows, cols], axis=1)[keep], height[keep], part[keep]
    order = np.argsort(-height, kind="stable")
    points, height, part = points[order], height[order], part[order]
    body = np.arange(len(points))
    for i in range(len(points)):
        best = neck
        for j in range(i):
            ratio = lowest_between(smooth, points[i], points[j]) / height[i]
            if part[j] == part[i] and ratio >= best:
                best, body[i] = ratio, body[j]
    markers[points[:, 0], points[:, 1]] = body + 1
    return markers


@settings(max_examples=60, deadline=None)
@given(masks(), st.floats(0.3, 1.0))
def test_peaks_of_one_body_share_their_number(mask, neck):
    region, _ = shapes.label(mask)
    distance = _core.distance(mask)
    np.testing.assert_array_equal(_core.body_markers(mask, neck), markers_in_numpy(distance, region, neck))


def test_a_picture_that_one_body_covers():
    """All pixels within its frame are peaks, too many to compare each with each."""
    mask = np.ones((200, 300), bool)
    markers = _core.body_markers(mask, 0.9)
    np.testing.assert_array_equal(markers, np.pad(mask[1:-1, 1:-1], 1))


def lines_of_contact(bodies):
    """Corners of the pixels along which each two bodies touch."""
    lines = {}
    for down in (True, False):
        a, b = (bodies[:-1], bodies[1:]) if down else (bodies[:, :-1], bodies[:, 1:])
        for r, c in np.argwhere((a != b) & (a > 0) & (b > 0)):
            ends = [(r + 1, c), (r + 1, c + 1)] if down else [(r, c + 1), (r + 1, c + 1)]
            lines.setdefault(tuple(sorted((a[r, c], b[r, c]))), []).extend(ends)
    return lines


def merge_in_numpy(bodies, region, nuclei, vacuole, most, nearly_convex, contact):
    merged = bodies.copy()
    distance = _core.distance(region)
    while True:
        best, pair = 0.0, None
        for (i, j), corners in sorted(lines_of_contact(merged).items()):
            where = (merged == i) | (merged == j)
            box = ndimage.find_objects(where.astype(int))[0]
            box = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in box)
            union = shapes.fill_holes(where[box], vacuole)
            nucleus = np.count_nonzero(nuclei & where)
            needed = np.clip(0.8 + 0.5 * (nucleus / union.sum() - 0.55), 0.7, nearly_convex)
            length = np.hypot(*np.ptp(corners, axis=0))
            narrow = length < contact * 2.0 * min(distance[merged == i].max(), distance[merged == j].max())
            excess = _core.solidity(union) - (nearly_convex if nucleus > most or narrow else needed)
            if excess > best:
                best, pair = excess, (i, j)
        if pair is None:
            return merged
        merged[merged == pair[1]] = pair[0]


@settings(max_examples=60, deadline=None)
@given(masks(side=24), st.integers(0, 2**32 - 1), st.floats(0, 20), st.floats(0, 200), st.floats(0, 1.5))
def test_bodies_whose_union_is_solid_are_one(mask, seed, vacuole, most, contact):
    rng = np.random.default_rng(seed)
    markers = np.where(rng.random(mask.shape) < 0.02, rng.integers(1, 8, mask.shape), 0).astype(np.int32)
    bodies = _core.flood(mask, -_core.distance(mask), markers)
    nuclei = ndimage.binary_dilation(markers > 0, iterations=2) & mask
    got = _core.merge_bodies(bodies, mask, nuclei, vacuole, most, 0.92, contact)
    np.testing.assert_array_equal(got, merge_in_numpy(bodies, mask, nuclei, vacuole, most, 0.92, contact))


@pytest.mark.parametrize(("apart", "n"), [(18, 1), (30, 1), (37, 2), (39, 2)])
def test_discs_that_touch_along_a_short_line_are_two(apart, n):
    """Of radius 20, with hardly any nucleus, so that a union need not be solid."""
    rows, cols = np.mgrid[:60, :100]
    left, right = ((rows - 30) ** 2 + (cols - c) ** 2 for c in (30, 30 + apart))
    region = (left < 400) | (right < 400)
    nuclei = (left < 40) | (right < 40)
    bodies = np.where(region, 1 + (right < left), 0).astype(np.int32)
    merged = _core.merge_bodies(bodies, region, nuclei, 10.0, np.inf, 0.92, RULES.contact)
    assert len(np.unique(merged)) - 1 == n
    without = _core.merge_bodies(bodies, region, nuclei, 10.0, np.inf, 0.92, 0.0)
    assert len(np.unique(without)) - 1 == 1


def typical_area(areas):
    """The area-weighted median: half of all area lies in smaller parts."""
    ordered = np.sort(areas)
    total = np.cumsum(ordered)
    return float(ordered[np.searchsorted(total, total[-1] / 2.0)]) if areas.sum() else 0.0


def split_in_numpy(region, nuclei, neck, vacuole, least, most, smallest, typical):
    depth = _core.distance(region)
    bodies = _core.flood(region, -depth, _core.body_markers(region, neck))
    area = np.bincount(bodies.ravel(), weights=nuclei.ravel())
    area[0] = 0.0
    bodies = np.where((area >= least)[bodies], bodies, 0).astype(np.int32)
    bodies = _core.merge_bodies(bodies, region, nuclei, vacuole, most, 0.92, RULES.contact)
    area = np.bincount(bodies.ravel(), weights=nuclei.ravel())
    area[0] = 0.0
    if typical is None:
        typical = typical_area(area[1:])
    enough = area >= smallest * typical
    enough[0] = False
    numbers = np.cumsum(enough) * enough
    markers = np.where(nuclei, numbers[bodies], 0).astype(np.int32)
    return _core.flood(region, -depth, markers), int(enough.sum()), typical


@settings(max_examples=60, deadline=None)
@given(masks(side=30), st.integers(0, 2**32 - 1), st.floats(0.5, 1), st.floats(0, 9), st.booleans())
def test_a_region_is_split_into_its_bodies(region, seed, neck, least, given_size):
    rng = np.random.default_rng(seed)
    nuclei = ndimage.binary_dilation((rng.random(region.shape) < 0.03) & region)
    options = {"neck": neck, "vacuole": 4.0, "least": least, "most": 60.0, "smallest": 0.3}
    options["typical"] = 12.0 if given_size else None
    rules = {name: value for name, value in options.items() if name != "typical"} | {
        "nearly_convex": 0.92,
        "contact": RULES.contact,
    }
    measured = -1.0 if options["typical"] is None else options["typical"]
    bodies, n, typical = _core.split_bodies(region, nuclei, rules, measured)
    expected, count, size = split_in_numpy(region, nuclei, **options)
    np.testing.assert_array_equal(bodies, expected)
    assert (n, typical) == (count, size)


def lobed_radii_in_numpy(parts, radius, lobes, near, own):
    """Of each part that of the whole nucleus: of all whose surroundings hang together, or of two hops only."""
    n = len(radius) - 1
    whole = np.zeros(n + 1)
    if near:
        part = np.where(lobes, own, 0)
        touched = np.eye(n + 1, dtype=bool)
        for a, b in ((part[1:], part[:-1]), (part[:, 1:], part[:, :-1])):
            pair = (a != b) & (a > 0) & (b > 0)
            touched[a[pair], b[pair]] = touched[b[pair], a[pair]] = True
        for i in range(1, n + 1):
            group = radius[touched[touched[i]].any(axis=0)]
            whole[i] = min(np.sqrt(np.square(group).sum()), 2.0 * group.max())
        return radius if n == 1 else whole
    groups, _ = shapes.label(lobes)
    for i in range(1, n + 1):
        together = groups == groups[parts == i][0]
        area = np.count_nonzero(together & (parts > 0))
        whole[i] = min(np.sqrt(area / np.pi), 2.0 * radius[np.unique(parts[together])].max())
    return whole


@settings(max_examples=100, deadline=None)
@given(masks(side=40), st.integers(0, 2**32 - 1), st.booleans(), st.floats(0, 2))
def test_how_far_nuclei_reach(mask, seed, near, halo):
    nuclei = ndimage.binary_dilation(mask & (np.random.default_rng(seed).random(mask.shape) < 0.03))
    if not nuclei.any():
        with pytest.raises(ValueError, match="nuclei must hold a pixel"):
            _core.nuclear_reach(nuclei, near, halo)
        return
    parts, n = shapes.label(nuclei)
    radius = np.sqrt(np.bincount(parts.ravel(), minlength=n + 1) / np.pi)
    radius[0] = 0.0
    distance, at = _core.nearest(~nuclei)
    own = parts.ravel()[at]
    whole = lobed_radii_in_numpy(parts, radius, distance <= 1.5 * radius[own], near, own)
    away, around = _core.nuclear_reach(nuclei, near, halo)
    np.testing.assert_allclose(away, distance / np.maximum(whole[own], 1.0), rtol=1e-15, atol=0)
    np.testing.assert_array_equal(around, distance < halo * radius[own])


@given(masks())
def test_components_are_measured(mask):
    parts, n = shapes.label(mask)
    np.testing.assert_array_equal(_core.part_areas(mask), np.bincount(parts.ravel(), minlength=n + 1)[1:])
    radii = ndimage.maximum(_core.distance(mask), parts, np.arange(1, n + 1)) if n else np.empty(0)
    np.testing.assert_array_equal(_core.inscribed_radii(mask), radii)
    framed = np.isin(parts, np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    np.testing.assert_array_equal(_core.touching_frame(mask), framed & mask)


@given(masks(), st.integers(0, 2**32 - 1), st.booleans())
def test_medians_are_those_of_numpy(mask, seed, coarse):
    values = np.random.default_rng(seed).normal(size=mask.shape).astype(np.float32)
    values = np.rint(values) if coarse else values
    got = _core.median(values, mask)
    if mask.any():
        assert got == np.median(values[mask])
    else:
        assert np.isnan(got)


def test_planes_that_are_held_are_never_handed_out_again():
    rng = np.random.default_rng(3)
    pictures = [rng.random((50, 60)) < 0.5 for _ in range(6)]
    held = [shapes.label(mask)[0] for mask in pictures]
    expected = [parts.copy() for parts in held]
    for mask in pictures:  # planes of these are dropped, and come again
        shapes.label(mask[::-1])
    for parts, copy in zip(held, expected, strict=True):
        np.testing.assert_array_equal(parts, copy)
        parts[...] = -1  # and are their owner's to write to


def odds_in_numpy(features, near, red, outlier, most, size):
    colours = features.astype(np.float64)
    around, far = colours[near], colours[red]
    spread = np.linalg.inv(np.cov(far.T) + 9.0 * np.eye(3))
    off = around - np.median(far, axis=0)
    distance = np.einsum("ij,jk,ik->i", off, spread, off)
    chosen = distance > outlier
    strange = chosen.mean()
    if strange < 0.1:
        chosen = distance >= np.percentile(distance, 90)
    for _ in range(5):
        own = around[chosen]
        pooled = (np.cov(own.T, bias=True) * len(own) + np.cov(far.T, bias=True) * len(far)) / (
            len(own) + len(far)
        )
        a, b = own.mean(axis=0), far.mean(axis=0)
        weights = np.linalg.solve(pooled + 4.0 * np.eye(3), a - b)
        bias = -0.5 * weights @ (a + b)
        again = around @ weights + bias > 0
        if again.sum() < max(0.05 * len(around), 3) or (again == chosen).all():
            break
        chosen = again
    odds = ndimage.uniform_filter(np.clip(colours @ weights + bias, -most, most), size)
    return odds, np.sqrt(weights @ (a - b)) * strange


@pytest.mark.parametrize("apart", [4, 25, 70])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_cytoplasm_is_told_from_red_cells_by_fishers_discriminant(apart, size):
    rng = np.random.default_rng(apart)
    near, red = np.zeros((50, 60), bool), np.zeros((50, 60), bool)
    near[:25, :40], red[30:, 5:] = True, True
    features = rng.normal(90, 9, (50, 60, 3)) + np.array([0, 5, -5])
    features[:20, :30] += np.array([0.3, 1.0, 0.6]) * apart
    features = features.clip(0, 255).astype(np.uint8)
    *model, sure = _core.colour_model(features, near, red, 6.0)
    odds, above = _core.model_odds(features, model, 6.0, size)
    expected, expected_sure = odds_in_numpy(features, near, red, 6.0, 6.0, size)
    np.testing.assert_allclose(odds, expected, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(above, odds > 0)
    squares = rng.integers(0, 1600, near.shape, dtype=np.int32)
    prior = np.clip(2.0 * (1.2 - np.sqrt(squares) / 10.0), -4.0, 4.0)
    red_here = _core.against(features, model, 6.0, size, squares, 10.0, 1.2)
    np.testing.assert_array_equal(red_here, odds + prior < 0)
    assert sure == pytest.approx(expected_sure, rel=1e-9)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_odds_that_single_precision_cannot_tell_are_computed_anew(size):
    # Levels whose odds are -2, 0 and 2, but for what single precision drops: means lie at 0, beside it by less than
    # that, or far away.
    rng = np.random.default_rng(size)
    features = rng.choice(np.array([100, 120, 140], np.uint8), (40, 70, 1)).repeat(3, axis=2)
    for off in (0.0, 1e-12, -1e-12):
        model = [1.0 / 30.0, 1.0 / 30.0, 1.0 / 30.0, -12.0 + off]
        odds, above = _core.model_odds(features, model, 6.0, size)
        np.testing.assert_array_equal(above, odds > 0)
        squares = np.full((40, 70), 144, np.int32)  # as far away as is neutral
        red = _core.against(features, model, 6.0, size, squares, 10.0, 1.2)
        np.testing.assert_array_equal(red, odds + 2.0 * (1.2 - np.sqrt(squares) / 10.0) < 0)
        assert (np.abs(odds) < 1e-6).sum() > 100


def test_a_discriminant_needs_pixels():
    features = np.zeros((4, 4, 3), np.uint8)
    none = np.zeros((4, 4), bool)
    with pytest.raises(ValueError, match="two pixels each"):
        _core.colour_model(features, none, none, 6.0)
    with pytest.raises(ValueError, match="size must be odd, got 4"):
        _core.model_odds(features, [1.0, 0.0, 0.0, 0.0], 6.0, 4)
