"""From labelled images to a model folder: ``fastpgs train``.

    images -> cells (cached) -> K folds, each a network and its held-out predictions
           -> calibration, pooling, thresholds from the held-out predictions of all folds
           -> one network trained on everything -> model folder, figures, curves, card

The reported figures are those of the fold networks on groups that they never saw, each calibrated on the other
folds. The network that is kept has seen all images; with ``final=False`` the first fold's network is kept and
no other is trained.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fastpgs import metrics
from fastpgs.inference import pooling
from fastpgs.inference.files import CONFIG, WEIGHTS, ModelConfig
from fastpgs.inference.novelty import Novelty, fit_novelty
from fastpgs.inference.preprocess import InputSpec
from fastpgs.io.atomic import write_atomic
from fastpgs.io.lock import locked
from fastpgs.training import baselines, evaluate, failures, robustness
from fastpgs.training.cellset import CellSet, collect_cells
from fastpgs.training.checkpoint import Start
from fastpgs.training.datasets import Dataset, drop_duplicates
from fastpgs.training.evaluate import HeldOut
from fastpgs.training.heldout import hold_out, join, predict_cells
from fastpgs.training.loop import (
    TrainConfig,
    Trained,
    fit_normalisation,
    train_network,
    validation_cells,
)
from fastpgs.training.save import save_model
from fastpgs.training.splits import (
    Fold,
    LeakageError,
    check_disjoint,
    check_same_folds,
    folds_csv,
    group_folds,
    official_folds,
    split_once,
)

Ints = NDArray[np.int64]
Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class FitOptions:
    """Choices of `fit_model` beside the network's own."""

    folds: int = 5
    official: bool = False  # use the parts that the source defines instead
    final: bool = True  # train once more on everything and keep that network
    views: int = 1  # random views of each image beside the image itself
    validation: float = 0.2  # share of the training groups watched for early stopping, where patience > 0
    sensitivity: float = 0.98
    specificity: float = 0.95
    pooling: str = "auto"
    prior: float | None = None  # share of blasts that probabilities are meant for; None: that of the images
    robustness: int = 0  # images of each class tried under each perturbation
    allow_leakage: bool = False
    blend: float = 1.0  # share of the new weights in the networks that are kept, beside those of the start
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.blend <= 1:
            raise ValueError(f"blend must be above 0 and at most 1, got {self.blend}")


@dataclass
class FitResult:
    """What a run left behind."""

    folder: Path
    config: ModelConfig
    report: dict[str, Any] = field(default_factory=dict)


