"""What blur, JPEG, another size or light do to a field's score, and how that is taken back.

A network trained on views of all kinds still ranks blurred fields well, but their scores lie higher or lower, so
that p = 0.5 is elsewhere. How a field was taken shows in the field: six measures say it, none of which looks at
what is in the cells. Within the range of the training's fields nothing is changed. What a field's measures exceed
that range by moves its score, in logits, by as much as changed views of held-out fields say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fastpgs import _core
from fastpgs.inference.calibration import fit_logistic
from fastpgs.inference.look import CropLook
from fastpgs.inference.preprocess import UInt8

Floats = NDArray[np.float64]

NAMES = ("sharpness", "blocks", "size", "brightness", "red", "blue")
TAIL = 0.01  # share of training fields beyond either end of the range of a measure
GREY_LEVELS = 0.1  # added to differences of pixels, so that flat crops have a finite ratio


def blockiness(image: UInt8) -> float:
    """How much steps of brightness stand out along one line in eight, which is what JPEG does.

    The logarithm of the mean step, less those of its neighbours, across the line where it is largest, over that
    across the second; mean of both directions. 0 without blocks, and wherever the picture was cut.

    Parameters
    ----------
    image : uint8, shape (H, W, 3)
    """
    return _core.picture_blocks(np.ascontiguousarray(image))


def sharpness(crops: CropLook) -> float:
    """Logarithm of the mean second difference over the mean first difference of the crops' brightness.

    Contrast and brightness cancel; blur takes more of the second than of the first.
    """
    return math.log((crops.second + GREY_LEVELS) / (crops.down + crops.across + GREY_LEVELS))


def measure(crops: CropLook, gain: Floats, blocks: float) -> Floats:
    """The measures of one field, in the order of `NAMES`.

    Parameters
    ----------
    crops : CropLook
        Of its cells.
    gain : float64, shape (3,)
        `fastpgs.inference.preprocess.field_gain` of its background.
    blocks : float
        `blockiness` of the picture.
    """
    red, green, blue = np.log(gain).tolist()
    return np.array([sharpness(crops), blocks, crops.size, green, red - green, blue - green])


@dataclass(frozen=True)
class Conditions:
    """The training's range of each measure, and what leaving it does.

    Attributes
    ----------
    low, high : tuple of float
        The range of each of `NAMES`.
    lowest, highest : tuple of float
        How far changed views were beyond the range; farther out nothing more happens.
    below, above : tuple of float
        Logits added to a field's score for each unit below ``low`` and above ``high``.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    below: tuple[float, ...]
    above: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            values = getattr(self, name)
            if len(values) != len(NAMES) or not np.isfinite(values).all():
                raise ValueError(f"{name} of the conditions needs {len(NAMES)} finite values, got {values}")
            object.__setattr__(self, name, tuple(float(v) for v in values))
        for name, *bounds in zip(NAMES, self.lowest, self.low, self.high, self.highest, strict=True):
            if bounds != sorted(bounds):
                raise ValueError(f"the conditions' bounds of {name} must rise, got {bounds}")

    def excess(self, measures: Floats) -> Floats:
        """How far measures (n, 6) are below and above the range, (n, 12)."""
        kept = np.clip(measures, self.lowest, self.highest)
        beyond = np.concatenate([np.array(self.low) - kept, kept - np.array(self.high)], axis=1)
        return np.asarray(np.maximum(beyond, 0.0))

    def holds(self, measures: Floats) -> bool:
        """Whether all measures of one field, (6,), are within the range."""
        return all(
            low <= value <= high
            for low, value, high in zip(self.low, measures.tolist(), self.high, strict=True)
        )

    def shift(self, measures: Floats) -> Floats:
        """Logits to add to the scores of fields with these measures, (n, 6); 0 within the range."""
        return np.asarray(self.excess(np.atleast_2d(measures)) @ np.array([*self.below, *self.above]))


def fit_conditions(
    usual: Floats, measures: Floats, scores: Floats, labels: NDArray[np.int64], weights: Floats
) -> Conditions:
    """Fit ranges to fields as they are, and shifts to changed ones.

    Parameters
    ----------
    usual : float64, shape (m, 6)
        Measures of fields as they are.
    measures : float64, shape (n, 6)
        Of fields, changed and not, that the network was not trained on.
    scores : float64, shape (n,)
        Their calibrated logits, to which shifts are added.
    labels : int array, shape (n,)
        1 for blast.
    weights : float64, shape (n,)

    Notes
    -----
    Logistic regression on the excesses alone, the scores as offset. A ridge takes shifts of more than a logit or
    so at a usual excess for unlikely, which is all there is where hardly a view leaves the range.
    """
    low, high = np.quantile(usual, [TAIL, 1 - TAIL], axis=0)
    ends = np.quantile(measures, [TAIL, 1 - TAIL], axis=0)
    lowest, highest = np.minimum(ends[0], low), np.maximum(ends[1], high)
    none = (0.0,) * len(NAMES)
    ranges = Conditions(tuple(low), tuple(high), tuple(lowest), tuple(highest), none, none)
    excess = ranges.excess(measures)
    spread = np.sqrt((excess**2).sum(axis=0) / np.maximum((excess > 0).sum(axis=0), 1))
    # Of what is small beside the range itself nothing is to be learned.
    scale = np.maximum(spread, np.tile(np.maximum((high - low) / 2, 1e-6), 2))
    design = excess / scale
    theta = fit_logistic(design, labels, weights, np.zeros(design.shape[1]), offset=scores, ridge=1.0)
    below, above = (theta / scale).reshape(2, -1)
    return replace(ranges, below=tuple(below), above=tuple(above))
