"""What every tile of a slide is searched by; fitted once, on a sample, and small enough to send to any machine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastpgs.cells import Reference, fit_reference
from fastpgs.inference.preprocess import background

from .reader import Slide, SlideError, Window
from .scaled import ScaledSlide, slide_pixel_size
from .tissue import Tissue, find_tissue
from .together import in_order

__all__ = ["Plan", "Tile", "make_plan", "sample_of"]

SAMPLES = 100  # windows of the sample
SAMPLE_SIDE = 128  # pixels: so small that a nucleus is a few hundredths of its window, even on a thin smear
GUTTER = 4  # pixels of glass between windows, so that cells that they cut do not meet
SHARE = 0.5  # of the most purple block's excess: others are nuclei too
MOST_PURPLE = 2.0  # per cent of the blocks that are taken for the most purple ones


@dataclass(frozen=True)
class Tile:
    """A square of a slide whose cells are wanted, in its row and column of the grid."""

    row: int
    col: int
    window: Window

    def owns(self, row: float, col: float) -> bool:
        """Whether a point lies in the tile: a cell belongs to the one tile that holds its centroid."""
        top, left, bottom, right = self.window
        return top <= row < bottom and left <= col < right


@dataclass(frozen=True)
class Plan:
    """How a slide is searched.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns at the model's pixel size.
    native_shape : tuple of int
        Rows and columns of level 0.
    factor : float
        Level-0 pixels a pixel.
    pixel_size : float or None
        Micrometres a pixel of level 0, and
    pixel_size_from : str
        where that is from.
    tile : int
        Side of a tile, pixels.
    reference : Reference or None
        None: the sample shows no white cell.
    level : tuple of float
        Background colour, for the crops.
    """

    shape: tuple[int, int]
    native_shape: tuple[int, int]
    factor: float
    pixel_size: float | None
    pixel_size_from: str
    tile: int
    reference: Reference | None
    level: tuple[float, ...]

    def tiles(self, tissue: Tissue) -> Iterator[Tile]:
        """The tiles that have something on them, row by row."""
        if self.reference is None:
            return
        rows, cols = self.shape
        for i, top in enumerate(range(0, rows, self.tile)):
            for j, left in enumerate(range(0, cols, self.tile)):
                window = (top, left, min(top + self.tile, rows), min(left + self.tile, cols))
                if tissue.any_in(*window):
                    yield Tile(i, j, window)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        values = {**asdict(self), "reference": None if self.reference is None else self.reference.to_dict()}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        """The inverse of `to_dict`."""
        own = {name: tuple(values[name]) for name in ("shape", "native_shape", "level")}
        reference = values["reference"]
        return cls(
            **{**values, **own, "reference": None if reference is None else Reference.from_dict(reference)}
        )


def make_plan(
    slide: Slide,
    *,
    tile: int = 2048,
    wanted_pixel_size: float | None = None,
    pixel_size: float | None = None,
    options: dict[str, Any] | None = None,
    workers: int = 1,
) -> tuple[Plan, Tissue, npt.NDArray[np.uint8]]:
    """Look over a slide and fit what its tiles are searched by.

    Parameters
    ----------
    slide : Slide
    tile : int
        Side of a tile in pixels. The cells do not depend on it.
    wanted_pixel_size : float, optional
        Micrometres a pixel of the model's training images; None: the slide is taken as it is.
    pixel_size : float, optional
        Micrometres a pixel of level 0, where the file is wrong or silent.
    options : dict, optional
        Of `fastpgs.find_cells`.
    workers : int
        Threads.

    Returns
    -------
    plan : Plan
    tissue : Tissue
    sample : uint8 ndarray, shape (H, W, 3)
        What the plan was fitted on.

    Raises
    ------
    SlideError
        The pixels are far too coarse.
    """
    own, source = slide_pixel_size(slide, pixel_size)
    factor = 1.0 if own is None or wanted_pixel_size is None else wanted_pixel_size / own
    scaled = ScaledSlide(slide, factor)
    tissue = find_tissue(scaled, workers)
    sample = sample_of(scaled, tissue, workers)
    given = {name: value for name, value in (options or {}).items() if name != "pixel_size"}
    reference = fit_reference(sample, num_threads=workers, **given) if tissue.mask.any() else None
    if reference is not None and 2 * reference.margin > max(scaled.shape) and 2 * reference.margin > 4096:
        raise SlideError(f"nuclei of {2 * reference.radius:.0f} pixels: expected far smaller ones")
    plan = Plan(
        shape=scaled.shape,
        native_shape=slide.levels[0].shape,
        factor=scaled.factor,
        pixel_size=own,
        pixel_size_from=source,
        tile=tile,
        reference=reference,
        level=tuple(background(sample).tolist()),
    )
    return plan, tissue, sample


def sample_of(slide: ScaledSlide, tissue: Tissue, workers: int = 1) -> npt.NDArray[np.uint8]:
    """Windows about the most purple blocks, spread over the slide, as one picture."""
    purple = np.where(tissue.mask, tissue.purple, -np.inf)
    found = purple[tissue.mask]
    if found.size == 0:
        purple, found = tissue.purple, tissue.purple.ravel()
    middle, top = float(np.median(found)), float(found.max())
    least = min(middle + SHARE * (top - middle), float(np.percentile(found, 100.0 - MOST_PURPLE)))
    at = np.argwhere(purple >= least)
    rows, cols = slide.shape
    height, width = min(SAMPLE_SIDE, rows), min(SAMPLE_SIDE, cols)
    windows: list[tuple[int, int]] = []
    # A fixed shuffle spreads the windows; those that overlap show nothing new.
    for row, col in at[np.random.default_rng(0).permutation(len(at))]:
        y = int(np.clip((row + 0.5) * tissue.side - height / 2, 0, rows - height))
        x = int(np.clip((col + 0.5) * tissue.side - width / 2, 0, cols - width))
        if all(abs(y - a) >= height or abs(x - b) >= width for a, b in windows):
            windows.append((y, x))
        if len(windows) == SAMPLES:
            break
    side = math.isqrt(len(windows))  # windows that fill no square are left out

    def show(corner: tuple[int, int]) -> npt.NDArray[np.uint8]:
        y, x = corner
        return slide.read((y, x, y + height, x + width))

    pictures = in_order(show, sorted(windows[: side * side]), workers)
    if side == 1:
        return pictures[0]
    sheet = np.empty((side, height + GUTTER, side, width + GUTTER, 3), np.uint8)
    sheet[:] = np.rint(background(np.concatenate(pictures)))
    for i, picture in enumerate(pictures):
        sheet[i // side, :height, i % side, :width] = picture
    return sheet.reshape(side * (height + GUTTER), side * (width + GUTTER), 3)
