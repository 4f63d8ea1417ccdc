"""A slide seen at one pixel size, whatever its levels are."""

from __future__ import annotations

import math

import numpy as np

from fastpgs.inference.preprocess import COARSEST, SAME_SIZE

from .reader import ONE_OVER_MAGNIFICATION, Pixels, Slide, SlideError, Window

__all__ = ["ScaledSlide", "slide_pixel_size"]

FINENESS = 256
"""Factors are multiples of one over this. Pillow takes windows in single precision, which is exact for those."""


def slide_pixel_size(slide: Slide, given: float | None = None) -> tuple[float | None, str]:
    """Micrometres a pixel of level 0, and where that is from; ``given`` overrides the file."""
    if given is not None:
        return given, "given"
    if slide.pixel_size is not None:
        return slide.pixel_size, "of the file"
    if slide.magnification:
        return (
            ONE_OVER_MAGNIFICATION / slide.magnification,
            f"from its magnification of {slide.magnification:g}",
        )
    return None, "unknown"


class ScaledSlide:
    """A slide at a pixel size of its own.

    Parameters
    ----------
    slide : Slide
    factor : float
        Level-0 pixels a pixel here.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns.
    """

    def __init__(self, slide: Slide, factor: float) -> None:
        if not (math.isfinite(factor) and factor > 0):
            raise ValueError(f"factor must be a finite number > 0, got {factor!r}")
        if factor < 1.0 / COARSEST:
            raise SlideError(
                f"the slide's pixels are {1.0 / factor:.2g} times as large as those of the model's training;"
                f" expected at most {COARSEST:g} times"
            )
        self.slide = slide
        self.factor = 1.0 if abs(factor - 1.0) < SAME_SIZE else round(factor * FINENESS) / FINENESS
        rows, cols = slide.levels[0].shape
        self.shape = (max(1, math.floor(rows / self.factor)), max(1, math.floor(cols / self.factor)))

    def level_for(self, scale: float) -> int:
        """The coarsest level that is fine enough for ``scale`` pixels a pixel."""
        most = self.factor * scale * (1.0 + SAME_SIZE)
        fine = [i for i, level in enumerate(self.slide.levels) if level.downsample <= most]
        return max(fine, default=0, key=lambda i: self.slide.levels[i].downsample)

    def reduces(self, scale: int) -> bool:
        """Whether the pyramid has a level of its own for ``scale``: reading it costs far less than all pixels."""
        return (
            self.slide.levels[self.level_for(scale)].downsample
            > 1.5 * self.slide.levels[self.level_for(1)].downsample
        )

    def read(self, window: Window, scale: int = 1) -> Pixels:
        """Pixels of a window, ``scale`` of them averaged to one in both directions.

        Parameters
        ----------
        window : tuple of int
            Top, left, bottom, right in pixels of this slide; half-open.
        scale : int
            The window's edges must be multiples of it, but for the slide's own.

        Returns
        -------
        uint8 ndarray, shape (ceil(rows / scale), ceil(columns / scale), 3)
            The same pixel whatever window it is read in; from levels that are no power of two smaller than
            level 0, to one grey level.
        """
        index = self.level_for(scale)
        level = self.slide.levels[index]
        step = self.factor * scale / level.downsample
        top, left = window[0] // scale, window[1] // scale
        bottom, right = -(-window[2] // scale), -(-window[3] // scale)
        rows, cols = level.shape
        if abs(step - 1.0) < 1e-3:
            box = (top, left, min(bottom, rows), min(right, cols))
            return _pad(self.slide.read(index, box), bottom - top, right - left)
        from PIL import Image

        # A triangle of twice the step's width looks beyond the window.
        pad = math.ceil(step) + 2
        box = (
            min(max(math.floor(top * step) - pad, 0), rows - 1),
            min(max(math.floor(left * step) - pad, 0), cols - 1),
            min(math.ceil(bottom * step) + pad, rows),
            min(math.ceil(right * step) + pad, cols),
        )
        pixels = self.slide.read(index, box)
        # What of the last pixels lies beyond the level is cut off and padded.
        inside = (min(bottom, math.floor(rows / step)), min(right, math.floor(cols / step)))
        if inside[0] <= top or inside[1] <= left:
            return _pad(pixels[-1:, -1:], bottom - top, right - left)
        source = (
            left * step - box[1],
            top * step - box[0],
            min(inside[1] * step, cols) - box[1],
            min(inside[0] * step, rows) - box[0],
        )
        size = (inside[1] - left, inside[0] - top)
        small = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, box=source)
        return _pad(np.asarray(small), bottom - top, right - left)


def _pad(pixels: Pixels, rows: int, cols: int) -> Pixels:
    """Repeat the last row and column where a level ends a pixel early."""
    short = (rows - pixels.shape[0], cols - pixels.shape[1])
    if short == (0, 0):
        return pixels
    return np.pad(pixels, ((0, short[0]), (0, short[1]), (0, 0)), mode="edge")
