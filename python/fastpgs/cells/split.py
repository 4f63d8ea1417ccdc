"""Splitting touching cells by shape: a cell ends where its outline has a neck.

The distance to the background has one peak per convex body. Two peaks belong to one cell unless the passage
between them is narrow against the smaller of the two: a ratio, so no magnification is built in.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import shapes

__all__ = ["body_markers", "merge_bodies"]

Float = npt.NDArray[np.float64]

NEARLY_CONVEX = 0.92  # solidity: two touching discs reach 0.88


def _segment_minimum(distance: Float, a: npt.NDArray[np.intp], b: npt.NDArray[np.intp]) -> float:
    n = int(np.abs(a - b).max()) + 1
    rows = np.rint(np.linspace(a[0], b[0], n)).astype(np.intp)
    cols = np.rint(np.linspace(a[1], b[1], n)).astype(np.intp)
    return float(distance[rows, cols].min())


def body_markers(distance: Float, region: npt.NDArray[np.int32], neck: float) -> npt.NDArray[np.int32]:
    """Markers of the convex bodies in the components of ``region``.

    Parameters
    ----------
    distance : (H, W) float64 ndarray
        Distance to the outside of the region, in pixels.
    region : (H, W) int32 ndarray
        Connected components.
    neck : float
        Two peaks are two bodies if the distance drops between them below ``neck`` times the lower peak.

    Returns
    -------
    (H, W) int32 ndarray
        0, or the number of a body at its peaks; peaks of one body share their number.
    """
    from scipy import ndimage

    smooth = ndimage.uniform_filter(distance, 3, mode="constant")
    peak = (smooth == ndimage.maximum_filter(smooth, 5)) & (region > 0)
    rows, cols = np.nonzero(peak)
    markers = np.zeros(region.shape, np.int32)
    if rows.size == 0:
        return markers
    height = smooth[rows, cols]
    component = region[rows, cols]
    largest = ndimage.maximum(smooth, region, np.arange(region.max() + 1))
    keep = height >= 0.25 * largest[component]
    points = np.stack([rows, cols], axis=1)[keep]
    height, component = height[keep], component[keep]
    order = np.argsort(-height, kind="stable")
    points, height, component = points[order], height[order], component[order]
    body = np.arange(len(points))
    for i in range(1, len(points)):  # from the highest peak down, each joins the best earlier one
        best, at = neck, -1
        for j in range(i):
            if component[j] != component[i]:
                continue
            ratio = _segment_minimum(smooth, points[i], points[j]) / height[i]
            if ratio >= best:
                best, at = ratio, j
        if at >= 0:
            body[i] = body[at]
    markers[points[:, 0], points[:, 1]] = body + 1
    return markers


def _contacts(bodies: npt.NDArray[np.int32]) -> list[tuple[int, int]]:
    """Pairs of bodies that touch, along rows or columns."""
    pairs: set[tuple[int, int]] = set()
    for a, b in ((bodies[:-1], bodies[1:]), (bodies[:, :-1], bodies[:, 1:])):
        at = (a != b) & (a > 0) & (b > 0)
        low, high = np.minimum(a[at], b[at]), np.maximum(a[at], b[at])
        pairs.update(
            (int(p) >> 32, int(p) & 0xFFFFFFFF) for p in np.unique(low.astype(np.int64) << 32 | high)
        )
    return sorted(pairs)


def merge_bodies(
    bodies: npt.NDArray[np.int32], nuclei: npt.NDArray[np.bool_], vacuole: float, least: float, most: float
) -> npt.NDArray[np.int32]:
    """Rejoin bodies that are one cell: two whose union is nearly convex.

    How nearly depends on how much of the union is nucleus. Two touching nuclei with hardly any cytoplasm are
    two cells unless their union is as good as convex; lobes in a common cytoplasm are one cell even if its
    outline is ragged.

    Parameters
    ----------
    bodies : (H, W) int32 ndarray
        Bodies, 0 = none.
    nuclei : (H, W) bool ndarray
        Nuclei.
    vacuole : float
        Holes of at most this many pixels count as part of the union.
    least : float
        Bodies with fewer pixels of nucleus are left out (0 in the result).
    most : float
        With more pixels of nucleus than this a union is one cell only if it is as good as convex.
    """
    area = np.bincount(bodies.ravel(), weights=nuclei.ravel())
    area[0] = 0.0
    nucleated = area >= least
    merged = np.where(nucleated[bodies], bodies, 0).astype(np.int32)
    while True:
        best, pair = 0.0, None
        for i, j in _contacts(merged):
            where = (merged == i) | (merged == j)
            rows, cols = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
            box = slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(cols[0] - 1, 0), cols[-1] + 2)
            union = shapes.fill_holes(where[box], vacuole)
            nucleus = np.count_nonzero(nuclei[box] & where[box])
            share = nucleus / np.count_nonzero(union)
            needed = float(np.clip(0.8 + 0.5 * (share - 0.55), 0.7, NEARLY_CONVEX))
            if nucleus > most:
                needed = NEARLY_CONVEX
            excess = shapes.solidity(union) - needed
            if excess > best:
                best, pair = excess, (i, j)
        if pair is None:
            return merged
        merged[merged == pair[1]] = pair[0]
