"""Square crops of single cells, at the image's own scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .table import Cells

__all__ = ["crop_cells"]


def _check_size(size: int) -> int:
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ValueError(f"size must be an integer >= 1, got {size!r}")
    return int(size)


def _fill(
    patch: npt.NDArray[Any], array: npt.NDArray[Any], top: int, left: int, value: npt.NDArray[Any]
) -> None:
    """Make a patch the window of an image that begins at ``top``, ``left``; ``value`` beyond its edges."""
    (rows, cols), (height, width) = patch.shape[:2], array.shape[:2]
    y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + rows, height), min(left + cols, width)
    if (y1 - y0, x1 - x0) != (rows, cols):
        patch[...] = value
    if y0 < y1 and x0 < x1:
        patch[y0 - top : y1 - top, x0 - left : x1 - left] = array[y0:y1, x0:x1]


def crop_cells(
    image: npt.ArrayLike,
    cells: Cells,
    size: int = 96,
    *,
    masked: bool = False,
    fill: float | tuple[float, ...] = 0,
    zoom: float = 1.0,
) -> npt.NDArray[Any]:
    """Cut a square crop round every cell.

    The crop is centred on the middle of the cell's bounding box and keeps the image's scale: a cell of 40
    pixels measures 40 pixels in the crop, however large ``size`` is, because size tells a blast from a
    lymphocyte. A cell larger than the crop is cut at its border.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array_like
        The image the cells were found in.
    cells : Cells
        The result of :func:`fastpgs.find_cells` on it.
    size : int
        Side of the crop in output pixels.
    masked : bool
        Replace what is not this cell (background, red cells, neighbours) with ``fill``.
    fill : number or sequence of C numbers
        Value outside the image, and outside the cell if ``masked``.
    zoom : float
        Output pixels per image pixel, the same for every cell. Values below 1 average what an output pixel
        covers, values above 1 interpolate linearly.

    Returns
    -------
    (n, size, size) or (n, size, size, C) ndarray
        One crop a cell, in the order of ``cells.table``; same dtype as ``image``.

    Raises
    ------
    TypeError
        If ``cells`` are none.
    ValueError
        If the image's shape is not that of the cells, or ``size``, ``fill`` or ``zoom`` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastpgs.cells import crop_cells, find_cells
    >>> image = np.full((64, 64, 3), 240, np.uint8)
    >>> crop_cells(image, find_cells(image), 32).shape
    (0, 32, 32, 3)
    """
    array = np.asarray(image)
    if not (hasattr(cells, "labels") and hasattr(cells, "table")):
        raise TypeError(f"cells must be what find_cells returns, got {type(cells).__name__}")
    if array.ndim not in (2, 3) or array.shape[:2] != cells.labels.shape:
        raise ValueError(
            f"image must have the cells' shape {cells.labels.shape}, with or without channels, got {array.shape}"
        )
    side = _check_size(size)
    if not np.isfinite(zoom) or zoom <= 0:
        raise ValueError(f"zoom must be a finite number > 0, got {zoom!r}")
    channels = array.shape[2:]
    try:
        value = np.broadcast_to(np.asarray(fill).astype(array.dtype), channels)
    except ValueError:
        raise ValueError(
            f"fill must be a number or {channels[0] if channels else 1} numbers, got {fill!r}"
        ) from None
    crops = np.empty((len(cells), side, side, *channels), array.dtype)
    boxes = [cells.table[f"bbox-{i}"] for i in range(4)]
    # On the pixel grid, so that at zoom 1 no pixel moves by half of its side.
    half = side / zoom / 2.0
    tops, lefts = (np.floor((boxes[a] + boxes[a + 2]) / 2.0 - half).astype(int).tolist() for a in (0, 1))
    outside = np.zeros((), np.int32)
    for crop, label, top, left in zip(crops, cells.table["label"], tops, lefts, strict=True):
        patch, y, x = crop, top, left
        if zoom != 1.0:
            (y, rows), (x, cols) = (_core.resampled_window(at, side, zoom) for at in (top, left))
            patch = np.empty((rows, cols, *channels), array.dtype)
        _fill(patch, array, y, x, value)
        if masked:
            own = np.empty(patch.shape[:2], np.int32)
            _fill(own, cells.labels, y, x, outside)
            patch[own != label] = value
        if zoom != 1.0:
            crop[...] = _resample(patch, side, top, left, zoom)
    return crops


def _resample(patch: npt.NDArray[Any], side: int, top: int, left: int, zoom: float) -> npt.NDArray[Any]:
    """The window of an image around a place as a crop; values as the image has them, not yet of its type."""
    planes = patch.reshape(*patch.shape[:2], -1)
    where = (side, top, left, zoom)
    made: npt.NDArray[Any]
    if patch.dtype == np.uint8:
        made = _core.resample(planes, *where)
    else:
        made = _core.resample(planes.astype(np.float64), *where)
        if patch.dtype.kind in "iu":
            made = np.rint(made)
    return made.reshape(side, side, *patch.shape[2:])
