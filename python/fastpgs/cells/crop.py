"""Square crops of single cells, at the image's own scale."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from .table import Cells

__all__ = ["crop_cells"]


BOX = ("bbox-0", "bbox-1", "bbox-2", "bbox-3")
LEVELS = (np.uint8, np.uint16, np.float32, np.float64)


def _check_size(size: int) -> int:
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ValueError(f"size must be an integer >= 1, got {size!r}")
    return int(size)


def crop_cells(
    image: npt.ArrayLike,
    cells: Cells,
    size: int = 96,
    *,
    masked: bool = False,
    fill: npt.ArrayLike = 0,
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
    if not math.isfinite(zoom) or zoom <= 0:
        raise ValueError(f"zoom must be a finite number > 0, got {zoom!r}")
    channels = array.shape[2:]
    value = np.asarray(fill).astype(array.dtype)
    try:
        if value.shape != channels:
            value = np.full(channels, value)
    except ValueError:
        raise ValueError(
            f"fill must be a number or {channels[0] if channels else 1} numbers, got {fill!r}"
        ) from None
    top, left, bottom, right = [cells.table[name].astype(np.int64, copy=False) for name in BOX]
    # The core has these types; a double holds the values of the others.
    kind = array.dtype if array.dtype in LEVELS else np.dtype(np.float64)
    planes = np.ascontiguousarray(array.reshape(*array.shape[:2], math.prod(channels)), kind)
    labels = np.ascontiguousarray(cells.labels, np.int32) if masked else None
    ids = cells.table["label"].astype(np.int32) if masked else None
    crops: npt.NDArray[Any] = _core.cut_crops(
        planes,
        top,
        left,
        bottom,
        right,
        side,
        float(zoom),
        value.reshape(-1).astype(kind, copy=False),
        labels,
        ids,
    )
    if kind != array.dtype:
        crops = (np.rint(crops) if array.dtype.kind in "iu" else crops).astype(array.dtype)
    return crops.reshape(len(crops), side, side, *channels)
