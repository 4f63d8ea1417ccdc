"""What the networks of one training share: the cells, the choices, the place where they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastpgs.inference.preprocess import InputSpec
from fastpgs.training.cellset import CellSet
from fastpgs.training.checkpoint import Start
from fastpgs.training.config import TrainConfig
from fastpgs.training.datasets import Dataset

__all__ = ["FitOptions", "Report", "Setting"]

Ints = NDArray[np.int64]
Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class FitOptions:
    """Choices of `fit_model` beside the network's own."""

    folds: int = 5
    official: bool = False  # use the parts that the source defines instead
    final: bool = True  # train once more on everything and keep that network
    views: int = 1  # random views of each image beside the image itself
    validation: float = 0.2  # share of the training groups watched for early stopping, where patience > 0
    sensitivity: float = 0.98
    specificity: float = 0.95
    pooling: str = "auto"
    prior: float | None = None  # share of blasts that probabilities are meant for; None: that of the images
    robustness: int = 0  # images of each class tried under each perturbation
    allow_leakage: bool = False
    blend: float = 1.0  # share of the new weights in the networks that are kept, beside those of the start
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.blend <= 1:
            raise ValueError(f"blend must be above 0 and at most 1, got {self.blend}")


@dataclass(frozen=True)
class Setting:
    """What each network of a training is made from.

    Attributes
    ----------
    data : Dataset
    cells : CellSet
        All that were found in the images and their views.
    labels : int64, shape (n_images,)
    spec : InputSpec
        Mean and std are fitted to the images that a network sees.
    config : TrainConfig
    options : FitOptions
    work : Path
        Where logs, checkpoints and figures go.
    start : Path or None
        Model folder whose networks are the first ones.
    resume : bool
    device : str
    tell : callable
        Told of progress.
    """

    data: Dataset
    cells: CellSet
    labels: Ints
    spec: InputSpec
    config: TrainConfig
    options: FitOptions
    work: Path
    start: Path | None
    resume: bool
    device: str
    tell: Report

    def start_of(self, run: str) -> Start | None:
        """Where the network of a run (``"fold0"``, ``"final"``) begins; None: anew."""
        return None if self.start is None else Start(self.start / "training" / run, self.options.blend)

    @property
    def chosen(self) -> dict[str, Any]:
        """What `fastpgs.training.evaluate` fits calibration, pooling and thresholds by."""
        return {
            "sensitivity": self.options.sensitivity,
            "specificity": self.options.specificity,
            "method": self.options.pooling,
            "prior": self.options.prior,
        }
