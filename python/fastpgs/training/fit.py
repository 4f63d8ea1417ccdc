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
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from fastpgs.inference.files import CONFIG, WEIGHTS, ModelConfig
from fastpgs.inference.preprocess import InputSpec
from fastpgs.io.atomic import write_atomic
from fastpgs.io.lock import locked
from fastpgs.training import evaluate, failures
from fastpgs.training.cellset import collect_cells
from fastpgs.training.config import TrainConfig
from fastpgs.training.datasets import Dataset, drop_duplicates
from fastpgs.training.heldout import join
from fastpgs.training.network import train_everything, train_fold
from fastpgs.training.record import judge_test, make_record
from fastpgs.training.save import save_model
from fastpgs.training.setting import FitOptions, Report, Setting
from fastpgs.training.splits import (
    Fold,
    LeakageError,
    check_disjoint,
    check_same_folds,
    folds_csv,
    group_folds,
    official_folds,
)

__all__ = ["FitOptions", "FitResult", "fit_model"]


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
    setting = Setting(data, cells, labels, spec, config, options, work, start, resume, device, tell)

    runs = [train_fold(setting, fold, n) for n, fold in enumerate(folds if options.final else folds[:1])]
    held = join([run.held for run in runs])
    chosen = {**setting.chosen, "changed": join([run.changed for run in runs])}
    fitted = evaluate.fit_all(held, labels, **chosen)
    p, calls, alarms = evaluate.cross_fitted(held, labels, **chosen)
    last = train_everything(setting) if options.final else runs[0]

    record = make_record(setting, runs, held, chosen, fitted, p, calls, alarms)
    networks = [*runs, last] if options.final else runs
    record["history"] = [network.trained.history for network in networks]
    record["seconds"] = {"cells": found_after, "all": time.perf_counter() - started}
    if test is not None:
        record["test"] = judge_test(test, last, fitted, cache, device, tell)
    failures.write_predictions(work / "heldout.csv", data, held, p, calls)
    failures.plot_failures(work / "failures.png", data, held, p, spec)
    model = ModelConfig(
        name=name or out.name,
        network=config.network,
        activation=config.activation,
        options=config.options,
        input=last.spec,
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
            "figures": record["figures"],
            **({} if start is None else {"start": _origin(start)}),
        },
    )
    novelty = replace(last.novelty, threshold=fitted.novelty_threshold)
    saved = save_model(out, model, last.trained.network, novelty, record)
    write_atomic(work / "report.json", json.dumps(record, indent=1, default=float))
    return FitResult(out, saved, record)


def _folds(data: Dataset, options: FitOptions) -> list[Fold]:
    if options.official:
        return official_folds(data)
    return group_folds(data, options.folds, seed=options.seed, allow_leakage=options.allow_leakage)


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
