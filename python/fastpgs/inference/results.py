"""What a run says: one `FieldResult` an image while it runs, a `Result` of two tables in the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastpgs.inference.columns import column, make_table
from fastpgs.inference.outlines import Outlines

__all__ = ["CALLS", "CELLS", "IMAGES", "NOTICE", "CellRows", "FieldResult", "Result"]

NOTICE = "For research use only. Not a medical device: not for diagnosis or treatment."

CALLS = ("blast", "uncertain", "normal")

IMAGES = pa.schema(
    [
        pa.field("image", pa.string(), False, {"about": "the input as given"}),
        pa.field(
            "status", pa.string(), False, {"about": "ok, failed (could not be read or judged) or refused"}
        ),
        pa.field("error", pa.string(), True, {"about": "why not ok"}),
        pa.field("cells", pa.int32(), True, {"about": "white cells found"}),
        pa.field("blasts", pa.int32(), True, {"about": "cells called blast"}),
        pa.field("blast_fraction", pa.float64(), True, {"about": "blasts / cells; null without cells"}),
        pa.field(
            "p_blast", pa.float64(), True, {"about": "calibrated probability that the field shows blasts"}
        ),
        pa.field("call", pa.string(), True, {"about": "blast, normal or uncertain"}),
        pa.field("reason", pa.string(), True, {"about": "why the call is uncertain"}),
        pa.field(
            "novelty", pa.float64(), True, {"about": "distance from the training images; about 1 for those"}
        ),
        pa.field("height", pa.int32(), True, {"about": "pixels"}),
        pa.field("width", pa.int32(), True, {"about": "pixels"}),
        pa.field("note", pa.string(), True, {"about": "what of the file was not used"}),
        pa.field("sha256", pa.string(), True, {"about": "of the file"}),
    ]
)

CELLS = pa.schema(
    [
        pa.field("image", pa.string(), False, {"about": "the input as given"}),
        pa.field(
            "cell", pa.int32(), False, {"about": "id in the image, from 1; the value in its label image"}
        ),
        pa.field(
            "bbox", pa.list_(pa.int32(), 4), False, {"about": "half-open: row, col, row, col in pixels"}
        ),
        pa.field("area", pa.int64(), False, {"about": "whole cell, pixels"}),
        pa.field("nucleus_area", pa.int64(), False, {"about": "pixels"}),
        pa.field("centroid", pa.list_(pa.float64(), 2), False, {"about": "row, col in pixels"}),
        pa.field("p_blast", pa.float32(), False, {"about": "calibrated probability of blast"}),
        pa.field("call", pa.string(), False, {"about": "blast, normal or uncertain"}),
    ]
)


@dataclass
class CellRows:
    """The cells of one image, a column each; n rows.

    Attributes
    ----------
    cell : (n,) int32
        Ids in the label image.
    bbox : (n, 4) int32
        Half-open row, col, row, col.
    area, nucleus_area : (n,) int64
        Pixels.
    centroid : (n, 2) float64
        Row, col.
    p_blast : (n,) float32
    call : list of n str
    outline, nucleus : Outlines or None
        Polygons; None where they were not asked for.
    """

    cell: npt.NDArray[np.int32]
    bbox: npt.NDArray[np.int32]
    area: npt.NDArray[np.int64]
    nucleus_area: npt.NDArray[np.int64]
    centroid: npt.NDArray[np.float64]
    p_blast: npt.NDArray[np.float32]
    call: list[str]
    outline: Outlines | None = None
    nucleus: Outlines | None = None

    def __len__(self) -> int:
        return len(self.cell)

    @classmethod
    def from_table(cls, table: dict[str, npt.NDArray[Any]]) -> CellRows:
        """Rows of the table of `fastpgs.Cells`, not yet judged."""
        n = len(table["label"])
        bbox, centroid = np.empty((n, 4), np.int32), np.empty((n, 2))
        for i in range(4):
            bbox[:, i] = table[f"bbox-{i}"]
        for i in range(2):
            centroid[:, i] = table[f"centroid-{i}"]
        return cls(
            cell=np.asarray(table["label"], np.int32),
            bbox=bbox,
            area=np.asarray(table["area"], np.int64),
            nucleus_area=np.asarray(table["nucleus_area"], np.int64),
            centroid=centroid,
            p_blast=np.zeros(n, np.float32),
            call=[],
        )


@dataclass
class FieldResult:
    """One input of a run.

    Attributes
    ----------
    index : int
        Position among the inputs.
    image : str
        The input as given.
    status : {"ok", "failed", "refused"}
        ``"failed"``: could not be read or judged. ``"refused"``: not accepted, such as a named pipe or a
        picture beyond a limit.
    error : str or None
        Why the status is not ok.
    cells : CellRows or None
        None unless ok.
    p_blast, call, reason, novelty
        Of the whole field; ``p_blast`` is None without cells, ``reason`` says why a call is uncertain.
    height, width : int or None
        Pixels.
    note : str or None
        What of the file was not used, such as further frames.
    sha256, size_bytes, mtime_ns
        What identifies the file, where it could be read.
    retry : bool
        The failure may pass by itself (an I/O error, too little memory).
    labels, nuclei : (H, W) int32 ndarray or None
        Instances, where they were asked for.
    """

    index: int
    image: str
    status: str = "ok"
    error: str | None = None
    cells: CellRows | None = None
    p_blast: float | None = None
    call: str | None = None
    reason: str | None = None
    novelty: float | None = None
    height: int | None = None
    width: int | None = None
    note: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    mtime_ns: int | None = None
    retry: bool = False
    labels: npt.NDArray[np.int32] | None = None
    nuclei: npt.NDArray[np.int32] | None = None
    pixels: npt.NDArray[Any] | None = field(default=None, repr=False)
    thumbnail: bytes | None = field(default=None, repr=False)

    @property
    def blasts(self) -> int | None:
        """Cells called blast."""
        return None if self.cells is None else self.cells.call.count("blast")

    @property
    def blast_fraction(self) -> float | None:
        """Blasts among the cells; None without cells."""
        if self.cells is None or not len(self.cells):
            return None
        return self.cells.call.count("blast") / len(self.cells)

    def fail(self, error: str, *, status: str = "failed", retry: bool = False) -> FieldResult:
        """Turn this into the row of an input that was not judged."""
        self.status, self.error, self.retry = status, error, retry
        self.cells = self.p_blast = self.call = self.reason = self.novelty = None
        self.labels = self.nuclei = self.pixels = self.thumbnail = None
        return self


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes
    ----------
    images : pyarrow.Table
        One row an input, failed ones too; columns of `IMAGES`.
    cells : pyarrow.Table
        One row a cell; columns of `CELLS`.
    run : dict
        Versions, model, options, counts, timings: what ``run.json`` holds.
    out : Path or None
        Where the files are.
    """

    images: pa.Table
    cells: pa.Table
    run: dict[str, Any]
    out: Path | None = None

    @property
    def ok(self) -> bool:
        """Whether every input was judged."""
        counts: dict[str, int] = self.run["counts"]
        return counts["ok"] == counts["inputs"]

    def __repr__(self) -> str:
        counts = self.run["counts"]
        return (
            f"Result({counts['inputs']} inputs: {counts['ok']} ok, {counts['failed']} failed,"
            f" {counts['refused']} refused; {counts['cells']} cells)"
        )


