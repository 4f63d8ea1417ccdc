"""Where things lie: white cells apart or in contact, red cells in between, singly and in short chains."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .erythrocytes import Disc, random_red
from .grid import Floats
from .leukocytes import WhiteCell, random_cell

Extent = tuple[float, float]
"""Height and width of a field, micrometres."""

_GAP = 0.7
"""Micrometres left between white cells that don't touch."""
_CONTACT = 0.3
"""Micrometres by which touching white cells overlap."""
_STARTS, _ROUNDS, _DARTS = 12, 12, 48
"""The field is begun anew this often; a cell gets this many rounds of this many random places in it."""


def place_whites(
    rng: np.random.Generator, kinds: Sequence[str], extent: Extent, touching: float, border: bool
) -> list[WhiteCell]:
    """Place one white cell of each of the given kinds.

    Parameters
    ----------
    rng : numpy.random.Generator
    kinds : sequence of str
        Kind of each cell, in the order of their ids.
    extent : tuple of float
        Height and width of the field, micrometres.
    touching : float
        Part of the cells, 0 to 1, that is set against an earlier cell; the others keep clear of each other.
    border : bool
        Whether the field's border may cut cells.

    Returns
    -------
    list of WhiteCell

    Raises
    ------
    ValueError
        If the cells don't fit into the field.
    """
    cells = [random_cell(kind, rng) for kind in kinds]
    n_free = max(len(cells) - round(touching * len(cells)), 1)
    # Large cells first, while there is room for them.
    order = sorted(range(min(n_free, len(cells))), key=lambda index: -cells[index].outline.reach)
    order += range(n_free, len(cells))
    most = 0
    for _ in range(_STARTS):
        placed: dict[int, WhiteCell] = {}
        for index in order:
            cell = _throw(rng, cells[index], list(placed.values()), extent, index >= n_free, border)
            if cell is None:
                break
            placed[index] = cell
        else:
            return [placed[index] for index in range(len(cells))]
        most = max(most, len(placed))
    raise ValueError(
        f"no room for {len(cells)} white cells in a field of {extent[0]:.1f} x {extent[1]:.1f} um: "
        f"{most} were placed; ask for fewer cells, a larger shape or a larger pixel_size"
    )


def _throw(
    rng: np.random.Generator,
    cell: WhiteCell,
    placed: Sequence[WhiteCell],
    extent: Extent,
    against_another: bool,
    border: bool,
) -> WhiteCell | None:
    """The cell at a random place where it fits among the placed ones; None where none was found."""
    for _ in range(_ROUNDS):
        darts = _beside(rng, cell, placed) if against_another else _anywhere(rng, cell, extent, border)
        fits = _inside(darts, cell, extent, border) & _clear(darts, cell, placed, against_another)
        if fits.any():
            y, x = darts[int(np.argmax(fits))]
            return replace(cell, y=float(y), x=float(x))
    return None


def _margin(cell: WhiteCell, border: bool) -> float:
    """How far inside the field a cell's centre must lie; a cut cell keeps a good part of its nucleus."""
    return 0.3 * cell.outline.radius if border else cell.outline.reach + 0.5


def _anywhere(rng: np.random.Generator, cell: WhiteCell, extent: Extent, border: bool) -> Floats:
    margin = _margin(cell, border)
    room = np.maximum(np.asarray(extent) - 2.0 * margin, 0.0)
    return margin + rng.random((_DARTS, 2)) * room


def _beside(rng: np.random.Generator, cell: WhiteCell, placed: Sequence[WhiteCell]) -> Floats:
    """Centres at which the cell just overlaps a random placed cell, in random directions."""
    hosts = rng.integers(len(placed), size=_DARTS)
    angles = rng.uniform(-math.pi, math.pi, size=_DARTS)
    own = cell.outline.radius_at(angles + math.pi)
    darts = np.empty((_DARTS, 2))
    for row, (host, angle) in enumerate(zip(hosts, angles, strict=True)):
        other = placed[host]
        apart = float(other.outline.radius_at(np.array([angle]))[0]) + own[row] - _CONTACT
        darts[row] = other.y + apart * math.sin(angle), other.x + apart * math.cos(angle)
    return darts


def _inside(
    darts: Floats, cell: WhiteCell, extent: Extent, border: bool
) -> np.ndarray[tuple[int], np.dtype[np.bool]]:
    margin = _margin(cell, border)
    return np.asarray(((darts >= margin) & (darts <= np.asarray(extent) - margin)).all(axis=1))


