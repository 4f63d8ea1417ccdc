"""Held-out judgements, and where they go wrong: a table, a count by group, the worst fields as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastpgs.inference.preprocess import InputSpec, find
from fastpgs.io.atomic import write_atomic
from fastpgs.io.spreadsheet import csv_text
from fastpgs.training.cellset import read_image
from fastpgs.training.curves import save_figure
from fastpgs.training.datasets import Dataset
from fastpgs.training.evaluate import HeldOut

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SHOWN = 12
COLUMNS = 4


def write_predictions(path: Path, data: Dataset, held: HeldOut, p: Floats, calls: NDArray[np.str_]) -> None:
    """One CSV row a held-out field: image, label, group, fold, p_blast, call, novelty."""
    rows = []
    for i, index in enumerate(held.images):
        sample = data.samples[index]
        name = f"{sample.stratum}/{sample.path.name}"
        figures = (f"{p[i]:.6f}", str(calls[i]), f"{held.novelty[i]:.4f}")
        rows.append((name, sample.label, sample.group, held.fold[i], *figures))
    write_atomic(path, csv_text(("image", "label", "group", "fold", "p_blast", "call", "novelty"), rows))


def errors_by_group(data: Dataset, held: HeldOut, p: Floats) -> list[dict[str, Any]]:
    """Fields, and fields on the wrong side of p = 0.5, of each group; the worst groups first."""
    groups = np.array([data.samples[i].group for i in held.images])
    labels = np.array([data.samples[i].label for i in held.images])
    wrong = (p >= 0.5) != (labels == 1)
    rows = [
        {"group": str(g), "fields": int(np.sum(groups == g)), "wrong": int(np.sum(wrong[groups == g]))}
        for g in np.unique(groups)
    ]
    return sorted(rows, key=lambda row: (-row["wrong"] / row["fields"], row["group"]))


def worst_fields(data: Dataset, held: HeldOut, p: Floats, most: int = SHOWN) -> Ints:
    """Rows of `held` whose p_blast is farthest from the label, the worst first, only those beyond 0.5."""
    labels = np.array([data.samples[i].label for i in held.images])
    distance = np.abs(p - labels)
    order = np.argsort(-distance, kind="stable")[:most]
    worst: Ints = order[distance[order] > 0.5]
    return worst


def plot_failures(path: Path, data: Dataset, held: HeldOut, p: Floats, spec: InputSpec) -> int:
    """The worst held-out fields as a PNG, their cells outlined; returns how many it shows.

    Nothing is written where no field is on the wrong side.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from skimage.segmentation import mark_boundaries

    worst = worst_fields(data, held, p)
    if len(worst) == 0:
        return 0
    lines = -(-len(worst) // COLUMNS)
    figure = Figure(figsize=(3 * COLUMNS, 3.3 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    panels = np.atleast_1d(figure.subplots(lines, COLUMNS)).ravel()
    for panel in panels:
        panel.axis("off")
    for panel, row in zip(panels, worst, strict=False):
        sample = data.samples[held.images[row]]
        image = read_image(sample.path)
        cells = find(image, spec, num_threads=1)
        outlined = mark_boundaries(image, cells.labels, color=(1, 0.9, 0))  # type: ignore[no-untyped-call]
        panel.imshow(outlined)
        kind = "blast" if sample.label else "normal"
        panel.set_title(f"{sample.path.name}\n{kind}, p_blast {p[row]:.3f}, {len(cells)} cells", fontsize=8)
    save_figure(figure, path, dpi=90)
    return len(worst)
