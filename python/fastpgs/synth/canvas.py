"""From a scene to a picture: densities and masks are painted, then seen through a microscope and a camera."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .erythrocytes import Disc, DrawnDisc
from .grid import Floats, Grid, gaussian_blur
from .leukocytes import WhiteCell, draw_cell
from .shapes import Blob
from .stains import Stain

Labels = npt.NDArray[np.int32]
Box = tuple[slice, slice]

_MARGIN = 0.6
"""Micrometres that soft edges and textures may reach past an outline."""


@dataclass
class Canvas:
    """A window of a smear that is being painted.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the window.
    pixel_size : float
        Micrometres a pixel.
    stain : Stain
    origin : tuple of int
        Row and column of the window's first pixel in the whole field.
    density : ndarray of float32, shape (H, W, 3)
        Optical density relative to the background.
    cells, nuclei, red : ndarray of int32, shape (H, W)
        Ids of white cells, of their nuclei, of red cells; 0 = none.
    """

    shape: tuple[int, int]
    pixel_size: float
    stain: Stain
    origin: tuple[int, int] = (0, 0)
    density: npt.NDArray[np.float32] = field(init=False)
    cells: Labels = field(init=False)
    nuclei: Labels = field(init=False)
    red: Labels = field(init=False)
    _red_density: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.density = np.zeros((*self.shape, 3), dtype=np.float32)
        self._red_density = max(float(self.stain.density("red").sum()), 1e-6)
        self.cells, self.nuclei, self.red = (np.zeros(self.shape, dtype=np.int32) for _ in range(3))

    def paint_disc(
        self, disc: Disc, draw: Callable[[Disc, Grid, Stain], DrawnDisc], red_id: int | None = None
    ) -> None:
        """Add a red cell (with its id), a platelet or a speck to what is there."""
        box, grid = self._window(disc.y, disc.x, disc.outline)
        if 0 in grid.shape:
            return
        drawn = draw(disc, grid, self.stain)
        if red_id is None:
            self.density[box] += drawn.density
            return
        # Where red cells overlap both are thinner than elsewhere: they were pressed together as they dried.
        beneath = (
            np.minimum(self.density[box].sum(axis=2, keepdims=True), self._red_density) / self._red_density
        )
        self.density[box] += drawn.density * (1.0 - 0.45 * beneath)
        self.red[box][drawn.edge < 0.0] = red_id

    def paint_cell(self, cell: WhiteCell, cell_id: int) -> None:
        """Paint a white cell over everything before it; its pixels take its id from whatever had them."""
        box, grid = self._window(cell.y, cell.x, cell.outline)
        if 0 in grid.shape:
            return
        drawn = draw_cell(cell, grid, self.stain)
        cover = np.clip(0.5 - drawn.cell / max(self.pixel_size, 0.16), 0.0, 1.0)[..., None]
        # A trace of what lies beneath shows through the cell.
        self.density[box] *= 1.0 - 0.88 * cover
        self.density[box] += cover * drawn.density
        inside = drawn.cell < 0.0
        self.cells[box][inside] = cell_id
        self.nuclei[box][inside] = np.where(drawn.nucleus[inside] < 0.0, cell_id, 0)
        self.red[box][inside] = 0

    def _window(self, y: float, x: float, outline: Blob) -> tuple[Box, Grid]:
        """The part of the canvas that an outline about (y, x) micrometres can reach, and its grid."""
        reach = outline.reach + _MARGIN
        slices, axes = [], []
        for centre, first, length in zip((y, x), self.origin, self.shape, strict=True):
            start = max(math.floor((centre - reach) / self.pixel_size) - first, 0)
            stop = min(math.ceil((centre + reach) / self.pixel_size) - first, length)
            stop = max(start, stop)
            slices.append(slice(start, stop))
            axes.append(_centres(start + first, stop + first, self.pixel_size) - centre)
        grid = Grid(axes[0][:, None], axes[1][None, :], self.pixel_size)
        return (slices[0], slices[1]), grid


def _centres(start: int, stop: int, pixel_size: float) -> Floats:
    """Centres of the pixels start..stop - 1, micrometres."""
    return (np.arange(start, stop, dtype=np.float64) + 0.5) * pixel_size


@dataclass(frozen=True)
class Light:
    """Slowly uneven light: a few long waves a channel, and a darkening away from the optical axis.

    Attributes
    ----------
    waves : ndarray of float64, shape (n, 3)
        Cycles a micrometre down, cycles a micrometre across, phase (radians).
    weights : ndarray of float64, shape (n, 3)
        Relative amplitude of each wave in each channel.
    axis : tuple of float
        Optical axis (y, x), micrometres.
    falloff : float
        Relative darkening at one micrometre from the axis, growing with the square of the distance.
    """

    waves: Floats
    weights: Floats
    axis: tuple[float, float] = (0.0, 0.0)
    falloff: float = 0.0

    @classmethod
    def random(
        cls, rng: np.random.Generator, amount: float, extent: tuple[float, float], *, vignette: bool = True
    ) -> Light:
        """Draw the light over a field of `extent` micrometres that varies by about `amount`, relatively."""
        period = max(max(extent), 1.0) * rng.uniform(1.2, 3.0, size=4)
        direction = rng.uniform(-math.pi, math.pi, size=4)
        waves = np.stack(
            [np.sin(direction) / period, np.cos(direction) / period, rng.uniform(-math.pi, math.pi, size=4)],
            axis=1,
        )
        weights = amount * (0.3 * rng.standard_normal((4, 1)) + 0.06 * rng.standard_normal((4, 3)))
        axis = (extent[0] * rng.uniform(0.3, 0.7), extent[1] * rng.uniform(0.3, 0.7))
        falloff = amount * 0.6 / max((extent[0] ** 2 + extent[1] ** 2) / 4.0, 1e-9)
        return cls(waves, weights, axis, falloff if vignette else 0.0)

    def at(self, y: Floats, x: Floats) -> npt.NDArray[np.float32]:
        """Relative brightness (h, w, 3) at the rows `y` (h,) and columns `x` (w,), micrometres."""
        light = np.ones((y.size, x.size, 3))
        light -= (self.falloff * ((y[:, None] - self.axis[0]) ** 2 + (x - self.axis[1]) ** 2))[..., None]
        for (down, across, phase), weight in zip(self.waves, self.weights, strict=True):
            rows, columns = 2.0 * math.pi * down * y + phase, 2.0 * math.pi * across * x
            # cos(a + b) from the two axes: an outer product instead of a cosine a pixel.
            wave = np.outer(np.cos(rows), np.cos(columns)) - np.outer(np.sin(rows), np.sin(columns))
            light += wave[..., None] * weight
        return np.clip(light, 0.05, 1.4).astype(np.float32)


def expose(canvas: Canvas, light: Light, blur: float) -> npt.NDArray[np.float32]:
    """The image on the sensor, before its noise.

    Parameters
    ----------
    canvas : Canvas
    light : Light
    blur : float
        Standard deviation of the blur, micrometres.

    Returns
    -------
    ndarray of float32, shape (H, W, 3)
        8-bit levels, not yet rounded or clipped.
    """
    image = np.exp(-canvas.density) * np.asarray(canvas.stain.background, dtype=np.float32)
    y, x = (
        _centres(first, first + length, canvas.pixel_size)
        for length, first in zip(canvas.shape, canvas.origin, strict=True)
    )
    return gaussian_blur(image * light.at(y, x), blur / canvas.pixel_size)


def read_out(image: npt.NDArray[np.float32], noise: float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Add sensor noise and round to 8 bits.

    Parameters
    ----------
    image : ndarray of float32, shape (H, W, 3)
        8-bit levels.
    noise : float
        Standard deviation at full brightness, 8-bit levels; half of its variance is photon noise, which falls
        with the brightness.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    if noise > 0.0:
        spread = np.float32(noise) * np.sqrt(0.5 + np.maximum(image, 0.0) / 510.0, dtype=np.float32)
        image = image + spread * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