def image_columns(fields: Sequence[FieldResult]) -> dict[str, list[Any]]:
    """The rows of `IMAGES`, column by column."""
    columns: dict[str, list[Any]] = {name: [] for name in IMAGES.names}
    for one in fields:
        values = {
            "cells": None if one.cells is None else len(one.cells),
            "p_blast": _null(one.p_blast),
            "novelty": _null(one.novelty),
        }
        for name, cells in columns.items():
            cells.append(values[name] if name in values else getattr(one, name))
    return columns


def image_table(fields: Sequence[FieldResult]) -> pa.Table:
    """Inputs as a table with the columns of `IMAGES`."""
    return make_table(image_columns(fields), IMAGES)


def cell_table(fields: Sequence[FieldResult]) -> pa.Table:
    """Cells of all inputs as a table with the columns of `CELLS`."""
    judged = [(one, one.cells) for one in fields if one.cells is not None and len(one.cells)]
    if not judged:
        return CELLS.empty_table()
    rows = [cells for _, cells in judged]
    columns = {
        "image": column([one.image for one, cells in judged for _ in range(len(cells))], pa.string()),
        "call": column([call for cells in rows for call in cells.call], pa.string()),
    }
    for name in ("cell", "area", "nucleus_area", "p_blast"):
        columns[name] = column(np.concatenate([getattr(one, name) for one in rows]), CELLS.field(name).type)
    for name, size in (("bbox", 4), ("centroid", 2)):
        flat = np.concatenate([getattr(one, name) for one in rows]).ravel()
        kind = CELLS.field(name).type.value_type
        columns[name] = pa.FixedSizeListArray.from_arrays(column(flat, kind), size)
    return pa.table([columns[name] for name in CELLS.names], schema=CELLS)


def count(images: pa.Table, n_cells: int) -> dict[str, int]:
    """How many inputs of which outcome."""
    status = images.column("status").to_pylist()
    calls = images.column("call").to_pylist()
    return {
        "inputs": len(status),
        **{name: status.count(name) for name in ("ok", "failed", "refused")},
        "cells": n_cells,
        **{f"called_{name}": calls.count(name) for name in CALLS},
    }


def _null(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
