"""Whole slides of any size, of which any window can be drawn alone.

The slide is cut into squares, each with its own random stream: one holds at most one white cell, smaller ones
at most one red cell each. A window needs only the squares near it. The picture is made in fixed tiles, so its
pixels don't depend on the window through which they are read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .canvas import Canvas, Light, expose, read_out
from .erythrocytes import Disc, draw_red, random_red
from .grid import blur_radius
from .leukocytes import KINDS, WhiteCell, random_cell
from .stains import resolve_stain

Box = tuple[float, float, float, float]
"""Top, left, bottom, right."""

TILE = 512
"""Rows and columns of the tiles in which a slide is drawn; windows aligned to them are read fastest."""

_WHITE_SQUARE, _RED_SQUARE = 32.0, 8.6
_RED_PART = 0.7
_NORMALS = ("lymphocyte", "neutrophil", "neutrophil", "monocyte", "eosinophil")


@dataclass(frozen=True)
class SlideCells:
    """The white cells of a slide or of a window of it.

    Attributes
    ----------
    centroids : ndarray of float64, shape (n, 2)
        Row and column of the centres of the outlines, in pixels of the slide.
    kinds : tuple of str
        Kind of each cell.
    is_blast : ndarray of bool, shape (n,)
    """

    centroids: npt.NDArray[np.float64]
    kinds: tuple[str, ...]
    is_blast: npt.NDArray[np.bool]

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.kinds)


@dataclass(frozen=True)
class Slide:
    """A synthetic slide that is never held in memory as a whole.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    seed : int
        Seed of everything random; the same arguments give the same slide.
    pixel_size : float
        Micrometres a pixel; 0.25 is a usual scan with a 40x objective.
    stain : str
        Name of a preset of `STAINS`.
    blast_part : float
        Probability, 0 to 1, that a white cell is a lymphoblast.
    white_part : float
        Part, 0 to 1, of the 32-micrometre squares that hold a white cell.
    reds : bool
        Whether red cells are drawn, which takes most of the time.
    blur : float
        Standard deviation of the blur, micrometres.
    noise : float
        Standard deviation of the sensor noise at full brightness, 8-bit levels.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from fastpgs.synth import Slide
    >>> slide = Slide((20000, 20000), reds=False, seed=1)
    >>> slide.read((10000, 8000, 10064, 8100)).shape
    (64, 100, 3)
    """

    shape: tuple[int, int]
    seed: int = 0
    pixel_size: float = 0.25
    stain: str = "wright"
    blast_part: float = 0.5
    white_part: float = 0.6
    reds: bool = True
    blur: float = 0.2
    noise: float = 1.6

    def __post_init__(self) -> None:
        if len(self.shape) != 2 or min(self.shape) < 1:
            raise ValueError(f"shape must be two lengths >= 1, got {self.shape!r}")
        if not (math.isfinite(self.pixel_size) and self.pixel_size > 0.0):
            raise ValueError(f"pixel_size must be > 0, got {self.pixel_size!r}")
        for name in ("blast_part", "white_part"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in 0..1, got {getattr(self, name)!r}")
        for name in ("blur", "noise"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0.0):
                raise ValueError(f"{name} must be >= 0, got {getattr(self, name)!r}")
        resolve_stain(self.stain)

    def read(self, window: tuple[int, int, int, int] | None = None) -> npt.NDArray[np.uint8]:
        """Draw a window of the slide.

        Parameters
        ----------
        window : tuple of int, optional
            First row, first column, end row, end column (half-open). None: the whole slide.

        Returns
        -------
        ndarray of uint8, shape (rows, columns, 3)

        Raises
        ------
        ValueError
            If the window is empty or leaves the slide.
        """
        top, left, bottom, right = self._checked(window)
        image = np.empty((bottom - top, right - left, 3), dtype=np.uint8)
        for row in range(top // TILE, -(-bottom // TILE)):
            for column in range(left // TILE, -(-right // TILE)):
                y, x = row * TILE, column * TILE
                y0, y1 = max(top, y), min(bottom, y + TILE)
                x0, x1 = max(left, x), min(right, x + TILE)
                tile = self._tile(row, column)
                image[y0 - top : y1 - top, x0 - left : x1 - left] = tile[y0 - y : y1 - y, x0 - x : x1 - x]
        return image

    def cells(self, window: tuple[int, int, int, int] | None = None) -> SlideCells:
        """The white cells whose centre lies in a window, in the raster order of their squares.

        Parameters
        ----------
        window : tuple of int, optional
            As in `read`.

        Returns
        -------
        SlideCells

        Raises
        ------
        ValueError
            If the window is empty or leaves the slide.
        """
        top, left, bottom, right = self._checked(window)
        box = self._micrometres(top, left, bottom, right)
        found = [
            cell for cell in self._whites(box, 0.0) if box[0] <= cell.y < box[2] and box[1] <= cell.x < box[3]
        ]
        # Pixel i covers i..i + 1, so its centre lies at i + 0.5.
        centroids = np.array([(cell.y, cell.x) for cell in found]).reshape(-1, 2) / self.pixel_size - 0.5
        kinds = tuple(cell.kind for cell in found)
        return SlideCells(centroids, kinds, np.array([KINDS[kind].is_blast for kind in kinds], dtype=np.bool))

    def _checked(self, window: tuple[int, int, int, int] | None) -> tuple[int, int, int, int]:
        if window is None:
            return 0, 0, *self.shape
        top, left, bottom, right = window
        if not (0 <= top < bottom <= self.shape[0] and 0 <= left < right <= self.shape[1]):
            raise ValueError(
                f"window must be (top, left, bottom, right) within a slide of {self.shape}, got {window}"
            )
        return window

    def _micrometres(self, *edges: int) -> Box:
        top, left, bottom, right = (edge * self.pixel_size for edge in edges)
        return top, left, bottom, right

    def _stream(self, layer: int, row: int, column: int) -> np.random.Generator:
        """The random stream of one square of one layer (0 white, 1 red, 2 noise, 3 light)."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence((self.seed, layer, row, column))))

    def _whites(self, box: Box, reach: float) -> Iterator[WhiteCell]:
        """White cells of all squares within `reach` of a box; all in micrometres."""
        top, left, bottom, right = box
        # Whole squares only, and cells that stay inside theirs: no two touch, and no border cuts one.
        rows, columns = (int(length * self.pixel_size // _WHITE_SQUARE) for length in self.shape)
        for row in _squares(top - reach, bottom + reach, _WHITE_SQUARE, rows):
            for column in _squares(left - reach, right + reach, _WHITE_SQUARE, columns):
                rng = self._stream(0, row, column)
                if rng.random() >= self.white_part:
                    continue
                kind = "lymphoblast" if rng.random() < self.blast_part else str(rng.choice(_NORMALS))
                cell = random_cell(kind, rng)
                room = _WHITE_SQUARE / 2.0 - cell.outline.reach - 0.5
                y, x = (
                    (index + 0.5) * _WHITE_SQUARE + max(room, 0.0) * rng.uniform(-1.0, 1.0)
                    for index in (row, column)
                )
                yield replace(cell, y=y, x=x)

    def _reds(self, box: Box, reach: float) -> Iterator[Disc]:
        """Red cells of all squares within `reach` of a box; all in micrometres."""
        top, left, bottom, right = box
        rows, columns = (math.ceil(length * self.pixel_size / _RED_SQUARE) for length in self.shape)
        for row in _squares(top - reach, bottom + reach, _RED_SQUARE, rows):
            for column in _squares(left - reach, right + reach, _RED_SQUARE, columns):
                rng = self._stream(1, row, column)
                if rng.random() < _RED_PART:
                    y, x = ((index + 0.5 + rng.uniform(-0.3, 0.3)) * _RED_SQUARE for index in (row, column))
                    yield random_red(rng, y, x)

    def _tile(self, row: int, column: int) -> npt.NDArray[np.uint8]:
        """One whole tile; it may stick out of the slide's lower right."""
        margin = blur_radius(self.blur / self.pixel_size)
        origin = (row * TILE - margin, column * TILE - margin)
        side = TILE + 2 * margin
        canvas = Canvas((side, side), self.pixel_size, resolve_stain(self.stain), origin)
        box = self._micrometres(*origin, origin[0] + side, origin[1] + side)
        # The reach takes in red cells just outside and the white cells that those might lie under.
        whites = list(self._whites(box, 22.0))
        if self.reds:
            centres = np.array([(cell.y, cell.x, cell.outline.radius) for cell in whites]).reshape(-1, 3)
            for disc in self._reds(box, 6.0):
                distance = np.hypot(centres[:, 0] - disc.y, centres[:, 1] - disc.x)
                if not (distance < centres[:, 2] + 0.8 * disc.outline.radius).any():
                    canvas.paint_disc(disc, draw_red, 1)
        for cell in whites:
            canvas.paint_cell(cell, 1)
        light = Light.random(self._stream(3, 0, 0), 0.03, (400.0, 400.0), vignette=False)
        image = expose(canvas, light, self.blur)[margin : margin + TILE, margin : margin + TILE]
        return read_out(image, self.noise, self._stream(2, row, column))


def _squares(start: float, stop: float, side: float, count: int) -> range:
    """Indices below `count` of the squares that the interval start..stop meets."""
    return range(max(math.floor(start / side), 0), min(math.floor(stop / side) + 1, count))
