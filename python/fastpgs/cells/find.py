"""``find_cells``: nuclei by Pivot-Growing Segmentation, cells grown from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .split import body_markers
from .stain import Stain, stain_features
from .table import Cells, measure

__all__ = ["find_cells"]

Bool = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]


def _segment(*args: Any, **kwargs: Any) -> Labels:
    try:
        from ..segmentation import segment
    except ImportError:
        from ..reference import segment
    return segment(*args, **kwargs)


def _pivots(score: npt.NDArray[Any], valid: Bool, k: int) -> npt.NDArray[np.int64] | None:
    """Start pivots spread evenly over the range of the score: no luck involved."""
    rows, cols = np.nonzero(valid)
    values = score[rows, cols].astype(np.int64)
    if values.size < k:
        return None
    low, high = np.percentile(values, [1, 99])
    at: list[int] = []
    for want in np.linspace(low, high, k):
        i = int(np.abs(values - want).argmin())
        at.append(i)
    if len(np.unique(values[at])) < k:
        return None
    return np.stack([rows[at], cols[at]], axis=1)


def find_cells(
    image: npt.ArrayLike,
    *,
    k: int = 5,
    neck: float = 0.8,
    mask: npt.NDArray[np.bool_] | None = None,
    pixel_size: float | None = None,
    seed: int = 0,
    num_threads: int | None = None,
) -> Cells:
    """Find the white cells of a stained smear."""
    from scipy import ndimage

    stain = stain_features(image, mask)
    nuclei, fore = _nuclei(stain, k, seed, num_threads)
    if not nuclei.any():
        empty = np.zeros(stain.valid.shape, np.int32)
        return measure(image, empty, empty, pixel_size)
    # Cytoplasm: what is stained, close to a nucleus and connected with it.
    parts, n = ndimage.label(nuclei)
    near = _near(nuclei, parts, n, 0.2)
    region = (fore & near) | nuclei
    region = ndimage.binary_opening(region, iterations=2) | nuclei
    region = ndimage.binary_fill_holes(region) & stain.valid
    bodies, _ = ndimage.label(region)
    distance = ndimage.distance_transform_edt(region)
    markers = body_markers(distance, bodies, neck)
    from skimage.segmentation import watershed

    cells = watershed(-distance, markers, mask=region)
    areas = np.bincount(cells.ravel(), weights=nuclei.ravel(), minlength=cells.max() + 1)
    areas[0] = 0
    keep = areas >= 0.15 * _typical(areas[1:])
    keep[0] = False
    lookup = np.zeros(len(areas), np.int32)
    lookup[keep] = np.arange(1, keep.sum() + 1)
    labels = lookup[cells].astype(np.int32)
    return measure(image, labels, np.where(nuclei, labels, 0).astype(np.int32), pixel_size)


def _typical(areas: npt.NDArray[Any]) -> float:
    """Area at which half of all nuclear area lies in smaller nuclei: specks weigh nothing."""
    areas = np.sort(areas)
    total = np.cumsum(areas)
    if not len(areas) or total[-1] == 0:
        return 0.0
    return float(areas[np.searchsorted(total, total[-1] / 2)])


def _near(nuclei: Bool, parts: Labels, n: int, reach: float) -> Bool:
    """Pixels within ``reach`` equivalent diameters of their nearest nucleus."""
    from scipy import ndimage

    area = np.bincount(parts.ravel(), minlength=n + 1)
    radius = np.sqrt(area / np.pi)
    distance, (rows, cols) = ndimage.distance_transform_edt(~nuclei, return_indices=True)
    near: Bool = distance <= 2 * reach * radius[parts[rows, cols]]
    return near


def _nuclei(stain: Stain, k: int, seed: int, num_threads: int | None) -> tuple[Bool, Bool]:
    from scipy import ndimage

    none = np.zeros(stain.valid.shape, bool)
    init = _pivots(stain.score, stain.valid, k)
    if init is None:
        return none, none
    groups = _segment(
        stain.features, k, features="raw", init=init, mask=stain.valid, seed=seed, num_threads=num_threads
    )
    count = np.bincount(groups.ravel(), minlength=k + 1)
    score = np.bincount(groups.ravel(), weights=stain.score.ravel(), minlength=k + 1) / np.maximum(count, 1)
    green = np.bincount(groups.ravel(), weights=stain.features[..., 0].ravel(), minlength=k + 1) / np.maximum(
        count, 1
    )
    score[0] = -1e9
    top = score.max()
    if top < 70:
        return none, none
    background = int(np.argmin(np.where(np.arange(k + 1) == 0, np.inf, green)))
    fore = (groups != background) & stain.valid & (groups > 0)
    if stain.surround:
        fore = stain.valid
    base = score[background]
    nuclear = score > base + 0.5 * (top - base)
    nuclei = nuclear[groups]
    nuclei = ndimage.binary_fill_holes(ndimage.binary_opening(nuclei, iterations=2))
    parts, n = ndimage.label(nuclei)
    area = np.bincount(parts.ravel(), minlength=n + 1)
    keep = area >= 0.1 * _typical(area[1:])
    keep[0] = False
    return keep[parts], fore
