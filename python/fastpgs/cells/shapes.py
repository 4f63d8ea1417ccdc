"""Morphology by distance, so that a radius may be any fraction of a cell and costs the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["drop_small", "fill_holes", "label", "open_disc", "solidity", "touching_frame", "typical_area"]

Bool = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]
Float = npt.NDArray[np.float64]


def label(mask: Bool) -> tuple[Labels, int]:
    """4-connected components, 1..n in raster order."""
    from scipy import ndimage

    parts, n = ndimage.label(mask)
    return parts, int(n)


def box_of(mask: Bool, margin: int = 1) -> tuple[slice, slice] | None:
    """Bounding box of the mask with a margin, as far as the frame allows; None for an empty mask."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return None
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + margin + 1),
        slice(max(int(cols[0]) - margin, 0), int(cols[-1]) + margin + 1),
    )


def distance(mask: Bool) -> Float:
    """Distance of each pixel of the mask to the nearest pixel outside; the frame does not count as outside."""
    from scipy import ndimage

    out = np.zeros(mask.shape)
    box = box_of(mask)
    if box is not None:
        # The nearest pixel outside is never beyond a margin of one pixel.
        part = mask[box]
        out[box] = ndimage.distance_transform_edt(part) if not part.all() else float(max(mask.shape))
    return out


def _half_widths(radius: float) -> list[int]:
    """Half the width of a disc in the rows 0, 1, 2, ... from its middle."""
    return [math.isqrt(int(radius**2 - row**2)) for row in range(int(radius) + 1)]


def erode_disc(mask: Bool, radius: float) -> Bool:
    """The pixels with no pixel outside the mask within ``radius``; the frame does not count as outside.

    Row by row: each row of the disc is a run, and runs of growing width are built from one another, so that
    a disc of radius r takes 4 r passes, not pi r squared.
    """
    runs = mask.copy()  # mask eroded along rows by `width`
    out = mask.copy()
    width = 0
    for row, half in reversed(list(enumerate(_half_widths(radius)))):
        while width < half:
            width += 1
            runs[:, :-width] &= mask[:, width:]
            runs[:, width:] &= mask[:, :-width]
        if row == 0:
            out &= runs
        elif row < len(mask):
            out[:-row] &= runs[row:]
            out[row:] &= runs[:-row]
    return out


def open_disc(mask: Bool, radius: float) -> Bool:
    """Opening with a disc of ``radius`` pixels; what lies beyond the frame counts as inside."""
    out = np.zeros_like(mask)
    box = box_of(mask)  # a border of one pixel outside the mask is all that an opening has to see
    if box is None:
        return out
    core = erode_disc(mask[box], radius)
    if core.any():
        out[box] = mask[box] & ~erode_disc(~core, radius)
    return out


def close_disc(mask: Bool, radius: float) -> Bool:
    """Closing with a disc of ``radius`` pixels."""
    return ~open_disc(~mask, radius)


def fill_holes(mask: Bool, largest: float) -> Bool:
    """Fill holes of at most ``largest`` pixels. A larger one is a gap between cells or lobes."""
    parts, n = label(~mask)
    if n == 0:
        return mask
    area = np.bincount(parts.ravel(), minlength=n + 1)
    hole = area <= largest
    hole[np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])] = False
    hole[0] = False
    filled: Bool = mask | hole[parts]
    return filled


def typical_area(areas: npt.NDArray[Any]) -> float:
    """The area-weighted median: half of all area lies in smaller parts, so specks weigh nothing."""
    ordered = np.sort(areas)
    total = np.cumsum(ordered)
    if len(ordered) == 0 or total[-1] == 0:
        return 0.0
    return float(ordered[np.searchsorted(total, total[-1] / 2.0)])


def drop_small(mask: Bool, smallest: float) -> Bool:
    """Drop components of fewer than ``smallest`` pixels."""
    parts, n = label(mask)
    keep = np.bincount(parts.ravel(), minlength=n + 1) >= smallest
    keep[0] = False
    kept: Bool = keep[parts]
    return kept


def touching_frame(mask: Bool) -> Bool:
    """The components that touch the image's frame."""
    parts, n = label(mask)
    keep = np.zeros(n + 1, bool)
    keep[np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])] = True
    keep[0] = False
    kept: Bool = keep[parts]
    return kept


def touching(mask: Bool, seed: Bool) -> Bool:
    """The components of ``mask`` that hold a pixel of ``seed``."""
    parts, n = label(mask)
    keep = np.zeros(n + 1, bool)
    keep[parts[seed]] = True
    keep[0] = False
    kept: Bool = keep[parts]
    return kept


def hull_area(mask: Bool) -> float:
    """Area of the convex hull of the pixels, each a unit square."""
    from scipy.spatial import ConvexHull

    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows) == 0:
        return 0.0
    part = mask[rows]
    left = part.argmax(axis=1)
    right = part.shape[1] - part[:, ::-1].argmax(axis=1)
    # The hull's corners are among the corners of each row's ends.
    y = np.concatenate([rows, rows + 1] * 2)
    x = np.concatenate([left, left, right, right])
    return float(ConvexHull(np.stack([y, x], axis=1)).volume)


def solidity(mask: Bool) -> float:
    """Area over the area of the convex hull; 1 for a convex shape, 0 for an empty one."""
    hull = hull_area(mask)
    return min(float(np.count_nonzero(mask)) / hull, 1.0) if hull else 0.0
