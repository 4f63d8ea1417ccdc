"""Arithmetic on decoded pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["on_white", "orient"]


def on_white(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Lay (H, W, 2) grey + alpha or (H, W, 4) RGB + alpha over white; others pass."""
    if pixels.ndim != 3 or pixels.shape[2] not in (2, 4):
        return pixels
    white = int(np.iinfo(pixels.dtype).max)
    alpha = pixels[..., -1:].astype(np.uint64)
    colour = pixels[..., :-1].astype(np.uint64)
    flat = ((colour * alpha + white * (white - alpha) + white // 2) // white).astype(pixels.dtype)
    return flat[..., 0] if flat.shape[2] == 1 else flat


def orient(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Apply the EXIF orientation 1..8."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
