"""Shapes of binary images, in the C++ core; a radius may be any fraction of a pixel.

Each function equals the one of SciPy or scikit-image that it stands for, which the tests check: those, called a
hundred times for one picture, cost thirty times as much.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import _core

__all__ = ["fill_holes", "label", "open_disc"]

Bool = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]


def label(mask: Bool) -> tuple[Labels, int]:
    """4-connected components, 1..n in raster order."""
    return _core.label(np.ascontiguousarray(mask))


def open_disc(mask: Bool, radius: float) -> Bool:
    """Opening with a disc of ``radius`` pixels; what lies beyond the frame counts as inside."""
    return _core.open_disc(np.ascontiguousarray(mask), radius)


def fill_holes(mask: Bool, largest: float) -> Bool:
    """Fill holes of at most ``largest`` pixels. A larger one is a gap between cells or lobes."""
    return _core.fill_holes(np.ascontiguousarray(mask), largest)
