"""Figures of merit: counts first, ratios second (Eqs. 16-19 of the paper, and calibration).

All take labels (1 = blast, 0 = normal) and either calls or probabilities of blast, one an image or cell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """The four cells of a two-class table; blast is positive."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def total(self) -> int:
        return self.tp + self.fp + self.fn + self.tn


def count(labels: ArrayLike, predicted: ArrayLike) -> Counts:
    """Count agreements and errors of 0/1 calls.

    Raises
    ------
    ValueError
        Different lengths, nothing to count, values other than 0 and 1.
    """
    truth, calls = _labels(labels), _labels(predicted)
    if truth.shape != calls.shape:
        raise ValueError(f"expected as many predictions as labels, got {calls.size} and {truth.size}")
    return Counts(
        tp=int(np.sum(calls & truth)),
        fp=int(np.sum(calls & ~truth)),
        fn=int(np.sum(~calls & truth)),
        tn=int(np.sum(~calls & ~truth)),
    )


def accuracy(c: Counts) -> float:
    """Eq. 16: (TP + TN) / all."""
    return (c.tp + c.tn) / c.total


def sensitivity(c: Counts) -> float:
    """Recall of blasts; nan without any."""
    return _ratio(c.tp, c.tp + c.fn)


def specificity(c: Counts) -> float:
    """Recall of normals; nan without any."""
    return _ratio(c.tn, c.tn + c.fp)


def balanced_accuracy(c: Counts) -> float:
    """Eq. 17: the mean of the two recalls; nan where a class is missing."""
    return (sensitivity(c) + specificity(c)) / 2


def f1(c: Counts) -> float:
    """Eq. 18 for blasts: the harmonic mean of precision and recall; 0 where there is nothing right."""
    return 2 * c.tp / (2 * c.tp + c.fp + c.fn) if c.tp else 0.0


def weighted_f1(c: Counts) -> float:
    """F1 of either class, weighted by its size: the measure of the C-NMC challenge."""
    normal = f1(Counts(tp=c.tn, fp=c.fn, fn=c.fp, tn=c.tp))
    return ((c.tp + c.fn) * f1(c) + (c.tn + c.fp) * normal) / c.total


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve: the probability that a blast scores above a normal, ties counted half.

    nan where a class is missing.
    """
    truth = _labels(labels)
    values = np.asarray(scores, dtype=np.float64)
    positives = int(truth.sum())
    negatives = truth.size - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    _, inverse, repeats = np.unique(values, return_inverse=True, return_counts=True)
    # Mean rank of each distinct score, so that ties share.
    ranks = (np.cumsum(repeats) - (repeats - 1) / 2)[inverse]
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def expected_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = 10, weights: ArrayLike | None = None
) -> float:
    """Mean distance between stated probability and observed frequency over equal-width bins, by bin size.

    With `weights`, one an item, means and sizes are weighted: so is asked what it would be where blasts are
    more or less frequent.

    Source: Naeini et al. 2015 (DOI 10.1609/aaai.v29i1.9602), for the probability of blast.
    """
    truth, p = _labels(labels), np.asarray(probabilities, dtype=np.float64)
    which = np.clip((p * bins).astype(np.int64), 0, bins - 1)
    w = np.ones(p.size) if weights is None else np.asarray(weights, dtype=np.float64)
    gap = np.abs(np.bincount(which, w * truth, bins) - np.bincount(which, w * p, bins))
    return float(gap.sum() / w.sum())


def brier(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean squared distance between probability and label."""
    return float(np.mean((np.asarray(probabilities, dtype=np.float64) - _labels(labels)) ** 2))


def scores(labels: ArrayLike, probabilities: ArrayLike, threshold: float = 0.5) -> dict[str, float]:
    """Every figure of this module from probabilities of blast; a call is p >= `threshold`."""
    p = np.asarray(probabilities, dtype=np.float64)
    c = count(labels, p >= threshold)
    return {
        "accuracy": accuracy(c),
        "balanced_accuracy": balanced_accuracy(c),
        "roc_auc": roc_auc(labels, p),
        "f1": f1(c),
        "weighted_f1": weighted_f1(c),
        "sensitivity": sensitivity(c),
        "specificity": specificity(c),
        "ece": expected_calibration_error(labels, p),
        "brier": brier(labels, p),
    }


def bootstrap_interval(
    groups: ArrayLike,
    measure: Callable[[NDArray[np.int64]], float],
    *,
    strata: ArrayLike | None = None,
    repeats: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of a figure under resampling of whole groups (patients or blocks).

    Images of one patient are alike; resampling them one by one would give intervals that are too narrow.

    Parameters
    ----------
    groups : array-like, shape (n,)
        The group of each image.
    measure : callable
        Takes indices into the images (with repeats) and returns the figure; nan draws are dropped.
    strata : array-like, shape (n,), optional
        Class of each image. Groups are then drawn within each class, so that no draw loses one.
    repeats, level, seed
        Number of draws, coverage, seed.

    Returns
    -------
    low, high : float
    """
    values = [measure(drawn) for drawn in bootstrap_draws(groups, strata=strata, repeats=repeats, seed=seed)]
    return interval(values, level)


def bootstrap_draws(
    groups: ArrayLike, *, strata: ArrayLike | None = None, repeats: int = 1000, seed: int = 0
) -> Iterator[NDArray[np.int64]]:
    """Indices of `repeats` samples of whole groups, drawn with replacement within each stratum."""
    ids = np.asarray(groups).astype(str)
    kinds = np.zeros(ids.shape, dtype="<U1") if strata is None else np.asarray(strata).astype(str)
    pools = [
        [np.flatnonzero((ids == g) & (kinds == kind)) for g in np.unique(ids[kinds == kind])]
        for kind in np.unique(kinds)
    ]
    rng = np.random.default_rng(seed)
    for _ in range(repeats):
        yield np.concatenate([pool[i] for pool in pools for i in rng.integers(0, len(pool), len(pool))])


def interval(values: list[float], level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the values that are numbers; nan where none is."""
    known = np.array([v for v in values if not np.isnan(v)])
    if known.size == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass
class Stopwatch:
    """Eq. 19: elapsed = end - start. Use as a context manager; ``seconds`` holds the result."""

    seconds: float = 0.0
    _start: float = field(default=0.0, repr=False)

    def __enter__(self) -> Stopwatch:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._start


def _labels(values: ArrayLike) -> NDArray[np.bool_]:
    array = np.asarray(values).reshape(-1)
    if array.size == 0:
        raise ValueError("expected at least one label, got none")
    if not np.isin(array, (0, 1)).all():
        raise ValueError(f"labels must be 0 or 1, got {np.unique(array)[:5]}")
    return array.astype(bool)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
