"""``report.html``: a run on one page that needs nothing else, no network and no server."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fastpgs.inference.formats import file_stem
from fastpgs.inference.results import CALLS, NOTICE
from fastpgs.io.atomic import write_atomic
from fastpgs.report.cards import MAX_CARDS, Drawings, Parts, make_cards
from fastpgs.report.colours import CALL_COLOURS, css, p_colour
from fastpgs.report.plots import BINS, histogram

__all__ = ["MAX_ROWS", "prepare", "write_report"]

MAX_ROWS = 5000
"""Rows of the table; all are in ``images.parquet``."""

MAX_FAILURES = 500
MAX_FOLDERS = 24
MAX_SLIDES = 24


def write_report(
    path: Path, run: dict[str, Any], images: pa.Table, parts: Parts, drawings: Drawings | None = None
) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    run : dict
        The record of the run, as in ``run.json``, with counts.
    images : pyarrow.Table
        One row an input.
    parts : sequence of (RunFolder, block)
        Where thumbnails and outlines are.
    drawings : Drawings, optional
        What has been drawn of them.
    """
    rows = _rows(images)
    judged = [row for row in rows if row["status"] == "ok"]
    unjudged = [row for row in rows if row["status"] != "ok"]
    listed = (
        judged if len(judged) <= MAX_ROWS else sorted(_sample(judged, MAX_ROWS), key=lambda r: r["index"])
    )
    cards, scores = make_cards(
        _sample(judged, MAX_CARDS), parts, Drawings(len(rows)) if drawings is None else drawings
    )
    page = _template().generate(
        style=_trusted(_source("style.css")),
        script=_trusted(_source("page.js")),
        notice=NOTICE,
        run=run,
        counts=run["counts"],
        calls=CALLS,
        call_colours={call: css(colour) for call, colour in CALL_COLOURS.items()},
        scale=[(i * 5, css(p_colour(i / 20))) for i in range(21)],
        histograms=_histograms(judged, scores),
        folders=_folders(judged),
        cards=cards,
        slides=_slides(judged, parts),
        n_judged=len(judged),
        listed=listed,
        failures=unjudged[:MAX_FAILURES],
        n_failures=len(unjudged),
        record=json.dumps(run, indent=2),
        details=_details(run),
    )
    # Encoded piece by piece: as one text, two bytes a letter, it would be copied twice.
    write_atomic(path, b"".join(piece.encode() for piece in page))


def prepare() -> None:
    """Do what every page needs, before there is anything to write: import and compile."""
    _template()


@cache
def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = _percent
    return environment.from_string(_source("report.html"))


def _source(name: str) -> str:
    return (resources.files("fastpgs.report") / "templates" / name).read_text(encoding="utf-8")


def _trusted(text: str) -> Any:
    """The package's own style and script, which must not be escaped."""
    import markupsafe

    return markupsafe.Markup(text)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def _rows(images: pa.Table) -> list[dict[str, Any]]:
    """Table rows with what the page adds: an index, a short name, a folder, a colour."""
    rows: list[dict[str, Any]] = images.to_pylist()
    names = [row["image"].replace("\\", "/") for row in rows]
    prefix = _common_folder(names)
    for i, (row, name) in enumerate(zip(rows, names, strict=True)):
        short = name[len(prefix) :]
        p = row["p_blast"]
        row.update(
            index=i,
            name=short,
            folder=short.rpartition("/")[0],
            colour=None if p is None else css(p_colour(p)),
        )
    return rows


def _common_folder(names: Sequence[str]) -> str:
    """The folder that all names start with, slash included: it says nothing, and may say too much."""
    folders = [name.split("/")[:-1] for name in names]
    shared: list[str] = []
    for level in zip(*folders, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return "/".join(shared) + "/" if shared else ""


def _sample(rows: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """At most `most` rows: uncertain ones up to two fifths, the others evenly over the order of p_blast."""
    if len(rows) <= most:
        return rows
    ordered = sorted(rows, key=lambda row: (row["p_blast"] is not None, row["p_blast"]))
    uncertain = _evenly([row for row in ordered if row["call"] == "uncertain"], 2 * most // 5)
    certain = _evenly([row for row in ordered if row["call"] != "uncertain"], most - len(uncertain))
    return sorted(uncertain + certain, key=lambda row: row["index"])


def _evenly(rows: list[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    if len(rows) <= n:
        return rows
    return [rows[i] for i in np.linspace(0, len(rows) - 1, n).round().astype(int)]


def _slides(judged: list[dict[str, Any]], parts: Parts) -> list[dict[str, Any]]:
    """Heat maps of the slides among the inputs, which the run has written beside its tables."""
    homes = list(dict.fromkeys(folder.path / "heatmaps" for folder, _ in parts))
    homes = [home for home in homes if home.is_dir()]
    found: list[dict[str, Any]] = []
    for row in judged if homes else []:
        name = f"{file_stem(row['image'])}.png"
        file = next((home / name for home in homes if (home / name).is_file()), None)
        if file is not None and len(found) < MAX_SLIDES:
            found.append({**row, "png": base64.b64encode(file.read_bytes()).decode("ascii")})
    return found


def _histograms(judged: list[dict[str, Any]], scores: list[npt.NDArray[np.float32]]) -> list[Any]:
    fields = _bin(np.array([row["p_blast"] for row in judged if row["p_blast"] is not None], np.float64))
    cells = np.zeros(BINS, np.int64)
    for values in scores:
        cells += _bin(values)
    return [histogram("Cells", cells, "cells"), histogram("Images", fields, "images")]


def _bin(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.histogram(values, bins=BINS, range=(0.0, 1.0))[0].astype(np.int64)


def _folders(judged: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Calls folder by folder, where folders look like groups."""
    counts: dict[str, Counter[str]] = {}
    cells: Counter[str] = Counter()
    for row in judged:
        counts.setdefault(row["folder"], Counter())[row["call"]] += 1
        cells[row["folder"]] += row["cells"]
    if not 2 <= len(counts) <= MAX_FOLDERS:
        return []
    return [
        {
            "name": name or "(top)",
            "images": sum(calls.values()),
            "cells": cells[name],
            **{call: calls[call] / sum(calls.values()) for call in CALLS},
            "counts": {call: calls[call] for call in CALLS},
        }
        for name, calls in counts.items()
    ]


def _details(run: dict[str, Any]) -> list[tuple[str, str]]:
    model, versions, machine = run["model"], run["versions"], run["machine"]
    thresholds = run.get("thresholds") or {}
    details = [
        ("Model", f"{model['name']} ({model['network']}), {model['engine']} on {model['device']}"),
        ("Weights, SHA-256", model["weights_sha256"] or ""),
        ("Versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ("Options", ", ".join(f"{name} = {value}" for name, value in run["options"].items())),
        ("Machine", f"{machine['system']} {machine['machine']}, {machine['cpus']} processors"),
    ]
    for level, values in thresholds.items():
        if isinstance(values, dict):
            text = ", ".join(
                f"{name} {value:.3g}" for name, value in values.items() if isinstance(value, float)
            )
            details.insert(2, (f"Thresholds of a {level}", text))
    if "profile" in run:
        details.append(("Time", f"{run['profile']['wall_s']:.1f} s"))
    return [(name, text) for name, text in details if text]
