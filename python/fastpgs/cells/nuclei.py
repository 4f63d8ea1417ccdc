"""The rough nuclei of an image, all at once, by pivots."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .. import _core, _problem
from ..segmentation import solve
from . import shapes
from .reference import Pivots, Reference
from .stain import OFFSET, Stain

__all__ = ["NucleusRules", "Seeds", "find_nuclei"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float64]


class NucleusRules(NamedTuple):
    """Rules for nuclei. Lengths are fractions of the image's own typical nuclear radius, areas of its area."""

    share: float = 0.55  # a pivot is nuclear if its score is above this share of the highest pivot's
    sure: float = (
        100.0  # where no pivot reaches this score (salmon red cells come to 85) only purple ones count
    )
    purple_blue: float = 0.75  # a pivot with more than this share of u in g
    purple_red: float = 0.08  # and of v in g is purple
    pale: float = 0.4  # the share of a purple pivot
    lowest: float = 40.0  # and above this score: below it there is no nucleus in the image
    stained: float = 0.4  # a pivot with more than this share of the greatest g is no glass
    redder: float = 0.05  # a shift towards red (share of v in g) against paler pivots tells a second dye
    violet: float = 0.52  # where u takes at least this share of g
    likely: float = (
        60.0  # and the score is above this; where none is, the light may have washed all colours out
    )
    faint: float = 30.0  # then a pivot above this counts
    vivid_blue: float = 0.8  # with more than this share of u in g
    vivid_red: float = 0.25  # and of v
    grey: float = 0.12  # a pivot with a smaller share of v, and no redder than paler ones, is red cells
    greyer: float = 0.1  # if the highest pivot's share of v is larger by this
    opening: float = 0.1  # bridges narrower than twice this are cut
    body: float = 0.25  # a part whose inscribed radius is smaller is a platelet or precipitate
    part: float = 0.05  # and so is a part smaller than this
    hole: float = 0.01  # larger holes are gaps between cells or lobes
    edge: float = 0.535  # where the edge of a nucleus lies between cytoplasm (0) and nucleus (1)
    closing: float = 0.04  # notches of the chromatin's texture are closed
    smooth: float = 0.06  # opening of the single nucleus
    lobe: float = 0.1  # a lobe holds at least this share of the largest lobe
    contrast: float = 0.25  # two depths this far apart (share of the deeper one) are nucleus and cytoplasm
    skin: float = 0.15  # the blurred edge of a cell, left out where its depths are compared
    vague: float = 2.75  # spreads by which what lies along an outline differs, lest it is doubted
    rim: float = 0.04  # holes of a single nucleus: share of its area


class Seeds(NamedTuple):
    """What the pivots tell of a whole image."""

    nuclei: Bool
    background: float  # strength of the background
    radius: float  # typical radius of a nucleus, pixels
    part: float  # typical area of a rough nucleus, pixels
    pivots: Pivots


def start_pivots(score: npt.NDArray[np.int16], valid: Bool, k: int) -> npt.NDArray[np.int64] | None:
    """``k`` pixels spread evenly over the range of the score: a start that does not depend on luck.

    None where the image has too few scores.
    """
    at = np.array(_core.spread_pivots(score, np.ascontiguousarray(valid), k), np.int64)
    return np.stack(np.divmod(at, score.shape[1]), axis=1) if at.size else None


def find_nuclei(
    stain: Stain,
    rules: NucleusRules,
    *,
    k: int,
    seed: int,
    num_threads: int | None,
    reference: Reference | None = None,
) -> Seeds | None:
    """Rough nuclei of an image: the pixels of its nuclear pivots, cleaned. None where there are none.

    With a reference, its pivots and typical sizes are used instead of the image's own.
    """
    if reference is None:
        found = _find_pivots(stain, rules, k, seed, num_threads)
        if found is None:
            return None
        pivots, nuclear = found
        rough = shapes.open_disc(nuclear, 1.0)
        radius = _typical_radius(rough)
    else:
        pivots, radius = reference.pivots, reference.radius
        rough = shapes.open_disc(pivots.nearest_is_nuclear(stain.features) & stain.valid, 1.0)
    if radius == 0.0:
        return None
    disc = np.pi * radius**2
    rough = shapes.fill_holes(shapes.open_disc(rough, max(1.0, rules.opening * radius)), rules.hole * disc)
    area = shapes.part_areas(rough)
    if area.size == 0:
        return None
    part = shapes.typical_area(area) if reference is None else reference.part
    keep = area >= rules.part * part
    if not stain.surround:  # a cell on black has no platelets beside it, but perhaps coarse chromatin
        keep &= shapes.inscribed_radii(rough) >= rules.body * radius
    if not keep.any():
        return None
    return Seeds(shapes.keep_parts(rough, keep), pivots.ground, radius, part, pivots)


