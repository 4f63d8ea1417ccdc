"""Outlines of labelled cells as polygons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Rings", "ring_area", "trace"]

Rings = list[npt.NDArray[np.float32]]
"""Outer rings of one cell, the largest first: each (m, 2) x, y in pixels, closed (first point = last point)."""


def trace(
    labels: npt.NDArray[np.int32], ids: npt.NDArray[np.integer], boxes: npt.NDArray[np.integer]
) -> list[Rings]:
    """Trace the outline of every cell.

    Parameters
    ----------
    labels : (H, W) int32 ndarray
        Instances.
    ids : (n,) integer ndarray
        Labels to trace.
    boxes : (n, 4) integer ndarray
        Half-open boxes (row, col, row, col) that hold each of them.

    Returns
    -------
    list of n Rings
        Corner coordinates: pixel (row, col) covers [col, col + 1] x [row, row + 1]. Holes are not traced. A
        label without a pixel has no ring.
    """
    from skimage.measure import find_contours

    outlines: list[Rings] = []
    for label, (top, left, bottom, right) in zip(ids, boxes, strict=True):
        mask = np.pad(labels[top:bottom, left:right] == label, 1)
        rings: Rings = []
        for contour in find_contours(mask, 0.5):  # type: ignore[no-untyped-call]
            if ring_area(contour[:, ::-1]) <= 0:
                continue
            # Padding moved everything by one pixel, and contours run through pixel centres.
            corners = _corners(contour)[:, ::-1] + np.array([left - 0.5, top - 0.5])
            rings.append(corners.astype(np.float32))
        outlines.append(sorted(rings, key=ring_area, reverse=True))
    return outlines


def _corners(ring: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The ring without the points in the middle of straight runs: the same outline, a third of the points."""
    steps = np.diff(ring, axis=0)
    turns = np.any(steps[1:] != steps[:-1], axis=1)
    corners: npt.NDArray[np.float64] = ring[np.concatenate([[True], turns, [True]])]
    return corners


def ring_area(ring: npt.NDArray[np.floating]) -> float:
    """Signed area of a closed ring in square pixels: positive for outer rings, negative for holes."""
    x, y = ring[:, 0].astype(np.float64), ring[:, 1].astype(np.float64)
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
