"""Image -> stain features: white balance, smoothing, and the colours that tell nuclei from red cells.

In a Romanowsky-stained smear (Giemsa, Wright, rapid) nuclei absorb green most, and blue and red less; red
cells absorb green and blue alike (salmon), or red and green alike (grey-blue, thick or over-buffered smears).
Against the background's colour as white, three differences tell them apart at any camera's balance:

* ``g = 255 - G``: how much stain there is,
* ``u = B - G``: nuclei and basophilic cytoplasm high, salmon red cells low,
* ``v = R - G``: nuclei high, grey-blue red cells at or below zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .. import _core
from . import shapes

__all__ = ["Stain", "stain_features"]

OFFSET = 64  # keeps u and v, which may be negative, in uint8
DARK = 12  # levels at or below which a pixel of a black surround lies, JPEG noise included
RIM = 2.0  # width of a field of view's blurred rim, pixels

Levels = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Stain:
    """Stain features of one image.

    Attributes
    ----------
    rgb : (H, W, 3) uint8 ndarray
        The image in 8-bit levels.
    features : (H, W, 3) uint8 ndarray
        ``g``, ``u + 64``, ``v + 64``, clipped.
    score : (H, W) int16 ndarray
        How much like a nucleus the colour is, in 1/255: the saturation ``(u + 2 min(v, 0)) / B``. It tells pale
        nuclei from dark grey-blue red cells, and hardly depends on the depth of the stain. Of a grey image: ``g``.
    depth : (H, W) int16 ndarray
        ``g + u``: rises from background over cytoplasm to nucleus; where it is halfway is the nucleus's edge.
    strength : (H, W) float32 ndarray
        Distance from white: rises from background to any cell; tells where a cell ends.
    valid : (H, W) bool ndarray
        Pixels to be looked at: not masked, not in a black surround.
    surround : bool
        Whether the image shows a single cell, cut out on black as in C-NMC.
    white : (3,) float64 ndarray
        Background colour, in levels.
    """

    rgb: Levels
    features: Levels
    score: npt.NDArray[np.int16]
    depth: npt.NDArray[np.int16]
    strength: npt.NDArray[np.float32]
    valid: Bool
    surround: bool
    white: npt.NDArray[np.float64]


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


def stain_features(
    image: npt.ArrayLike,
    mask: npt.NDArray[np.bool_] | None = None,
    *,
    single: bool = True,
    white: npt.NDArray[np.float64] | None = None,
) -> Stain:
    """White-balance, smooth and turn an image into stain features.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array_like
        uint8, uint16 or float in [0, 1]; C = 1, 3 or 4 (alpha is left aside).
    mask : (H, W) bool ndarray, optional
        Pixels to use.
    single : bool
        A black surround is that of a single cell, cut out: nothing tells what is white, and all that is left is
        cell. Otherwise that of a round field of view, whose blurred rim is left out too.
    white : (3,) float64 ndarray, optional
        Background colour, where it is known of the whole that the image is a window of; no surround is looked
        for then.
    """
    rgb = as_levels(image)
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape != rgb.shape[:2]:
            raise ValueError(f"mask must have the image's shape {rgb.shape[:2]}, got {mask.shape}")
        if mask.dtype != np.bool_:
            raise ValueError(f"mask must be of bool, got {mask.dtype.name}; compare it with a value first")
    surround = None if white is not None else _core.black_surround(rgb, DARK)
    valid: Bool | None = mask
    if surround is not None:
        inside = ~surround if single else shapes.erode_disc(~surround, RIM)
        valid = inside if mask is None else mask & inside
    cut_out = single and surround is not None
    if white is not None:
        pass
    elif cut_out or (valid is not None and not valid.any()):
        white = np.full(3, 255.0)
    else:
        white = _core.background(rgb, None if valid is None else np.ascontiguousarray(valid))
    grey = np.ndim(image) == 2 or np.shape(image)[2] == 1  # a grey image tells by depth alone
    features, score, depth, strength = _core.stain_planes(rgb, white, OFFSET, grey)
    if valid is None:
        valid = np.ones(rgb.shape[:2], bool)
    return Stain(rgb, features, score, depth, strength, valid, cut_out, white)
