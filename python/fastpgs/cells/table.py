"""What is known of each cell: the :class:`Cells` result and its table of measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Cells", "measure"]

Labels = npt.NDArray[np.int32]


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
    table: dict[str, npt.NDArray[Any]]

    def __len__(self) -> int:
        return len(self.table["label"])


def measure(image: npt.ArrayLike, labels: Labels, nuclei: Labels, pixel_size: float | None = None) -> Cells:
    """Measure every cell."""
    n = int(labels.max(initial=0))
    height, width = labels.shape
    flat = labels.ravel()
    area = np.bincount(flat, minlength=n + 1)[1:]
    rows, cols = np.divmod(np.flatnonzero(flat), width)
    ids = flat[rows * width + cols]
    table: dict[str, npt.NDArray[Any]] = {"label": np.arange(1, n + 1, dtype=np.int32)}
    box = np.empty((4, n), np.int64)
    box[:2] = max(height, width)
    box[2:] = -1
    np.minimum.at(box[0], ids - 1, rows)
    np.minimum.at(box[1], ids - 1, cols)
    np.maximum.at(box[2], ids - 1, rows)
    np.maximum.at(box[3], ids - 1, cols)
    box[2:] += 1
    for i in range(4):
        table[f"bbox-{i}"] = box[i]
    table["centroid-0"] = np.bincount(ids, weights=rows, minlength=n + 1)[1:] / area
    table["centroid-1"] = np.bincount(ids, weights=cols, minlength=n + 1)[1:] / area
    table["area"] = area
    table["nucleus_area"] = np.bincount(nuclei.ravel(), minlength=n + 1)[1:]
    return Cells(labels, nuclei, table)
