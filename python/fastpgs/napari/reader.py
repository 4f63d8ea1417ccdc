"""Result folders of ``fastpgs classify`` as layers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from fastpgs.napari.layers import Layer, cell_layer

__all__ = ["MOST", "get_reader"]

MOST = 16
"""Images of a folder that are opened."""

Reader = Callable[[Any], list[Layer]]


def get_reader(path: str | list[str]) -> Reader | None:
    """The reader for a result folder; None for anything else."""
    if not isinstance(path, str) or not all(
        (Path(path) / f"{n}.parquet").is_file() for n in ("images", "cells")
    ):
        return None
    return _read


def _read(path: Any) -> list[Layer]:
    """Each judged image, and its cells: labels where ``--labels`` wrote them, else their boxes."""
    import pyarrow.parquet as pq

    from fastpgs.inference.formats import file_stem

    folder = Path(path)
    images = [row for row in pq.read_table(folder / "images.parquet").to_pylist() if row["status"] == "ok"]
    names = [row["image"] for row in images[:MOST]]
    cells = pq.read_table(folder / "cells.parquet", filters=[("image", "in", names)]).to_pylist()
    layers: list[Layer] = []
    for i, name in enumerate(names):
        short, shown = Path(name).name, i == 0
        if Path(name).is_file():
            from fastpgs.io.images import ImageReadError, read_image

            with suppress(
                ImageReadError
            ):  # a whole slide, or changed since: its cells can be shown all the same
                layers.append((read_image(name), {"name": short, "visible": shown}, "image"))
        rows = [row for row in cells if row["image"] == name]
        labels = folder / "labels" / f"{file_stem(name)}.tif"
        layer = _labels(labels, rows) if labels.is_file() else _boxes(rows)
        layer[1].update(name=f"{short}: cells", visible=shown)
        layers.append(layer)
    return layers


def _labels(path: Path, rows: list[dict[str, Any]]) -> Layer:
    import tifffile

    table = {
        "label": np.array([row["cell"] for row in rows], np.int64),
        "p_blast": np.array([row["p_blast"] for row in rows], float),
        "call": np.array([row["call"] for row in rows], dtype=str),
        "area": np.array([row["area"] for row in rows], float),
        "nucleus_area": np.array([row["nucleus_area"] for row in rows], float),
    }
    return cell_layer("cells", tifffile.imread(path)[0].astype(np.int32), table)


def _boxes(rows: list[dict[str, Any]]) -> Layer:
    from fastpgs.report.colours import p_colour

    corners = [row["bbox"] for row in rows]
    options = {
        "shape_type": "rectangle",
        "face_color": "transparent",
        "edge_color": [np.array([*p_colour(row["p_blast"]), 255]) / 255 for row in rows],
        "edge_width": 2,
        "features": {name: [row[name] for row in rows] for name in ("cell", "p_blast", "call", "area")},
    }
    if not rows:
        return [], {}, "shapes"
    return (
        [np.array([[top, left], [bottom, right]]) for top, left, bottom, right in corners],
        options,
        "shapes",
    )
