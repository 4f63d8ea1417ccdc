"""An output folder while it fills: the lock, the state, and one pair of part files a block.

    .parts/state.json             what the parts were made with
    .parts/cells-000012.parquet   cells of block 12, with outlines
    .parts/images-000012.parquet  inputs of block 12, with thumbnails; its presence completes the block

Part files are written atomically, so a run that is killed at any moment loses no more than its last block.
They stay after the run: with them a later ``--resume`` redoes only what has changed. The folder may be
deleted once nobody wants that.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from fastpgs.inference.columns import column, make_table, numbers, read_table
from fastpgs.inference.items import Item, file_stamp
from fastpgs.inference.outlines import Outlines, join
from fastpgs.inference.results import CELLS, IMAGES, FieldResult, cell_table, image_columns
from fastpgs.io.atomic import atomic_path, remove_leftovers, write_atomic
from fastpgs.io.lock import lock_file

__all__ = ["ResumeError", "RunFolder", "differences"]

STATE = "state.json"
FORMAT = 1

_RINGS = pa.list_(pa.list_(pa.float32()))
PART_IMAGES = pa.schema(
    [
        *IMAGES,
        pa.field("size_bytes", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("retry", pa.bool_()),
        pa.field("thumbnail", pa.binary()),
    ]
)
PART_CELLS = pa.schema([*CELLS, pa.field("outline", _RINGS), pa.field("nucleus", _RINGS)])


class ResumeError(ValueError):
    """The run cannot go on in this folder; the message says what to do."""


@dataclass
class RunFolder:
    """The folder one run (or one shard of it) writes to.

    Use as a context manager: it holds the lock meanwhile.

    Attributes
    ----------
    path : Path
        Created if missing.
    wait : float
        Seconds to wait for another run's lock.
    """

    path: Path
    wait: float = 0.0
    _lock: IO[str] | None = None

    @property
    def parts(self) -> Path:
        """Where the part files are."""
        return self.path / ".parts"

    def __enter__(self) -> RunFolder:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ValueError(f"expected a folder for the results, got a file: {self.path.name!r}") from error
        self._lock = lock_file(self.path, self.wait)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def state(self) -> dict[str, Any] | None:
        """What the parts were made with; None where there are none."""
        try:
            state: dict[str, Any] = json.loads((self.parts / STATE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ResumeError(f"{STATE} is damaged ({error}); start over with --restart") from error
        return state

    def begin(self, made_with: dict[str, Any], *, resume: bool, restart: bool) -> None:
        """Make the folder ready for part files.

        Parameters
        ----------
        made_with : dict
            Everything that the rows depend on beside the inputs.
        resume : bool
            Keep the parts of an earlier run, which must have been made the same way.
        restart : bool
            Discard the parts of an unfinished run.

        Raises
        ------
        ResumeError
            On ``resume``, if something in `made_with` differs; without ``resume`` and ``restart``, if the
            folder holds an unfinished run.
        """
        state = None if restart else self.state()
        if state is not None and resume:
            changed = differences(state["made_with"], made_with)
            if state.get("format") != FORMAT or changed:
                raise ResumeError(
                    "cannot resume, the earlier run was made differently: "
                    + "; ".join(changed or ["its folder format is another one"])
                    + ". Use the same options, another --out, or --restart"
                )
        elif state is not None and not state["complete"]:
            raise ResumeError(
                f"the folder holds an unfinished run with {len(self.blocks())} saved parts:"
                " --resume continues it, --restart discards it"
            )
        else:
            shutil.rmtree(self.parts, ignore_errors=True)
        self.parts.mkdir(exist_ok=True)
        for folder in (self.path, self.parts, self.path / "labels"):
            remove_leftovers(folder)
        self._write_state(made_with, complete=False)

    def complete(self, made_with: dict[str, Any]) -> None:
        """Note that nothing is missing."""
        self._write_state(made_with, complete=True)

    def _write_state(self, made_with: dict[str, Any], *, complete: bool) -> None:
        state = {"format": FORMAT, "complete": complete, "made_with": made_with}
        write_atomic(self.parts / STATE, json.dumps(state, indent=2) + "\n")

    def blocks(self) -> list[int]:
        """Numbers of the blocks that are saved, ascending."""
        return sorted(int(file.stem.removeprefix("images-")) for file in self.parts.glob("images-*.parquet"))

    def drop_from(self, block: int) -> None:
        """Remove the parts from a block on: the list of inputs has become shorter."""
        for number in self.blocks():
            if number >= block:
                self._file("images", number).unlink()
                self._file("cells", number).unlink(missing_ok=True)

    def write(self, block: int, fields: Sequence[FieldResult]) -> None:
        """Save a block."""
        cells = cell_table(fields)
        judged = [one.cells for one in fields if one.cells is not None]
        for name in ("outline", "nucleus"):
            outlines = [getattr(rows, name) or Outlines.without_rings(len(rows)) for rows in judged]
            cells = cells.append_column(PART_CELLS.field(name), _ring_array(join(outlines)))
        columns = image_columns(fields)
        for name in ("size_bytes", "mtime_ns", "retry", "thumbnail"):
            columns[name] = [getattr(one, name) for one in fields]
        # The images complete the block, so they come last.
        for kind, table in (("cells", cells), ("images", make_table(columns, PART_IMAGES))):
            with atomic_path(self._file(kind, block)) as temporary:
                pq.write_table(table, temporary)

    def holds(self, items: Sequence[Item]) -> bool:
        """Whether a block is saved, whole, and none of its files has changed since."""
        images = self._file("images", items[0].block)
        if not images.exists() or not self._file("cells", items[0].block).exists():
            return False
        columns = ["image", "size_bytes", "mtime_ns", "sha256", "retry"]
        try:
            saved = read_table(images, columns).to_pylist()
        except (OSError, pa.ArrowException):  # damaged from outside: do it again
            return False
        return [row["image"] for row in saved] == [item.name for item in items] and all(
            not row["retry"] and _unchanged(item, row) for item, row in zip(items, saved, strict=True)
        )

    def has(self, block: int) -> bool:
        """Whether a block is saved, whatever its files are like now."""
        return self._file("images", block).exists() and self._file("cells", block).exists()

    def read(self, kind: str, block: int, columns: list[str] | None = None) -> pa.Table:
        """A saved part: ``kind`` is "images" or "cells"."""
        return read_table(self._file(kind, block), columns)

    @staticmethod
    def outlines(cells: pa.Table) -> Outlines:
        """The outlines of the cells of a saved block, whose column ``outline`` was read."""
        of_cells = cells.column("outline").combine_chunks()
        of_rings = of_cells.values
        points = numbers(of_rings.values).reshape(-1, 2)
        return Outlines(points, numbers(of_rings.offsets) // 2, numbers(of_cells.offsets))

    def _file(self, kind: str, block: int) -> Path:
        return self.parts / f"{kind}-{block:06d}.parquet"


def _unchanged(item: Item, row: dict[str, Any]) -> bool:
    if item.path is None:
        return row["size_bytes"] is None
    size, mtime_ns = file_stamp(item.path)
    if size != row["size_bytes"]:
        return False
    if mtime_ns == row["mtime_ns"]:
        return True
    try:  # touched, but is it another picture?
        with open(item.path, "rb") as file:  # noqa: PTH123
            return bool(hashlib.file_digest(file, "sha256").hexdigest() == row["sha256"])
    except OSError:
        return False


def _ring_array(outlines: Outlines) -> pa.Array:
    """Polygons as list<list<float>>: of each cell its rings, of each ring x, y, x, y ..."""
    values = column(outlines.points.ravel(), pa.float32())
    rings = pa.ListArray.from_arrays(column(2 * outlines.rings, pa.int32()), values)
    return pa.ListArray.from_arrays(column(outlines.cells, pa.int32()), rings)


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """What has changed between two (nested) dicts, a line each."""
    changed = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            changed += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            changed.append(f"{prefix}{key} was {before!r}, is {after!r}")
    return changed


def saved_blocks(folders: Sequence[RunFolder]) -> Iterator[tuple[RunFolder, int]]:
    """Blocks of several folders (the shards of a run) in the order of the inputs."""
    pairs = [(number, i) for i, folder in enumerate(folders) for number in folder.blocks()]
    for number, i in sorted(pairs):
        yield folders[i], number
