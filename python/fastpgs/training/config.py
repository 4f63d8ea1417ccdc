"""The choices that make a network what it is, seed included."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from fastpgs.training.augment import Augment

__all__ = ["TrainConfig"]


@dataclass(frozen=True)
class TrainConfig:
    """Every choice of a training run."""

    network: str = "unet_plr"
    activation: str | None = None  # None: as the name says
    options: dict[str, Any] = field(default_factory=lambda: {"norm": "batch"})
    epochs: int = 4
    batch_size: int = 32
    learning_rate: float = 1e-3  # the peak, after warm-up and before the cosine descent
    weight_decay: float = 0.01
    warmup: int = 50  # steps
    clip: float = 1.0  # largest norm of the gradient
    mask_weight: float = 0.5  # weight of the mask loss; the class loss has 1
    smoothing: float = 0.02  # labels are `smoothing` and 1 - `smoothing`
    cells_per_image: int = 2  # cells drawn of each image and epoch; images of the rarer class give more
    clean: float | None = None  # share of cells of unchanged views in the last epoch; None: all views alike
    patience: int = 0  # epochs without a better validation before stopping; 0: never
    seed: int = 0
    threads: int = 0  # torch threads; 0: leave as they are
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        if self.clean is not None and not 0 <= self.clean <= 1:
            raise ValueError(f"clean must lie between 0 and 1, got {self.clean}")

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainConfig:
        """The inverse of `to_dict`."""
        return cls(**{**values, "augment": Augment(**values["augment"])})
