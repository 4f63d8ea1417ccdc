"""One colour scale for p_blast everywhere: blue (normal) over yellow to vermilion (blast).

The three anchors are from Okabe and Ito's set, which people with any common colour vision deficiency tell
apart (https://jfly.uni-koeln.de/color/). Calls are told by words and line styles too, never by colour alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["CALL_COLOURS", "css", "p_colour", "p_css"]

_ANCHORS = ((0, 114, 178), (240, 228, 66), (213, 94, 0))

CALL_COLOURS = {"blast": (213, 94, 0), "uncertain": (240, 228, 66), "normal": (0, 114, 178)}


def p_colour(p: float) -> tuple[int, int, int]:
    """8-bit RGB for a probability in [0, 1]."""
    lower = 0 if p < 0.5 else 1
    part = min(max(2 * p - lower, 0.0), 1.0)
    red, green, blue = (
        round(a + part * (b - a)) for a, b in zip(_ANCHORS[lower], _ANCHORS[lower + 1], strict=True)
    )
    return red, green, blue


def css(colour: tuple[int, int, int]) -> str:
    """``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def p_css(p: npt.NDArray[np.floating]) -> list[str]:
    """``css(p_colour(p))`` of many."""
    values = np.asarray(p, np.float64)[:, None]
    anchors = np.array(_ANCHORS, np.float64)
    lower = np.where(values < 0.5, 0, 1)
    below, above = anchors[lower[:, 0]], anchors[lower[:, 0] + 1]
    part = np.clip(2 * values - lower, 0.0, 1.0)
    codes = np.rint(below + part * (above - below)).astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    return [f"#{code:06x}" for code in codes.tolist()]
