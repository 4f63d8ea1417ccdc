"""The results in other programs' formats: CSV, label TIFF, QuPath GeoJSON, COCO."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastpgs.inference.parts import RunFolder
from fastpgs.inference.results import CALLS, NOTICE
from fastpgs.io.atomic import atomic_path, write_atomic
from fastpgs.io.spreadsheet import neutral_row

__all__ = [
    "cell_feature",
    "file_stem",
    "write_coco",
    "write_csv",
    "write_geojson",
    "write_labels",
]

Parts = Sequence[tuple[RunFolder, int]]

# The parts of list columns become columns of their own in CSV.
_SPREAD = {
    "bbox": ("bbox_row0", "bbox_col0", "bbox_row1", "bbox_col1"),
    "centroid": ("centroid_row", "centroid_col"),
}

# Packed RGB integers as QuPath has them, from the colours of the report.
_QUPATH_COLOURS = {"blast": (213, 94, 0), "uncertain": (240, 228, 66), "normal": (0, 114, 178)}


_CELLS = uuid.UUID("6f2d3c56-6f0b-5d0e-9a37-5f1f6f7c2a11")  # any, but always the same


def file_stem(image: str) -> str:
    """File name, without ending, of what belongs to an input: readable, safe, and another for each input."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", image.replace("\\", "/").rsplit("/", 1)[-1]).strip("._")[:80]
    return f"{stem or 'image'}-{hashlib.sha256(image.encode()).hexdigest()[:8]}"


def write_csv(path: Path, table: pa.Table) -> None:
    """Write a table as UTF-8 CSV; text that looks like a formula gets a leading apostrophe."""
    names = [part for name in table.column_names for part in _SPREAD.get(name, (name,))]
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for batch in table.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                writer.writerow(_csv_row(row))


def _csv_row(row: dict[str, Any]) -> list[Any]:
    values: list[Any] = []
    for name, value in row.items():
        values += value if name in _SPREAD else [value]
    return neutral_row(values)


def write_labels(path: Path, labels: npt.NDArray[np.int32], nuclei: npt.NDArray[np.int32]) -> None:
    """Write cells and nuclei as a two-page TIFF of the smallest unsigned type that holds the ids."""
    import tifffile

    kind = np.uint16 if labels.max(initial=0) < 1 << 16 else np.uint32
    tifffile.imwrite(
        path,
        np.stack([labels, nuclei]).astype(kind),
        photometric="minisblack",
        compression="zlib",
        metadata={"axes": "CYX", "Labels": ["cells", "nuclei"]},
    )


def write_geojson(folder: Path, parts: Parts) -> None:
    """Write one GeoJSON file an image, which QuPath opens by drag and drop: cells with nuclei and p_blast."""
    folder.mkdir(exist_ok=True)
    for image, cells in _by_image(parts):
        collection = {
            "type": "FeatureCollection",
            "features": [feature for feature in map(cell_feature, cells) if feature is not None],
        }
        write_atomic(folder / f"{file_stem(image['image'])}.geojson", json.dumps(collection) + "\n")


def cell_feature(cell: dict[str, Any]) -> dict[str, Any] | None:
    """A cell as a GeoJSON feature that QuPath reads as a cell object; None for one without an outline."""
    if not cell["outline"]:
        return None
    red, green, blue = _QUPATH_COLOURS[cell["call"]]
    feature = {
        "type": "Feature",
        # QuPath keeps an object's id if it is a UUID, so that objects are known again after a second import.
        "id": str(uuid.uuid5(_CELLS, f"{cell['image']}#{cell['cell']}")),
        "geometry": _geometry(cell["outline"]),
        "properties": {
            "objectType": "cell",
            "name": f"cell {cell['cell']}",
            "classification": {"name": cell["call"].capitalize(), "color": [red, green, blue]},
            "measurements": {
                "p_blast": round(cell["p_blast"], 6),
                "Cell: Area px^2": cell["area"],
                "Nucleus: Area px^2": cell["nucleus_area"],
            },
        },
    }
    if cell["nucleus"]:
        feature["nucleusGeometry"] = _geometry(cell["nucleus"])
    return feature


def _geometry(rings: list[list[float]]) -> dict[str, Any]:
    polygons = [[[[x, y] for x, y in zip(ring[::2], ring[1::2], strict=True)]] for ring in rings]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def write_coco(path: Path, parts: Parts) -> None:
    """Write all cells in the COCO format of object detection, written piece by piece to keep memory flat."""
    categories = [{"id": i, "name": name, "supercategory": "white cell"} for i, name in enumerate(CALLS, 1)]
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        head = {"info": {"description": f"fastpgs. {NOTICE}"}, "licenses": [], "categories": categories}
        file.write(json.dumps(head)[:-1] + ', "images": [')
        names = ((i, image) for i, (image, _) in enumerate(_by_image(parts), 1))
        _join(
            file,
            (
                {"id": i, "file_name": image["image"], "width": image["width"], "height": image["height"]}
                for i, image in names
            ),
        )
        file.write('], "annotations": [')
        _join(file, _annotations(parts))
        file.write("]}\n")


def _join(file: Any, values: Iterator[dict[str, Any]]) -> None:
    for i, value in enumerate(values):
        file.write((",\n" if i else "\n") + json.dumps(value))


def _annotations(parts: Parts) -> Iterator[dict[str, Any]]:
    number = 0
    for i, (_, cells) in enumerate(_by_image(parts), 1):
        for cell in cells:
            number += 1
            top, left, bottom, right = cell["bbox"]
            yield {
                "id": number,
                "image_id": i,
                "category_id": CALLS.index(cell["call"]) + 1,
                "bbox": [left, top, right - left, bottom - top],
                "area": cell["area"],
                "segmentation": cell["outline"],
                "iscrowd": 0,
                "score": round(cell["p_blast"], 6),
            }


def _by_image(parts: Parts) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Judged images with their cells, in the order of the inputs."""
    for folder, block in parts:
        images = folder.read("images", block, ["image", "status", "cells", "width", "height"]).to_pylist()
        cells = iter(folder.read("cells", block).to_pylist())
        for image in images:
            if image["status"] == "ok":
                yield image, [next(cells) for _ in range(image["cells"])]
