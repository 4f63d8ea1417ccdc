"""How unlike the training images a field is.

A field is described by the mean embedding of its cells, the colours of its background and cells, and their
size. A Gaussian with shrunk covariance (Ledoit & Wolf 2004, DOI 10.1016/S0047-259X(03)00096-4) is fitted to
the training fields; the score is the Mahalanobis distance (Lee et al. 2018, arXiv 1807.03888), and the
threshold is a quantile of the scores of held-out fields.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastpgs.inference.look import CropLook

Floats = NDArray[np.float64]


def describe_crops(crops: CropLook, level: Floats) -> Floats:
    """What the vector of a field holds of its crops as pictures; the network need not have seen them.

    Parameters
    ----------
    crops : CropLook
        Of its cells.
    level : float64, shape (3,)
        Background colour of the field, as the network sees it.
    """
    levels = (*level.tolist(), *crops.mean, *crops.spread)
    return np.array([*(value / 255 for value in levels), crops.size])


def describe_field(embeddings: Floats, described: Floats) -> Floats:
    """The vector of one field.

    Parameters
    ----------
    embeddings : float64, shape (n, F)
        Of its n cells, n >= 1.
    described : float64, shape (D,)
        Their crops, by `describe_crops`.
    """
    return np.concatenate([embeddings.sum(axis=0) / len(embeddings), described])


@dataclass(frozen=True)
class Novelty:
    """Gaussian of the training fields: mean (D,) and a (D, D) whitening matrix; threshold of the distance."""

    mean: Floats
    whiten: Floats
    threshold: float

    def score(self, vectors: Floats) -> Floats:
        """Mahalanobis distance over the square root of the dimension, about 1 for training fields."""
        centred = np.atleast_2d(vectors) - self.mean
        return np.asarray(np.sqrt(np.square(centred @ self.whiten).sum(axis=1)) / np.sqrt(len(self.mean)))


def fit_novelty(vectors: Floats, threshold: float = float("inf")) -> Novelty:
    """Fit the Gaussian to the vectors (n, D) of training fields."""
    from sklearn.covariance import LedoitWolf

    scale = vectors.std(axis=0)
    # Directions that training never varied in would otherwise get an infinite weight.
    scale = np.maximum(scale, 1e-3 * max(float(scale.max()), 1e-9))
    fitted = LedoitWolf().fit(vectors / scale)
    values, axes = np.linalg.eigh(fitted.covariance_)
    whiten = (axes / np.sqrt(np.maximum(values, 1e-9))) / scale[:, None]
    return Novelty(vectors.mean(axis=0), whiten, threshold)
