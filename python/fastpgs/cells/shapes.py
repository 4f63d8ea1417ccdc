"""Shapes of binary images, in the C++ core; a radius may be any fraction of a pixel.

Each function equals the one of SciPy or scikit-image that it stands for, which the tests check: those, called a
hundred times for one picture, cost thirty times as much.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core

__all__ = ["fill_holes", "label", "open_disc", "part_areas", "solidity", "touching_frame", "typical_area"]

Bool = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]
Float = npt.NDArray[np.float64]


def label(mask: Bool) -> tuple[Labels, int]:
    """4-connected components, 1..n in raster order."""
    return _core.label(np.ascontiguousarray(mask))


def distance(mask: Bool) -> Float:
    """Distance of each pixel of the mask to the nearest pixel outside; the frame does not count as outside.

    Where nothing is outside it is the image's longer side.
    """
    return _core.distance(np.ascontiguousarray(mask))


def nearest(mask: Bool) -> tuple[Float, npt.NDArray[np.int64]]:
    """`distance`, and the raster index of a nearest pixel outside; -1 where nothing is outside."""
    return _core.nearest(np.ascontiguousarray(mask))


def erode_disc(mask: Bool, radius: float) -> Bool:
    """The pixels with no pixel outside the mask within ``radius``; the frame does not count as outside."""
    return _core.erode_disc(np.ascontiguousarray(mask), radius)


def open_disc(mask: Bool, radius: float) -> Bool:
    """Opening with a disc of ``radius`` pixels; what lies beyond the frame counts as inside."""
    return _core.open_disc(np.ascontiguousarray(mask), radius)


def close_disc(mask: Bool, radius: float) -> Bool:
    """Closing with a disc of ``radius`` pixels."""
    return _core.close_disc(np.ascontiguousarray(mask), radius)


def fill_holes(mask: Bool, largest: float) -> Bool:
    """Fill holes of at most ``largest`` pixels. A larger one is a gap between cells or lobes."""
    return _core.fill_holes(np.ascontiguousarray(mask), largest)


def flood(mask: Bool, levels: Float, markers: Labels) -> Labels:
    """Every pixel of the mask to the marker whose basin it lies in: `skimage.segmentation.watershed`."""
    return _core.flood(
        np.ascontiguousarray(mask), np.ascontiguousarray(levels), np.ascontiguousarray(markers)
    )


def typical_area(areas: npt.NDArray[Any]) -> float:
    """The area-weighted median: half of all area lies in smaller parts, so specks weigh nothing."""
    ordered = np.sort(areas)
    total = np.cumsum(ordered)
    if len(ordered) == 0 or total[-1] == 0:
        return 0.0
    return float(ordered[np.searchsorted(total, total[-1] / 2.0)])


def part_areas(mask: Bool) -> npt.NDArray[np.int64]:
    """Pixels of each component 1..n."""
    return _core.part_areas(np.ascontiguousarray(mask))


def inscribed_radii(mask: Bool) -> Float:
    """The greatest distance to the outside in each component 1..n."""
    return _core.inscribed_radii(np.ascontiguousarray(mask))


def keep_parts(mask: Bool, keep: Bool) -> Bool:
    """The components 1..n for which ``keep``, (n,), holds."""
    return _core.keep_parts(np.ascontiguousarray(mask), np.ascontiguousarray(keep))


def touching_frame(mask: Bool) -> Bool:
    """The components that touch the image's frame."""
    return _core.touching_frame(np.ascontiguousarray(mask))


def touching(mask: Bool, seed: Bool) -> Bool:
    """The components of ``mask`` that hold a pixel of ``seed``."""
    return _core.touching(np.ascontiguousarray(mask), np.ascontiguousarray(seed))


def hull_area(mask: Bool) -> float:
    """Area of the convex hull of the pixels, each a unit square."""
    return _core.hull_area(np.ascontiguousarray(mask))


def solidity(mask: Bool) -> float:
    """Area over the area of the convex hull; 1 for a convex shape, 0 for an empty one."""
    return _core.solidity(np.ascontiguousarray(mask))
