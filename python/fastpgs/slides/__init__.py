"""Whole slides: pictures too large to be held, searched tile by tile.

    reader -> scaled -> tissue -> sample -> plan -> tiles -> stitch -> heatmap, labels

A slide is opened as a pyramid, looked at through the pixel size of the model, and searched in tiles by measures
that were taken once (`fastpgs.cells.Reference`), so that its cells do not depend on the tiles. Tiles are saved
as they are done, whichever process did them.
"""

from __future__ import annotations

from .reader import Slide, SlideError, is_slide, open_slide

__all__ = ["Slide", "SlideError", "is_slide", "open_slide"]
