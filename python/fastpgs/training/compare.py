"""Tables 5 and 6: every classifier on the same grouped folds, the paper's figures beside ours.

A row is written as soon as it is done, so an interrupted comparison resumes at the next one. Three trivial
baselines stand in each table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastpgs import metrics
from fastpgs.inference.preprocess import InputSpec
from fastpgs.io.atomic import write_atomic
from fastpgs.io.lock import locked
from fastpgs.io.spreadsheet import csv_text
from fastpgs.training import baselines, classical, paper
from fastpgs.training.cellset import CellSet, collect_cells
from fastpgs.training.config import TrainConfig
from fastpgs.training.crossval import run_fold
from fastpgs.training.curves import save_figure
from fastpgs.training.datasets import Dataset
from fastpgs.training.features import image_features
from fastpgs.training.splits import LEAKY, Fold, folds_csv, group_folds

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Tell = Callable[[dict[str, Any]], None]
Row = dict[str, Any]

MEASURES = ("accuracy", "balanced_accuracy", "roc_auc", "f1", "weighted_f1", "ece")
TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "roc_auc": "ROC AUC",
    "f1": "F1",
    "weighted_f1": "weighted F1",
    "ece": "ECE",
}
PRINTED = ("accuracy", "balanced_accuracy", "roc_auc", "f1", "seconds")
DEEP_NAMES = {"cnn": "CNN", "vgg16": "VGG-16", "efficientnet_b3": "EfficientNet-B3", "unet": "U-Net"}


@dataclass(frozen=True)
class CompareOptions:
    """Scale of a comparison; the defaults are a run of minutes, the paper's is ten folds of all images."""

    family: str = "classical"
    folds: int = 5
    use_folds: int = 0  # only the first few of them; 0: all
    views: int = 0
    allow_leakage: bool = False
    only: tuple[str, ...] = ()  # rows by name; empty: all
    seed: int = 0


@locked
def compare(
    data: Dataset,
    out: Path,
    spec: InputSpec,
    config: TrainConfig,
    options: CompareOptions,
    *,
    cache: Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    report: Tell | None = None,
) -> list[Row]:
    """Run a table and write ``<family>.md``, ``.csv`` and ``.png`` to `out`.

    Parameters
    ----------
    data : Dataset
    out : Path
    spec, config
        Input and training of the deep rows; the network and activation of `config` are those of each row.
    options : CompareOptions
    cache, device
        As in `fit_model`.
    resume : bool
        Take rows that are done from `out`. Rows made with other options are not taken.
    report : callable, optional

    Returns
    -------
    list of dict
        The rows as written.
    """
    tell = report or (lambda _: None)
    if options.family not in ("classical", "deep"):
        raise ValueError(f"family must be classical or deep, got {options.family!r}")
    work = out / "rows"
    work.mkdir(parents=True, exist_ok=True)
    folds = group_folds(data, options.folds, seed=options.seed, allow_leakage=options.allow_leakage)
    folds = folds[: options.use_folds or None]
    write_atomic(out / "folds.csv", folds_csv(data, folds))
    cells = collect_cells(
        data,
        spec,
        views=options.views,
        cache=cache,
        progress=lambda done, total: tell({"stage": "cells", "step": done, "steps": total}),
    )
    with_cells = np.unique(cells.sample[cells.view == 0])
    folds = [
        replace(f, train=np.intersect1d(f.train, with_cells), test=np.intersect1d(f.test, with_cells))
        for f in folds
    ]
    labels = np.array([s.label for s in data.samples])
    identity = _identity(data, spec, config, options)
    rows: list[Row] = []
    for name, make in _plan(data, cells, labels, folds, spec, config, options, work, resume, device, tell):
        if options.only and name not in options.only:
            continue
        path = work / f"{_file_name(name)}.json"
        row = _stored(path, identity) if resume else None
        if row is None:
            with metrics.Stopwatch() as watch:
                try:
                    row = make()
                except (ValueError, RuntimeError, MemoryError) as error:
                    # One classifier that cannot cope with these images must not cost the others their rows.
                    row = {m: float("nan") for m in MEASURES} | {"kind": "failed", "notes": str(error)[:200]}
                    if name in paper.TABLE5:
                        row["paper"] = paper.TABLE5[name]
            row = {"name": name, **row, "seconds": row.get("seconds", watch.seconds), "identity": identity}
            write_atomic(path, json.dumps(row))
        tell(
            {
                "stage": "row",
                "name": name,
                **{k: row[k] for k in ("accuracy", "balanced_accuracy", "roc_auc")},
            }
        )
        rows.append(row)
    write_atomic(out / f"{options.family}.md", markdown(rows, data, config, options, folds))
    write_atomic(out / f"{options.family}.csv", _csv(rows))
    plot_rows(rows, out / f"{options.family}.png")
    return rows