@locked
def fit_model(
    data: Dataset,
    out: Path,
    spec: InputSpec,
    config: TrainConfig,
    options: FitOptions,
    *,
    name: str | None = None,
    command: str = "",
    test: Dataset | None = None,
    cache: Path | None = None,
    start: Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    report: Report | None = None,
) -> FitResult:
    """Train, calibrate, evaluate and write a model folder.

    Parameters
    ----------
    data : Dataset
    out : Path
        Model folder; logs, checkpoints, curves and figures go to ``out/training``.
    spec : InputSpec
        Mean and std are fitted.
    config : TrainConfig
    options : FitOptions
    name : str, optional
        Of the model; the folder's name by default.
    command : str
        Noted in the model card.
    test : Dataset, optional
        Images of other groups, judged once by the finished model and used for nothing else.
    cache : Path, optional
        Of the found cells.
    start : Path, optional
        Model folder of a finished run with the same folds. Each network goes on from the weights of its own fold
        there, so that no fold is judged by weights that have seen it; with ``options.blend`` below 1 it is kept
        as the mean of the two.
    resume : bool
        Go on where a killed run of the same options was.
    device : str
    report : callable, optional
        Told of progress: dicts with the key ``stage`` and others.
    """
    started = time.perf_counter()
    tell = report or (lambda _: None)
    work = out / "training"
    work.mkdir(parents=True, exist_ok=True)
    if test is not None:
        _check_apart(data, test)
    folds = _folds(data, options)
    if options.blend < 1 and start is None:
        raise ValueError(f"a blend of {options.blend:g} needs a start whose weights are the rest")
    if start is not None:
        check_same_folds(start / "training" / "folds.csv", folds_csv(data, folds))
    write_atomic(work / "folds.csv", folds_csv(data, folds))
    labels = np.array([s.label for s in data.samples])

    cells = collect_cells(
        data,
        spec,
        views=options.views,
        cache=cache,
        progress=lambda done, total: tell({"stage": "cells", "step": done, "steps": total}),
    )
    found_after = time.perf_counter() - started
    runs: list[_FoldRun] = []
    for number, fold in enumerate(folds if options.final else folds[:1]):
        runs.append(
            _run_fold(
                data, cells, labels, fold, number, spec, config, options, work, start, resume, device, tell
            )
        )
    held = join([run.held for run in runs])
    changed = join([run.changed for run in runs])
    chosen: dict[str, Any] = {
        "sensitivity": options.sensitivity,
        "specificity": options.specificity,
        "method": options.pooling,
        "prior": options.prior,
        "changed": changed,
    }
    fitted = evaluate.fit_all(held, labels, **chosen)
    p, calls, alarms = evaluate.cross_fitted(held, labels, **chosen)

    if options.final:
        everything = np.arange(len(data))
        final_spec = fit_normalisation(cells, everything, spec)
        trained = _train(
            cells,
            labels,
            everything,
            everything[:0],
            final_spec,
            config,
            work / "final",
            _within(start, options, "final"),
            resume,
            device,
            tell,
            "final",
        )
        novelty = _fit_novelty(trained, cells, final_spec, everything, device)
    else:
        final_spec, trained, novelty = runs[0].spec, runs[0].trained, runs[0].novelty
    novelty = replace(novelty, threshold=fitted.novelty_threshold)

    truth = labels[held.images]
    result: dict[str, Any] = {
        "data": {
            "images": len(data),
            "classes": data.counts(),
            "duplicates_left_out": len(data.duplicates),
            "without_cells": len(data) - len(np.unique(cells.sample[cells.view == 0])),
            "unreadable": [[p.name, why] for p, why in cells.failed],
            "cells": int(np.sum(cells.view == 0)),
            "cells_of_views": int(np.sum(cells.view > 0)),
            "grouping": data.grouping,
            "leaky": any(f.leaky for f in folds),
        },
        "folds": len(runs),
        "figures": evaluate.figures(data, held.images, labels, p),
        "per_fold": [metrics.scores(truth[held.fold == k], p[held.fold == k]) for k in np.unique(held.fold)],
        "cells_figures": metrics.scores(labels[held.sample], fitted.calibration(held.logits)),
        "calls": {
            kind: {
                call: int(np.sum(calls[truth == label] == call)) for call in ("blast", "normal", "uncertain")
            }
            for label, kind in ((1, "blast"), (0, "normal"))
        },
        "ece_at_prior": metrics.expected_calibration_error(
            truth, p, weights=evaluate.prior_weights(truth, options.prior)
        ),
        "novelty_alarms": float(np.mean(alarms)),
        "groups": failures.errors_by_group(data, held, p),
        "views": evaluate.changed_figures(held, **chosen, labels=labels) if len(changed.images) else {},
        "pooling": _pooling_table(held, labels, chosen),
        "baselines": baselines.field_baselines(
            data, cells, held.images, folds[: len(runs)], seed=options.seed, prior=options.prior
        ),
        "robustness": _robustness(data, runs, held, labels, chosen, options, device, tell, work),
        "history": [r.trained.history for r in runs] + ([trained.history] if options.final else []),
        "seconds": {"cells": found_after, "all": time.perf_counter() - started},
        "threads": torch.get_num_threads(),
        "machine": machine(device),
    }
    if test is not None:
        result["test"] = _judge(test, trained, final_spec, fitted, cache, device, tell)
    failures.write_predictions(work / "heldout.csv", data, held, p, calls)
    failures.plot_failures(work / "failures.png", data, held, p, spec)
    model = ModelConfig(
        name=name or out.name,
        network=config.network,
        activation=config.activation,
        options=config.options,
        input=final_spec,
        calibration=fitted.calibration,
        pooling=fitted.pooling,
        focus=fitted.focus,
        field_calibration=fitted.field_calibration,
        conditions=fitted.conditions,
        cell_thresholds=fitted.cell_thresholds,
        field_thresholds=fitted.field_thresholds,
        novelty_threshold=fitted.novelty_threshold,
        trained={
            "command": command,
            "train": config.to_dict(),
            "fit": options.__dict__,
            "images": len(data),
            "figures": result["figures"],
            **({} if start is None else {"start": _origin(start)}),
        },
    )
    saved = save_model(out, model, trained.network, novelty, result)
    write_atomic(work / "report.json", json.dumps(result, indent=1, default=float))
    return FitResult(out, saved, result)


