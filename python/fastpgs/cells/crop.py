"""Square crops of single cells, at the image's own scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .table import Cells

__all__ = ["crop_cells"]


def _check_size(size: int) -> int:
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ValueError(f"size must be an integer >= 1, got {size!r}")
    return int(size)


def _window(
    centre: float, half: float, length: int, out: int, zoom: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Nearest source positions of ``out`` output positions along one axis, and which of them exist."""
    start = centre - half
    positions = np.floor(start + (np.arange(out) + 0.5) / zoom).astype(np.intp)
    inside = (positions >= 0) & (positions < length)
    return np.clip(positions, 0, length - 1), inside


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
        Output pixels per image pixel, the same for every cell. Values below 1 average whole blocks where
        ``1 / zoom`` is an integer, other values take the nearest pixel.

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
    block = round(1.0 / zoom) if zoom < 1.0 else 1
    average = block > 1 and abs(block * zoom - 1.0) < 1e-6
    # Averaging first makes a crop of the same field of view at full scale.
    full, scale = (side * block, 1.0) if average else (side, zoom)

    crops = np.empty((len(cells), side, side, *channels), array.dtype)
    height, width = cells.labels.shape
    boxes = [cells.table[f"bbox-{i}"] for i in range(4)]
    for i, label in enumerate(cells.table["label"]):
        half = full / scale / 2.0
        # Centres on the pixel grid, so that at zoom 1 no pixel moves by half of its side.
        row, col = ((boxes[a][i] + boxes[a + 2][i]) / 2.0 for a in (0, 1))
        if scale == 1.0:
            row, col = np.floor(row - half) + half, np.floor(col - half) + half
        rows, row_in = _window(row, half, height, full, scale)
        cols, col_in = _window(col, half, width, full, scale)
        crop = array[np.ix_(rows, cols)]
        keep = row_in[:, None] & col_in[None, :]
        if masked:
            keep &= cells.labels[np.ix_(rows, cols)] == label
        crop[~keep] = value
        if average:
            blocks = crop.reshape(side, block, side, block, *channels).mean(axis=(1, 3), dtype=np.float64)
            crop = np.rint(blocks) if array.dtype.kind in "iu" else blocks
        crops[i] = crop
    return crops
