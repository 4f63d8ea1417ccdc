"""``find_cells``: nuclei by Pivot-Growing Segmentation, cells grown from them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .. import _core, _problem
from ..segmentation import warn_not_converged
from .reference import Pivots, Reference, Tone
from .rules import RULES
from .stain import as_levels, check_mask
from .table import Cells, in_micrometres

__all__ = ["find_cells", "find_in_window", "fit_reference", "place_cells"]

Bool = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]

MAX_ITER = _core.Params().max_iter


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
        Threads, of which steps other than the segmentation use four at most; None: all permitted. With more
        than one a call takes less time on the clock where cores are idle, and more processor time.
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
    threads = _problem.check_num_threads(num_threads)
    labels, nuclei, found = _search(image, neck, mask, reference, int(k), seed, threads, measured=True)
    return Cells(labels, nuclei, in_micrometres(found.table, pixel_size))


def place_cells(
    image: npt.ArrayLike,
    *,
    k: int = 5,
    neck: float = 0.9,
    mask: Bool | None = None,
    seed: int = 0,
    num_threads: int | None = None,
) -> Cells:
    """`find_cells` for who needs only to know where cells are and how large.

    The table has but the columns ``label``, ``bbox-0`` .. ``bbox-3``, ``centroid-0``, ``centroid-1``, ``area`` and
    ``nucleus_area``, which take a fraction of the time of all.
    """
    _check(k, neck, None)
    threads = _problem.check_num_threads(num_threads)
    labels, nuclei, found = _search(image, neck, mask, None, int(k), seed, threads)
    return Cells(labels, nuclei, found.places)


def find_in_window(
    image: npt.ArrayLike, reference: Reference, *, neck: float = 0.9, mask: Bool | None = None
) -> tuple[Cells, Bool]:
    """`place_cells` by a reference, and all pixels that grew from nuclei, (H, W) bool.

    Where those touch the window's border, a cell may depend on what lies beyond, though it does not reach so far.
    """
    _check(2, neck, None)
    labels, nuclei, found = _search(image, neck, mask, reference)
    return Cells(labels, nuclei, found.places), found.grown


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
    threads = _problem.check_num_threads(num_threads)
    labels, nuclei, found = _search(image, neck, mask, None, int(k), seed, threads, even=False)
    n = int(labels.max(initial=0))
    if n == 0:
        return None
    own, depth = nuclei[nuclei > 0], found.depth[nuclei > 0]
    area = np.bincount(own, minlength=n + 1)[1:]
    inner = np.array([np.median(depth[own == i]) for i in range(1, n + 1) if area[i - 1]])
    order = np.argsort(inner, kind="stable")
    total = np.cumsum(area[area > 0][order])
    place = found.places
    sides = [place[f"bbox-{i + 2}"] - place[f"bbox-{i}"] for i in (0, 1)]
    return Reference(
        white=found.white,
        pivots=Pivots(found.pivot_features, found.pivots_nuclear, found.ground),
        tone=Tone(*found.tone),
        radius=found.radius,
        part=found.part,
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


def _search(
    image: npt.ArrayLike,
    neck: float,
    mask: Bool | None,
    reference: Reference | None,
    k: int = 2,
    seed: int = 0,
    threads: int = 1,
    measured: bool = False,
    even: bool = True,
) -> tuple[Labels, Labels, _core.SearchFound]:
    """The image's cells, their nuclei, and what was measured on the way; of each cell, too, if they are `measured`.

    Cells are found by the image's own measures or, with a reference, by those of the whole that it is a window of.
    Without one uneven light is evened, unless the image is put together of windows.
    """
    rgb = as_levels(image)
    used = None if mask is None else check_mask(mask, (rgb.shape[0], rgb.shape[1]))
    grey = np.ndim(image) == 2 or np.shape(image)[2] == 1  # a grey image tells by depth alone
    labels, nuclei, found = _core.find_cells(
        rgb, grey, used, RULES, neck, k, _problem.check_seed(seed), threads, reference, measured, even
    )
    if not found.converged:
        warn_not_converged(MAX_ITER, 4)
    return labels, nuclei, found
