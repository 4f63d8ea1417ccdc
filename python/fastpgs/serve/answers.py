"""What the page is told of a judged picture, and the files it offers."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastpgs.inference.formats import cell_feature, write_csv, write_labels
from fastpgs.inference.results import cell_table
from fastpgs.report.colours import css, p_colour

if TYPE_CHECKING:
    from fastpgs.inference.outlines import Rings
    from fastpgs.serve.store import Judged

__all__ = ["DOWNLOADS", "describe", "download"]

DOWNLOADS = {
    "csv": ("text/csv; charset=utf-8", ".csv"),
    "geojson": ("application/geo+json", ".geojson"),
    "labels": ("image/tiff", ".tif"),
}
"""Kind of file -> media type, ending."""


def describe(judged: Judged) -> dict[str, Any]:
    """The field and its cells, for JSON."""
    one, rows = judged.field, judged.field.cells
    assert rows is not None
    assert rows.outline is not None
    assert rows.nucleus is not None
    cells = [
        {
            "cell": int(rows.cell[i]),
            "p": round(float(rows.p_blast[i]), 4),
            "call": rows.call[i],
            "colour": css(p_colour(float(rows.p_blast[i]))),
            "area": int(rows.area[i]),
            "nucleus_ratio": round(float(judged.nucleus_ratio[i]), 3),
            "bbox": [int(side) for side in rows.bbox[i]],
            "path": _path(rows.outline[i]),
            "nucleus": _path(rows.nucleus[i]),
        }
        for i in range(len(rows))
    ]
    return {
        "call": one.call,
        "p": one.p_blast,
        "reason": one.reason,
        "novelty": one.novelty,
        "height": one.height,
        "width": one.width,
        "has_masks": bool(judged.masks.size),
        "cells": cells,
    }


def download(judged: Judged, kind: str) -> bytes:
    """The content of one of `DOWNLOADS`."""
    one, rows = judged.field, judged.field.cells
    assert rows is not None
    assert one.labels is not None
    assert one.nuclei is not None
    if kind == "geojson":
        assert rows.outline is not None
        assert rows.nucleus is not None
        features = [
            cell_feature(
                {
                    "image": one.image,
                    "cell": int(rows.cell[i]),
                    "call": rows.call[i],
                    "p_blast": float(rows.p_blast[i]),
                    "area": int(rows.area[i]),
                    "nucleus_area": int(rows.nucleus_area[i]),
                    "outline": [_flat(ring) for ring in rows.outline[i]],
                    "nucleus": [_flat(ring) for ring in rows.nucleus[i]],
                }
            )
            for i in range(len(rows))
        ]
        collection = {"type": "FeatureCollection", "features": [f for f in features if f is not None]}
        return (json.dumps(collection) + "\n").encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result"
        if kind == "csv":
            write_csv(path, cell_table([one]))
        else:
            write_labels(path, one.labels, one.nuclei)
        return path.read_bytes()


def _flat(ring: npt.NDArray[np.float32]) -> list[float]:
    return [float(value) for value in ring.ravel()]


def _path(rings: Rings) -> str:
    """An SVG path of whole rings, in pixels of the image."""
    return "".join("M" + "L".join(f"{x:g} {y:g}" for x, y in ring[:-1]) + "z" for ring in rings)
