"""What is known of each cell: the :class:`Cells` result and its table of measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import shapes

__all__ = ["Cells", "measure"]

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
    n = int(labels.max(initial=0))
    height, width = labels.shape
    at = np.flatnonzero(labels)
    ids = labels.ravel()[at]
    rows, cols = np.divmod(at, width)
    area = np.bincount(ids, minlength=n + 1)[1:].astype(np.int64)
    in_nucleus = nuclei.ravel()[at] > 0
    nucleus_area = np.bincount(ids[in_nucleus], minlength=n + 1)[1:].astype(np.int64)

    table: dict[str, Column] = {"label": np.arange(1, n + 1, dtype=np.int32)}
    box = _boxes(ids, rows, cols, n)
    for i in range(4):
        table[f"bbox-{i}"] = box[i]
    table.update(_moments(ids, rows, cols, n))
    table["area"] = area
    table["perimeter"] = _perimeter(labels, n)
    table["solidity"] = np.array([shapes.solidity(part == i) for i, part in _parts(labels, box)])
    table["equivalent_diameter_area"] = np.sqrt(4.0 * area / np.pi)
    with np.errstate(divide="ignore", invalid="ignore"):
        table["circularity"] = 4.0 * np.pi * area / table["perimeter"] ** 2
        table["nucleus_area"] = nucleus_area
        table["nucleus_ratio"] = nucleus_area / area
        table["nucleus_cytoplasm_ratio"] = nucleus_area / (area - nucleus_area)
    lobes = [part == i for i, part in _parts(nuclei, box)]
    table["nucleus_parts"] = np.array([shapes.label(lobe)[1] for lobe in lobes], np.int64)
    table["nucleus_solidity"] = np.array([shapes.solidity(lobe) for lobe in lobes])
    colours = rgb.reshape(-1, 3)[at]
    for channel in range(3):
        level = colours[:, channel].astype(np.float64)
        table[f"intensity_mean-{channel}"] = _mean(ids, level, area)
        table[f"nucleus_mean-{channel}"] = _mean(ids[in_nucleus], level[in_nucleus], nucleus_area)
    table.update(_chromatin(rgb[:, :, 1], nuclei, nucleus_area))
    table["touches_border"] = (box[0] == 0) | (box[1] == 0) | (box[2] == height) | (box[3] == width)
    if pixel_size is not None:
        table["area_um2"] = area * pixel_size**2
        table["nucleus_area_um2"] = nucleus_area * pixel_size**2
        table["perimeter_um"] = table["perimeter"] * pixel_size
        table["equivalent_diameter_um"] = table["equivalent_diameter_area"] * pixel_size
    return Cells(labels, nuclei, table)


def _boxes(ids: Labels, rows: Column, cols: Column, n: int) -> npt.NDArray[np.int64]:
    """(4, n) first row, first column, one past the last row and column."""
    box = np.empty((4, n), np.int64)
    box[:2] = np.iinfo(np.int64).max
    box[2:] = 0
    np.minimum.at(box[0], ids - 1, rows)
    np.minimum.at(box[1], ids - 1, cols)
    np.maximum.at(box[2], ids - 1, rows + 1)
    np.maximum.at(box[3], ids - 1, cols + 1)
    return box


def _parts(labels: Labels, box: npt.NDArray[np.int64]) -> list[tuple[int, Labels]]:
    """The bounding box of each cell, cut from the labels."""
    return [(i + 1, labels[r0:r1, c0:c1]) for i, (r0, c0, r1, c1) in enumerate(box.T)]


def _mean(ids: Labels, values: Float, count: Column) -> Float:
    return np.bincount(ids, weights=values, minlength=len(count) + 1)[1:] / np.maximum(count, 1)


def _moments(ids: Labels, rows: Column, cols: Column, n: int) -> dict[str, Column]:
    """Centroid, and the axes and eccentricity of the ellipse with the same second moments."""
    count = np.bincount(ids, minlength=n + 1)[1:]
    row, col = _mean(ids, rows.astype(np.float64), count), _mean(ids, cols.astype(np.float64), count)
    y, x = rows - row[ids - 1], cols - col[ids - 1]
    yy, xx, xy = _mean(ids, y * y, count), _mean(ids, x * x, count), _mean(ids, x * y, count)
    spread = np.sqrt(((yy - xx) / 2.0) ** 2 + xy**2)
    large = (yy + xx) / 2.0 + spread
    small = np.maximum((yy + xx) / 2.0 - spread, 0.0)
    return {
        "centroid-0": row,
        "centroid-1": col,
        "axis_major_length": 4.0 * np.sqrt(large),
        "axis_minor_length": 4.0 * np.sqrt(small),
        "eccentricity": np.sqrt(1.0 - small / np.where(large > 0, large, 1.0)) * (large > 0),
    }


def _perimeter(labels: Labels, n: int) -> Float:
    """Perimeter as ``skimage.measure.perimeter`` estimates it: steps between border pixels, straight or not.

    K. Benkrid, D. Crookes, "Design and FPGA implementation of a perimeter estimator", IMVIP 2000.
    """
    width = labels.shape[1] + 4
    padded = np.pad(labels, 2).ravel()
    at = np.flatnonzero(padded)
    own = padded[at]
    sides = (-width, width, -1, 1)
    inner = np.ones(len(at), bool)
    for step in sides:
        inner &= padded[at + step] == own
    border = np.zeros(len(padded), bool)
    border[at[~inner]] = True
    at, own = at[~inner], own[~inner]
    straight = np.zeros(len(at), np.int64)
    diagonal = np.zeros(len(at), np.int64)
    for step in sides:
        straight += border[at + step] & (padded[at + step] == own)
    for step in (-width - 1, -width + 1, width - 1, width + 1):
        diagonal += border[at + step] & (padded[at + step] == own)
    code = 1 + 2 * straight + 10 * diagonal
    weight = np.zeros(64)
    weight[[5, 7, 15, 17, 25, 27]] = 1.0
    weight[[21, 33]] = np.sqrt(2.0)
    weight[[13, 23]] = (1.0 + np.sqrt(2.0)) / 2.0
    return np.bincount(own, weights=weight[code], minlength=n + 1)[1:].astype(np.float64)


def _chromatin(green: npt.NDArray[np.uint8], nuclei: Labels, area: Column) -> dict[str, Column]:
    """Spread of the green level within each nucleus, and its mean step between neighbouring pixels."""
    n = len(area)
    at = np.flatnonzero(nuclei)
    ids, level = nuclei.ravel()[at], green.ravel()[at].astype(np.float64)
    off = level - _mean(ids, level, area)[ids - 1]
    steps, pairs = np.zeros(n), np.zeros(n)
    value = green.astype(np.int16)
    for a, b in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        same = (nuclei[a] == nuclei[b]) & (nuclei[a] > 0)
        ids_here = nuclei[a][same]
        step = np.abs(value[a][same] - value[b][same]).astype(np.float64)
        steps += np.bincount(ids_here, weights=step, minlength=n + 1)[1:]
        pairs += np.bincount(ids_here, minlength=n + 1)[1:]
    return {
        "nucleus_std": np.sqrt(_mean(ids, off**2, area)),
        "nucleus_roughness": steps / np.maximum(pairs, 1),
    }
