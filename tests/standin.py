"""A small model with the interface that the pipeline asks for: fast, exact, and breakable on purpose."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fastpgs.inference.classifier import Described

SIDE = 16


@dataclass(frozen=True)
class Config:
    """What the pipeline records of a model."""

    name: str = "stand-in"
    network: str = "none"
    hash: str = "0" * 64
    cut: float = 0.5


@dataclass
class StandIn:
    """Cells are connected dark spots; p_blast is how dark the crop's middle is.

    ``spread`` makes p depend on the batch it was in, as on real hardware: runs that should give equal numbers
    then show whether they formed equal batches.
    """

    config: Config = field(default_factory=Config)
    device: str = "cpu"
    engine: str = "numpy"
    batch_size: int = 8
    spread: float = 0.0
    delay: float = 0.0
    pixel_size: float = 0.5
    broken: str = ""
    found: list[int] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.Lock, repr=False)

    def find_cells(self, image: npt.NDArray[Any], num_threads: int | None = None) -> Any:
        from scipy import ndimage

        from fastpgs.cells import Cells
        from fastpgs.cells.table import measure

        time.sleep(self.delay)
        with self._lock:
            self.found.append(int(image.flat[0]))
        if self.broken == "death" and image.flat[0] == 157:
            os._exit(9)
        if self.broken == "cells" and image.flat[0] == 157:
            raise ValueError("expected a sky, got a sea")
        if image.dtype != np.uint8:
            raise ValueError(f"expected uint8, got {image.dtype}")
        grey = image if image.ndim == 2 else image[..., 1]
        labels, _ = ndimage.label(grey < 128)
        labels = labels.astype(np.int32)
        made: Cells = measure(image, labels, np.where(grey < 64, labels, 0).astype(np.int32))
        return made

    def place_cells(self, image: npt.NDArray[Any], num_threads: int | None = None) -> Any:
        return self.find_cells(image, num_threads)

    def zoom(self, pixel_size: float | None) -> float:
        return 1.0 if pixel_size is None else pixel_size / self.pixel_size

    def look(self, image: npt.NDArray[Any]) -> Any:
        return None

    def crops(
        self, image: npt.NDArray[Any], cells: Any, zoom: float = 1.0, look: Any = None
    ) -> npt.NDArray[np.uint8]:
        from fastpgs.cells import crop_cells

        rgb = np.broadcast_to(image[..., None] if image.ndim == 2 else image, (*image.shape[:2], 3))
        return crop_cells(rgb, cells, SIDE, zoom=zoom)

    def scores(
        self, crops: npt.NDArray[np.uint8], num_threads: int | None = None, *, masks: bool = True
    ) -> Any:
        self.batches.append(len(crops))
        middle = crops[:, SIDE // 2, SIDE // 2, 1].astype(np.float32)
        if self.broken == "model" and (middle == 77).any():
            raise RuntimeError("no such crop")
        p = (255 - middle) / 255 * (1 - self.spread) + self.spread * len(crops) / self.batch_size
        if self.broken == "nan":
            p[middle == 77] = np.nan
        return SimpleNamespace(p=p.astype(np.float32), embeddings=crops.mean(axis=(1, 2)).astype(np.float32))

    def call(self, p: npt.ArrayLike, *, level: str = "cell") -> npt.NDArray[np.str_]:
        return np.where(np.asarray(p) >= self.config.cut, "blast", "normal")

    def pool(self, p_cells: npt.ArrayLike, shift: float = 0.0) -> float:
        p = np.asarray(p_cells, np.float64)
        return float(p.mean()) + shift if p.size else float("nan")

    def describe(self, look: Any, areas: Any, crops: npt.NDArray[np.uint8]) -> Described:
        return Described()

    def novelty(self, described: Described, embeddings: npt.NDArray[Any]) -> float:
        return float(embeddings.mean()) if len(embeddings) else float("nan")

    def doubt(self, look: Any, p_blast: float, n_cells: int, novelty: float) -> str:
        return "" if n_cells else "no white cells were found"


def picture(mark: int, spots: int = 3, dark: int = 40) -> npt.NDArray[np.uint8]:
    """A bright picture with `spots` dark discs; its first pixel is `mark`, which tells who saw it."""
    image = np.full((48, 64, 3), 230, np.uint8)
    rows, cols = np.mgrid[:48, :64]
    for i in range(spots):
        disc = (rows - 12 - 22 * (i // 3)) ** 2 + (cols - 10 - 20 * (i % 3)) ** 2 < 30
        image[disc] = dark + i
    image[0, 0] = 150 + mark % 100
    return image


def save_pictures(folder: Path, n: int) -> list[str]:
    """Save `n` pictures; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for i in range(n):
        path = folder / f"{i}.png"
        Image.fromarray(picture(i, spots=i % 5, dark=20 + i % 60)).save(path)
        names.append(str(path))
    return names


def work_seen() -> tuple[int, int]:
    """Pictures searched and batches judged by a Dask worker."""
    from fastpgs.distributed import order

    models = [job.model for job in order._jobs.values()]
    return sum(len(model.found) for model in models), sum(len(model.batches) for model in models)
