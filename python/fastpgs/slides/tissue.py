"""Where a slide has something on it: Pivot-Growing Segmentation of a small overview.

Averages would call a thin layer of red cells glass. So a block of the overview is described by its darkest
colour: glass is bright throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastpgs.segmentation import segment

from .scaled import ScaledSlide

__all__ = ["OVERVIEW", "Tissue", "find_tissue"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]

OVERVIEW = 8
"""Pixels of the slide a pixel of the overview; a red cell has two of them."""

BLOCK = 8
"""Pixels of the overview a block."""

STRIPE = 1 << 22  # pixels of the overview that are read at a time
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


def find_tissue(slide: ScaledSlide) -> Tissue:
    """Look at a slide from far away; stripe by stripe, so that no size of slide fills the memory."""
    side = OVERVIEW * BLOCK
    rows, cols = slide.shape
    step = side * max(1, STRIPE // (side * max(1, cols // OVERVIEW)) * OVERVIEW // BLOCK)
    mean, low, high, purple = [], [], [], []
    for top in range(0, rows, step):
        view = slide.read((top, 0, min(top + step, rows), cols), OVERVIEW)
        blocks = _blocks(view)
        light = blocks.mean(axis=-1)
        mean.append(np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8))
        low.append(blocks.min(axis=(1, 3)))
        high.append(light.max(axis=(1, 3)))
        red, green, blue = (blocks[..., i].astype(np.int16) for i in range(3))
        purple.append((blue - green + 2 * np.minimum(red - green, 0)).max(axis=(1, 3)).astype(np.float32))
    darkest, brightest = np.concatenate(low), np.concatenate(high)
    mask = _something(darkest, brightest)
    return Tissue(side, mask, np.concatenate(mean), np.concatenate(purple))


def _blocks(view: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(R, B, C, B, 3) blocks of a picture; the last ones repeat its border."""
    rows, cols = view.shape[:2]
    more = (-rows % BLOCK, -cols % BLOCK)
    view = np.pad(view, ((0, more[0]), (0, more[1]), (0, 0)), mode="edge")
    return view.reshape(view.shape[0] // BLOCK, BLOCK, view.shape[1] // BLOCK, BLOCK, 3)


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
