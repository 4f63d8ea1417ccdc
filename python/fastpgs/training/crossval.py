"""Cross-validation with the columns of Tables 3 and 4: accuracy and loss, first and last epoch, each fold.

The test fold of a fold is watched while the network trains, for these columns and curves, and decides nothing:
no epoch is chosen by it and the last weights are kept.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastpgs import metrics
from fastpgs.inference.calibration import sigmoid
from fastpgs.inference.preprocess import InputSpec
from fastpgs.io.atomic import write_atomic
from fastpgs.io.lock import locked
from fastpgs.training import paper
from fastpgs.training.cellset import MARGIN, CellSet, collect_cells
from fastpgs.training.config import TrainConfig
from fastpgs.training.curves import plot_history
from fastpgs.training.datasets import Dataset
from fastpgs.training.evaluate import figures
from fastpgs.training.loop import fit_normalisation, pool_by_image, predict, train_network
from fastpgs.training.splits import LEAKY, Fold, folds_csv, group_folds, official_folds

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
COLUMNS = ("train_accuracy", "validation_accuracy", "train_class_loss", "validation_loss")


@dataclass
class CrossValidation:
    """Result: one dict a fold, figures over all held-out images, files written."""

    rows: list[dict[str, float]]
    figures: dict[str, dict[str, float]]
    files: list[Path]


@locked
def cross_validate(
    data: Dataset,
    out: Path,
    spec: InputSpec,
    config: TrainConfig,
    *,
    folds: int = 10,
    official: bool = False,
    allow_leakage: bool = False,
    views: int = 0,
    cache: Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    report: Callable[[dict[str, Any]], None] | None = None,
) -> CrossValidation:
    """Train one network a fold and write ``crossval.md``, ``.csv`` and ``.png`` to `out`.

    A fold that is complete in `out` is not trained again under ``resume``; an interrupted one goes on.
    """
    tell = report or (lambda _: None)
    out.mkdir(parents=True, exist_ok=True)
    parts = (
        official_folds(data)
        if official
        else group_folds(data, folds, seed=config.seed, allow_leakage=allow_leakage)
    )
    write_atomic(out / "folds.csv", folds_csv(data, parts))
    cells = collect_cells(
        data,
        spec,
        views=views,
        cache=cache,
        progress=lambda done, total: tell({"stage": "cells", "step": done, "steps": total}),
    )
    labels = np.array([s.label for s in data.samples])
    rows, histories = [], {}
    p = np.full(len(data), np.nan)
    for number, fold in enumerate(parts):
        trained_history, tested = run_fold(
            cells,
            labels,
            fold,
            spec,
            config,
            out / f"fold{number}",
            resume,
            device,
            tell,
            f"fold {number + 1}",
        )
        p[fold.test] = tested
        histories[f"fold {number + 1}"] = trained_history
        rows.append(_row(number, trained_history, labels[fold.test], tested))
    judged = np.flatnonzero(np.isfinite(p))
    summary = figures(data, judged, labels, p[judged])
    files = [out / "crossval.md", out / "crossval.csv", out / "crossval.png"]
    write_atomic(files[0], markdown(rows, summary, data, config, leaky=any(f.leaky for f in parts)))
    write_atomic(files[1], to_csv(rows))
    plot_history(histories, files[2])
    return CrossValidation(rows, summary, files)


def run_fold(
    cells: CellSet,
    labels: Ints,
    fold: Fold,
    spec: InputSpec,
    config: TrainConfig,
    folder: Path,
    resume: bool,
    device: str,
    tell: Callable[[dict[str, Any]], None],
    stage: str,
) -> tuple[list[dict[str, float]], Floats]:
    """Train on one side of a fold and judge the other.

    Returns
    -------
    history : list of dict
    p : float64, shape (images of the test side,)
        Mean over an image's cells of the uncalibrated probability; nan without cells.
    """
    import torch

    fold_spec = fit_normalisation(cells, fold.train, spec)
    trained = train_network(
        cells,
        labels,
        fold.train,
        fold.test,
        fold_spec,
        config,
        folder=folder,
        resume=resume,
        device=device,
        select=False,
        report=lambda row: tell({"stage": stage, **row}),
    )
    members = np.flatnonzero(np.isin(cells.sample, fold.test) & (cells.view == 0))
    crops = cells.take(members).inputs(fold_spec)[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    pictures = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))
    logits, _ = predict(trained.network, pictures, fold_spec, device)
    return trained.history, pool_by_image(sigmoid(logits), cells.sample[members], fold.test)


def _row(number: int, history: list[dict[str, float]], labels: Ints, p: Floats) -> dict[str, float]:
    row: dict[str, float] = {"fold": number + 1}
    for column in COLUMNS:
        row[f"{column}_start"], row[f"{column}_end"] = history[0][column], history[-1][column]
    known = np.isfinite(p)
    row |= {f"image_{k}": v for k, v in metrics.scores(labels[known], p[known]).items()}
    row["seconds"] = sum(r["seconds"] for r in history)
    return row


def to_csv(rows: list[dict[str, float]]) -> str:
    """All columns, one line a fold."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def markdown(
    rows: list[dict[str, float]],
    summary: dict[str, dict[str, float]],
    data: Dataset,
    config: TrainConfig,
    *,
    leaky: bool,
) -> str:
    """Tables 3 and 4 with the paper's figures beside ours."""
    lines = [f"# Cross-validation: PGS + {config.network}", ""]
    if leaky:
        lines += [LEAKY, ""]
    classes = ", ".join(f"{k} {v}" for k, v in data.counts().items())
    lines += [f"{len(data)} images ({classes}); groups: {data.grouping}. {json.dumps(config.to_dict())}", ""]
    for title, kind, unit, printed in (
        ("Table 3: accuracy of cells", "accuracy", 100.0, paper.TABLE3),
        ("Table 4: class loss", "loss", 1.0, paper.TABLE4),
    ):
        train = "train_accuracy" if kind == "accuracy" else "train_class_loss"
        keys = [f"{train}_start", f"{train}_end", f"validation_{kind}_start", f"validation_{kind}_end"]
        sign = " %" if kind == "accuracy" else ""
        lines += [
            f"## {title}",
            "",
            "| fold | training start | training end | validation start | validation end | paper: the same four |",
            "|---|---|---|---|---|---|",
        ]
        for number, row in enumerate(rows):
            ours = " | ".join(f"{row[k] * unit:.{2 if unit == 1 else 1}f}{sign}" for k in keys)
            theirs = " / ".join(f"{v:g}{sign}" for v in printed[number]) if number < len(printed) else ""
            lines.append(f"| {number + 1} | {ours} | {theirs} |")
        values = np.array([[row[k] * unit for k in keys] for row in rows])
        spread = values.std(axis=0, ddof=1) if len(rows) > 1 else np.zeros(4)
        ours = " | ".join(
            f"{m:.2f} ± {s:.2f}{sign}" for m, s in zip(values.mean(axis=0), spread, strict=True)
        )
        theirs = " / ".join(f"{v:.4g}{sign}" for v in np.mean(printed, axis=0))
        lines += [f"| mean ± sd | {ours} | {theirs} |", ""]
    lines += [
        "## Held-out images, all folds",
        "",
        "Mean of the cells' probabilities, uncalibrated; 95 % intervals by bootstrap over groups.",
        "",
        "| | value | interval |",
        "|---|---|---|",
    ]
    lines += [
        f"| {name.replace('_', ' ')} | {r['value']:.4f} | {r['low']:.4f} to {r['high']:.4f} |"
        for name, r in summary.items()
    ]
    lines += ["", "The paper's images are C-NMC 2019; whether its folds kept patients apart is not said.", ""]
    return "\n".join(lines)
