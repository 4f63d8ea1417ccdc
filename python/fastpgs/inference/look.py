"""What a picture looks like as a whole, whatever its cells: taken once, and handed to all who ask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastpgs import _core

__all__ = ["DARK", "FLAT", "Look", "look_at"]

DARK, FLAT = 20.0, 3.0  # luminance below which a picture is black, spread below which it is empty


@dataclass(frozen=True)
class Look:
    """A picture as a whole.

    Attributes
    ----------
    level : float64, shape (3,)
        Colour of the empty glass: the median of the brightest tenth of the pixels, each channel.
    brightest, spread : float
        Largest luminance, and the luminance's standard deviation, in levels of 0 to 255.
    blocks : float
        `fastpgs.inference.conditions.blockiness`; 0 where nobody was going to ask.
    gain : float64, shape (3,), optional
        `fastpgs.inference.preprocess.field_gain` of the level, where a model took the look.
    """

    level: NDArray[np.float64]
    brightest: float
    spread: float
    blocks: float = 0.0
    gain: NDArray[np.float64] | None = None

    @property
    def blank(self) -> str:
        """Why there can be nothing to see, in words; empty where there may be something."""
        if self.brightest < DARK:
            return "the picture is black"
        return "the picture is empty" if self.spread < FLAT else ""


def look_at(image: NDArray[np.uint8], *, blocks: bool = False) -> Look:
    """Take the look of a picture.

    Parameters
    ----------
    image : uint8, shape (H, W, 3)
    blocks : bool
        Look for the blocks of JPEG, too.
    """
    pixels = np.ascontiguousarray(image)
    if not blocks:
        return Look(*_core.picture_light(pixels))
    from fastpgs.inference.conditions import blockiness_of

    level, brightest, spread, across, down = _core.picture_look(pixels)
    return Look(level, brightest, spread, blockiness_of(across, down))
