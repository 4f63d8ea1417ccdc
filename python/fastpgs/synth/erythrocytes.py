"""Red cells, platelets and stain precipitate: everything on a smear that is not a white cell."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .grid import Floats, Grid, ramp
from .shapes import Blob
from .stains import Stain


@dataclass(frozen=True)
class Disc:
    """A red cell, platelet or speck of a scene.

    Attributes
    ----------
    y, x : float
        Centre, micrometres.
    outline : Blob
        Outline about the centre.
    seed : int
        Everything inside the outline follows from this.
    """

    y: float
    x: float
    outline: Blob
    seed: int


@dataclass(frozen=True)
class DrawnDisc:
    """A `Disc` sampled on a grid: signed distance (h, w) and the density it adds (h, w, 3)."""

    edge: Floats
    density: Floats


def random_red(rng: np.random.Generator, y: float = 0.0, x: float = 0.0) -> Disc:
    """A red cell: mostly round or oval; a few are tear-shaped or crenated."""
    radius = float(np.clip(rng.normal(3.6, 0.24), 2.9, 4.4))
    outline = Blob.random(rng, radius, 0.035, harmonics=14)
    outline = outline.bent(2, abs(rng.normal(0.0, 0.055)), rng.uniform(-math.pi, math.pi))
    shape = rng.random()
    if shape < 0.05:
        # Crenated: a regular ripple of eleven to fourteen spicules.
        outline = outline.bent(int(rng.integers(11, 15)), 0.045, rng.uniform(-math.pi, math.pi))
    elif shape < 0.08:
        # Tear-shaped: the first few harmonics in step make a point.
        direction = rng.uniform(-math.pi, math.pi)
        for order in range(2, 7):
            outline = outline.bent(order, 0.11 / order, order * direction)
    return Disc(y, x, outline, int(rng.integers(2**63)))


def draw_red(disc: Disc, grid: Grid, stain: Stain) -> DrawnDisc:
    """Sample a red cell: a biconcave disc, thin in the middle, with a fine dark edge."""
    rng = np.random.Generator(np.random.PCG64(disc.seed))
    radius = disc.outline.radius
    distance, angle = grid.polar()
    border = disc.outline.radius_at(angle)
    edge = distance - border
    pallor = float(np.clip(rng.normal(stain.pallor, 0.25), 0.05, 0.97))
    width = rng.uniform(0.34, 0.52)
    shift = 0.07 * radius * rng.standard_normal(2)
    middle = grid.polar(*shift)[0] / np.maximum(border, 1e-6)
    thickness = 1.0 - pallor * np.exp(-((middle / width) ** 3.2))
    thickness *= 1.0 + 0.035 * grid.noise(rng, 1.5, disc.outline.reach)
    thickness *= 0.9 + 0.1 * ramp(edge, -0.9, -0.3) + 0.16 * ramp(edge, -0.28, -0.05)
    # One side is a little thicker: the smear was pulled one way.
    thickness *= 1.0 + 0.06 * rng.standard_normal() * np.cos(angle - rng.uniform(-math.pi, math.pi))
    strength = float(np.clip(rng.normal(0.9, 0.15), 0.55, 1.3))
    cover = np.clip(0.5 - edge / max(grid.pixel_size, 0.16), 0.0, 1.0)
    return DrawnDisc(edge, (strength * thickness * cover)[..., None] * stain.density("red"))


def random_platelet(rng: np.random.Generator, y: float = 0.0, x: float = 0.0) -> Disc:
    """A platelet: 2 to 4 micrometres, irregular."""
    outline = Blob.random(rng, rng.uniform(0.85, 1.6), 0.2)
    return Disc(y, x, outline, int(rng.integers(2**63)))


def draw_platelet(disc: Disc, grid: Grid, stain: Stain) -> DrawnDisc:
    """Sample a platelet: a pale body with purple granules gathered in the middle."""
    rng = np.random.Generator(np.random.PCG64(disc.seed))
    reach = disc.outline.reach + 0.3
    edge = disc.outline.distance(grid) + 0.16 * grid.noise(rng, 0.7, reach)
    body = 0.62 * (1.0 + 0.15 * grid.noise(rng, 0.5, reach))
    granules = ramp(grid.noise(rng, 0.34, reach), -0.3, 0.9) * ramp(edge, -0.15, -0.75)
    cover = np.clip(0.5 - edge / 0.4, 0.0, 1.0)
    density = body[..., None] * stain.density("platelet") + granules[..., None] * stain.density("granule")
    return DrawnDisc(edge, cover[..., None] * density)


def random_speck(rng: np.random.Generator, y: float = 0.0, x: float = 0.0) -> Disc:
    """A speck of stain precipitate: a dark dot of 0.2 to 0.9 micrometres."""
    radius = float(min(0.1 + rng.exponential(0.1), 0.45))
    return Disc(y, x, Blob.random(rng, radius, 0.1), int(rng.integers(2**63)))


def draw_speck(disc: Disc, grid: Grid, stain: Stain) -> DrawnDisc:
    """Sample a speck; one smaller than a pixel darkens that pixel by its share of the area."""
    rng = np.random.Generator(np.random.PCG64(disc.seed))
    edge = disc.outline.distance(grid)
    cover = np.clip(0.5 - edge / max(grid.pixel_size, 0.1), 0.0, 1.0)
    cover *= min(1.0, math.pi * (disc.outline.radius / grid.pixel_size) ** 2)
    return DrawnDisc(edge, (rng.uniform(0.6, 1.0) * cover)[..., None] * stain.density("speck"))
