"""Splitting touching cells by shape: a cell ends where its outline has a neck.

The distance to the background has one peak per convex body. Two peaks belong to one cell unless the passage
between them is narrow against the smaller of the two: a ratio, so no magnification is built in.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import _core

__all__ = ["body_markers", "merge_bodies"]

Float = npt.NDArray[np.float64]

NEARLY_CONVEX = 0.92  # solidity: two touching discs reach 0.88


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
    return _core.body_markers(distance, region, neck)


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
    return _core.merge_bodies(merged, nuclei, vacuole, most, NEARLY_CONVEX)
