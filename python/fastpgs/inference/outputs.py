"""From the saved parts of a run to the files that people use."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from fastpgs.inference import formats
from fastpgs.inference.columns import read_table
from fastpgs.inference.parts import RunFolder, saved_blocks
from fastpgs.inference.profile import Profile
from fastpgs.inference.provenance import describe_machine
from fastpgs.inference.results import CELLS, IMAGES, NOTICE, FieldResult, Result, count
from fastpgs.io.atomic import atomic_path, write_atomic

if TYPE_CHECKING:
    from fastpgs.report.cards import Drawings

__all__ = ["RUN", "finish", "run_record", "write_pictures"]

RUN = "run.json"
ROW_GROUP = 1 << 16


def run_record(made_with: dict[str, Any], model: Any) -> dict[str, Any]:
    """What ``run.json`` says of how the results came about; counts and timings are added in the end."""
    settings = getattr(getattr(model.config, "input", None), "cells", None) or {}
    return {
        "notice": NOTICE,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        **made_with,
        "cell_options": settings,
        "seeds": {"cells": settings.get("seed", 0)},
        "thresholds": {
            level: _plain(getattr(model.config, f"{level}_thresholds", None)) for level in ("cell", "field")
        },
        "machine": describe_machine(),
    }


def _plain(value: Any) -> Any:
    return dict(vars(value)) if hasattr(value, "__dict__") else value


def finish(
    out: Path,
    folders: Sequence[RunFolder],
    record: dict[str, Any],
    wanted: Collection[str],
    report: bool,
    profile: Profile | None,
    drawings: Drawings | None = None,
) -> Result:
    """Write the tables, the other formats, the report, and last of all ``run.json``.

    Parameters
    ----------
    out : Path
    folders : sequence of RunFolder
        Whose parts are joined: one, or the shards of a run.
    record : dict
        `run_record` and more.
    wanted : collection of str
        Formats to write beside parquet.
    report : bool
        Write ``report.html``.
    profile : Profile or None
        Timings of this run.
    drawings : Drawings, optional
        What has been drawn of the report.
    """
    parts = list(saved_blocks(folders))
    images = pa.concat_tables(
        [_as(IMAGES, folder.read("images", block, IMAGES.names)) for folder, block in parts]
        or [IMAGES.empty_table()]
    )
    n_cells = sum(n for n in images.column("cells").to_pylist() if n is not None)
    record = {**record, "counts": count(images, n_cells)}
    with ThreadPoolExecutor(1, thread_name_prefix="fastpgs-tables") as pool:
        tables = pool.submit(_write_tables, out, images, parts)  # the disk is waited for while a page is made
        if "csv" in wanted:
            tables.result()
            formats.write_csv(out / "cells.csv", read_table(out / "cells.parquet"))
            formats.write_csv(out / "images.csv", images)
        if "coco" in wanted:
            formats.write_coco(out / "coco.json", parts)
        if "geojson" in wanted:
            formats.write_geojson(out / "geojson", parts)
        if profile is not None:
            record["profile"] = profile.summary()
        if report:
            from fastpgs.report.html import write_report

            write_report(out / "report.html", record, images, parts, drawings)
        tables.result()
    write_atomic(out / RUN, json.dumps(record, indent=2, allow_nan=False) + "\n")
    cells = read_table(out / "cells.parquet")
    return Result(images, cells, record, out)


def _as(schema: pa.Schema, table: pa.Table) -> pa.Table:
    """A part's columns under the schema of the whole, whose types they have; a cast would import Arrow's kernels."""
    return pa.Table.from_arrays(table.columns, schema=schema)


def _write_tables(out: Path, images: pa.Table, parts: Sequence[tuple[RunFolder, int]]) -> None:
    cells = (folder.read("cells", block, CELLS.names) for folder, block in parts)
    _write_table(out / "cells.parquet", CELLS, cells)
    _write_table(out / "images.parquet", IMAGES, iter([images]))


def _write_table(path: Path, schema: pa.Schema, tables: Iterator[pa.Table]) -> None:
    """Write tables one after the other in row groups of at least `ROW_GROUP` rows."""
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        gathered: list[pa.Table] = []
        for table in tables:
            gathered.append(_as(schema, table))
            if sum(map(len, gathered)) >= ROW_GROUP:
                writer.write_table(pa.concat_tables(gathered))
                gathered = []
        if gathered:
            writer.write_table(pa.concat_tables(gathered))


def write_pictures(out: Path, one: FieldResult, wanted: Collection[str]) -> None:
    """Write the label images and the overlay of one input."""
    stem = formats.file_stem(one.image)
    jobs: dict[str, tuple[Path, Callable[[Path], None]]] = {}
    if "labels" in wanted and one.labels is not None and one.nuclei is not None:
        labels, nuclei = one.labels, one.nuclei
        jobs["labels"] = (
            out / "labels" / f"{stem}.tif",
            lambda path: formats.write_labels(path, labels, nuclei),
        )
    if "overlays" in wanted and one.pixels is not None and one.cells is not None:
        from fastpgs.report.overlay import draw_overlay

        overlay = draw_overlay(one.pixels, one.cells)
        jobs["overlays"] = (
            out / "overlays" / f"{stem}.png",
            lambda path: overlay.save(path, format="PNG", compress_level=1),
        )
    for path, write in jobs.values():
        path.parent.mkdir(exist_ok=True)
        with ExitStack() as stack:
            write(stack.enter_context(atomic_path(path)))
