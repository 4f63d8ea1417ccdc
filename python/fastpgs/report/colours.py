"""One colour scale for p_blast everywhere: blue (normal) over yellow to vermilion (blast).

The three anchors are from Okabe and Ito's set, which people with any common colour vision deficiency tell
apart (https://jfly.uni-koeln.de/color/). Calls are told by words and line styles too, never by colour alone.
"""

from __future__ import annotations

import numpy as np

__all__ = ["CALL_COLOURS", "css", "p_colour"]

_ANCHORS = np.array([(0, 114, 178), (240, 228, 66), (213, 94, 0)], np.float64)

CALL_COLOURS = {"blast": (213, 94, 0), "uncertain": (240, 228, 66), "normal": (0, 114, 178)}


def p_colour(p: float) -> tuple[int, int, int]:
    """8-bit RGB for a probability in [0, 1]."""
    red, green, blue = (np.interp(p, (0.0, 0.5, 1.0), _ANCHORS[:, i]) for i in range(3))
    return round(float(red)), round(float(green)), round(float(blue))


def css(colour: tuple[int, int, int]) -> str:
    """``#rrggbb``."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
