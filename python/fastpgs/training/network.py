"""One network of a training: that of a fold, which says what it makes of the images held out, or the last one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastpgs import metrics
from fastpgs.inference.novelty import Novelty, fit_novelty
from fastpgs.inference.preprocess import InputSpec
from fastpgs.training import evaluate
from fastpgs.training.curves import plot_history
from fastpgs.training.draw import validation_cells
from fastpgs.training.evaluate import HeldOut
from fastpgs.training.heldout import hold_out, predict_cells
from fastpgs.training.loop import Trained, fit_normalisation, train_network
from fastpgs.training.setting import Setting
from fastpgs.training.splits import Fold, split_once

__all__ = ["FoldRun", "Network", "train_everything", "train_fold"]

Ints = NDArray[np.int64]


@dataclass
class Network:
    """A trained network, the input it wants, and what is usual for it."""

    spec: InputSpec
    trained: Trained
    novelty: Novelty


@dataclass
class FoldRun(Network):
    """The network of a fold, and what it says of the images that it has not seen."""

    fold: Fold
    held: HeldOut
    changed: HeldOut  # random views of the same images


def train_fold(setting: Setting, fold: Fold, number: int) -> FoldRun:
    """Train on one fold's images, and judge those held out."""
    cells, labels, options = setting.cells, setting.labels, setting.options
    train, watched = fold.train, fold.train[:0]
    if setting.config.patience > 0:
        train, watched = split_once(setting.data, fold.train, options.validation, seed=options.seed)
    network = _train(setting, train, watched, f"fold{number}", f"fold {number}")
    tested = np.isin(cells.sample, fold.test)
    held, changed = (
        hold_out(
            network.trained.network,
            cells,
            np.flatnonzero(tested & of_kind),
            network.spec,
            network.novelty,
            number,
            labels,
            setting.device,
        )
        for of_kind in (cells.view == 0, cells.view > 0)
    )
    fitted = evaluate.fit_all(held, labels, sensitivity=options.sensitivity, specificity=options.specificity)
    pooled = evaluate.pool_images(fitted.calibration(held.logits), held.sample, held.images, "mean")
    setting.tell({"stage": "fold", "fold": number, "roc_auc": metrics.roc_auc(labels[held.images], pooled)})
    return FoldRun(network.spec, network.trained, network.novelty, fold, held, changed)


def train_everything(setting: Setting) -> Network:
    """The last network: trained on all images, so that none is left to judge it by."""
    everything = np.arange(len(setting.data))
    return _train(setting, everything, everything[:0], "final", "final")


def _train(setting: Setting, train: Ints, watched: Ints, run: str, stage: str) -> Network:
    cells, device = setting.cells, setting.device
    spec = fit_normalisation(cells, train, setting.spec)
    trained = train_network(
        cells,
        setting.labels,
        train,
        watched,
        spec,
        setting.config,
        folder=setting.work / run,
        start=setting.start_of(run),
        resume=setting.resume,
        device=device,
        report=lambda row: setting.tell({"stage": stage, **row}),
    )
    plot_history({stage: trained.history}, setting.work / run / "curves.png")
    return Network(spec, trained, _fit_novelty(trained, setting, spec, train))


def _fit_novelty(trained: Trained, setting: Setting, spec: InputSpec, images: Ints) -> Novelty:
    cells = setting.cells
    members = validation_cells(cells, images)
    _, embeddings, crops = predict_cells(trained.network, cells, members, spec, setting.device)
    seen = np.unique(cells.sample[members])
    vectors = evaluate.field_vectors(embeddings, crops, cells, members, cells.sample[members], seen, spec)
    return fit_novelty(vectors)