def _find_pivots(
    stain: Stain, rules: NucleusRules, k: int, seed: int, num_threads: int | None
) -> tuple[Pivots, Bool] | None:
    """The pivots of an image, and the pixels of the nuclear ones; None where none is nuclear."""
    init = start_pivots(stain.score, stain.valid, k)
    if init is None:
        return None
    mask = None if stain.valid.all() else stain.valid
    try:
        problem = _problem.prepare(stain.features, k=k, features="raw", init=init, mask=mask, seed=seed)
        fitted = solve(problem, num_threads, inertia=False)
    except ValueError:  # fewer colours than pivots: there is nothing to tell apart
        return None
    groups = fitted.labels
    sums = _core.group_sums(groups, k, stain.score, stain.features)
    count = np.maximum(sums[:, 0], 1)
    score, green = sums[:, 1] / count, sums[:, 2] / count
    score[0], green[0] = -np.inf, np.inf
    green = np.maximum(green, 1.0)
    blue, red = ((sums[:, i] / count - OFFSET) / green for i in (3, 4))
    nuclear = _nuclear(score, green, blue, red, rules)
    if stain.surround and not nuclear.any():
        # On black no glass says what is white, so colours may mislead; but no red cells are there to be told
        # from, and depth is enough.
        depth = np.where(np.isfinite(green), green, 0.0)
        nuclear = depth > max(rules.share * depth.max(), rules.lowest)
    if not nuclear.any():
        return None
    empty = groups == int(green.argmin())
    ground = _core.median(stain.strength, empty)
    features = np.asarray(fitted.core.pivot_features, np.float64).reshape(k, 3)
    return Pivots(features, nuclear[1:], ground), _core.in_groups(groups, nuclear)


def _nuclear(score: Float, green: Float, blue: Float, red: Float, rules: NucleusRules) -> Bool:
    """Which pivots are nuclear, by their score, ``g``, and the shares of ``u`` and ``v`` in it.

    Red cells are salmon (little u) or grey-blue (little v), never purple: a pale nucleus beside very dark ones is
    told by that. Where light or dye turn all the picture purple, hue is compared within it: the dye of red cells
    keeps its hue however deep it is, nuclei are redder than what is paler.
    """
    purple = (blue > rules.purple_blue) & (red > rules.purple_red)
    paler = (score < score[:, None]) & (green > rules.stained * green[np.isfinite(green)].max())
    above = red - np.max(np.where(paler, red, -np.inf), axis=1, initial=-np.inf)
    told = paler.any(axis=1)
    redder = told & (above > rules.redder) & (blue > rules.violet) & (red > rules.purple_red)
    redder &= score > rules.likely
    grey = told & (above < rules.redder) & (red < min(rules.grey, red[score.argmax()] - rules.greyer))
    vivid = (blue > rules.vivid_blue) & (red > rules.vivid_red) & (score.max() < rules.likely)
    share = np.where(purple, rules.pale, rules.share)
    nuclear = score > np.maximum(share * score.max(), np.where(vivid, rules.faint, rules.lowest))
    if score.max() < rules.sure:
        nuclear &= purple | redder
    chosen: Bool = nuclear & ~grey
    return chosen


def _typical_radius(mask: Bool) -> float:
    return float(np.sqrt(shapes.typical_area(shapes.part_areas(mask)) / np.pi))
