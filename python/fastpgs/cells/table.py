"""What is known of each cell: the :class:`Cells` result and its table of measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from . import shapes

__all__ = ["Cells", "locate", "measure"]

Labels = npt.NDArray[np.int32]
Float = npt.NDArray[np.float64]
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
    height, width = labels.shape
    whole, products, table = _sums(rgb, labels, nuclei)
    box, area, nucleus_area = whole.T[:4], table["area"], table["nucleus_area"]
    table.update(_axes(whole, products))
    table["perimeter"] = products[:, 3].copy()
    table["solidity"] = np.array([shapes.solidity(part == i) for i, part in _parts(labels, box)])
    table["equivalent_diameter_area"] = np.sqrt(4.0 * area / np.pi)
    with np.errstate(divide="ignore", invalid="ignore"):
        table["circularity"] = 4.0 * np.pi * area / table["perimeter"] ** 2
        table["nucleus_ratio"] = nucleus_area / area
        table["nucleus_cytoplasm_ratio"] = nucleus_area / (area - nucleus_area)
    lobes = [part == i for i, part in _parts(nuclei, box)]
    table["nucleus_parts"] = np.array([shapes.label(lobe)[1] for lobe in lobes], np.int64)
    table["nucleus_solidity"] = np.array([shapes.solidity(lobe) for lobe in lobes])
    for channel in range(3):
        table[f"intensity_mean-{channel}"] = whole[:, 8 + channel] / np.maximum(area, 1)
        table[f"nucleus_mean-{channel}"] = whole[:, 11 + channel] / np.maximum(nucleus_area, 1)
    table["nucleus_std"] = np.sqrt(products[:, 4] / np.maximum(nucleus_area, 1))
    table["nucleus_roughness"] = whole[:, 14] / np.maximum(whole[:, 15], 1)
    table["touches_border"] = (box[0] == 0) | (box[1] == 0) | (box[2] == height) | (box[3] == width)
    if pixel_size is not None:
        table["area_um2"] = area * pixel_size**2
        table["nucleus_area_um2"] = nucleus_area * pixel_size**2
        table["perimeter_um"] = table["perimeter"] * pixel_size
        table["equivalent_diameter_um"] = table["equivalent_diameter_area"] * pixel_size
    return Cells(labels, nuclei, table)


def locate(rgb: npt.NDArray[np.uint8], labels: Labels, nuclei: Labels) -> Cells:
    """Where cells are and how large: the columns ``label``, ``bbox-0`` .. ``bbox-3``, ``centroid-0``, ``centroid-1``,
    ``area`` and ``nucleus_area`` of `measure`, a third of its time in a window that shows one cell."""
    return Cells(labels, nuclei, _sums(rgb, labels, nuclei)[2])


def _sums(
    rgb: npt.NDArray[np.uint8], labels: Labels, nuclei: Labels
) -> tuple[npt.NDArray[np.int64], Float, dict[str, Column]]:
    """Whole numbers and sums of products of each cell, and the columns that are those or their quotients."""
    n = int(labels.max(initial=0))
    whole, products = _core.cell_sums(
        np.ascontiguousarray(labels), np.ascontiguousarray(nuclei), np.ascontiguousarray(rgb), n
    )
    count = np.maximum(whole[:, 4], 1)
    table: dict[str, Column] = {"label": np.arange(1, n + 1, dtype=np.int32)}
    for i in range(4):
        table[f"bbox-{i}"] = whole[:, i].copy()
    table["centroid-0"], table["centroid-1"] = whole[:, 6] / count, whole[:, 7] / count
    table["area"], table["nucleus_area"] = whole[:, 4].copy(), whole[:, 5].copy()
    return whole, products, table


def _parts(labels: Labels, box: npt.NDArray[np.int64]) -> list[tuple[int, Labels]]:
    """The bounding box of each cell, cut from the labels."""
    return [(i + 1, labels[r0:r1, c0:c1]) for i, (r0, c0, r1, c1) in enumerate(box.T)]


def _axes(whole: npt.NDArray[np.int64], products: Float) -> dict[str, Column]:
    """Axes and eccentricity of the ellipse with the same second moments."""
    count = np.maximum(whole[:, 4], 1)
    yy, xx, xy = (products[:, i] / count for i in range(3))
    spread = np.sqrt(((yy - xx) / 2.0) ** 2 + xy**2)
    large = (yy + xx) / 2.0 + spread
    small = np.maximum((yy + xx) / 2.0 - spread, 0.0)
    return {
        "axis_major_length": 4.0 * np.sqrt(large),
        "axis_minor_length": 4.0 * np.sqrt(small),
        "eccentricity": np.sqrt(1.0 - small / np.where(large > 0, large, 1.0)) * (large > 0),
    }
