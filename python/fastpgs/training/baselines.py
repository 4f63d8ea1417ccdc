"""The three trivial baselines that stand in every table, each on the same folds as the network.

Staining alone tells much of the class in some sets, and size in others. A network is worth its trouble only
as far as it does better than these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastpgs import metrics
from fastpgs.io import ImageReadError
from fastpgs.training.cellset import CellSet, read_image
from fastpgs.training.datasets import Dataset
from fastpgs.training.splits import Fold

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

BASELINES = ("majority class", "cell area alone", "colour histogram + random forest")


def field_baselines(
    data: Dataset,
    cells: CellSet,
    images: Ints,
    folds: list[Fold],
    *,
    seed: int = 0,
    prior: float | None = None,
) -> dict[str, dict[str, float]]:
    """Figures of the three baselines on held-out `images`.

    With a `prior` their probabilities are moved from the training images' share of blasts to that one.
    """
    labels = np.array([s.label for s in data.samples])
    histograms = colour_histograms(data)
    areas = mean_areas(cells, len(data))
    p = {name: np.full(len(data), np.nan) for name in BASELINES}
    for fold in folds:
        known = fold.train[np.isfinite(areas[fold.train])]
        p["majority class"][fold.test] = labels[fold.train].mean()
        p["cell area alone"][fold.test] = area_alone(areas[known], labels[known], areas[fold.test])
        p["colour histogram + random forest"][fold.test] = histogram_forest(
            histograms[fold.train], labels[fold.train], histograms[fold.test], seed
        )
        if prior is not None:
            for values in p.values():
                values[fold.test] = move_prior(values[fold.test], float(labels[fold.train].mean()), prior)
    return {name: metrics.scores(labels[images], values[images]) for name, values in p.items()}


def move_prior(p: Floats, old: float, new: float) -> Floats:
    """Probabilities that hold where a share `old` are blasts, for a share `new` (Saerens et al. 2002, Eq. 4)."""
    blast, normal = p * (new / old), (1 - p) * ((1 - new) / (1 - old))
    return blast / (blast + normal)


def mean_areas(cells: CellSet, n_images: int) -> Floats:
    """Mean area of the cells of each image; nan without cells."""
    own = cells.view == 0
    total = np.bincount(cells.sample[own], cells.area[own], minlength=n_images)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.bincount(cells.sample[own], minlength=n_images))


def area_alone(train: Floats, labels: Ints, test: Floats) -> Floats:
    """Logistic regression on the logarithm of the area; unknown areas get the share of blasts."""
    model = _logistic()
    model.fit(np.log(train)[:, None], labels)
    p = np.full(len(test), float(labels.mean()))
    known = np.isfinite(test)
    p[known] = model.predict_proba(np.log(test[known])[:, None])[:, 1]
    return p


def colour_histograms(data: Dataset, bins: int = 8) -> Floats:
    """Share of an image's pixels in each of bins**3 boxes of RGB space, (n, bins**3)."""
    rows = []
    for sample in data.samples:
        try:
            image = read_image(sample.path)
        except (OSError, ValueError, ImageReadError):
            rows.append(np.zeros(bins**3))
            continue
        box = (image.astype(np.int64) * bins) >> 8
        index = (box[..., 0] * bins + box[..., 1]) * bins + box[..., 2]
        rows.append(np.bincount(index.ravel(), minlength=bins**3) / index.size)
    return np.array(rows)


def histogram_forest(train: Floats, labels: Ints, test: Floats, seed: int) -> Floats:
    """A random forest of 300 trees on colour histograms."""
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(300, random_state=seed, n_jobs=1)
    p = forest.fit(train, labels).predict_proba(test)
    return np.asarray(p[:, 1] if p.shape[1] == 2 else np.full(len(test), float(labels[0])))


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()
