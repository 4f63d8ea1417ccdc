"""Splitting touching cells by shape: a cell ends where its outline has a neck.

The distance to the background has one peak per convex body. Two peaks belong to one cell unless the passage
between them is narrow against the smaller of the two: a ratio, so no magnification is built in.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import _core

__all__ = ["split_bodies"]

NEARLY_CONVEX = 0.92  # solidity: two touching discs reach 0.88


def split_bodies(
    region: npt.NDArray[np.bool_],
    nuclei: npt.NDArray[np.bool_],
    *,
    neck: float,
    vacuole: float,
    least: float,
    most: float,
    smallest: float,
    typical: float | None = None,
) -> tuple[npt.NDArray[np.int32], int, float]:
    """Tell touching cells apart: each body with enough nucleus grows over the whole region.

    The region is flooded from the peaks of the distance to its outside. Bodies without nucleus are left out, and
    two whose union is nearly convex are one cell. How nearly depends on how much of the union is nucleus: two
    touching nuclei with hardly any cytoplasm are two cells unless their union is as good as convex; lobes in a
    common cytoplasm are one cell even if its outline is ragged. The nuclei of what is left then flood the region.

    Parameters
    ----------
    region : (H, W) bool ndarray
        Cells, not yet told apart.
    nuclei : (H, W) bool ndarray
        Nuclei.
    neck : float
        Two peaks are two bodies if the distance drops between them below ``neck`` times the lower peak.
    vacuole : float
        Holes of at most this many pixels count as part of a union.
    least : float
        Bodies with fewer pixels of nucleus are left out at first,
    smallest : float
        and those with less than this share of the typical body's afterwards.
    most : float
        With more pixels of nucleus than this a union is one cell only if it is as good as convex.
    typical : float, optional
        Pixels of nucleus of a typical body; the area-weighted median of all by default.

    Returns
    -------
    bodies : (H, W) int32 ndarray
        1..n, 0 = none.
    n : int
        Number of bodies.
    typical : float
        As given or measured.
    """
    rules = {
        "neck": neck,
        "vacuole": vacuole,
        "least": least,
        "most": most,
        "nearly_convex": NEARLY_CONVEX,
        "smallest": smallest,
    }
    return _core.split_bodies(
        np.ascontiguousarray(region),
        np.ascontiguousarray(nuclei),
        rules,
        -1.0 if typical is None else typical,
    )
