"""Splitting touching cells by shape: a cell ends where its outline has a neck.

The distance to the background has one peak per convex body. Two peaks belong to one cell unless the passage
between them is narrow against the smaller of the two: a ratio, so no magnification is built in.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["body_markers"]

Float = npt.NDArray[np.float64]


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
