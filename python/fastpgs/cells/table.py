"""What is known of each cell: the :class:`Cells` result and its table of measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core

__all__ = ["Cells", "in_micrometres", "measure"]

Labels = npt.NDArray[np.int32]
Column = npt.NDArray[Any]


@dataclass(frozen=True)
class Cells:
    """The white cells of one image.

    Attributes
    ----------
    labels : (H, W) int32 ndarray
        Whole cells: 0 = none, 1..n = the cell's id.
    nuclei : (H, W) int32 ndarray
        Nuclei with the same ids; a subset of ``labels``. A lobed nucleus is several parts of one id.
    table : dict of str to (n,) ndarray
        One row a cell; see :func:`measure`.
    """

    labels: Labels
    nuclei: Labels
    table: dict[str, Column]

    def __len__(self) -> int:
        return len(self.table["label"])


def measure(
    rgb: npt.NDArray[np.uint8], labels: Labels, nuclei: Labels, pixel_size: float | None = None
) -> Cells:
    """Measure every cell.

    Columns are named and defined as in :func:`skimage.measure.regionprops_table` where it has them, in
    pixels: ``label``, ``bbox-0`` .. ``bbox-3`` (half-open), ``centroid-0``, ``centroid-1``, ``area``,
    ``perimeter``, ``axis_major_length``, ``axis_minor_length``, ``eccentricity``, ``solidity``,
    ``equivalent_diameter_area``, and ``intensity_mean-0`` .. ``-2`` (red, green, blue levels). Besides:

    * ``circularity``: 4 pi area / perimeter^2, 1 for a disc (pixels make it vary by a few per cent);
    * ``nucleus_area``, ``nucleus_parts`` (lobes apart from one another), ``nucleus_solidity``;
    * ``nucleus_ratio``: nucleus / cell; ``nucleus_cytoplasm_ratio``: nucleus / cytoplasm, inf without any;
    * ``nucleus_mean-0`` .. ``-2``: mean colour of the nucleus;
    * ``nucleus_std``: standard deviation of its green level; ``nucleus_roughness``: mean absolute difference
      of the green level between neighbouring pixels of the nucleus (both say how coarse the chromatin is);
    * ``touches_border``: the cell is cut by the frame;
    * with ``pixel_size``: ``area_um2``, ``nucleus_area_um2``, ``perimeter_um``, ``equivalent_diameter_um``.

    Parameters
    ----------
    rgb : (H, W, 3) uint8 ndarray
        The image.
    labels, nuclei : (H, W) int32 ndarray
        Instances, consecutive from 1.
    pixel_size : float, optional
        Side of a pixel in micrometres.
    """
    labels, nuclei = np.ascontiguousarray(labels), np.ascontiguousarray(nuclei)
    table = _core.measure_cells(labels, nuclei, np.ascontiguousarray(rgb))
    return Cells(labels, nuclei, in_micrometres(table, pixel_size))


def in_micrometres(table: dict[str, Column], pixel_size: float | None) -> dict[str, Column]:
    """A table of `measure`, with the columns in micrometres added where the side of a pixel is known."""
    if pixel_size is not None:
        table["area_um2"] = table["area"] * pixel_size**2
        table["nucleus_area_um2"] = table["nucleus_area"] * pixel_size**2
        table["perimeter_um"] = table["perimeter"] * pixel_size
        table["equivalent_diameter_um"] = table["equivalent_diameter_area"] * pixel_size
    return table
