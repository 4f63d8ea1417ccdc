"""Outlines: signed distances to random blobs, arcs and chains of lobes.

Each function takes a `Grid` and returns the signed distance, in micrometres, of every pixel centre to the
outline: negative inside. The distances are exact on the outline and good near it, which is all that a soft
edge needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from .grid import Floats, Grid


def wrap(angle: Floats) -> Floats:
    """The same angle between -pi and pi."""
    return np.asarray((angle + math.pi) % (2.0 * math.pi) - math.pi)


@cache
def _harmonics(count: int) -> tuple[Floats, Floats, Floats]:
    """Angles from -pi to pi, and the cosines and sines (count, angles) of 2, 3, ... times each."""
    angle = np.linspace(-math.pi, math.pi, 1025)
    multiples = np.arange(2, count + 2)[:, None] * angle
    return angle, np.cos(multiples), np.sin(multiples)


@dataclass(frozen=True)
class Blob:
    """A roundish outline: a circle with random harmonics, stretched, perhaps notched.

    Attributes
    ----------
    radius : float
        Mean radius, micrometres.
    cosines, sines : ndarray of float64, shape (n,)
        Relative amplitudes of the harmonics 2, 3, ... n + 1 of the radius over the angle.
    notch : tuple of float
        Relative depth, direction and half-width (radians) of an indentation; depth 0 for none.
    """

    radius: float
    cosines: Floats
    sines: Floats
    notch: tuple[float, float, float] = (0.0, 0.0, 1.0)

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        radius: float,
        irregularity: float,
        *,
        harmonics: int = 8,
        notch: tuple[float, float, float] = (0.0, 0.0, 1.0),
    ) -> Blob:
        """Draw an outline; `irregularity` is the relative size of its bumps, falling for finer ones."""
        fall = irregularity / np.arange(2, harmonics + 2) ** 1.15
        return cls(
            radius, fall * rng.standard_normal(harmonics), fall * rng.standard_normal(harmonics), notch
        )

    def bent(self, order: int, amplitude: float, phase: float) -> Blob:
        """The same outline with one more harmonic: order 2 stretches it towards the angle `phase` / 2."""
        cosines, sines = self.cosines.copy(), self.sines.copy()
        cosines[order - 2] += amplitude * math.cos(phase)
        sines[order - 2] += amplitude * math.sin(phase)
        return replace(self, cosines=cosines, sines=sines)

    @cached_property
    def _table(self) -> tuple[Floats, Floats]:
        """Angles from -pi to pi and the radius there, micrometres."""
        angle, cosines, sines = _harmonics(self.cosines.size)
        relative = 1.0 + self.cosines @ cosines + self.sines @ sines
        depth, direction, half_width = self.notch
        if depth > 0.0:
            away = wrap(angle - direction)
            relative -= depth * np.exp(-((away / half_width) ** 2))
        return angle, self.radius * np.clip(relative, 0.35, 1.6)

    def radius_at(self, angle: Floats) -> Floats:
        """Radius in each direction (radians, any turn), micrometres."""
        # Interpolated: sixteen sines and cosines a pixel would take most of the time of a picture.
        return np.interp(wrap(angle), *self._table)

    @property
    def reach(self) -> float:
        """Largest radius, micrometres."""
        return float(self._table[1].max())

    def distance(self, grid: Grid, y: float = 0.0, x: float = 0.0) -> Floats:
        """Signed distance to the outline about the point (y, x)."""
        distance, angle = grid.polar(y, x)
        return distance - self.radius_at(angle)


def arc(
    grid: Grid, y: float, x: float, radius: float, middle: float, span: float, half_width: Floats
) -> Floats:
    """Signed distance to a thick arc about (y, x), `span` radians long about the direction `middle`.

    `half_width` (micrometres, broadcast to the grid) may vary from place to place.
    """
    dy, dx = grid.y - y, grid.x - x
    angle = wrap(np.arctan2(dy, dx) - middle)
    nearest = middle + np.clip(angle, -span / 2.0, span / 2.0)
    return np.asarray(np.hypot(dy - radius * np.sin(nearest), dx - radius * np.cos(nearest)) - half_width)


def ellipse(grid: Grid, y: float, x: float, along: float, across: float, angle: float) -> Floats:
    """Signed distance to an ellipse with half-axes `along` (in the direction `angle`) and `across`."""
    dy, dx = grid.y - y, grid.x - x
    u = (dx * math.cos(angle) + dy * math.sin(angle)) / along
    v = (dy * math.cos(angle) - dx * math.sin(angle)) / across
    return np.asarray((np.hypot(u, v) - 1.0) * min(along, across))


def bridge(grid: Grid, start: tuple[float, float], end: tuple[float, float], half_width: float) -> Floats:
    """Signed distance to a straight band between two (y, x) points."""
    dy, dx = grid.y - start[0], grid.x - start[1]
    ey, ex = end[0] - start[0], end[1] - start[1]
    along = np.clip((dy * ey + dx * ex) / max(ey * ey + ex * ex, 1e-12), 0.0, 1.0)
    return np.asarray(np.hypot(dy - along * ey, dx - along * ex) - half_width)


def join(first: Floats, second: Floats, softness: float) -> Floats:
    """Union of two shapes whose meeting corner is rounded over `softness` micrometres."""
    overlap = np.maximum(softness - np.abs(first - second), 0.0) / softness
    return np.asarray(np.minimum(first, second) - 0.25 * softness * overlap**2)