def _plan(
    data: Dataset,
    cells: CellSet,
    labels: Ints,
    folds: list[Fold],
    spec: InputSpec,
    config: TrainConfig,
    options: CompareOptions,
    work: Path,
    resume: bool,
    device: str,
    tell: Tell,
) -> list[tuple[str, Callable[[], Row]]]:
    """The rows in order, each as a function that makes it."""
    trivial: dict[str, dict[str, float]] = {}

    def baseline(name: str) -> Row:
        if not trivial:
            tested = np.concatenate([f.test for f in folds])
            trivial.update(baselines.field_baselines(data, cells, tested, folds, seed=options.seed))
        return {**trivial[name], "kind": "baseline", "seconds": float("nan")}

    plan: list[tuple[str, Callable[[], Row]]] = [
        (name, lambda name=name: baseline(name))  # type: ignore[misc]
        for name in baselines.BASELINES
    ]
    if options.family == "classical":
        features: list[Floats] = []

        def row_of(name: str) -> Row:
            if not features:
                features.append(image_features(cells, len(data))[0])
            return _classical_row(name, features[0], labels, folds, options.seed)

        plan += [(name, lambda name=name: row_of(name)) for name in paper.TABLE5]  # type: ignore[misc]
        return plan
    for network, activation in paper.TABLE6:
        title = DEEP_NAMES[network] + (" with PLR" if activation == "plr" else "")
        norm = config.options if network == "unet" else {}
        row_config = replace(config, network=network, activation=activation, options=norm)
        plan.append(
            (
                title,
                lambda title=title, row_config=row_config: _deep_row(  # type: ignore[misc]
                    cells,
                    labels,
                    folds,
                    spec,
                    row_config,
                    work / _file_name(title),
                    resume,
                    device,
                    tell,
                    title,
                ),
            )
        )
    return plan


def _classical_row(name: str, features: Floats, labels: Ints, folds: list[Fold], seed: int) -> Row:
    per_fold, notes, seconds = [], set(), 0.0
    probabilistic = True
    for fold in folds:
        with metrics.Stopwatch() as watch:
            scores, calls, probabilistic, warned = classical.fit_and_score(
                classical.make_classifier(name, seed),
                features[fold.train],
                labels[fold.train],
                features[fold.test],
            )
        seconds += watch.seconds
        notes |= set(warned)
        per_fold.append(_scores(labels[fold.test], scores, calls, probabilistic))
    return {
        "kind": "classical",
        **_average(per_fold),
        "seconds": seconds,
        "notes": ", ".join(sorted(notes)),
        "paper": paper.TABLE5[name],
    }


def _deep_row(
    cells: CellSet,
    labels: Ints,
    folds: list[Fold],
    spec: InputSpec,
    config: TrainConfig,
    folder: Path,
    resume: bool,
    device: str,
    tell: Tell,
    title: str,
) -> Row:
    from fastpgs.nets import build_network

    network = build_network(
        config.network, in_channels=spec.channels, activation=config.activation, **config.options
    )
    per_fold, seconds = [], 0.0
    for number, fold in enumerate(folds):
        history, p = run_fold(
            cells,
            labels,
            fold,
            spec,
            config,
            folder / f"fold{number}",
            resume,
            device,
            tell,
            f"{title} {number + 1}",
        )
        seconds += sum(r["seconds"] for r in history)
        per_fold.append(_scores(labels[fold.test], p, (p >= 0.5).astype(np.int64), True))
    return {
        "kind": "deep",
        **_average(per_fold),
        "seconds": seconds,
        "parameters": sum(p.numel() for p in network.parameters()),
        "paper": paper.TABLE6[(config.network, str(config.activation))],
    }


def _scores(labels: Ints, scores: Floats, calls: Ints, probabilistic: bool) -> dict[str, float]:
    counts = metrics.count(labels, calls)
    return {
        "accuracy": metrics.accuracy(counts),
        "balanced_accuracy": metrics.balanced_accuracy(counts),
        "roc_auc": metrics.roc_auc(labels, scores),
        "f1": metrics.f1(counts),
        "weighted_f1": metrics.weighted_f1(counts),
        "ece": metrics.expected_calibration_error(labels, scores) if probabilistic else float("nan"),
    }


def _average(per_fold: list[dict[str, float]]) -> Row:
    """Means over the folds, and the standard deviations under ``spread``."""
    names = per_fold[0].keys()
    means = {k: float(np.mean([f[k] for f in per_fold])) for k in names}
    spread = {k: float(np.std([f[k] for f in per_fold], ddof=1)) if len(per_fold) > 1 else 0.0 for k in names}
    return {**means, "spread": spread}


