"""White cells: outline, nucleus, chromatin, cytoplasm and granules of each kind.

Sizes and features follow what a morphologist looks for on a Wright-Giemsa smear: a lymphoblast is large, its
round or slightly cleft nucleus fills most of the cell, its chromatin is fine and may show nucleoli, its scant
cytoplasm is blue; a mature lymphocyte is small and dense; a neutrophil has two to five joined lobes in pink,
granular cytoplasm; a monocyte a kidney in grey-blue; an eosinophil two lobes among orange granules. A
hematogone (benign precursor) is small, smooth and has hardly any cytoplasm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import shapes
from .grid import Floats, Grid, ramp
from .shapes import Blob
from .stains import Stain, Structure

NucleusPainter = Callable[[np.random.Generator, Grid, float, float], Floats]
"""Signed distance to a nucleus: (generator, grid, cell radius, nucleus/cell diameter ratio)."""


@dataclass(frozen=True)
class CellKind:
    """What distinguishes one kind of white cell; lengths in micrometres.

    Attributes
    ----------
    is_blast : bool
        Whether the kind is leukemic.
    diameter : tuple of float
        Smallest, usual and largest diameter.
    irregularity : float
        Relative size of the bumps of the cell's outline.
    nucleus : callable
        Draws the nucleus.
    ratio : tuple of float
        Range of the nucleus-to-cell diameter ratio (round nuclei).
    density : tuple of float
        Range of the mean chromatin density, 0 = the stain's palest, 1 = its densest.
    contrast : float
        How far the density varies within a nucleus.
    grain : float
        Size of the chromatin's blobs.
    cytoplasm : str
        Which of the stain's colours the cytoplasm has.
    strength : float
        Density of the cytoplasm relative to that colour.
    rim : float
        How much darker the cytoplasm is at the cell's edge than near the nucleus.
    granules : str or None
        Colour of the granules, None where there are none.
    granule_size : float
        Largest radius of the granules.
    crowding : float
        How closely the granules lie, 0 to 1.
    granule_strength : float
        Density of the granules relative to their colour.
    nucleoli : int
        Largest number of nucleoli.
    vacuoles : int
        Largest number of vacuoles.
    """

    is_blast: bool
    diameter: tuple[float, float, float]
    irregularity: float
    nucleus: NucleusPainter
    ratio: tuple[float, float]
    density: tuple[float, float]
    contrast: float
    grain: float
    cytoplasm: Structure
    strength: float = 1.0
    rim: float = 0.0
    granules: Structure | None = None
    granule_size: float = 0.2
    crowding: float = 0.0
    granule_strength: float = 0.85
    nucleoli: int = 0
    vacuoles: int = 0


@dataclass(frozen=True)
class WhiteCell:
    """One white cell of a scene: where it lies and the seed of its looks.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    y, x : float
        Centre, micrometres.
    outline : Blob
        The cell's outline about its centre.
    seed : int
        Everything inside the outline follows from this.
    """

    kind: str
    y: float
    x: float
    outline: Blob
    seed: int


@dataclass(frozen=True)
class DrawnCell:
    """A white cell sampled on a grid: two signed distances (h, w) and optical density (h, w, 3)."""

    cell: Floats
    nucleus: Floats
    density: Floats


def _round_nucleus(cleft: float) -> NucleusPainter:
    """A roundish nucleus off the middle of the cell, notched or folded with probability `cleft`."""

    def paint(rng: np.random.Generator, grid: Grid, radius: float, ratio: float) -> Floats:
        slack = (1.0 - ratio) * radius
        away, towards = slack * rng.uniform(0.1, 0.8), rng.uniform(-math.pi, math.pi)
        depth = rng.uniform(0.08, 0.3) if rng.random() < cleft else 0.0
        # The indentation faces the wider side of the cytoplasm, as the Golgi zone does.
        notch = (depth, towards + math.pi + rng.normal(0.0, 0.3), rng.uniform(0.25, 0.6))
        blob = Blob.random(rng, ratio * radius, 0.075, notch=notch)
        return blob.distance(grid, away * math.sin(towards), away * math.cos(towards))

    return paint


def _lobed_nucleus(lobes: tuple[int, ...]) -> NucleusPainter:
    """A chain of lobes joined by strands; the number of lobes is drawn from `lobes`."""

    def paint(rng: np.random.Generator, grid: Grid, radius: float, ratio: float) -> Floats:
        count = int(rng.choice(lobes))
        size = ratio * radius / math.sqrt(count)
        # Neighbours along an arc of radius 0.43 R, just apart; many lobes must shrink to fit on it.
        turn = min(rng.uniform(1.9, 2.6) * size / (0.43 * radius), 1.8 * math.pi / count)
        size = min(size, 0.43 * radius * turn / 1.9)
        turn *= rng.choice((-1.0, 1.0))
        first = rng.uniform(-math.pi, math.pi)
        centres: list[tuple[float, float]] = []
        lobe_distance: Floats | None = None
        warped = _warped(rng, grid, 0.035 * radius, 1.3, 1.4 * radius)
        for index in range(count):
            angle = first + turn * index + rng.normal(0.0, 0.1)
            out = radius * rng.uniform(0.36, 0.5)
            centre = (out * math.sin(angle), out * math.cos(angle))
            along = size * rng.uniform(1.0, 1.3)
            lobe = shapes.ellipse(
                warped,
                *centre,
                along,
                size * rng.uniform(0.72, 0.95),
                angle + math.pi / 2 + rng.normal(0.0, 0.45),
            )
            if lobe_distance is None:
                lobe_distance = lobe
            else:
                strand = shapes.bridge(warped, centres[-1], centre, radius * rng.uniform(0.035, 0.12))
                lobe_distance = shapes.join(
                    shapes.join(lobe_distance, strand, 0.06 * radius), lobe, 0.06 * radius
                )
            centres.append(centre)
        assert lobe_distance is not None
        return lobe_distance

    return paint


def _kidney_nucleus(rng: np.random.Generator, grid: Grid, radius: float, ratio: float) -> Floats:
    """A kidney or a wide horseshoe."""
    towards = rng.uniform(-math.pi, math.pi)
    bend = radius * rng.uniform(0.34, 0.44)
    centre = (
        -0.5 * bend * math.sin(towards) + radius * rng.normal(0.0, 0.05),
        -0.5 * bend * math.cos(towards) + radius * rng.normal(0.0, 0.05),
    )
    span = math.radians(rng.uniform(120.0, 240.0))
    warped = _warped(rng, grid, 0.03 * radius, 2.4, 1.4 * radius)
    half_width = ratio * radius * (0.54 + 0.03 * grid.noise(rng, 3.0, 1.4 * radius))
    return shapes.arc(warped, *centre, bend, towards, span, half_width)


def _warped(rng: np.random.Generator, grid: Grid, amount: float, spacing: float, reach: float) -> Grid:
    """The same grid with its coordinates shaken smoothly by about `amount` micrometres."""
    return Grid(
        grid.y + amount * grid.noise(rng, spacing, reach),
        grid.x + amount * grid.noise(rng, spacing, reach),
        grid.pixel_size,
    )


KINDS: dict[str, CellKind] = {
    "lymphoblast": CellKind(
        is_blast=True,
        diameter=(10.5, 13.0, 16.5),
        irregularity=0.07,
        nucleus=_round_nucleus(cleft=0.5),
        ratio=(0.83, 0.94),
        density=(0.2, 0.52),
        contrast=0.17,
        grain=0.42,
        cytoplasm="blue",
        strength=0.85,
        rim=0.45,
        nucleoli=3,
    ),
    "lymphocyte": CellKind(
        is_blast=False,
        diameter=(7.8, 9.0, 10.6),
        irregularity=0.05,
        nucleus=_round_nucleus(cleft=0.12),
        ratio=(0.76, 0.88),
        density=(0.6, 0.8),
        contrast=0.3,
        grain=0.95,
        cytoplasm="blue",
        strength=0.62,
        rim=0.25,
    ),
    "hematogone": CellKind(
        is_blast=False,
        diameter=(8.4, 9.8, 11.8),
        irregularity=0.045,
        nucleus=_round_nucleus(cleft=0.15),
        ratio=(0.88, 0.94),
        density=(0.6, 0.76),
        contrast=0.1,
        grain=0.7,
        cytoplasm="blue",
        strength=0.6,
        rim=0.2,
    ),
    "neutrophil": CellKind(
        is_blast=False,
        diameter=(11.0, 12.6, 14.4),
        irregularity=0.05,
        nucleus=_lobed_nucleus((2, 3, 3, 3, 4, 4, 5)),
        ratio=(0.58, 0.66),
        density=(0.74, 0.92),
        contrast=0.24,
        grain=0.9,
        cytoplasm="pink",
        granules="granule",
        granule_size=0.2,
        crowding=0.6,
        granule_strength=0.42,
    ),
    "monocyte": CellKind(
        is_blast=False,
        diameter=(14.0, 15.8, 18.5),
        irregularity=0.12,
        nucleus=_kidney_nucleus,
        ratio=(0.58, 0.72),
        density=(0.42, 0.62),
        contrast=0.2,
        grain=0.62,
        cytoplasm="grey",
        rim=0.1,
        granules="granule",
        granule_size=0.17,
        crowding=0.3,
        granule_strength=0.35,
        vacuoles=6,
    ),
    "eosinophil": CellKind(
        is_blast=False,
        diameter=(12.0, 13.4, 15.2),
        irregularity=0.05,
        nucleus=_lobed_nucleus((2, 2, 2, 3)),
        ratio=(0.54, 0.62),
        density=(0.62, 0.82),
        contrast=0.2,
        grain=0.9,
        cytoplasm="pink",
        strength=1.1,
        granules="eosin",
        granule_size=0.46,
        crowding=0.94,
        granule_strength=0.8,
    ),
}
"""Every kind of white cell that can be drawn, by name."""


def random_cell(kind: str, rng: np.random.Generator, y: float = 0.0, x: float = 0.0) -> WhiteCell:
    """Draw the outline and the seed of a cell of one kind, centred on (y, x) micrometres."""
    traits = KINDS[kind]
    diameter = rng.triangular(*traits.diameter)
    outline = Blob.random(rng, diameter / 2.0, traits.irregularity)
    outline = outline.bent(2, rng.uniform(0.0, 0.09), rng.uniform(-math.pi, math.pi))
    return WhiteCell(kind, y, x, outline, int(rng.integers(2**63)))


def draw_cell(cell: WhiteCell, grid: Grid, stain: Stain) -> DrawnCell:
    """Sample a white cell on a grid about its centre."""
    traits = KINDS[cell.kind]
    rng = np.random.Generator(np.random.PCG64(cell.seed))
    radius, reach = cell.outline.radius, cell.outline.reach + 0.5

    edge = 0.02 * radius * grid.noise(rng, 0.9, reach)
    outside = cell.outline.distance(grid) + edge
    nucleus = traits.nucleus(rng, grid, radius, rng.uniform(*traits.ratio))
    nucleus = np.maximum(nucleus, outside + 0.02 * radius + 0.12)

    density = _cytoplasm(traits, rng, grid, outside, nucleus, reach, stain)
    chromatin = _chromatin(traits, rng, grid, nucleus, reach, stain)
    cover = np.clip(0.5 - nucleus / max(grid.pixel_size, 0.12), 0.0, 1.0)[..., None]
    return DrawnCell(outside, nucleus, (1.0 - cover) * density + cover * chromatin)


def _cytoplasm(
    traits: CellKind,
    rng: np.random.Generator,
    grid: Grid,
    outside: Floats,
    nucleus: Floats,
    reach: float,
    stain: Stain,
) -> Floats:
    """Optical density (h, w, 3) of the cytoplasm, granules and vacuoles included."""
    cloud = grid.noise(rng, 1.6, reach)
    fine = grid.noise(rng, 0.38, reach)
    amount = traits.strength * rng.uniform(0.85, 1.15) * (1.0 + 0.13 * cloud + 0.08 * fine)
    # A pale zone next to the nucleus, a darker line where the membrane is seen edge-on.
    amount *= 1.0 + traits.rim * (ramp(outside, -1.3, -0.2) - 0.55 * ramp(nucleus, 0.9, 0.1))
    amount *= 1.0 + (0.26 + 0.16 * cloud) * ramp(outside, -0.45, -0.05)
    density = np.maximum(amount, 0.05)[..., None] * stain.density(traits.cytoplasm)

    if traits.granules is not None:
        size = traits.granule_size
        spots = grid.granules(rng, 1.75 * size, (0.6 * size, size), traits.crowding, reach)
        spots *= traits.granule_strength * (0.85 + 0.2 * cloud) * ramp(outside, 0.0, -0.35)
        density += np.clip(spots, 0.0, 1.0)[..., None] * np.maximum(
            stain.density(traits.granules) - density, 0.0
        )

    for _ in range(int(rng.integers(traits.vacuoles + 1))):
        distance, angle = radius_and_angle(rng, reach)
        hole = grid.polar(distance * math.sin(angle), distance * math.cos(angle))[0]
        density *= 1.0 - 0.7 * ramp(hole, rng.uniform(0.25, 0.6), 0.1)[..., None]
    return density


def _chromatin(
    traits: CellKind, rng: np.random.Generator, grid: Grid, nucleus: Floats, reach: float, stain: Stain
) -> Floats:
    """Optical density (h, w, 3) of the nucleus."""
    coarse = grid.noise(rng, traits.grain * 2.2, reach)
    blobs = grid.noise(rng, traits.grain, reach)
    fine = grid.noise(rng, 0.3, reach)
    # Folding a smooth texture about zero gives a net of strands, which is what chromatin looks like.
    net = 1.0 - 1.6 * np.abs(grid.noise(rng, traits.grain * 1.3, reach))
    mean = rng.uniform(*traits.density)
    level = mean + traits.contrast * (0.45 * coarse + 0.55 * blobs + 0.45 * net + 0.3 * fine)
    level = level + 0.22 * ramp(nucleus, -0.5, -0.05)

    for _ in range(int(rng.integers(traits.nucleoli + 1))):
        distance, angle = radius_and_angle(rng, 0.55 * reach)
        away = grid.polar(distance * math.sin(angle), distance * math.cos(angle))[0]
        size = rng.uniform(0.55, 1.05)
        level = (
            level - 0.3 * ramp(away, size, 0.55 * size) + 0.12 * np.exp(-(((away - 1.15 * size) / 0.3) ** 2))
        )

    level = np.clip(level, -0.1, 1.15)[..., None]
    pale, dense = stain.density("chromatin_pale"), stain.density("chromatin_dense")
    return np.asarray((1.0 - level) * pale + level * dense)


def radius_and_angle(rng: np.random.Generator, reach: float) -> tuple[float, float]:
    """A random point of a disc of radius 0.8 `reach`, in polar coordinates."""
    return 0.8 * reach * math.sqrt(rng.random()), rng.uniform(-math.pi, math.pi)
