"""Outlines of labelled cells as polygons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fastpgs import _core

__all__ = ["Outlines", "Rings", "ring_area", "trace"]

Rings = list[npt.NDArray[np.float32]]
"""Outer rings of one cell, the largest first: each (m, 2) x, y in pixels, closed (first point = last point)."""


class Outlines(NamedTuple):
    """The rings of many cells, one after the other.

    Attributes
    ----------
    points : (p, 2) float32 ndarray
        x, y.
    rings : (r + 1,) integer ndarray
        Where each ring begins in the points, and the end of the last.
    cells : (n + 1,) integer ndarray
        Where each cell begins in the rings, and the end of the last.
    """

    points: npt.NDArray[np.float32]
    rings: npt.NDArray[np.integer]
    cells: npt.NDArray[np.integer]

    def some(self, chosen: npt.NDArray[np.bool_]) -> Outlines:
        """Those of the chosen cells, (n,) bool."""
        rings = np.repeat(chosen, np.diff(self.cells))
        lengths = np.diff(self.rings)
        return Outlines(
            self.points[np.repeat(rings, lengths)],
            np.concatenate([[0], np.cumsum(lengths[rings])]),
            np.concatenate([[0], np.cumsum(np.diff(self.cells)[chosen])]),
        )


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
        label without a pixel has no ring. Rings run half-way between pixels in and out, as
        `skimage.measure.find_contours` at 0.5; points within straight runs are left out.
    """
    return _core.trace_rings(
        np.ascontiguousarray(labels, np.int32), np.asarray(ids, np.int64), np.asarray(boxes, np.int64)
    )


def ring_area(ring: npt.NDArray[np.floating]) -> float:
    """Signed area of a closed ring in square pixels: positive for outer rings, negative for holes."""
    x, y = ring[:, 0].astype(np.float64), ring[:, 1].astype(np.float64)
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
