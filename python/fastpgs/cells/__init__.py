"""From an image to its white cells: find them, measure them, crop them.

``find_cells`` is unsupervised: Pivot-Growing Segmentation tells the stains apart, every nucleus then grows
within a threshold of its own, cells are split where their outline has a neck, and the cytoplasm grows
connectedly from the nucleus outward.
"""

from __future__ import annotations

from .crop import crop_cells
from .find import find_cells, fit_reference
from .reference import Reference
from .table import Cells

__all__ = ["Cells", "Reference", "crop_cells", "find_cells", "fit_reference"]
