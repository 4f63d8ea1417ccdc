"""Where a slide has something on it: Pivot-Growing Segmentation of a small overview.

Averages would call a thin layer of red cells glass. So a block of the overview is described by its darkest
colour: glass is bright throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastpgs.segmentation import segment

from .scaled import ScaledSlide
from .together import in_order

__all__ = ["OVERVIEW", "Tissue", "find_tissue"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]

OVERVIEW = 8
"""Pixels of the slide a pixel of the overview; a red cell has two of them."""

BLOCK = 8
"""Pixels of the overview a block."""

STRIPE = 1 << 18  # pixels of the overview that are read at a time
FLAT = 25.0  # levels between the darkest and the brightest of a block of glass, at most
BRIGHT = 0.75  # of the brightest blocks' level: darker is no glass
BLACK = 12.0  # levels: what was not scanned


@dataclass(frozen=True)
class Tissue:
    """What an overview shows, a value a block of `side` x `side` pixels of the slide.

    Attributes
    ----------
    side : int
    mask : (R, C) bool ndarray
        Blocks with something on them.
    mean : (R, C, 3) uint8 ndarray
        Mean colour.
    purple : (R, C) float32 ndarray
        How much the most nuclear pixel of the overview looks like a nucleus, levels.
    """

    side: int
    mask: Bool
    mean: npt.NDArray[np.uint8]
    purple: Float

    def any_in(self, top: int, left: int, bottom: int, right: int) -> bool:
        """Whether a window, in pixels of the slide, holds something."""
        rows = slice(top // self.side, -(-bottom // self.side))
        return bool(self.mask[rows, left // self.side : -(-right // self.side)].any())


class _Looks(NamedTuple):
    """What blocks of the overview look like, (R, C[, 3])."""

    mean: npt.NDArray[np.uint8]
    darkest: npt.NDArray[np.uint8]
    brightest: npt.NDArray[np.float64]
    purple: Float


def find_tissue(slide: ScaledSlide, workers: int = 1) -> Tissue:
    """Look at a slide from far away; stripe by stripe, so that no size of slide fills the memory.

    Parameters
    ----------
    slide : ScaledSlide
    workers : int
        Stripes that are looked at at a time.
    """
    side = OVERVIEW * BLOCK
    rows, cols = slide.shape
    step = side * max(1, STRIPE // (BLOCK * max(1, cols // OVERVIEW)))

    def look(top: int) -> _Looks:
        return _look(slide.read((top, 0, min(top + step, rows), cols), OVERVIEW))

    stripes = _Looks(*map(np.concatenate, zip(*in_order(look, range(0, rows, step), workers), strict=True)))
    mask = _something(stripes.darkest, stripes.brightest)
    return Tissue(side, mask, stripes.mean, stripes.purple)


def _look(view: npt.NDArray[np.uint8]) -> _Looks:
    """Blocks of a stripe; the last ones repeat its border."""
    more = (-view.shape[0] % BLOCK, -view.shape[1] % BLOCK)
    view = np.pad(view, ((0, more[0]), (0, more[1]), (0, 0)), mode="edge")
    red, green, blue = (np.ascontiguousarray(view[..., i]).astype(np.int16) for i in range(3))
    purple = blue - green + 2 * np.minimum(red - green, 0)
    return _Looks(
        mean=np.rint(_folded(np.add, view.astype(np.uint16)) / BLOCK**2).astype(np.uint8),
        darkest=_folded(np.minimum, view),
        brightest=_folded(np.maximum, red + green + blue) / 3.0,
        purple=_folded(np.maximum, purple).astype(np.float32),
    )


def _folded(fold: np.ufunc, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One value a block: whole rows at a time, for which NumPy is several times as fast as along two short axes."""
    out = pixels[::BLOCK]
    for i in range(1, BLOCK):
        out = fold(out, pixels[i::BLOCK])
    rows, out = out, out[:, ::BLOCK]
    for i in range(1, BLOCK):
        out = fold(out, rows[:, i::BLOCK])
    return out


def _something(darkest: npt.NDArray[np.uint8], brightest: npt.NDArray[np.floating]) -> Bool:
    """Blocks that are neither glass nor black, by three pivots: for nuclei, for other things, for glass."""
    colours = len(np.unique(darkest.reshape(-1, 3), axis=0))
    groups = segment(np.ascontiguousarray(darkest), min(3, colours), features="rgb", num_threads=1)
    light = darkest.mean(axis=2)
    contrast = brightest - light
    white = float(np.percentile(brightest, 99.0))
    something = np.ones(groups.shape, bool)
    for group in range(1, int(groups.max()) + 1):
        own = groups == group
        if not own.any() or float(np.median(contrast[own])) > FLAT:
            continue
        level = float(np.median(light[own]))
        if level > BRIGHT * white or level < BLACK:
            something[own] = contrast[own] > FLAT
    something[brightest < BLACK] = False
    return _wider(something)


def _wider(mask: Bool) -> Bool:
    """One block more on all sides: what begins there may reach over."""
    out = np.pad(mask, 1)
    out = out[:-2] | out[1:-1] | out[2:]
    wide: Bool = out[:, :-2] | out[:, 1:-1] | out[:, 2:]
    return wide