def _clear(
    darts: Floats, cell: WhiteCell, placed: Sequence[WhiteCell], against_another: bool
) -> np.ndarray[tuple[int], np.dtype[np.bool]]:
    """Whether a cell at each dart keeps clear of the placed ones (touching cells: barely overlaps any)."""
    clear = np.ones(len(darts), dtype=np.bool)
    for other in placed:
        dy, dx = darts[:, 0] - other.y, darts[:, 1] - other.x
        angle = np.arctan2(dy, dx)
        if against_another:
            contact = other.outline.radius_at(angle) + cell.outline.radius_at(angle + math.pi) - _CONTACT
            clear &= np.hypot(dy, dx) >= contact - 1e-6
        else:
            clear &= np.hypot(dy, dx) >= other.outline.reach + cell.outline.reach + _GAP
    return clear


def place_reds(
    rng: np.random.Generator, count: int, extent: Extent, whites: Sequence[WhiteCell]
) -> list[Disc]:
    """Place exactly `count` red cells, singly and in short overlapping chains.

    They keep to the room that the white cells leave as far as there is any; in a full field they overlap each
    other and slide under the white cells, so some may be hidden.
    """
    reds: list[Disc] = []
    where = np.empty((count, 3))
    taken = np.array([(cell.y, cell.x, cell.outline.radius) for cell in whites]).reshape(-1, 3)
    left_in_chain = 0
    heading = 0.0
    while len(reds) < count:
        disc = random_red(rng)
        radius = disc.outline.radius
        if left_in_chain and reds:
            angles = heading + rng.normal(0.0, 0.5, size=8)
            steps = (radius + reds[-1].outline.radius) * rng.uniform(0.5, 1.02, size=8)
            darts = np.stack(
                [reds[-1].y + steps * np.sin(angles), reds[-1].x + steps * np.cos(angles)], axis=1
            )
            apart = 0.45
        else:
            # Centres may lie outside the field, or its border would look thinly populated.
            low, high = -0.45 * radius, np.asarray(extent) + 0.45 * radius
            darts = low + rng.random((24, 2)) * (high - low)
            left_in_chain = int(rng.choice((0, 1, 2, 3, 5), p=(0.62, 0.16, 0.12, 0.06, 0.04))) + 1
            heading = rng.uniform(-math.pi, math.pi)
            apart = 0.97
        left_in_chain -= 1
        room = _room(darts, radius, taken, 0.95)
        room = np.minimum(room, _room(darts, radius, where[: len(reds)], apart))
        outside = np.maximum(-darts, darts - np.asarray(extent)).max(axis=1) - 0.5 * radius
        room = np.minimum(room, -outside)
        fits = np.flatnonzero(room >= 0.0)
        choice = int(fits[0]) if fits.size else int(np.argmax(room))
        if not fits.size and apart < 0.9:
            left_in_chain = 0
            continue
        y, x = (float(value) for value in darts[choice])
        where[len(reds)] = y, x, radius
        reds.append(replace(disc, y=y, x=x))
    return reds


def _room(darts: Floats, radius: float, taken: Floats, apart: float) -> Floats:
    """Smallest clearance (micrometres) of a disc at each dart from the rows (y, x, radius) of `taken`."""
    if not len(taken):
        return np.full(len(darts), np.inf)
    distance = np.hypot(darts[:, None, 0] - taken[:, 0], darts[:, None, 1] - taken[:, 1])
    return np.asarray((distance - apart * (taken[:, 2] + radius)).min(axis=1))


def scatter(
    rng: np.random.Generator, count: int, extent: Extent, whites: Sequence[WhiteCell]
) -> list[tuple[float, float]]:
    """`count` random places (y, x) off the white cells where that can be had within a few tries."""
    taken = np.array([(cell.y, cell.x, cell.outline.reach) for cell in whites]).reshape(-1, 3)
    places = []
    for _ in range(count):
        darts = rng.random((16, 2)) * np.asarray(extent)
        room = _room(darts, 1.0, taken, 1.0)
        fits = np.flatnonzero(room >= 0.0)
        y, x = darts[int(fits[0]) if fits.size else int(np.argmax(room))]
        places.append((float(y), float(x)))
    return places
