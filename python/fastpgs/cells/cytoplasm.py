"""Cytoplasm: grown connectedly from the nucleus outward, through what is stained and no red cell.

Cytoplasm and red cells may be equally dark, and touch. What tells them apart is where their colours occur:
red cells' colours far from every nucleus, cytoplasm's near one. From the far ones a red-cell pivot with its
spread is taken; near pixels outside that spread start a cytoplasm pivot; both then settle as a linear
discriminant. How well they are told apart decides how far cytoplasm may reach.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _core
from . import shapes
from .nuclei import Seeds
from .reference import Reference, Tone
from .stain import Stain

__all__ = ["CytoplasmRules", "Region", "find_cytoplasm"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]


MOST_ODDS = 6.0  # no single colour decides more surely, in logits


class CytoplasmRules(NamedTuple):
    """Rules for cytoplasm. Distances from the nucleus are in radii of it, other lengths in typical radii."""

    edge: float = 0.42  # where a cell's edge lies between background (0) and cytoplasm (1)
    faint: float = 0.18  # share of the nucleus's strength from which on a pixel counts as stained
    near: float = 0.6  # cytoplasm is looked for within this distance
    far: float = 2.0  # red cells are looked for beyond this distance
    frame: float = 1.15  # or, in a tight picture, beyond this where they are cut by the frame
    blob: float = 0.2  # red cells are wider than twice this
    red: float = 0.12  # rims of cells narrower than twice this are no red cells
    opening: float = 0.1  # outgrowths narrower than twice this are cut
    tongue_core: float = 0.65  # an opening with a disc of so many inscribed radii of the cell leaves its core
    tongue_length: float = 0.35  # outgrowths of the core longer than this, in inscribed radii,
    tongue_neck: float = 0.9  # and than this many times the contact by which they hold, are neighbours
    hole: float = 0.01  # larger holes, in typical nuclear areas, may be gaps between cells
    alone: float = 0.92  # stained blobs of this solidity that touch nothing need no telling apart either
    alone_opening: float = 0.3  # where no colour tells, contacts narrower than twice this do not count
    outline: float = (
        0.1  # notches and outgrowths narrower than twice this share of a cell's inscribed radius go
    )
    vacuole: float = 0.1  # larger holes of a single cell are no vacuoles
    pale: float = 0.75  # red cells paler than this share of the cytoplasm need no telling apart
    outlier: float = 6.0  # squared Mahalanobis distance from which on a colour is not a red cell's
    even: float = 1.2  # distance at which cytoplasm and red cell are equally likely
    reach: float = 2.5  # cytoplasm ends at this distance at the latest
    halo: float = 0.2  # and at this one where its colour cannot be told


class Region(NamedTuple):
    """Where the cells are."""

    mask: Bool  # nuclei and cytoplasm
    reach: Float  # distance from the nucleus in nuclear radii
    tone: Tone


def _red_cells(stained: Bool, away: Float, seeds: Seeds, rules: CytoplasmRules) -> Bool | None:
    """Stained blobs far from every nucleus, if there are enough."""
    enough = min(0.3 * np.pi * seeds.radius**2, 0.015 * stained.size)
    blobs = shapes.open_disc(stained & (away > rules.far), rules.blob * seeds.radius)
    if np.count_nonzero(blobs) >= enough:
        return blobs
    blobs = shapes.touching_frame(shapes.open_disc(stained & (away > rules.frame), rules.blob * seeds.radius))
    return blobs if np.count_nonzero(blobs) >= enough else None


def find_cytoplasm(
    stain: Stain, seeds: Seeds, rules: CytoplasmRules, reference: Reference | None = None
) -> Region:
    """Grow all nuclei of an image into whole cells, not yet told apart.

    With a reference, its tone is used instead of the image's own.
    """
    nuclei, radius = seeds.nuclei, seeds.radius
    # In a window of a crowded slide, chains of neighbouring lobes end where the window does: there only the next
    # neighbours and theirs are looked at.
    away, halo = _core.nuclear_reach(nuclei, reference is not None, rules.halo)
    strength, ground = stain.strength, seeds.background
    if stain.surround:
        dark = _core.median(strength, nuclei)
        mask = shapes.touching(stain.valid | nuclei, nuclei)
        return Region(mask, away, Tone(dark, dark, None, rules.reach))

    odds: Float | None = None
    size = 3 if radius < 25 else 5
    if reference is None:
        tone, odds = _tone(stain, seeds, rules, away, size)
    else:
        tone = reference.tone
        if tone.model is not None:
            odds = _core.model_odds(stain.features, tone.model, MOST_ODDS, size)
    stained = (strength > ground + rules.edge * (tone.level - ground)) & stain.valid & ~nuclei
    opening = max(1.0, rules.opening * radius)
    untold = tone.limit == rules.halo
    alone: Bool | None = None
    if odds is not None:
        contact = max(1.0, rules.alone_opening * radius) if untold else opening
        alone = _alone(stained, nuclei, away, rules, radius, contact)
        red = stained & _core.against(odds, away, rules.even)
        stained &= ~shapes.open_disc(red, max(1.0, rules.red * radius))
    stained &= halo if untold else away < tone.limit
    if alone is not None:
        stained |= alone
    mask = shapes.open_disc(stained | nuclei, opening) | nuclei
    mask = shapes.fill_holes(mask, rules.hole * np.pi * radius**2) & stain.valid
    return Region(shapes.touching(mask, nuclei & stain.valid), away, tone)


def _alone(
    stained: Bool, nuclei: Bool, away: Float, rules: CytoplasmRules, radius: float, opening: float
) -> Bool:
    """Stained blobs around nuclei that touch neither other cells nor the frame: nearly convex, as one cell is.

    Whatever its colour, all of such a blob is cell. ``opening`` pixels: narrower contacts do not count.
    """
    whole = shapes.open_disc(stained | nuclei, opening) | nuclei
    whole = shapes.fill_holes(whole, rules.vacuole * np.pi * radius**2)
    return _core.parts_alone(whole, nuclei, away >= rules.reach, rules.alone) & stained


def _tone(
    stain: Stain, seeds: Seeds, rules: CytoplasmRules, away: Float, size: int
) -> tuple[Tone, Float | None]:
    """The tone of an image, and the odds of each pixel to be cytoplasm where red cells must be told apart."""
    strength, ground, nuclei = stain.strength, seeds.background, seeds.nuclei
    dark = _core.median(strength, nuclei)
    ring = (away > 0.08) & (away < rules.near) & ~nuclei & stain.valid
    ring &= strength > ground + rules.faint * (dark - ground)
    enough_ring = np.count_nonzero(ring) > 20
    level = _core.median(strength, ring) if enough_ring else dark
    stained = (strength > ground + rules.edge * (level - ground)) & stain.valid & ~nuclei
    red = _red_cells(stained, away, seeds, rules) if enough_ring else None
    if red is None or _core.median(strength, red) - ground <= rules.pale * (level - ground):
        return Tone(dark, level, None, rules.reach), None
    # Pixels near nuclei that are no red cell's start a cytoplasm pivot; both settle as Fisher's discriminant.
    *model, sure = _core.colour_model(stain.features, ring, red, rules.outlier)
    odds = _core.model_odds(stain.features, model, MOST_ODDS, size)
    told = ring & (odds > 0)
    if np.count_nonzero(told) > 20:
        level = _core.median(strength, told)
    limit = float(np.clip(rules.halo + 10.0 * (sure - 0.45), rules.halo, rules.reach))
    return Tone(dark, level, tuple(model), limit), odds
