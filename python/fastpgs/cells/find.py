"""``find_cells``: nuclei by Pivot-Growing Segmentation, cells grown from them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import shapes
from .cytoplasm import CytoplasmRules, Region, find_cytoplasm
from .nuclei import NucleusRules, Seeds, find_nuclei, nucleus_of
from .split import body_markers, merge_bodies
from .stain import Stain, stain_features
from .table import Cells, measure

__all__ = ["find_cells"]

Bool = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]

# A cell's outline is nearly convex. One that is not has grown over its neighbours, and grows less far.
SOLID = 0.82
REACHES = (1.2, 0.8, 0.5, 0.3, 0.15, 0.0)
MANY = 8  # nuclei or lobes from which on their typical size is that of a nucleus
LARGEST = 1.1  # typical areas that lobes of one nucleus may have together
FAINTEST = 0.5  # of the typical depth of a nucleus: paler ones are smudges
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
) -> Cells:
    """Find the white cells of a stained smear.

    Unsupervised, one set of rules for every stain, camera and magnification: all lengths are relative to the
    image's own nuclei.

    1. Pivot-Growing Segmentation of white-balanced stain features, from pivots spread over the range of the
       nuclear score; the nuclear pivots' pixels, cleaned, are rough nuclei.
    2. Cytoplasm grows connectedly from them through stained pixels that are no red cells.
    3. Cells are split where the outline has a neck; lobes within one outline stay one cell.
    4. In each cell the nucleus grows once more, within a threshold between its own and its cytoplasm's pivot.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array_like
        Stained smear; uint8, uint16, or float in [0, 1]; C = 1, 3 or 4 (alpha is ignored). A black surround
        of single cells is found and left out.
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
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 2 <= k <= 64:
        raise ValueError(f"k must be an integer in 2..64, got {k!r}")
    if not 0.0 < neck <= 1.0:
        raise ValueError(f"neck must be in (0, 1], got {neck!r}")
    if pixel_size is not None and not (np.isfinite(pixel_size) and pixel_size > 0):
        raise ValueError(f"pixel_size must be a finite number of micrometres > 0, got {pixel_size!r}")
    stain = stain_features(image, mask)
    labels = np.zeros(stain.valid.shape, np.int32)
    nuclei = labels.copy()
    rules = NucleusRules()
    seeds = find_nuclei(stain, rules, k=int(k), seed=seed, num_threads=num_threads)
    if seeds is not None:
        region = find_cytoplasm(stain, seeds, CytoplasmRules())
        bodies, n = _split(region.mask, seeds, neck)
        _draw(stain, seeds, region, bodies, n, rules, labels, nuclei)
    return measure(stain.rgb, labels, nuclei, pixel_size)


def _split(region: Bool, seeds: Seeds, neck: float) -> tuple[Labels, int]:
    """Tell touching cells apart: each body with enough nucleus grows over the whole region."""
    components, _ = shapes.label(region)
    depth = shapes.distance(region)
    bodies = _flood(depth, body_markers(depth, components, neck), region)
    disc = np.pi * seeds.radius**2
    # Only a field of many nuclei tells how large one is; a picture of one cell may hold nothing but lobes.
    parts, _ = shapes.label(seeds.nuclei)
    large = np.count_nonzero(np.bincount(parts[seeds.nuclei]) >= 0.3 * disc)
    most = LARGEST * disc if large >= MANY else np.inf
    bodies = merge_bodies(
        bodies, seeds.nuclei, CytoplasmRules().vacuole * disc, NucleusRules().part * disc, most
    )
    area = np.bincount(bodies.ravel(), weights=seeds.nuclei.ravel())
    area[0] = 0.0
    enough = area >= SMALLEST * shapes.typical_area(area[1:])
    enough[0] = False
    numbers = np.cumsum(enough) * enough
    markers = np.where(seeds.nuclei, numbers[bodies], 0).astype(np.int32)
    return _flood(depth, markers, region), int(enough.sum())


def _flood(depth: npt.NDArray[np.float64], markers: Labels, region: Bool) -> Labels:
    """Every pixel of the region to the marker whose basin it lies in."""
    from skimage import segmentation

    flooded: Labels = segmentation.watershed(-depth, markers, mask=region)  # type: ignore[no-untyped-call]
    return flooded


def _draw(
    stain: Stain,
    seeds: Seeds,
    region: Region,
    bodies: Labels,
    n: int,
    rules: NucleusRules,
    labels: Labels,
    nuclei: Labels,
) -> None:
    """Outline and nucleus of every body, into ``labels`` and ``nuclei``."""
    from scipy import ndimage

    drawn: list[tuple[slice, slice, Bool, Bool, float]] = []
    opening = max(1.0, CytoplasmRules().opening * seeds.radius)
    vacuole = CytoplasmRules().vacuole * np.pi * seeds.radius**2
    for i, box in enumerate(ndimage.find_objects(bodies, max_label=n), start=1):
        if box is None:
            continue
        # A margin, so that a cell's own edge is not taken for the frame.
        rows, cols = (slice(max(s.start - 2, 0), s.stop + 2) for s in box)
        body = bodies[rows, cols] == i
        rough = body & seeds.nuclei[rows, cols]
        cell = _compact(body, rough, region.reach[rows, cols], opening, vacuole)
        cell = shapes.fill_holes(cell, vacuole) & (body | (bodies[rows, cols] == 0))
        depth = stain.depth[rows, cols]
        beside = ~cell & (bodies[rows, cols] == 0)
        around = float(np.median(depth[beside])) if beside.any() else 0.0
        nucleus = nucleus_of(depth, cell, rough, around, seeds.radius, rules)
        if np.count_nonzero(nucleus) < 9:
            continue
        drawn.append((rows, cols, cell, nucleus, float(np.median(depth[nucleus]))))
    # Smudged cells and clots are far paler than nuclei: the area-weighted median depth is a nucleus's.
    order = sorted(drawn, key=lambda item: item[4])
    area = np.cumsum([np.count_nonzero(item[3]) for item in order])
    least = FAINTEST * order[int(np.searchsorted(area, area[-1] / 2.0))][4] if order else 0.0
    count = 0
    for rows, cols, cell, nucleus, inner in drawn:
        if inner >= least:
            count += 1
            labels[rows, cols][cell] = count
            nuclei[rows, cols][nucleus] = count


def _compact(body: Bool, rough: Bool, reach: npt.NDArray[np.float64], opening: float, vacuole: float) -> Bool:
    """The cell as far from its nucleus as its outline stays nearly convex."""
    cell = body
    for limit in REACHES:
        if shapes.solidity(shapes.fill_holes(cell, vacuole)) >= SOLID:
            break
        cell = shapes.open_disc(body & (reach <= limit) | rough, opening) | rough
        cell = shapes.touching(cell, rough)
    return cell
