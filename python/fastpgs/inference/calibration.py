"""From scores to probabilities that mean what they say, and from probabilities to calls.

Nothing here is chosen by hand: each number is fitted on images that the network has not been trained on, and
stored with the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def sigmoid(x: ArrayLike) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(x, dtype=np.float64))))


def logit(p: ArrayLike, margin: float = 1e-6) -> Floats:
    """log(p / (1 - p)), with p kept `margin` away from 0 and 1."""
    # A fifth of numpy.clip's time where there are few.
    clipped = np.minimum(np.maximum(np.asarray(p, dtype=np.float64), margin), 1 - margin)
    return np.asarray(np.log(clipped / (1 - clipped)))


@dataclass(frozen=True)
class Calibration:
    """p = sigmoid(score / temperature + bias).

    The temperature is that of Guo et al. 2017 (arXiv 1706.04599); the bias undoes the class weights of the
    training, under which a score of 0 stands for classes of equal size.
    """

    temperature: float = 1.0
    bias: float = 0.0

    def __call__(self, scores: ArrayLike, shift: ArrayLike = 0.0) -> Floats:
        """Probabilities of `scores`; `shift`, in logits, is added (`fastpgs.inference.conditions`)."""
        calibrated = np.asarray(scores, dtype=np.float64) / self.temperature + self.bias
        return sigmoid(calibrated + np.asarray(shift, dtype=np.float64))


def fit_calibration(scores: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> Calibration:
    """Fit temperature and bias by maximum likelihood.

    Parameters
    ----------
    scores : array-like, shape (n,)
        Logits of images or cells held out from training.
    labels : array-like, shape (n,)
        1 for blast, 0 for normal; both must occur.
    weights : array-like, shape (n,), optional

    Notes
    -----
    Targets are softened as in Platt 1999, (n1 + 1) / (n1 + 2) and 1 / (n0 + 2), so that perfectly separated
    scores do not get a temperature of zero. Newton's method on a convex function of two variables.
    """
    x = np.asarray(scores, dtype=np.float64)
    y = np.asarray(labels).astype(bool)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    positives, negatives = int(y.sum()), int((~y).sum())
    if positives == 0 or negatives == 0:
        raise ValueError(f"calibration needs both classes, got {positives} blasts and {negatives} normals")
    target = np.where(y, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    scale = max(float(x.std()), 1e-6)
    design = np.stack([x / scale, np.ones_like(x)], axis=1)
    theta = fit_logistic(design, target, w, np.array([1.0, 0.0]))
    # A score that does not rank blasts above normals cannot be mended by scaling; keep it nearly silent.
    slope = max(float(theta[0]) / scale, 1e-3)
    return Calibration(temperature=1 / slope, bias=float(theta[1]))


def fit_logistic(
    design: Floats,
    target: NDArray[Any],
    weights: Floats,
    start: Floats,
    *,
    offset: ArrayLike = 0.0,
    ridge: float = 0.0,
) -> Floats:
    """Coefficients of a logistic regression of maximum likelihood, by Newton's method with halved steps.

    Parameters
    ----------
    design : float64, shape (n, d)
    target : array, shape (n,)
        In [0, 1].
    weights : float64, shape (n,)
    start : float64, shape (d,)
    offset : array-like, shape () or (n,)
        Added to the logits as it is.
    ridge : float
        Half of it times the squared length of the coefficients is added to the loss.
    """
    theta, fixed = start, np.asarray(offset, dtype=np.float64)

    def loss(t: Floats) -> float:
        z = fixed + design @ t
        return float(np.sum(weights * (np.logaddexp(0, z) - target * z)) + 0.5 * ridge * (t @ t))

    for _ in range(100):
        p = sigmoid(fixed + design @ theta)
        gradient = design.T @ (weights * (p - target)) + ridge * theta
        # Without a ridge the least bit of one keeps the matrix regular.
        curvature = (design * (weights * p * (1 - p))[:, None]).T @ design + (ridge or 1e-9) * np.eye(
            len(theta)
        )
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while loss(theta - size * step) > loss(theta) and size > 1e-6:
            size /= 2
        theta = theta - size * step
        if np.abs(size * step).max() < 1e-10:
            break
    return np.asarray(theta)


@dataclass(frozen=True)
class Thresholds:
    """p >= blast is called blast, p < normal is called normal, what lies between is uncertain.

    ``sensitivity`` and ``specificity`` are what was asked for when they were chosen.
    """

    blast: float = 0.5
    normal: float = 0.5
    sensitivity: float = 0.0
    specificity: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.normal <= self.blast <= 1:
            raise ValueError(f"expected 0 <= normal <= blast <= 1, got {self.normal} and {self.blast}")

    def leaves_open(self, p: float) -> bool:
        """Whether `call` of a probability is ``"uncertain"``."""
        return not (p >= self.blast or p < self.normal)

    def call(self, p: ArrayLike) -> NDArray[np.str_]:
        """``"blast"``, ``"normal"`` or ``"uncertain"`` for each probability; nan is uncertain."""
        values = np.asarray(p, dtype=np.float64)
        if not values.shape:
            one = float(values)
            call = "blast" if one >= self.blast else "normal" if one < self.normal else "uncertain"
            return np.array(call, dtype="<U9")
        calls = np.full(values.shape, "uncertain", dtype="<U9")
        calls[values >= self.blast] = "blast"
        calls[values < self.normal] = "normal"
        return calls


def fit_thresholds(
    p: ArrayLike, labels: ArrayLike, *, sensitivity: float = 0.98, specificity: float = 0.95
) -> Thresholds:
    """Choose the two thresholds on held-out images.

    Parameters
    ----------
    p, labels : array-like, shape (n,)
        Calibrated probabilities of blast, and labels.
    sensitivity : float
        Share of blasts that must not be called normal.
    specificity : float
        Share of normals that must not be called blast.

    Returns
    -------
    Thresholds
        Where one threshold alone keeps both promises there is no band of uncertainty between them.
    """
    values, y = np.asarray(p, dtype=np.float64), np.asarray(labels).astype(bool)
    if not y.any() or y.all():
        raise ValueError("thresholds need both classes")
    for name, share in (("sensitivity", sensitivity), ("specificity", specificity)):
        if not 0 < share <= 1:
            raise ValueError(f"{name} must lie in (0, 1], got {share}")
    # The largest `normal` below which at most 1 - sensitivity of the blasts lie, and its mirror image.
    normal = float(np.quantile(values[y], 1 - sensitivity, method="lower"))
    blast = float(np.nextafter(np.quantile(values[~y], specificity, method="higher"), 2))
    if blast <= normal:
        # The promises leave a gap between them: cut in its middle, but let 0.5 stand where it is inside.
        cut = 0.5 if blast <= 0.5 <= normal else (blast + normal) / 2
        normal = blast = cut
    return Thresholds(min(blast, 1.0), min(normal, blast, 1.0), sensitivity, specificity)
