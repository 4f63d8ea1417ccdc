"""``find_cells``: nuclei by Pivot-Growing Segmentation, cells grown from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import _core
from . import shapes
from .cytoplasm import CytoplasmRules, Region, find_cytoplasm
from .nuclei import NucleusRules, Seeds, find_nuclei
from .reference import Reference
from .split import split_bodies
from .stain import Stain, stain_features
from .table import Cells, locate, measure

__all__ = ["find_cells", "find_in_window", "fit_reference"]

Bool = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]

# A cell's outline is nearly convex. One that is not has grown over its neighbours, and grows less far.
SOLID = 0.82
REACHES = (1.2, 0.8, 0.5, 0.3, 0.15, 0.0)
MANY = 8  # nuclei or lobes from which on their typical size is that of a nucleus
LARGEST = 1.1  # typical areas that lobes of one nucleus may have together
FAINTEST = 0.5  # of the typical depth of a nucleus: paler ones are clots
PALE = 0.85  # of it: paler ones are burst cells,
BLURRED = 0.6  # if at their outline depth rises by less than this share of what is typical, too
ALONE = 0.06  # of a single cell on black its nucleus takes more, even its largest lobe,
ALONE_LARGE = 0.15  # and of one that fills more than half of the picture, as fields of view do
SMALLEST = 0.15  # of the typical nuclear area: less is no cell


def find_cells(
    image: npt.ArrayLike,
    *,
    k: int = 5,
    neck: float = 0.9,
    mask: npt.NDArray[np.bool_] | None = None,
    pixel_size: float | None = None,
    seed: int = 0,
    num_threads: int | None = None,
    reference: Reference | None = None,
) -> Cells:
    """Find the white cells of a stained smear.

    Unsupervised, one set of rules for every stain, camera and magnification: all lengths are relative to the
    image's own nuclei.

    1. Pivot-Growing Segmentation of white-balanced stain features, from pivots spread over the range of the
       nuclear score; the nuclear pivots' pixels, cleaned, are rough nuclei.
    2. Cytoplasm grows connectedly from them through stained pixels that are no red cells.
    3. Cells are split where the outline has a neck; lobes within one outline stay one cell.
    4. In each cell the nucleus grows once more, within a threshold between its own and its cytoplasm's pivot, first
       of depth, then of the colour that tells the two apart.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array_like
        Stained smear; uint8, uint16, or float in [0, 1]; C = 1, 3 or 4 (alpha is ignored). A black surround
        of a single cell, or of a round field of view, is found and left out.
    k : int
        Number of pivots, at least 2.
    neck : float
        Touching cells are split where the passage is narrower than ``neck`` times the narrower cell; in (0, 1].
    mask : (H, W) bool ndarray, optional
        Pixels to use (True).
    pixel_size : float, optional
        Side of a pixel in micrometres; adds columns in micrometres to the table.
    seed : int
        Seed of the segmentation. The start is not random, so it changes nothing by default.
    num_threads : int, optional
        Threads of the segmentation; None: all permitted.
    reference : Reference, optional
        The image is a window of a larger picture: its stain and the typical sizes are those of the reference,
        which `fit_reference` measured there with the same ``k`` and ``neck``, and nothing is measured of the
        window itself. Cells nearer to the window's border than ``reference.margin`` may be incomplete.

    Returns
    -------
    Cells
        Instances, their nuclei, and a table of measurements. An image without white cells has none.

    Raises
    ------
    ValueError
        If the image, the mask or an option is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from fastpgs.cells import find_cells
    >>> len(find_cells(np.full((64, 64, 3), 240, np.uint8)))
    0
    """
    _check(k, neck, pixel_size)
    if reference is None:
        found = _search(image, int(k), neck, mask, seed, num_threads)
    else:
        found = _search_window(image, neck, mask, reference)
    return measure(found.stain.rgb, found.labels, found.nuclei, pixel_size)


def find_in_window(
    image: npt.ArrayLike, reference: Reference, *, neck: float = 0.9, mask: Bool | None = None
) -> tuple[Cells, Bool]:
    """`find_cells` by a reference, measured by `locate`, and all pixels that grew from nuclei, (H, W) bool.

    Where those touch the window's border, a cell may depend on what lies beyond, though it does not reach so far.
    """
    _check(2, neck, None)
    found = _search_window(image, neck, mask, reference)
    grown = found.labels > 0 if found.region is None else found.region.mask
    return locate(found.stain.rgb, found.labels, found.nuclei), grown


def fit_reference(
    image: npt.ArrayLike,
    *,
    k: int = 5,
    neck: float = 0.9,
    mask: npt.NDArray[np.bool_] | None = None,
    seed: int = 0,
    num_threads: int | None = None,
) -> Reference | None:
    """Measure what `find_cells` needs to know of a large picture, on a sample of it.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array_like
        Windows of the picture, put together to one image; the more nuclei they show the better.
    k, neck, mask, seed, num_threads
        As for `find_cells`.

    Returns
    -------
    Reference or None
        None where the sample shows no white cell.

    Raises
    ------
    ValueError
        If the image, the mask or an option is not as described.
    """
    _check(k, neck, None)
    found = _search(image, int(k), neck, mask, seed, num_threads)
    n = int(found.labels.max(initial=0))
    if found.seeds is None or found.region is None or n == 0:
        return None
    labels, depth = found.nuclei[found.nuclei > 0], found.stain.depth[found.nuclei > 0]
    area = np.bincount(labels, minlength=n + 1)[1:]
    inner = np.array([np.median(depth[labels == i]) for i in range(1, n + 1) if area[i - 1]])
    order = np.argsort(inner, kind="stable")
    total = np.cumsum(area[area > 0][order])
    place = locate(found.stain.rgb, found.labels, found.nuclei).table
    sides = [place[f"bbox-{i + 2}"] - place[f"bbox-{i}"] for i in (0, 1)]
    return Reference(
        white=found.stain.white,
        pivots=found.seeds.pivots,
        tone=found.region.tone,
        radius=found.seeds.radius,
        part=found.seeds.part,
        body=found.body,
        depth=float(inner[order[np.searchsorted(total, total[-1] / 2.0)]]),
        edge=found.edge,
        many=found.many,
        cell=float(np.max(sides)),
    )


def _check(k: int, neck: float, pixel_size: float | None) -> None:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 2 <= k <= 64:
        raise ValueError(f"k must be an integer in 2..64, got {k!r}")
    if not 0.0 < neck <= 1.0:
        raise ValueError(f"neck must be in (0, 1], got {neck!r}")
    if pixel_size is not None and not (np.isfinite(pixel_size) and pixel_size > 0):
        raise ValueError(f"pixel_size must be a finite number of micrometres > 0, got {pixel_size!r}")


@dataclass
class _Found:
    """The cells of an image, and what was measured on the way."""

    stain: Stain
    labels: Labels
    nuclei: Labels
    seeds: Seeds | None = None
    region: Region | None = None
    body: float = 0.0  # typical nuclear area of a cell
    edge: float = 0.0  # typical steepness of depth along the outline of a cell, levels a pixel
    many: bool = False  # enough nuclei to tell how large one is


def _search(
    image: npt.ArrayLike,
    k: int,
    neck: float,
    mask: Bool | None,
    seed: int,
    num_threads: int | None,
) -> _Found:
    """Cells of an image by its own measures."""
    stain = stain_features(image, mask)
    rules = NucleusRules()
    seeds = find_nuclei(stain, rules, k=k, seed=seed, num_threads=num_threads)
    if stain.surround and not _alone(stain, seeds):
        stain = stain_features(image, mask, single=False)
        seeds = find_nuclei(stain, rules, k=k, seed=seed, num_threads=num_threads)
    return _grow(stain, seeds, neck, None)


def _search_window(image: npt.ArrayLike, neck: float, mask: Bool | None, reference: Reference) -> _Found:
    """Cells of a window by the measures of the whole."""
    stain = stain_features(image, mask, white=reference.white)
    seeds = find_nuclei(stain, NucleusRules(), k=0, seed=0, num_threads=1, reference=reference)
    return _grow(stain, seeds, neck, reference)


def _grow(stain: Stain, seeds: Seeds | None, neck: float, reference: Reference | None) -> _Found:
    """From rough nuclei to cells."""
    none = np.zeros(stain.valid.shape, np.int32)
    found = _Found(stain, none, none.copy(), seeds)
    if seeds is not None:
        found.region = find_cytoplasm(stain, seeds, CytoplasmRules(), reference)
        _split_and_draw(found, seeds, found.region, neck, reference)
    return found


def _alone(stain: Stain, seeds: Seeds | None) -> bool:
    """Whether what lies within a black surround is one cell, not a field of them."""
    if seeds is None:
        return False
    largest = shapes.part_areas(seeds.nuclei).max()
    share = ALONE_LARGE if stain.valid.mean() > 0.5 else ALONE
    return bool(largest >= share * np.count_nonzero(stain.valid))


def _split_and_draw(
    found: _Found, seeds: Seeds, grown: Region, neck: float, reference: Reference | None
) -> None:
    """Tell touching cells apart: each body with enough nucleus grows over the whole region."""
    disc = np.pi * seeds.radius**2
    if reference is None:
        # Only a field of many nuclei tells how large one is; a picture of one cell may hold nothing but lobes.
        large = np.count_nonzero(shapes.part_areas(seeds.nuclei) >= 0.3 * disc)
        found.many = bool(large >= MANY)
    else:
        found.many = reference.many
    bodies, n, found.body = split_bodies(
        grown.mask,
        seeds.nuclei,
        neck=neck,
        vacuole=CytoplasmRules().vacuole * disc,
        least=NucleusRules().part * disc,
        most=LARGEST * disc if found.many else np.inf,
        smallest=SMALLEST,
        typical=None if reference is None else reference.body,
    )
    found.labels, found.nuclei, found.edge = _draw(found.stain, seeds, grown, bodies, n, reference)


def _draw(
    stain: Stain, seeds: Seeds, region: Region, bodies: Labels, n: int, reference: Reference | None
) -> tuple[Labels, Labels, float]:
    """Outline and nucleus of every body, and how steep an outline typically is.

    A cell's outline lies as far from its nucleus as it stays nearly convex, without what sticks out of it by a
    narrow contact, smoothed; holes up to a vacuole's size are its own. Its nucleus is grown once more, within a
    threshold of its own: the nucleus's pivot is the median depth of its members, its rival the median of the
    cell's cytoplasm (of what lies around where a cell has hardly any), and the threshold lies between the two, two
    rounds; a third goes along the axis of colour that tells this nucleus from this cytoplasm. A nucleus that is
    vaguely told even so grows anew from its deeper half. Cells far paler than the typical nucleus are left out, and
    so are burst ones, which are paler and fade into what lies around. A cell cut out on black is outlined already.
    """
    cytoplasm, rules = CytoplasmRules(), NucleusRules()
    given: dict[str, Any] = {
        "radius": seeds.radius,
        "opening": max(1.0, cytoplasm.opening * seeds.radius),
        "vacuole": cytoplasm.vacuole * np.pi * seeds.radius**2,
        "outline": cytoplasm.outline,
        "solid": 0.0 if stain.surround else SOLID,
        "faintest": FAINTEST,
        "pale": PALE,
        "blurred": 0.0 if stain.surround else BLURRED,
        "reaches": list(REACHES),
    }
    own = ("edge", "closing", "smooth", "lobe", "contrast", "skin", "vague", "rim")
    given |= {name: getattr(rules, name) for name in own}
    given |= {name: getattr(cytoplasm, name) for name in ("tongue_core", "tongue_length", "tongue_neck")}
    if reference is not None:
        given |= {"typical_depth": reference.depth, "typical_edge": reference.edge}
    return _core.draw_cells(bodies, n, seeds.nuclei, region.reach, stain.depth, stain.features, given)
