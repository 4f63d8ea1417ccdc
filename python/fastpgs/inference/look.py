"""What a picture looks like as a whole, and the crops of its cells: taken once, and handed to all who ask."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastpgs import _core

__all__ = ["DARK", "FLAT", "CropLook", "Look", "look_at", "look_at_crops"]

DARK, FLAT = 20.0, 3.0  # luminance below which a picture is black, spread below which it is empty


class Look(NamedTuple):
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
    return Look(*(_core.picture_look(pixels) if blocks else _core.picture_light(pixels)))


class CropLook(NamedTuple):
    """The crops of a field as pictures, whatever the network says of them.

    Attributes
    ----------
    second, down, across : float
        Mean absolute differences of brightness, in levels: of second order (4 times a pixel less its neighbours), and
        of the first between rows and between columns.
    mean, spread : list of C floats
        Mean level of each channel, and the mean of the crops' standard deviations.
    size : float
        Mean logarithm of the cells' areas.
    """

    second: float
    down: float
    across: float
    mean: list[float]
    spread: list[float]
    size: float


def look_at_crops(crops: NDArray[np.uint8], areas: NDArray[Any]) -> CropLook:
    """Take the look of crops.

    Parameters
    ----------
    crops : uint8, shape (n, S, S, 3) or (n, S, S) or (n, S, S, 1)
        Of the n cells of a field, n >= 1, as the network sees them; 3 <= S <= 2048.
    areas : ndarray, shape (n,)
        Of the cells, pixels of the training's size.
    """
    plain = crops if crops.shape[3:] == (3,) else crops.reshape(crops.shape[:3])
    sizes = np.log(np.maximum(areas, 1.0))  # few: numpy.mean takes longer to begin than to add them
    return CropLook(*_core.crop_look(np.ascontiguousarray(plain)), float(np.add.reduce(sizes)) / len(sizes))
