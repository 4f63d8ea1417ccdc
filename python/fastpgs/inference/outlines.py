"""Outlines of labelled cells as polygons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fastpgs import _core

__all__ = ["Outlines", "Rings", "join", "ring_area", "trace"]

Rings = list[npt.NDArray[np.float32]]
"""Outer rings of one cell, the largest first: each (m, 2) x, y in pixels, closed (first point = last point)."""


@dataclass(frozen=True, eq=False)
class Outlines:
    """The rings of n cells, one after the other; a sequence of `Rings`.

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

    @classmethod
    def without_rings(cls, n: int) -> Outlines:
        """Of n cells that nobody has traced."""
        return cls(np.zeros((0, 2), np.float32), np.zeros(1, np.int64), np.zeros(n + 1, np.int64))

    def __len__(self) -> int:
        return len(self.cells) - 1

    def __getitem__(self, i: int) -> Rings:
        if not 0 <= i < len(self):
            raise IndexError(f"expected a cell in 0..{len(self) - 1}, got {i}")
        ends = self.rings[self.cells[i] : self.cells[i + 1] + 1].tolist()
        return [self.points[a:b] for a, b in pairwise(ends)]

    def __iter__(self) -> Iterator[Rings]:
        return (self[i] for i in range(len(self)))

    def some(self, chosen: npt.NDArray[np.bool_]) -> Outlines:
        """Those of the chosen cells, (n,) bool."""
        rings = np.repeat(chosen, np.diff(self.cells))
        lengths = np.diff(self.rings)
        return Outlines(
            self.points[np.repeat(rings, lengths)],
            np.concatenate([[0], np.cumsum(lengths[rings])]),
            np.concatenate([[0], np.cumsum(np.diff(self.cells)[chosen])]),
        )


def join(outlines: Sequence[Outlines]) -> Outlines:
    """The outlines of all cells of several pictures."""
    if not outlines:
        return Outlines.without_rings(0)
    return Outlines(
        np.concatenate([one.points for one in outlines]),
        _joined([one.rings for one in outlines]),
        _joined([one.cells for one in outlines]),
    )


def _joined(starts: list[npt.NDArray[np.integer]]) -> npt.NDArray[np.int64]:
    """Each begins at 0 and ends where the next begins."""
    before = np.cumsum([0, *(one[-1] for one in starts)])
    shifted = [one[1:] + offset for one, offset in zip(starts, before[:-1], strict=True)]
    return np.concatenate([np.zeros(1, np.int64), *shifted])


def trace(
    labels: npt.NDArray[np.int32], ids: npt.NDArray[np.integer], boxes: npt.NDArray[np.integer]
) -> Outlines:
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
    Outlines of n cells
        Corner coordinates: pixel (row, col) covers [col, col + 1] x [row, row + 1]. Holes are not traced. A
        label without a pixel has no ring. Rings run half-way between pixels in and out, as
        `skimage.measure.find_contours` at 0.5; points within straight runs are left out.
    """
    return Outlines(
        *_core.trace_rings(
            np.ascontiguousarray(labels, np.int32), np.asarray(ids, np.int64), np.asarray(boxes, np.int64)
        )
    )


def ring_area(ring: npt.NDArray[np.floating]) -> float:
    """Signed area of a closed ring in square pixels: positive for outer rings, negative for holes."""
    x, y = ring[:, 0].astype(np.float64), ring[:, 1].astype(np.float64)
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