def machine(device: str) -> str:
    """The class of machine, for figures that depend on it."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    model = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip()
            for line in cpuinfo.read_text().splitlines()
            if "model name" in line
        ]
        model = names[0] if names else model
    return f"{len(os.sched_getaffinity(0))} cores of {model}"


@dataclass
class _FoldRun:
    fold: Fold
    spec: InputSpec
    trained: Trained
    novelty: Novelty
    held: HeldOut
    changed: HeldOut  # random views of the same images


def _folds(data: Dataset, options: FitOptions) -> list[Fold]:
    if options.official:
        return official_folds(data)
    return group_folds(data, options.folds, seed=options.seed, allow_leakage=options.allow_leakage)


def _run_fold(
    data: Dataset,
    cells: CellSet,
    labels: Ints,
    fold: Fold,
    number: int,
    spec: InputSpec,
    config: TrainConfig,
    options: FitOptions,
    work: Path,
    start: Path | None,
    resume: bool,
    device: str,
    tell: Report,
) -> _FoldRun:
    train, watched = fold.train, fold.train[:0]
    if config.patience > 0:
        train, watched = split_once(data, fold.train, options.validation, seed=options.seed)
    fold_spec = fit_normalisation(cells, train, spec)
    trained = _train(
        cells,
        labels,
        train,
        watched,
        fold_spec,
        config,
        work / f"fold{number}",
        _within(start, options, f"fold{number}"),
        resume,
        device,
        tell,
        f"fold {number}",
    )
    novelty = _fit_novelty(trained, cells, fold_spec, train, device)
    tested = np.isin(cells.sample, fold.test)
    held, changed = (
        hold_out(
            trained.network,
            cells,
            np.flatnonzero(tested & of_kind),
            fold_spec,
            novelty,
            number,
            labels,
            device,
        )
        for of_kind in (cells.view == 0, cells.view > 0)
    )
    pooled = evaluate.pool_images(
        evaluate.fit_all(
            held, labels, sensitivity=options.sensitivity, specificity=options.specificity
        ).calibration(held.logits),
        held.sample,
        held.images,
        "mean",
    )
    tell({"stage": "fold", "fold": number, "roc_auc": metrics.roc_auc(labels[held.images], pooled)})
    return _FoldRun(fold, fold_spec, trained, novelty, held, changed)


def _train(
    cells: CellSet,
    labels: Ints,
    train: Ints,
    watched: Ints,
    spec: InputSpec,
    config: TrainConfig,
    folder: Path,
    start: Start | None,
    resume: bool,
    device: str,
    tell: Report,
    stage: str,
) -> Trained:
    from fastpgs.training.curves import plot_history

    trained = train_network(
        cells,
        labels,
        train,
        watched,
        spec,
        config,
        folder=folder,
        start=start,
        resume=resume,
        device=device,
        report=lambda row: tell({"stage": stage, **row}),
    )
    plot_history({stage: trained.history}, folder / "curves.png")
    return trained


def _fit_novelty(trained: Trained, cells: CellSet, spec: InputSpec, images: Ints, device: str) -> Novelty:
    members = validation_cells(cells, images)
    _, embeddings, crops = predict_cells(trained.network, cells, members, spec, device)
    seen = np.unique(cells.sample[members])
    vectors = evaluate.field_vectors(embeddings, crops, cells, members, cells.sample[members], seen, spec)
    return fit_novelty(vectors)


def _within(start: Path | None, options: FitOptions, run: str) -> Start | None:
    return None if start is None else Start(start / "training" / run, options.blend)


def _origin(start: Path) -> dict[str, Any]:
    """What to know of the run whose networks were the first ones."""
    earlier = ModelConfig.from_json((start / CONFIG).read_text(encoding="utf-8"))
    return {"name": earlier.name, "command": earlier.trained["command"], "weights": earlier.files[WEIGHTS]}


def _check_apart(data: Dataset, test: Dataset) -> None:
    """Refuse test images, or patients, that the training has seen."""
    together = (*data.samples, *test.samples)
    if test.layout != "folder":  # blocks of folders have names that mean nothing elsewhere
        check_disjoint(together, np.arange(len(data)), np.arange(len(data), len(together)))
    _, twins = drop_duplicates(list(together))
    if twins:
        raise LeakageError(f"{twins[0][0].name} of the test set is {twins[0][1].name} of the training set")


def _judge(
    test: Dataset,
    trained: Trained,
    spec: InputSpec,
    fitted: evaluate.Fitted,
    cache: Path | None,
    device: str,
    tell: Report,
) -> dict[str, Any]:
    """Figures of the finished model on images kept apart from everything."""
    labels = np.array([s.label for s in test.samples])
    cells = collect_cells(
        test,
        spec,
        cache=cache,
        progress=lambda done, total: tell({"stage": "test", "step": done, "steps": total}),
    )
    held = hold_out(trained.network, cells, np.arange(len(cells)), spec, None, 0, labels, device)
    return {
        "images": len(test),
        "without_cells": len(test) - len(held.images),
        "figures": evaluate.figures(test, held.images, labels, fitted.judge(held)),
    }


def _pooling_table(held: HeldOut, labels: Ints, chosen: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Figures under each pooling, each fitted on the other folds."""
    table = {}
    for method in pooling.NAMES:
        p, _, _ = evaluate.cross_fitted(held, labels, **{**chosen, "method": method})
        table[method] = metrics.scores(labels[held.images], p)
    return table


