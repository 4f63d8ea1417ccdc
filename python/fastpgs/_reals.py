"""Images of floats: the range of their values, and the levels that they may hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from . import _core

if TYPE_CHECKING:
    from ._problem import Features, PixelArray

#: Beyond it squared distances of real features would lose their meaning or overflow.
MAX_ABS = 1e100
_BLOCK = 32768


def _refuse_non_finite(image: PixelArray, mask: npt.NDArray[np.bool_] | None) -> None:
    bad: npt.NDArray[np.bool_] = np.logical_not(np.isfinite(image))
    if bad.ndim == 3:
        bad = np.logical_or.reduce(bad, axis=2)
    if mask is not None:
        bad &= mask
    row, col = np.argwhere(bad)[0]
    raise ValueError(
        f"image must be finite, got NaN or infinity in {int(np.count_nonzero(bad))} pixels, "
        f"the first at (row, col) = ({row}, {col})"
    )


class _Range(NamedTuple):
    """Values of a float image."""

    low: float
    high: float
    extents: list[float] | None


def value_range(image: PixelArray, mask: npt.NDArray[np.bool_] | None) -> _Range:
    """Return the least and the greatest value of a float image; refuse one that is not finite."""
    extents = None
    if mask is None and image.flags.c_contiguous and image.flags.aligned:
        extents = _core.extents(image)  # in one pass, and the core need not look for them again
        n = len(extents) // 2
        low, high = min(extents[:n]), max(extents[n:])
        finite = all(map(math.isfinite, extents))
    else:
        used = image if mask is None else image[mask]
        low, high = float(used.min()), float(used.max())  # NaN wins both
        finite = math.isfinite(low) and math.isfinite(high)
    if not finite:
        _refuse_non_finite(image, mask)
    return _Range(low, high, extents)


def without_masked(image: PixelArray, mask: npt.NDArray[np.bool_] | None) -> PixelArray:
    """Zero what lies outside the mask, which may be anything, NaN too."""
    if mask is None:
        return image
    out: PixelArray = np.where(mask if image.ndim == 2 else mask[:, :, None], image, image.dtype.type(0))
    return out


def check_magnitude(low: float, high: float) -> None:
    top = max(abs(low), abs(high))
    if top > MAX_ABS:
        raise ValueError(
            f"features='raw' must be at most {MAX_ABS:g} in magnitude, got {top:g}; rescale the image"
        )


def _blocks(size: int) -> Iterator[slice]:
    """Runs of an array that fit into a fast cache together with what is computed from them."""
    return (slice(begin, begin + _BLOCK) for begin in range(0, size, _BLOCK))


def check_colours(low: float, high: float, features: Features) -> None:
    if low < 0.0 or high > 1.0:
        raise ValueError(
            f"a float colour image must be in [0, 1] for features={features!r}, got [{low:g}, {high:g}]; "
            "rescale it, or pass features='raw' to use its values as they are"
        )


def _few(image: PixelArray) -> PixelArray:
    """Return a few values from everywhere."""
    flat = image.reshape(-1)
    return flat[:: max(1, len(flat) // 256)]


def _levels_of(values: PixelArray, top: int) -> PixelArray | None:
    """Map values in [0, 1] to integer levels, or return None if they hold anything else, within rounding."""
    # A product with the rounded reciprocal of `top`, as img_as_float takes it, is off by 2 ulp at most.
    tolerance = top * 4.0 * float(np.spacing(values.dtype.type(1)))
    return _core.levels(np.require(values, requirements=("C", "A")), top, tolerance)


def _rounded_levels(image: PixelArray) -> PixelArray:
    """Round a float image in [0, 1] to 16 bits."""
    flat = image.reshape(-1)
    out = np.empty(flat.shape, dtype=np.uint16)
    for part in _blocks(len(flat)):
        scaled = np.multiply(flat[part], 65535.0, dtype=np.float64)
        out[part] = np.rint(scaled, out=scaled)
    return out.reshape(image.shape)


def float_colours(
    image: PixelArray, features: Features, mask: npt.NDArray[np.bool_] | None
) -> tuple[PixelArray, list[float] | None]:
    """Check that a float colour image is in [0, 1]; return 8- or 16-bit levels where it holds them.

    And the extents of its channels, where they are known and of what is returned.
    """
    low, high, extents = value_range(image, mask)
    check_colours(low, high, features)
    colours: PixelArray = np.require(without_masked(image, mask), requirements=("C", "A"))
    for top in (255, 65535):
        # A few values tell at once that most images hold none.
        levels = None if _levels_of(_few(colours), top) is None else _levels_of(colours, top)
        if levels is not None:
            return levels, None
    # The fixed-point conversion of lab is defined on 16-bit levels.
    return (_rounded_levels(colours), None) if features == "lab" else (colours, extents)


def core_looks(image: PixelArray, features: Features) -> tuple[float, float] | None:
    """Return the bounds of the values of a float image that the core looks at on the way, or None.

    It does for colours, or three raw channels, that a few values tell not to be levels.
    """
    if image.ndim != 3 or image.shape[2] != 3 or not (image.flags.c_contiguous and image.flags.aligned):
        return None
    if features == "raw":
        return -MAX_ABS, MAX_ABS
    few = _few(image)
    if features != "rgb" or not (few.min() >= 0.0 and few.max() <= 1.0):
        return None
    return (0.0, 1.0) if all(_levels_of(few, top) is None for top in (255, 65535)) else None
