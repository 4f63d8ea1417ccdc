"""A slide's folder while it fills: the plan, the overview, and one part file a tile.

    plan.json                       what the tiles are searched by, and of which file
    tissue.npz                      the overview
    tile-00003-00012.parquet        cells of one tile; there once the tile is done, and then whole

A part's name and rows depend on the tile alone. So a tile that two processes did, or one did twice, is there
once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fastpgs.inference.columns import column, numbers, read_table
from fastpgs.io.atomic import atomic_path, write_atomic

from .plan import Plan, Tile
from .tiles import TileCells
from .tissue import Tissue

__all__ = ["Index", "SlideFolder"]

PLAN = "plan.json"
TISSUE = "tissue.npz"

_SCHEMA = pa.schema(
    [
        pa.field("box", pa.list_(pa.int32(), 4)),
        pa.field("area", pa.int64()),
        pa.field("nucleus_area", pa.int64()),
        pa.field("centroid", pa.list_(pa.float64(), 2)),
        pa.field("p_blast", pa.float32()),
        pa.field("mask", pa.binary()),
        pa.field("nucleus", pa.binary()),
    ]
)
_NUMBERS = ["box", "area", "nucleus_area", "centroid", "p_blast"]


@dataclass(frozen=True)
class Index:
    """The cells of a slide without their shapes, in the order of their centroids; n of them.

    All in pixels of the slide at the model's pixel size. The id of a cell is its position here, from 1.
    """

    box: npt.NDArray[np.int32]
    area: npt.NDArray[np.int64]
    nucleus_area: npt.NDArray[np.int64]
    centroid: npt.NDArray[np.float64]
    p_blast: npt.NDArray[np.float32]
    part: npt.NDArray[np.int32]
    row: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.area)


class SlideFolder:
    """Where one slide's tiles are saved."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_masks = lru_cache(maxsize=64)(self._masks_of)

    def begin(self, identity: dict[str, Any]) -> tuple[Plan, Tissue] | None:
        """The plan of an earlier run of the same file, model and options; without one the folder is emptied."""
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            saved = json.loads((self.path / PLAN).read_text(encoding="utf-8"))
            if saved["identity"] == identity:
                with np.load(self.path / TISSUE, allow_pickle=False) as arrays:
                    tissue = Tissue(saved["side"], arrays["mask"], arrays["mean"], arrays["purple"])
                return Plan.from_dict(saved["plan"]), tissue
        except (OSError, ValueError, KeyError, TypeError):
            pass
        for file in self.path.iterdir():
            file.unlink()
        return None

    def save_plan(self, identity: dict[str, Any], plan: Plan, tissue: Tissue) -> None:
        """Save what `begin` returns."""
        with atomic_path(self.path / TISSUE) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, mask=tissue.mask, mean=tissue.mean, purple=tissue.purple)
        record = {"identity": identity, "side": tissue.side, "plan": plan.to_dict()}
        write_atomic(self.path / PLAN, json.dumps(record) + "\n")

    def holds(self, tile: Tile) -> bool:
        """Whether a tile is done."""
        return self._file(tile).exists()

    def write(self, tile: Tile, cells: TileCells) -> None:
        """Save the cells of a tile."""
        columns = [
            pa.FixedSizeListArray.from_arrays(column(cells.box.ravel(), pa.int32()), 4),
            column(cells.area, pa.int64()),
            column(cells.nucleus_area, pa.int64()),
            pa.FixedSizeListArray.from_arrays(column(cells.centroid.ravel(), pa.float64()), 2),
            column(cells.p_blast, pa.float32()),
            column([np.packbits(mask).tobytes() for mask in cells.masks], pa.binary()),
            column([np.packbits(mask).tobytes() for mask in cells.nuclei], pa.binary()),
        ]
        with atomic_path(self._file(tile)) as temporary:
            pq.write_table(pa.table(columns, schema=_SCHEMA), temporary)

    def index(self, tiles: Iterable[Tile]) -> Index:
        """The cells of some tiles.

        Raises
        ------
        FileNotFoundError
            A tile is missing.
        """
        self._files = [self._file(tile) for tile in tiles]
        columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in (*_NUMBERS, "part", "row")}
        for i, file in enumerate(self._files):
            table = read_table(file, _NUMBERS)
            n = len(table)
            for name in _NUMBERS if n else ():
                values = table.column(name).combine_chunks()
                lists = name in ("box", "centroid")
                columns[name].append(numbers(values.flatten()).reshape(n, -1) if lists else numbers(values))
            columns["part"].append(np.full(n, i, np.int32))
            columns["row"].append(np.arange(n, dtype=np.int32))
        whole = {name: _whole(name, parts) for name, parts in columns.items()}
        order = np.lexsort((whole["centroid"][:, 1], whole["centroid"][:, 0]))
        return Index(**{name: values[order] for name, values in whole.items()})

    def shape_of(self, index: Index, i: int, nucleus: bool = False) -> npt.NDArray[np.bool_]:
        """The i-th cell (or its nucleus) within its box."""
        masks = self._read_masks(int(index.part[i]))
        top, left, bottom, right = (int(v) for v in index.box[i])
        size = (bottom - top, right - left)
        bits = np.frombuffer(masks[nucleus][int(index.row[i])], np.uint8)
        return np.unpackbits(bits, count=size[0] * size[1]).reshape(size).view(np.bool_)

    def _masks_of(self, part: int) -> tuple[list[bytes], list[bytes]]:
        table = read_table(self._files[part], ["mask", "nucleus"])
        return table.column("mask").to_pylist(), table.column("nucleus").to_pylist()

    def _file(self, tile: Tile) -> Path:
        return self.path / f"tile-{tile.row:05d}-{tile.col:05d}.parquet"


_EMPTY: dict[str, tuple[tuple[int, ...], Any]] = {
    "box": ((0, 4), np.int32),
    "area": ((0,), np.int64),
    "nucleus_area": ((0,), np.int64),
    "centroid": ((0, 2), np.float64),
    "p_blast": ((0,), np.float32),
    "part": ((0,), np.int32),
    "row": ((0,), np.int32),
}


def _whole(name: str, parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    shape, kind = _EMPTY[name]
    return np.concatenate([np.zeros(shape, kind), *(part.astype(kind) for part in parts if len(part))])
