"""What held-out predictions say: calibration, thresholds, figures with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastpgs import metrics
from fastpgs.inference import pooling
from fastpgs.inference.calibration import Calibration, Thresholds, fit_calibration, fit_thresholds
from fastpgs.inference.novelty import describe_field
from fastpgs.inference.preprocess import InputSpec, seen_levels
from fastpgs.training.cellset import CellSet
from fastpgs.training.datasets import Dataset

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# A novelty score above this quantile of held-out fields makes a field uncertain.
NOVELTY_QUANTILE = 0.99
# Among these the focus of attention pooling is sought.
FOCUSES = tuple(float(f) for f in np.linspace(-1, 1, 21).round(2))


@dataclass
class HeldOut:
    """Predictions for images by networks that had not seen their groups.

    Attributes
    ----------
    sample : int64, shape (n,)
        Image of each cell.
    logits : float64, shape (n,)
    images : int64, shape (m,)
        The images that have cells.
    fold : int64, shape (m,)
        The fold in which each image was held out.
    novelty : float64, shape (m,)
        Distance of each image from the training images of its fold.
    """

    sample: Ints
    logits: Floats
    images: Ints
    fold: Ints
    novelty: Floats


@dataclass(frozen=True)
class Fitted:
    """Everything that is fitted on held-out predictions."""

    calibration: Calibration
    pooling: str
    focus: float
    field_calibration: Calibration
    cell_thresholds: Thresholds
    field_thresholds: Thresholds
    novelty_threshold: float


def prior_weights(truth: Ints, prior: float | None) -> Floats:
    """Weights (mean 1) under which a share `prior` of `truth` are blasts; all 1 where it is None."""
    weights = np.ones(len(truth))
    if prior is None:
        return weights
    if not 0 < prior < 1:
        raise ValueError(f"prior must lie between 0 and 1, got {prior}")
    share = float(np.mean(truth == 1))
    if share in (0.0, 1.0):
        raise ValueError(f"a prior needs both classes, got {share:.0%} blasts")
    return np.where(truth == 1, prior / share, (1 - prior) / (1 - share))


def fit_all(
    held: HeldOut,
    labels: Ints,
    *,
    sensitivity: float,
    specificity: float,
    method: str = "auto",
    prior: float | None = None,
) -> Fitted:
    """Calibrate cells, choose the pooling, calibrate fields, choose thresholds.

    Parameters
    ----------
    held : HeldOut
    labels : int array, of all images
    sensitivity, specificity : float
        Promises of the thresholds, see `fit_thresholds`.
    method : str
        A pooling, or "auto": the one under which held-out fields are most likely.
    prior : float, optional
        Share of blasts among the fields that probabilities are meant for; that of `held` by default.
    """
    cell_labels = labels[held.sample]
    truth = labels[held.images]
    importance = prior_weights(truth, prior)
    # Every image weighs the same, however many cells it has.
    own = np.zeros(len(labels))
    own[held.images] = importance
    weights = own[held.sample] / np.bincount(held.sample)[held.sample]
    calibration = fit_calibration(held.logits, cell_labels, weights * len(held.images) / weights.sum())
    p = calibration(held.logits)
    best = min(
        (
            fit_pooling(p, held, truth, name, importance)
            for name in (pooling.NAMES if method == "auto" else [method])
        ),
        key=lambda candidate: candidate.loss,
    )
    return Fitted(
        calibration=calibration,
        pooling=best.method,
        focus=best.focus,
        field_calibration=best.calibration,
        cell_thresholds=fit_thresholds(p, cell_labels, sensitivity=sensitivity, specificity=specificity),
        field_thresholds=fit_thresholds(best.p, truth, sensitivity=sensitivity, specificity=specificity),
        novelty_threshold=float(np.quantile(held.novelty, NOVELTY_QUANTILE)),
    )


@dataclass(frozen=True)
class Pooling:
    """One way from cells to fields, fitted: its parameter, the fields' calibration, and how well it explains them."""

    method: str
    focus: float
    calibration: Calibration
    p: Floats
    loss: float


