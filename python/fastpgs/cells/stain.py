"""Image -> stain features: white balance, smoothing, and the colours that tell nuclei from red cells.

In a Romanowsky-stained smear (Giemsa, Wright, rapid) nuclei absorb green most, and blue and red less; red
cells absorb green and blue alike (salmon), or red and green alike (grey-blue, thick or over-buffered smears).
Against the background's colour as white, three differences tell them apart at any camera's balance:

* ``g = 255 - G``: how much stain there is,
* ``u = B - G``: nuclei and basophilic cytoplasm high, salmon red cells low,
* ``v = R - G``: nuclei high, grey-blue red cells at or below zero.

The core (cpp/src/stain.cpp) makes four planes of an image in 8-bit levels, (H, W) each:

* features, (H, W, 3) uint8: ``g``, ``u + 64``, ``v + 64``, clipped;
* score, int16: how much like a nucleus the colour is, in 1/255: the saturation ``(u + 2 min(v, 0)) / B``. It tells
  pale nuclei from dark grey-blue red cells, and hardly depends on the depth of the stain. Of a grey image: ``g``;
* depth, int16: ``g + u``: rises from background over cytoplasm to nucleus; where it is halfway is the nucleus's edge;
* strength, float32: distance from white: rises from background to any cell; tells where a cell ends.

A black surround is masked. If it is that of a single cell, cut out as in C-NMC, nothing tells what is white, and all
that is left is cell; if it is that of a round field of view, its blurred rim is masked too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["as_levels", "check_mask"]

Levels = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]


def as_levels(image: npt.ArrayLike) -> Levels:
    """(H, W), (H, W, 1 | 3 | 4) image of any supported dtype -> (H, W, 3) uint8."""
    array = np.asarray(image)
    if array.ndim not in (2, 3) or array.size == 0:
        raise ValueError(f"image must be a non-empty (H, W) or (H, W, C) array, got shape {array.shape}")
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4):
        raise ValueError(f"image must have 1, 3 or 4 channels, got {array.shape[2]} (shape {array.shape})")
    if array.dtype == np.uint16:
        array = (array.astype(np.uint32) * 255 + 32767) // 65535
    elif array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ValueError("image must be finite, got NaN or infinity")
        low, high = float(array.min()), float(array.max())
        if low < 0.0 or high > 1.0:
            raise ValueError(f"a float image must be in [0, 1], got [{low:g}, {high:g}]")
        array = np.rint(array * 255.0)
    elif array.dtype != np.uint8:
        raise ValueError(f"image must be of uint8, uint16, float32 or float64, got {array.dtype.name}")
    array = array.astype(np.uint8, copy=False)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array[:, :, :3])


def check_mask(mask: npt.ArrayLike, shape: tuple[int, int]) -> Bool:
    """(H, W) mask of an image of that shape, C-contiguous."""
    array = np.asarray(mask)
    if array.shape != shape:
        raise ValueError(f"mask must have the image's shape {shape}, got {array.shape}")
    if array.dtype != np.bool_:
        raise ValueError(f"mask must be of bool, got {array.dtype.name}; compare it with a value first")
    return np.ascontiguousarray(array)
