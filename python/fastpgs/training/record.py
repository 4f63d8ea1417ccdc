"""What is told of a training: the data, figures on held-out images, baselines, changes, the machine."""

from __future__ import annotations

import json
import os
import platform
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fastpgs import metrics
from fastpgs.inference import pooling
from fastpgs.io.atomic import write_atomic
from fastpgs.training import baselines, evaluate, failures, robustness
from fastpgs.training.cellset import collect_cells
from fastpgs.training.datasets import Dataset
from fastpgs.training.evaluate import Fitted, HeldOut
from fastpgs.training.heldout import hold_out
from fastpgs.training.network import FoldRun, Network
from fastpgs.training.setting import Report, Setting

__all__ = ["judge_test", "make_record"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Chosen = dict[str, Any]


def make_record(
    setting: Setting,
    runs: list[FoldRun],
    held: HeldOut,
    chosen: Chosen,
    fitted: Fitted,
    p: Floats,
    calls: NDArray[np.str_],
    alarms: NDArray[np.bool_],
) -> dict[str, Any]:
    """The figures of a training.

    Parameters
    ----------
    setting : Setting
    runs : list of FoldRun
    held : HeldOut
        What all of them say of the images that they have not seen; n images.
    chosen : dict
        What was fitted by, as `Setting.chosen`, the changed views beside it.
    fitted : Fitted
        On all held-out predictions.
    p, calls, alarms : ndarray, shape (n,)
        Of each held-out image, by what was fitted on the other folds.
    """
    data, cells, labels, options = setting.data, setting.cells, setting.labels, setting.options
    truth = labels[held.images]
    folds = [run.fold for run in runs]
    return {
        "data": _describe(setting) | {"leaky": any(fold.leaky for fold in folds)},
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
        "views": evaluate.changed_figures(held, **chosen, labels=labels)
        if len(chosen["changed"].images)
        else {},
        "pooling": _pooling_table(held, labels, chosen),
        "baselines": baselines.field_baselines(
            data, cells, held.images, folds, seed=options.seed, prior=options.prior
        ),
        "robustness": _robustness(setting, runs, held, chosen),
        "threads": torch.get_num_threads(),
        "machine": _machine(setting.device),
    }


def judge_test(
    test: Dataset, network: Network, fitted: Fitted, cache: Path | None, device: str, tell: Report
) -> dict[str, Any]:
    """Figures of the finished model on images kept apart from everything."""
    labels = np.array([s.label for s in test.samples])
    cells = collect_cells(
        test,
        network.spec,
        cache=cache,
        progress=lambda done, total: tell({"stage": "test", "step": done, "steps": total}),
    )
    held = hold_out(
        network.trained.network, cells, np.arange(len(cells)), network.spec, None, 0, labels, device
    )
    return {
        "images": len(test),
        "without_cells": len(test) - len(held.images),
        "figures": evaluate.figures(test, held.images, labels, fitted.judge(held)),
    }


def _describe(setting: Setting) -> dict[str, Any]:
    """The images and what was found in them."""
    data, cells = setting.data, setting.cells
    return {
        "images": len(data),
        "classes": data.counts(),
        "duplicates_left_out": len(data.duplicates),
        "without_cells": len(data) - len(np.unique(cells.sample[cells.view == 0])),
        "unreadable": [[p.name, why] for p, why in cells.failed],
        "cells": int(np.sum(cells.view == 0)),
        "cells_of_views": int(np.sum(cells.view > 0)),
        "grouping": data.grouping,
    }


def _pooling_table(held: HeldOut, labels: Ints, chosen: Chosen) -> dict[str, dict[str, float]]:
    """Figures under each pooling, each fitted on the other folds."""
    table = {}
    for method in pooling.NAMES:
        p, _, _ = evaluate.cross_fitted(held, labels, **{**chosen, "method": method})
        table[method] = metrics.scores(labels[held.images], p)
    return table


def _robustness(
    setting: Setting, runs: list[FoldRun], held: HeldOut, chosen: Chosen
) -> dict[str, dict[str, float]]:
    """Figures under change: network, calibration and thresholds from other folds than the image's."""
    labels, options = setting.labels, setting.options
    if options.robustness == 0:
        return {}
    rows: dict[str, list[robustness.Row]] = {}
    rng = np.random.default_rng(options.seed)
    most = max(1, options.robustness // len(runs))
    for number, run in enumerate(runs):
        tried = robustness.judge_changed(
            setting.data,
            robustness.choose_images(run.fold.test, labels, most, rng),
            labels,
            run.trained.network,
            run.spec,
            evaluate.fit_others(held, labels, number, **chosen),
            run.novelty,
            device=setting.device,
            report=partial(_tell_change, setting.tell, number),
        )
        for name, found in tried.items():
            rows.setdefault(name, []).extend(found)
    write_atomic(setting.work / "robustness.json", json.dumps(rows))
    # A field in which no cell is found gets the share of blasts among all fields: no knowledge.
    share = float(np.mean(labels)) if options.prior is None else options.prior
    return robustness.summarise(rows, setting.data, share)


def _tell_change(tell: Report, fold: int, change: str) -> None:
    tell({"stage": "robustness", "fold": fold, "change": change})


def _machine(device: str) -> str:
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
