"""What a model loses when fields are changed: `PERTURBATIONS`, before cells are looked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fastpgs import metrics
from fastpgs.inference import pooling
from fastpgs.inference.conditions import blockiness, measure
from fastpgs.inference.look import look_at_crops
from fastpgs.inference.novelty import Novelty, describe_crops, describe_field
from fastpgs.inference.preprocess import InputSpec, background, cut, field_gain, find, seen_levels
from fastpgs.training.cellset import read_image
from fastpgs.training.datasets import Dataset
from fastpgs.training.evaluate import Fitted
from fastpgs.training.loop import predict
from fastpgs.training.perturb import PERTURBATIONS

Ints = NDArray[np.int64]
Row = dict[str, Any]

UNCHANGED = "none"


def choose_images(test: Ints, labels: Ints, most: int, rng: np.random.Generator) -> Ints:
    """Up to `most` images of each class among `test`."""
    chosen = []
    for label in (0, 1):
        own = test[labels[test] == label]
        chosen.append(rng.choice(own, min(most, len(own)), replace=False))
    return np.concatenate(chosen)


def judge_changed(
    data: Dataset,
    images: Ints,
    labels: Ints,
    network: torch.nn.Module,
    spec: InputSpec,
    fitted: Fitted,
    novelty: Novelty,
    *,
    device: str = "cpu",
    report: Callable[[str], None] | None = None,
) -> dict[str, list[Row]]:
    """Judge images as they are and under each of `PERTURBATIONS`.

    Parameters
    ----------
    data : Dataset
    images : int array
        That neither `network` nor `fitted` has seen.
    labels : int array
        Of all images of `data`.
    network, spec, fitted, novelty
        What makes a model.
    device : str
    report : callable, optional
        Told the name of each change when it is done.

    Returns
    -------
    dict
        For each change a list with one ``{image, label, p, call, novel, cells}`` an image; without cells p is
        nan and the call "uncertain".
    """
    changes = {UNCHANGED: lambda image: image, **PERTURBATIONS}
    out: dict[str, list[Row]] = {}
    for name, change in changes.items():
        out[name] = [
            {
                "image": int(index),
                "label": int(labels[index]),
                **_judge(
                    change(read_image(data.samples[index].path)), network, spec, fitted, novelty, device
                ),
            }
            for index in images
        ]
        if report:
            report(name)
    return out


def _judge(
    image: NDArray[np.uint8],
    network: torch.nn.Module,
    spec: InputSpec,
    fitted: Fitted,
    novelty: Novelty,
    device: str,
) -> Row:
    cells = find(image, spec, num_threads=1)
    if not len(cells):
        return {"p": float("nan"), "call": "uncertain", "novel": False, "cells": 0}
    crops = cut(image, cells, spec)
    shaped = crops if crops.ndim == 4 else crops[..., None]
    pictures = torch.from_numpy(np.ascontiguousarray(shaped.transpose(0, 3, 1, 2)))
    logits, embeddings = predict(network, pictures, spec, device)
    light, areas = background(image), cells.table["area"]
    gain = field_gain(light, spec)
    shift, taken = 0.0, look_at_crops(crops, areas)
    if fitted.conditions is not None:
        measures = measure(taken, gain, blockiness(image))
        shift = float(fitted.conditions.shift(measures)[0])
    score = pooling.pool(fitted.calibration(logits), fitted.pooling, fitted.focus)
    p = float(fitted.field_calibration(score, shift))
    level = seen_levels(light, gain, spec)
    distance = float(novelty.score(describe_field(embeddings, describe_crops(taken, level)))[0])
    return {
        "p": p,
        "call": str(fitted.field_thresholds.call([p])[0]),
        "novel": distance > fitted.novelty_threshold,
        "cells": len(cells),
    }


def summarise(
    rows: dict[str, list[Row]], data: Dataset, share: float, *, repeats: int = 1000
) -> dict[str, dict[str, float]]:
    """Figures under each change, and what it costs, with 95 % intervals over groups.

    Parameters
    ----------
    rows : dict
        As from `judge_changed`, the same images in the same order under each change.
    data : Dataset
    share : float
        Probability of a field in which no cell is found: the share of blasts that fields are expected to have.
    repeats : int
        Of the bootstrap.
    """
    chosen = [data.samples[r["image"]] for r in rows[UNCHANGED]]
    groups, strata = (np.array([getattr(s, name) for s in chosen]) for name in ("group", "stratum"))
    draws = list(metrics.bootstrap_draws(groups, strata=strata, repeats=repeats))
    truth = np.array([r["label"] for r in rows[UNCHANGED]])
    right = {name: (_probabilities(found, share) >= 0.5) == (truth == 1) for name, found in rows.items()}
    table = {}
    for name, found in rows.items():
        scores = metrics.scores(truth, _probabilities(found, share))
        calls = np.array([r["call"] for r in found])
        balanced = [_balanced(truth[d], right[name][d]) for d in draws]
        lost = [_balanced(truth[d], right[UNCHANGED][d]) - b for d, b in zip(draws, balanced, strict=True)]
        table[name] = {
            "balanced_accuracy": scores["balanced_accuracy"],
            **dict(zip(("low", "high"), metrics.interval(balanced), strict=True)),
            "lost": _balanced(truth, right[UNCHANGED]) - _balanced(truth, right[name]),
            **dict(zip(("lost_low", "lost_high"), metrics.interval(lost), strict=True)),
            "roc_auc": scores["roc_auc"],
            "ece": scores["ece"],
            # An uncertain call is not a right one.
            "calls": _balanced(truth, calls == np.where(truth == 1, "blast", "normal")),
            "without_cells": int(sum(r["cells"] == 0 for r in found)),
            "novel": float(np.mean([r["novel"] for r in found])),
            "images": len(found),
        }
    return table


def _probabilities(rows: list[Row], share: float) -> NDArray[np.float64]:
    p = np.array([r["p"] for r in rows], dtype=np.float64)
    return np.where(np.isnan(p), share, p)


def _balanced(truth: Ints, right: NDArray[np.bool_]) -> float:
    """Balanced accuracy from which answers are right; nan where a draw has one class alone."""
    shares = [float(np.mean(right[truth == label])) if np.any(truth == label) else np.nan for label in (0, 1)]
    return float(np.mean(shares))
