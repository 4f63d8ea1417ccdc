"""Sampling grids in micrometres, and smooth random textures on them.

Everything in a synthetic smear is a function of position in micrometres. A `Grid` holds the pixel centres at
which it is sampled, so the same field can be drawn at any magnification, and any window of it alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Pixel centres of a rectangle, relative to the centre of the thing that is drawn.

    Attributes
    ----------
    y, x : ndarray of float64, shapes (h, 1) and (1, w)
        Distance of the pixel centres from the thing's centre, in micrometres.
    pixel_size : float
        Micrometres a pixel.
    """

    y: Floats
    x: Floats
    pixel_size: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.y.shape[0], self.x.shape[1]

    def polar(self, y: float = 0.0, x: float = 0.0) -> tuple[Floats, Floats]:
        """Distance (micrometres) and angle (radians) of every pixel about a point, each of shape (h, w)."""
        dy, dx = self.y - y, self.x - x
        return np.hypot(dy, dx), np.arctan2(dy, dx)

    def noise(self, rng: np.random.Generator, spacing: float, reach: float) -> Floats:
        """Smooth random texture of mean 0 and standard deviation near 1.

        Independent normal values on a lattice of nodes are joined by cubic B-splines. Where the pixels are
        coarser than the lattice the spline is widened to a pixel, which averages the detail away as a camera
        would.

        Parameters
        ----------
        rng : numpy.random.Generator
            Always advanced by the same amount for the same `spacing` and `reach`, whatever the grid.
        spacing : float
            Distance of the nodes, micrometres: about the size of a blob.
        reach : float
            The lattice covers +-`reach` micrometres about the centre.

        Returns
        -------
        ndarray of float64, shape (h, w)
        """
        last = math.ceil(reach / spacing) + 2
        nodes = spacing * np.arange(-last, last + 1, dtype=np.float64)
        values = rng.standard_normal((nodes.size, nodes.size))
        width = max(spacing, self.pixel_size)
        rows = _spline_weights(self.y[:, 0], nodes, width)
        columns = _spline_weights(self.x[0], nodes, width)
        # The squared cubic B-spline weights sum to about 0.48 a dimension when averaged over positions.
        return np.asarray(rows @ values @ columns.T / 0.48)

    def granules(
        self, rng: np.random.Generator, spacing: float, radius: tuple[float, float], part: float, reach: float
    ) -> Floats:
        """Cover, 0 to 1, of small round granules.

        The plane is cut into squares `spacing` wide; each holds, with probability `part`, one granule
        anywhere in it.

        Parameters
        ----------
        rng : numpy.random.Generator
        spacing : float
            Micrometres.
        radius : tuple of float
            Smallest and largest radius, micrometres; at most `spacing`.
        part : float
            Part of the squares that hold a granule.
        reach : float
            The granules cover +-`reach` micrometres about the centre.

        Returns
        -------
        ndarray of float64, shape (h, w)
        """
        last = math.ceil(reach / spacing) + 2
        side = 2 * last + 1
        at_y, at_x, size = rng.random((3, side, side))
        size = radius[0] + (radius[1] - radius[0]) * size
        size[rng.random((side, side)) >= part] = -math.inf
        rows = np.clip(np.floor(self.y / spacing).astype(np.intp) + last, 1, side - 2)
        columns = np.clip(np.floor(self.x / spacing).astype(np.intp) + last, 1, side - 2)
        outside = np.full(self.shape, math.inf)
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                square = rows + down, columns + across
                dy = self.y - (square[0] - last + at_y[square]) * spacing
                dx = self.x - (square[1] - last + at_x[square]) * spacing
                outside = np.minimum(outside, np.hypot(dy, dx) - size[square])
        soft = max(self.pixel_size, 0.1)
        return np.asarray(np.clip(0.5 - outside / soft, 0.0, 1.0))


def _spline_weights(at: Floats, nodes: Floats, width: float) -> Floats:
    """Weights (positions, nodes) of a cubic B-spline of the given width; each row sums to one."""
    t = np.abs(at[:, None] - nodes[None, :]) / width
    near = 2.0 / 3.0 - t**2 + 0.5 * t**3
    far = np.maximum(2.0 - t, 0.0) ** 3 / 6.0
    weights = np.where(t < 1.0, near, far)
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12))


def ramp(value: Floats, low: float, high: float) -> Floats:
    """Smooth step from 0 at `low` to 1 at `high` (which may be the smaller of the two)."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def gaussian_blur(image: npt.NDArray[np.float32], sigma: float) -> npt.NDArray[np.float32]:
    """Separable Gaussian blur of an (H, W, C) image; the edge pixels are repeated outwards.

    Parameters
    ----------
    image : ndarray of float32, shape (H, W, C)
    sigma : float
        Standard deviation in pixels; below 0.05 the image comes back as it is.

    Returns
    -------
    ndarray of float32, shape (H, W, C)
    """
    if sigma < 0.05:
        return image
    radius = blur_radius(sigma)
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    for axis in (0, 1):
        pad = [(0, 0), (0, 0), (0, 0)]
        pad[axis] = (radius, radius)
        padded = np.pad(image, pad, mode="edge")
        length = image.shape[axis]
        image = np.zeros_like(image)
        for step, weight in enumerate(kernel):
            window = padded[step : step + length] if axis == 0 else padded[:, step : step + length]
            image += weight * window
    return image


def blur_radius(sigma: float) -> int:
    """Pixels on each side that a blur of this standard deviation (pixels) reaches."""
    return math.ceil(3.0 * sigma)