def _robustness(
    data: Dataset,
    runs: list[_FoldRun],
    held: HeldOut,
    labels: Ints,
    chosen: dict[str, Any],
    options: FitOptions,
    device: str,
    tell: Report,
    work: Path,
) -> dict[str, dict[str, float]]:
    """Figures under change: network, calibration and thresholds from other folds than the image's."""
    if options.robustness == 0:
        return {}
    rows: dict[str, list[robustness.Row]] = {}
    rng = np.random.default_rng(options.seed)
    for number, run in enumerate(runs):
        most = max(1, options.robustness // len(runs))
        images = robustness.choose_images(run.fold.test, labels, most, rng)
        fitted = evaluate.fit_others(held, labels, number, **chosen)
        tried = robustness.judge_changed(
            data, images, labels, run.trained.network, run.spec, fitted, run.novelty, device=device,
            report=partial(_tell_change, tell, number),
        )  # fmt: skip
        for name, found in tried.items():
            rows.setdefault(name, []).extend(found)
    write_atomic(work / "robustness.json", json.dumps(rows))
    # A field in which no cell is found gets the share of blasts among all fields: no knowledge.
    share = float(np.mean(labels)) if options.prior is None else options.prior
    return robustness.summarise(rows, data, share)


def _tell_change(tell: Report, fold: int, change: str) -> None:
    tell({"stage": "robustness", "fold": fold, "change": change})
