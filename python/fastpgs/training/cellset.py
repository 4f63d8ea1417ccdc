"""The cells of a data set, found once and kept.

Finding cells costs more than reading them back, and training passes over them many times. Each image's cells
go into one ``.npz`` file named by what they depend on: the image's bytes, the options, the view.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import fastpgs
from fastpgs.inference.conditions import blockiness
from fastpgs.inference.preprocess import (
    InputSpec,
    UInt8,
    background,
    cut_masks,
    cut_raw,
    find,
    finish,
    gains,
    to_rgb8,
)
from fastpgs.io import ImageReadError
from fastpgs.io.atomic import atomic_path
from fastpgs.training.datasets import Dataset, Sample, content_hash
from fastpgs.training.perturb import random_view

# Room round each crop, so that rotated and zoomed crops have real neighbourhood in their corners.
MARGIN = 8
CONTENT = 4  # changes with what a file of the cache holds, how random views are made, how cells are found
STORED = 64  # crops are stored at multiples of this side, so that trying other sizes finds no cells anew

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class CellSet:
    """Crops of all cells, in the order of the samples.

    Attributes
    ----------
    crops : uint8, shape (n, S, S, 3)
        As in the image; S is the size of the input and `MARGIN` on either side.
    masks : uint8, shape (n, S, S)
        255 inside the cell.
    sample : int64, shape (n,)
        Index of the image in the data set.
    view : int64, shape (n,)
        0 is the image itself, 1, 2 ... are random views of it.
    area : float64, shape (n,)
        Area of the cell in image pixels.
    level : float64, shape (n, 3)
        Background of the image the cell is from.
    blocks : float64, shape (n,)
        `blockiness` of that image.
    failed : list of (path, reason)
        Images that could not be read.
    """

    crops: UInt8
    masks: UInt8
    sample: Ints
    view: Ints
    area: NDArray[np.float64]
    level: NDArray[np.float64]
    blocks: NDArray[np.float64]
    failed: tuple[tuple[Path, str], ...] = ()

    def __len__(self) -> int:
        return len(self.sample)

    def take(self, members: Ints) -> CellSet:
        """The cells of these indices alone."""
        return CellSet(
            self.crops[members],
            self.masks[members],
            self.sample[members],
            self.view[members],
            self.area[members],
            self.level[members],
            self.blocks[members],
        )

    def inputs(self, spec: InputSpec) -> UInt8:
        """The crops as the network wants them, (n, S, S, C)."""
        crops = finish(self.crops, self.masks, gains(self.level, spec), spec)
        return crops if crops.ndim == 4 else crops[..., None]


def default_cache() -> Path:
    """Folder of the cache: $FASTPGS_CACHE, else $XDG_CACHE_HOME/fastpgs, else ~/.cache/fastpgs."""
    own = os.environ.get("FASTPGS_CACHE")
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(own) if own else (Path(base) if base else Path.home() / ".cache") / "fastpgs"


def read_image(path: Path) -> UInt8:
    """A file as (H, W, 3) uint8, by the reader that judges files too."""
    from fastpgs.io import read_image as read

    return to_rgb8(read(path))


def collect_cells(
    data: Dataset,
    spec: InputSpec,
    *,
    views: int = 0,
    only: Iterable[int] | None = None,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CellSet:
    """Find, or read back, the cells of every image.

    Parameters
    ----------
    data : Dataset
    spec : InputSpec
        Its mean and std do not matter here.
    views : int
        Random views (`fastpgs.training.perturb.random_view`) of each image, beside the image itself.
    only : iterable of int, optional
        Indices of the samples wanted; all by default.
    cache : Path, optional
        Folder for the found cells; None is `default_cache`.
    workers : int, optional
        Threads; None is one a core.
    progress : callable, optional
        Called with (done, total) after each image.

    Returns
    -------
    CellSet

    Raises
    ------
    ValueError
        No image has a cell.
    """
    folder = (default_cache() if cache is None else cache) / "cells"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = list(range(len(data))) if only is None else list(only)
    jobs = [(i, view) for i in wanted for view in range(views + 1)]
    found: list[tuple[int, int, dict[str, Any]]] = []
    failed: list[tuple[Path, str]] = []

    def work(job: tuple[int, int]) -> dict[str, Any] | str:
        try:
            return _cells_of(data.samples[job[0]], spec, job[1], folder)
        except (OSError, ValueError, ImageReadError, zipfile.BadZipFile) as error:
            return f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(workers or len(os.sched_getaffinity(0))) as pool:
        for done, (job, result) in enumerate(zip(jobs, pool.map(work, jobs), strict=True), start=1):
            if isinstance(result, str):
                failed.append((data.samples[job[0]].path, result))
            else:
                found.append((*job, result))
            if progress:
                progress(done, len(jobs))
    lengths = [len(r["area"]) for _, _, r in found]
    if sum(lengths) == 0:
        reason = f"; the first image that failed: {failed[0][0].name}: {failed[0][1]}" if failed else ""
        raise ValueError(f"no cell in any of {len(wanted)} images{reason}")
    return CellSet(
        crops=np.concatenate([r["crops"] for _, _, r in found if len(r["area"])]),
        masks=np.concatenate([r["masks"] for _, _, r in found if len(r["area"])]),
        sample=np.repeat([i for i, _, _ in found], lengths),
        view=np.repeat([v for _, v, _ in found], lengths),
        area=np.concatenate([r["area"] for _, _, r in found]),
        level=np.repeat([r["level"] for _, _, r in found], lengths, axis=0),
        blocks=np.repeat([float(r["blocks"]) for _, _, r in found], lengths),
        failed=tuple(failed),
    )


def _cells_of(sample: Sample, spec: InputSpec, view: int, folder: Path) -> dict[str, Any]:
    digest = content_hash(sample.path)
    # Colour, balance and masking come later, from what is stored, and so do the smaller of several sizes.
    side = spec.size + 2 * MARGIN
    spec = replace(spec, size=-(-side // STORED) * STORED - 2 * MARGIN)
    options = {name: spec.to_dict()[name] for name in ("size", "source", "scale", "cells")}
    key = json.dumps([digest, options, MARGIN, view, CONTENT, fastpgs.__version__], sort_keys=True)
    file = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    if file.exists():
        with np.load(file, allow_pickle=False) as stored:
            return _centre({name: stored[name] for name in stored.files}, side)
    image = read_image(sample.path)
    if view:
        image = random_view(image, np.random.default_rng([int(digest[:15], 16), view]))
    cells = find(image, spec, num_threads=1)
    level = background(image)
    result = {
        "crops": cut_raw(image, cells, spec, level, MARGIN),
        "level": level,
        "blocks": np.float64(blockiness(image)),
        "masks": cut_masks(cells, spec, MARGIN),
        "area": np.asarray(cells.table["area"], dtype=np.float64),
    }
    _write(file, result)
    return _centre(result, side)


def _centre(found: dict[str, Any], side: int) -> dict[str, Any]:
    extra = (found["crops"].shape[1] - side) // 2
    inner = slice(extra, extra + side)
    return found | {name: found[name][:, inner, inner] for name in ("crops", "masks")}


def _write(file: Path, arrays: dict[str, Any]) -> None:
    with atomic_path(file) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
