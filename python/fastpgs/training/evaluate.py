"""What held-out predictions say: calibration, thresholds, figures with intervals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastpgs import metrics
from fastpgs.inference import pooling
from fastpgs.inference.calibration import Calibration, Thresholds, fit_calibration, fit_thresholds, logit
from fastpgs.inference.conditions import NAMES as MEASURES
from fastpgs.inference.conditions import Conditions, fit_conditions, measure
from fastpgs.inference.look import look_at_crops
from fastpgs.inference.novelty import describe_crops, describe_field
from fastpgs.inference.preprocess import InputSpec, field_gain, gains, seen_levels
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
    measures : float64, shape (m, 6)
        How each image was taken, see `fastpgs.inference.conditions`.

    Notes
    -----
    Changed views of image i are numbered on: i + view * (number of all images).
    """

    sample: Ints
    logits: Floats
    images: Ints
    fold: Ints
    novelty: Floats
    measures: Floats

    def take(self, chosen: NDArray[np.bool_]) -> HeldOut:
        """Some of the images, with their cells."""
        cells = np.isin(self.sample, self.images[chosen])
        return HeldOut(
            self.sample[cells],
            self.logits[cells],
            self.images[chosen],
            self.fold[chosen],
            self.novelty[chosen],
            self.measures[chosen],
        )


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
    conditions: Conditions | None = None

    def judge(self, held: HeldOut, *, corrected: bool = True) -> Floats:
        """Probabilities of the images of `held`; ``corrected=False`` leaves the conditions out."""
        p = self.calibration(held.logits)
        scores = pool_images(p, held.sample, held.images, self.pooling, self.focus)
        if self.conditions is None or not corrected:
            return self.field_calibration(scores)
        return self.field_calibration(scores, self.conditions.shift(held.measures))


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
    changed: HeldOut | None = None,
) -> Fitted:
    """Calibrate cells, choose the pooling, calibrate fields, fit conditions, choose thresholds.

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
    changed : HeldOut, optional
        Random views of the same images, which say what changed conditions do to a score. Nothing else is fitted
        to them.
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
    fitted = Fitted(
        calibration=calibration,
        pooling=best.method,
        focus=best.focus,
        field_calibration=best.calibration,
        cell_thresholds=fit_thresholds(p, cell_labels, sensitivity=sensitivity, specificity=specificity),
        field_thresholds=Thresholds(),
        novelty_threshold=float(np.quantile(held.novelty, NOVELTY_QUANTILE)),
    )
    if changed is not None and len(changed.images):
        fitted = replace(fitted, conditions=_fit_conditions(fitted, held, changed, labels, prior))
    promised = fit_thresholds(fitted.judge(held), truth, sensitivity=sensitivity, specificity=specificity)
    return replace(fitted, field_thresholds=promised)


def _fit_conditions(
    fitted: Fitted, held: HeldOut, changed: HeldOut, labels: Ints, prior: float | None
) -> Conditions:
    truth = labels[np.concatenate([held.images, changed.images]) % len(labels)]
    return fit_conditions(
        held.measures,
        np.concatenate([held.measures, changed.measures]),
        logit(np.concatenate([fitted.judge(held), fitted.judge(changed)])),
        truth,
        prior_weights(truth, prior),
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


def fit_others(
    held: HeldOut, labels: Ints, fold: int, *, changed: HeldOut | None = None, **options: Any
) -> Fitted:
    """`fit_all` on the images that were held out in other folds than `fold`; on all where there is no other."""
    if (held.fold == fold).all():
        return fit_all(held, labels, changed=changed, **options)
    others = None if changed is None else changed.take(changed.fold != fold)
    return fit_all(held.take(held.fold != fold), labels, changed=others, **options)


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
        p[inside] = fitted.judge(held.take(inside))
        calls[inside] = fitted.field_thresholds.call(p[inside])
        alarms[inside] = held.novelty[inside] > fitted.novelty_threshold
    return p, calls, alarms


def changed_figures(
    held: HeldOut, changed: HeldOut, labels: Ints, **options: Any
) -> dict[str, dict[str, float]]:
    """Figures of random views of held-out images, everything fitted on other folds, with and without conditions."""
    table = {}
    for name, corrected in (("score alone", False), ("with conditions", True)):
        p = np.empty(len(changed.images))
        for fold in np.unique(changed.fold):
            inside = changed.fold == fold
            fitted = fit_others(held, labels, fold, changed=changed, **options)
            p[inside] = fitted.judge(changed.take(inside), corrected=corrected)
        table[name] = metrics.scores(labels[changed.images % len(labels)], p)
    return table


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


def field_measures(
    crops: NDArray[np.uint8], cells: CellSet, members: Ints, sample: Ints, images: Ints, spec: InputSpec
) -> Floats:
    """How images were taken, (m, 6); row i of `crops` is cell ``members[i]``, of image ``sample[i]``."""
    rows = [np.zeros((0, len(MEASURES)))]
    for image in images:
        own = np.flatnonzero(sample == image)
        first = members[own[0]]
        area, gain = cells.area[members[own]], field_gain(cells.level[first], spec)
        rows.append(measure(look_at_crops(crops[own], area), gain, float(cells.blocks[first]))[None])
    return np.concatenate(rows)


def field_vectors(
    embeddings: Floats,
    crops: NDArray[np.uint8],
    cells: CellSet,
    members: Ints,
    sample: Ints,
    images: Ints,
    spec: InputSpec,
) -> Floats:
    """Novelty vectors (m, D) of images; row i of `embeddings` and `crops` is cell ``members[i]``, of ``sample[i]``."""
    levels = cells.level[members]
    levels = seen_levels(levels, gains(levels, spec), spec)
    rows = []
    for image in images:
        own = np.flatnonzero(sample == image)
        seen = describe_crops(look_at_crops(crops[own], cells.area[members[own]]), levels[own[0]])
        rows.append(describe_field(embeddings[own], seen))
    return np.array(rows)