def fit_pooling(p: Floats, held: HeldOut, truth: Ints, method: str, weights: Floats | None = None) -> Pooling:
    """Fit the pooling `method` to held-out cells, by the likelihood of their fields' labels.

    Parameters
    ----------
    p : float64, shape (n,)
        Calibrated probabilities of the cells of `held`.
    held : HeldOut
    truth : int array, shape (m,)
        Labels of ``held.images``.
    method : str
    weights : float64, shape (m,), optional
        Of the images.
    """
    candidates = []
    for focus in FOCUSES if method == pooling.ATTENTION else [0.0]:
        scores = pool_images(p, held.sample, held.images, method, focus)
        calibration = fit_calibration(scores, truth, weights)
        probability = calibration(scores)
        likelihood = np.clip(np.where(truth == 1, probability, 1 - probability), 1e-9, 1)
        loss = float(-np.average(np.log(likelihood), weights=weights))
        candidates.append(Pooling(method, focus, calibration, probability, loss))
    return min(candidates, key=lambda candidate: candidate.loss)


def pool_images(p: Floats, sample: Ints, images: Ints, method: str, focus: float = 0.0) -> Floats:
    """Score of each image from its cells, in logits."""
    order = np.argsort(sample, kind="stable")
    starts = np.searchsorted(sample[order], images, side="left")
    ends = np.searchsorted(sample[order], images, side="right")
    return np.array(
        [pooling.pool(p[order[a:b]], method, focus) for a, b in zip(starts, ends, strict=True)],
        dtype=np.float64,
    )


def fit_others(held: HeldOut, labels: Ints, fold: int, **options: Any) -> Fitted:
    """`fit_all` on the images that were held out in other folds than `fold`; on all where there is no other."""
    other = held.fold != fold
    if not other.any():
        other = ~other
    chosen = np.isin(held.sample, held.images[other])
    return fit_all(
        HeldOut(
            held.sample[chosen],
            held.logits[chosen],
            held.images[other],
            held.fold[other],
            held.novelty[other],
        ),
        labels,
        **options,
    )


def cross_fitted(
    held: HeldOut, labels: Ints, **options: Any
) -> tuple[Floats, NDArray[np.str_], NDArray[np.bool_]]:
    """Probabilities, calls and novelty alarms of held-out images, each calibrated on the other folds alone.

    This is what the reported figures are computed from: neither network nor calibration nor threshold has
    seen the image's fold. With a single fold there is no other; its own fit is used and flattering.

    Returns
    -------
    p : float64, shape (m,)
    calls : str, shape (m,)
    alarms : bool, shape (m,)
    """
    p = np.empty(len(held.images))
    calls = np.empty(len(held.images), dtype="<U9")
    alarms = np.zeros(len(held.images), dtype=bool)
    for fold in np.unique(held.fold):
        inside = held.fold == fold
        fitted = fit_others(held, labels, fold, **options)
        own = np.isin(held.sample, held.images[inside])
        scores = pool_images(
            fitted.calibration(held.logits[own]),
            held.sample[own],
            held.images[inside],
            fitted.pooling,
            fitted.focus,
        )
        p[inside] = fitted.field_calibration(scores)
        calls[inside] = fitted.field_thresholds.call(p[inside])
        alarms[inside] = held.novelty[inside] > fitted.novelty_threshold
    return p, calls, alarms


def figures(
    data: Dataset, images: Ints, labels: Ints, p: Floats, *, repeats: int = 1000
) -> dict[str, dict[str, float]]:
    """Figures of merit of images with 95 % intervals over groups: {name: {value, low, high}}."""
    truth = labels[images]
    groups = np.array([data.samples[i].group for i in images])
    strata = np.array([data.samples[i].stratum for i in images])
    value = metrics.scores(truth, p)
    draws = [
        metrics.scores(truth[drawn], p[drawn])
        for drawn in metrics.bootstrap_draws(groups, strata=strata, repeats=repeats)
    ]
    out = {}
    for name in value:
        low, high = metrics.interval([d[name] for d in draws])
        out[name] = {"value": value[name], "low": low, "high": high}
    return out


def field_vectors(
    embeddings: Floats,
    crops: NDArray[np.uint8],
    cells: CellSet,
    members: Ints,
    images: Ints,
    spec: InputSpec,
) -> Floats:
    """Novelty vectors (m, D) of images; row i of `embeddings` and `crops` is cell ``members[i]``."""
    sample = cells.sample[members]
    levels = seen_levels(cells.level[members], spec)
    rows = []
    for image in images:
        own = np.flatnonzero(sample == image)
        rows.append(describe_field(embeddings[own], crops[own], levels[own[0]], cells.area[members[own]]))
    return np.array(rows)
