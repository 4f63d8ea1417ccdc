"""Which cells a network sees: those drawn for an epoch, those it is watched by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastpgs.training.cellset import CellSet
from fastpgs.training.config import TrainConfig

__all__ = ["draw_cells", "validation_cells"]

Ints = NDArray[np.int64]


def draw_cells(cells: CellSet, labels: Ints, train: Ints, config: TrainConfig, epoch: int) -> Ints:
    """Cells of one epoch, shuffled: a few of each image, so that crowded fields do not outvote sparse ones."""
    rng = np.random.default_rng([config.seed, epoch])
    image_counts = np.bincount(labels[train], minlength=2)
    # Images of the rarer class give more cells each, within reason: a field has only so many.
    quota = np.minimum(config.cells_per_image * image_counts.max() / np.maximum(image_counts, 1), 8).astype(
        int
    )
    quota = np.maximum(quota, config.cells_per_image)
    wanted = np.isin(cells.sample, train)
    members = np.flatnonzero(wanted)
    shuffled = members[_shuffle(cells, members, config, epoch, rng)]
    # Rank of each cell within its image in the shuffled order: the first `quota` are taken.
    by_image = np.argsort(cells.sample[shuffled], kind="stable")
    images = cells.sample[shuffled][by_image]
    starts = np.flatnonzero(np.r_[True, images[1:] != images[:-1]])
    rank = np.arange(len(images)) - np.repeat(starts, np.diff(np.r_[starts, len(images)]))
    chosen = shuffled[by_image][rank < quota[labels[images]]]
    drawn: Ints = chosen[rng.permutation(len(chosen))]
    return drawn


def _shuffle(
    cells: CellSet, members: Ints, config: TrainConfig, epoch: int, rng: np.random.Generator
) -> Ints:
    """A random order of `members`, in which each image's cells of unchanged views tend to come first as asked.

    The share of unchanged cells that a draw of a few from each image has goes, over the epochs, from what all
    views alike would give to ``config.clean``: what is learned last is what most fields look like.
    """
    if config.clean is None:
        return rng.permutation(len(members))
    views = int(cells.view.max()) + 1
    share = 1 / views + (config.clean - 1 / views) * epoch / max(1, config.epochs - 1)
    whole = cells.view[members] == 0
    images = cells.sample[members]
    of_each_kind = np.bincount(2 * images + whole)[2 * images + whole]
    weight = np.where(whole, share, 1 - share) / of_each_kind
    # Weighted sampling without replacement: the least of exponential variables (Efraimidis & Spirakis 2006).
    with np.errstate(divide="ignore"):
        return np.argsort(rng.exponential(size=len(members)) / weight, kind="stable")


def validation_cells(cells: CellSet, images: Ints, most: int = 8) -> Ints:
    """At most `most` cells of each image, unchanged views only, spread evenly over the image's cells."""
    members = np.flatnonzero(np.isin(cells.sample, images) & (cells.view == 0))
    chosen = []
    for image in np.unique(cells.sample[members]):
        own = members[cells.sample[members] == image]
        chosen.append(own[np.unique(np.linspace(0, len(own) - 1, min(most, len(own))).round().astype(int))])
    return np.concatenate(chosen) if chosen else members