def _identity(data: Dataset, spec: InputSpec, config: TrainConfig, options: CompareOptions) -> str:
    what = [
        spec.to_dict(),
        config.to_dict(),
        replace(options, only=()).__dict__,
        [(s.path.name, s.label, s.group) for s in data.samples],
    ]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def _stored(path: Path, identity: str) -> Row | None:
    try:
        row: Row = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        return None
    return row if row.get("identity") == identity else None


def _file_name(title: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in title.lower())


def _csv(rows: list[Row]) -> str:
    return csv_text(
        ["name", *MEASURES, "seconds", "parameters", *(f"paper_{p}" for p in PRINTED), "notes"],
        (
            [r["name"], *(r[m] for m in MEASURES), r["seconds"], r.get("parameters", ""),
             *(r.get("paper") or [""] * 5), r.get("notes", "")]
            for r in rows
        ),
    )  # fmt: skip


def markdown(
    rows: list[Row], data: Dataset, config: TrainConfig, options: CompareOptions, folds: list[Fold]
) -> str:
    """The table with the paper's figures in their own columns."""
    deep = options.family == "deep"
    classes = ", ".join(f"{k} {v}" for k, v in data.counts().items())
    lines = [f"# {'Table 6: networks' if deep else 'Table 5: classical classifiers'}", ""]
    if options.allow_leakage:
        lines += [LEAKY, ""]
    lines += [
        f"{len(data)} images ({classes}), groups: {data.grouping}; means over {len(folds)} of {options.folds} folds, "
        "sd in brackets; one judgement an image. "
        + (
            f"{config.epochs} epochs of {config.cells_per_image} or more cells an image, mean of the cells' "
            "uncalibrated probabilities."
            if deep
            else "Features: means and spreads of shape, colour and texture of an image's PGS cells; library defaults. "
            "ROC AUC from scores, not from calls; ECE where the classifier gives probabilities."
        ),
        "The paper's figures are on C-NMC 2019 and do not say whether patients were kept apart.",
        "",
    ]
    extra = ["parameters"] if deep else []
    head = [
        "",
        *(TITLES[m] for m in MEASURES),
        "seconds",
        *extra,
        *(f"paper: {p.replace('_', ' ')}" for p in PRINTED),
    ]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for r in sorted(rows, key=_standing):
        spread = r.get("spread", {})
        ours = [
            _cell(r[m]) + (f" ({spread[m]:.3f})" if m in spread and r[m] == r[m] else "") for m in MEASURES
        ]
        printed = [_cell(v, 2 if p == "seconds" else 4) for p, v in zip(PRINTED, r["paper"], strict=True)] if r.get(
            "paper"
        ) else [""] * 5  # fmt: skip
        parameters = [f"{r['parameters']:,}" if "parameters" in r else ""] if deep else []
        lines.append(
            "| " + " | ".join([r["name"], *ours, _cell(r["seconds"], 1), *parameters, *printed]) + " |"
        )
    failed = [f"* {r['name']} failed: {r['notes']}" for r in rows if r["kind"] == "failed"]
    return "\n".join([*lines, "", *failed, ""] if failed else [*lines, ""])


def _standing(row: Row) -> tuple[bool, float]:
    """Baselines first, then by balanced accuracy, failures last."""
    value = row["balanced_accuracy"]
    return row["kind"] != "baseline", 2.0 if value != value else -value


def _cell(value: float, digits: int = 4) -> str:
    return "" if value != value else f"{value:.{digits}f}"


def plot_rows(rows: list[Row], path: Path) -> None:
    """Figs. 8-11 and 21: four measures as bars, the paper's as marks."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 1.6 + 0.26 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 4, sharey=True)
    order = sorted((r for r in rows if r["kind"] != "failed"), key=lambda r: r["balanced_accuracy"])
    for panel, measure in zip(panels, PRINTED[:4], strict=True):
        colours = ["0.6" if r["kind"] == "baseline" else "C0" for r in order]
        panel.barh([r["name"] for r in order], [r[measure] for r in order], color=colours)
        marks = [(r["paper"][PRINTED.index(measure)], r["name"]) for r in order if r.get("paper")]
        if marks:
            panel.plot([m for m, _ in marks], [n for _, n in marks], "k|", markersize=9)
        panel.set_title(TITLES[measure])
        panel.set_xlim(0, 1)
        panel.grid(axis="x", alpha=0.3)
    figure.suptitle("bars: ours (grey: trivial baselines), marks: the paper's, on other data", fontsize=10)
    save_figure(figure, path)
