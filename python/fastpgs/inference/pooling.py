"""From the cells of a field to one score of the field."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastpgs.inference.calibration import logit

Floats = NDArray[np.float64]

# A single cell's probability counts at most this much, in logits: no cell decides alone.
LIMIT = 6.0


def mean(p: Floats) -> float:
    """The share of blasts to be expected among the cells, as a logit."""
    return float(logit(p.mean(), 1e-3))


def mean_logit(p: Floats) -> float:
    """The cells as witnesses: the mean of their logits."""
    return float(np.minimum(np.maximum(logit(p), -LIMIT), LIMIT).mean())


def noisy_or(p: Floats) -> float:
    """The probability that at least one cell is a blast, were they independent, as a logit."""
    none = np.log1p(-np.clip(p, 0, 1 - 1e-6)).sum()
    return float(np.clip(np.log(-np.expm1(min(none, -1e-12))) - none, -30, 30))


def median_logit(p: Floats) -> float:
    """The cell in the middle."""
    return float(np.clip(np.median(logit(p)), -LIMIT, LIMIT))


def attention(p: Floats, focus: float) -> float:
    """The cells as witnesses who are not heard alike: the mean of their logits, weighed by softmax(focus * logit).

    Attention pooling (Ilse, Tomczak & Welling 2018, arXiv 1802.04712) with one learned number, for a set's
    groups are too few to learn more: a positive `focus` listens to the cells most like blasts, a negative one to
    those most like normal cells, 0 to all alike.
    """
    logits = np.clip(logit(p), -LIMIT, LIMIT)
    weights = np.exp(focus * logits - np.max(focus * logits))
    return float(weights @ logits / weights.sum())


METHODS: dict[str, Callable[[Floats], float]] = {
    "mean": mean,
    "mean_logit": mean_logit,
    "median_logit": median_logit,
    "noisy_or": noisy_or,
}
# METHODS need no parameter; this one has a number of its own, fitted with the calibration.
ATTENTION = "attention"
NAMES = (*METHODS, ATTENTION)


def pool(p: ArrayLike, method: str, focus: float = 0.0) -> float:
    """Score of a field, in logits before calibration; nan without cells.

    Parameters
    ----------
    p : array-like, shape (n,)
        Calibrated probability of blast of each cell.
    method : {"mean", "mean_logit", "median_logit", "noisy_or", "attention"}
    focus : float
        Of ``"attention"``, see there; the others have no use for it.
    """
    if method not in NAMES:
        raise ValueError(f"pooling must be one of {', '.join(NAMES)}, got {method!r}")
    values = np.asarray(p, dtype=np.float64).reshape(-1)
    if values.size == 0:
        return float("nan")
    return attention(values, focus) if method == ATTENTION else METHODS[method](values)
