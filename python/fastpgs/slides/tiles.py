"""One tile: its cells found, cropped and judged."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastpgs import _core
from fastpgs.cells import Cells, Reference
from fastpgs.cells.find import find_in_window
from fastpgs.cells.rules import RULES
from fastpgs.cells.stain import as_levels
from fastpgs.inference.preprocess import cut_masks, cut_raw, develop, field_gain, margin_of

from .plan import Plan, Tile
from .reader import Window
from .scaled import ScaledSlide

__all__ = ["TileCells", "find_in_tile", "judge_tile"]

Pixels = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int32]

COARSE = 4
"""Pixels a pixel of the first look. The smallest nucleus that counts holds one of them wholly, in any position."""

NARROW = (1.0, 2.5)  # nuclear radii about an island that is alone: one after the other, until nothing is cut

EDGE = 2  # pixels: what comes so near to its window's border may go on beyond it

LENIENT = 1.5  # a coarse pixel may be this much nearer to another pivot, in squared distance
SPARSE = 0.6  # of a tile's pixels: if less is about nuclei, only that is searched


class _Island(NamedTuple):
    """What looks like one or more nuclei that may touch."""

    number: int  # 0: the whole tile
    windows: tuple[
        Window, ...
    ]  # where it is searched; the next one if what is found may go on beyond the last


@dataclass
class TileCells:
    """The cells that a tile owns; n of them.

    Attributes
    ----------
    box : (n, 4) int32 ndarray
        Half-open row, col, row, col in pixels of the slide at the model's pixel size; so are all numbers here.
    area, nucleus_area : (n,) int64 ndarray
    centroid : (n, 2) float64 ndarray
    masks, nuclei : list of n bool ndarrays
        Whole cell and nucleus within the box.
    crops : (n, S, S[, 3]) uint8 ndarray
    p_blast : (n,) float32 ndarray
    searched : int
        Pixels that were searched for cells.
    shown : (n, S, S) uint8 ndarray or None
        Masks of crops that are not developed yet, where the model wants them masked.
    """

    box: npt.NDArray[np.int32]
    area: npt.NDArray[np.int64]
    nucleus_area: npt.NDArray[np.int64]
    centroid: npt.NDArray[np.float64]
    masks: list[Bool]
    nuclei: list[Bool]
    crops: npt.NDArray[np.uint8]
    p_blast: npt.NDArray[np.float32]
    searched: int = 0
    shown: npt.NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.box)

    @classmethod
    def join(cls, parts: list[TileCells], crop_shape: tuple[int, ...]) -> TileCells:
        """Several as one."""

        def whole(name: str, *shape: int, dtype: Any) -> npt.NDArray[Any]:
            return np.concatenate([np.zeros((0, *shape), dtype), *(getattr(part, name) for part in parts)])

        return cls(
            box=whole("box", 4, dtype=np.int32),
            area=whole("area", dtype=np.int64),
            nucleus_area=whole("nucleus_area", dtype=np.int64),
            centroid=whole("centroid", 2, dtype=np.float64),
            masks=[mask for part in parts for mask in part.masks],
            nuclei=[mask for part in parts for mask in part.nuclei],
            crops=whole("crops", *crop_shape, dtype=np.uint8),
            p_blast=whole("p_blast", dtype=np.float32),
        )


def judge_tile(slide: ScaledSlide, plan: Plan, tile: Tile, model: Any, threads: int | None = 1) -> TileCells:
    """Find the cells of a tile and judge them."""
    cells = find_in_tile(slide, plan, tile, model.config.input)
    if len(cells):
        cells.p_blast = np.asarray(model.scores(cells.crops, threads, masks=False).p, np.float32)
    return cells


def find_in_tile(slide: ScaledSlide, plan: Plan, tile: Tile, spec: Any, *, skip: bool = True) -> TileCells:
    """Find the cells that a tile owns, and cut their crops.

    Parameters
    ----------
    slide : ScaledSlide
    plan : Plan
    tile : Tile
    spec : InputSpec
        How crops are made.
    skip : bool
        Search only about what looks like a nucleus from afar. False searches everything; the cells are the same.
    """
    reference = plan.reference
    if reference is None:
        return _developed([], plan, spec)
    whole = _grown(tile.window, reference.margin, slide.shape)
    pixels: Pixels | None = None
    near: Numbers | None = None
    windows: list[_Island] = [_Island(0, (whole,))]
    if skip:
        if slide.reduces(COARSE):
            view = slide.read(whole, COARSE)
        else:
            pixels = slide.read(whole)
            view = _averaged(pixels)
        near, boxes = _islands(view, reference, tile, whole, slide.shape)
        if not boxes:
            return _developed([], plan, spec)
        if sum(_size(box.windows[0]) for box in boxes) < SPARSE * _size(whole):
            windows = boxes

    def show(window: Window) -> Pixels:
        if pixels is None:
            return slide.read(window)
        y, x = whole[0], whole[1]
        return pixels[window[0] - y : window[2] - y, window[1] - x : window[3] - x]

    options = {name: value for name, value in spec.cells.items() if name in ("neck", "mask")}
    found = []
    searched = 0
    for island in windows:
        for window in island.windows:
            picture = show(window)
            cells, grown = find_in_window(picture, reference, **options)
            searched += _size(window)
            if window == island.windows[-1] or not _leaves(grown, window, slide.shape):
                break
        own = _owned(cells, picture, window, plan, tile, spec, near, island.number, whole)
        if own is not None:
            found.append(own)
    return replace(_developed(found, plan, spec), searched=searched)


def _leaves(grown: Bool, window: Window, shape: tuple[int, int]) -> bool:
    """Whether what grew from nuclei may go on beyond the window, within the slide."""
    top, left, bottom, right = window
    return bool(
        (top > 0 and grown[:EDGE].any())
        or (left > 0 and grown[:, :EDGE].any())
        or (bottom < shape[0] and grown[-EDGE:].any())
        or (right < shape[1] and grown[:, -EDGE:].any())
    )


def _owned(
    cells: Cells,
    picture: Pixels,
    window: Window,
    plan: Plan,
    tile: Tile,
    spec: Any,
    near: Numbers | None,
    island: int,
    whole: Window,
) -> TileCells | None:
    """The cells of a window that the tile owns and, where the window is about an island, that the island does.

    None where there are none, as there are in a window about what was no nucleus.
    """
    table = cells.table
    centroids = list(
        zip(
            (table["centroid-0"] + window[0]).tolist(),
            (table["centroid-1"] + window[1]).tolist(),
            strict=True,
        )
    )
    mine = [i for i, at in enumerate(centroids) if tile.owns(*at)]
    if island and near is not None:
        mine = [i for i in mine if near[_first_of_nucleus(cells, i, window, whole)] == island]
    if not mine:
        return None
    own = {name: table[name][mine] for name in ("label", *(f"bbox-{k}" for k in range(4)))}
    ids = own["label"].tolist()
    boxes = list(zip(*(own[f"bbox-{k}"].tolist() for k in range(4)), strict=True))
    cutouts = [(slice(a, c), slice(b, d)) for a, b, c, d in boxes]
    margin = margin_of(spec)
    shown = Cells(cells.labels, cells.nuclei, own)
    return TileCells(
        box=np.array(boxes, np.int32) + np.array([window[0], window[1]] * 2, np.int32),
        area=table["area"][mine],
        nucleus_area=table["nucleus_area"][mine],
        centroid=np.array([centroids[i] for i in mine], np.float64),
        masks=[cells.labels[at] == i for at, i in zip(cutouts, ids, strict=True)],
        nuclei=[cells.nuclei[at] == i for at, i in zip(cutouts, ids, strict=True)],
        crops=cut_raw(picture, shown, spec, np.asarray(plan.level), margin),
        p_blast=np.zeros(len(mine), np.float32),
        shown=cut_masks(shown, spec, margin) if spec.masked else None,
    )


def _developed(found: list[TileCells], plan: Plan, spec: Any) -> TileCells:
    """The cells of all windows as those of one tile, their crops as the network wants them."""
    side = spec.size + 2 * margin_of(spec)
    joined = TileCells.join(found, (side, side, 3))
    shown = [part.shown for part in found if part.shown is not None]
    masks = np.concatenate([np.zeros((0, side, side), np.uint8), *shown]) if spec.masked else None
    joined.crops = develop(joined.crops, masks, field_gain(np.asarray(plan.level), spec), spec)
    return joined


def _first_of_nucleus(cells: Cells, i: int, window: Window, whole: Window) -> tuple[int, int]:
    """Where, from afar, the first pixel of a cell's nucleus lies: in all windows that show the cell the same."""
    a, b, c, d = (int(cells.table[f"bbox-{k}"][i]) for k in range(4))
    inside = cells.nuclei[a:c, b:d] == cells.table["label"][i]
    row, col = divmod(int(inside.argmax()), d - b)
    return (row + a + window[0] - whole[0]) // COARSE, (col + b + window[1] - whole[1]) // COARSE


def _islands(
    view: Pixels, reference: Reference, tile: Tile, whole: Window, shape: tuple[int, int]
) -> tuple[Numbers, list[_Island]]:
    """Islands of what looks like nuclei from afar.

    Returns
    -------
    near : int32 ndarray
        For each pixel of the view the number of the nearest island, from 1; 0 where there is none at all.
    windows : list of _Island
        Islands that may hold a cell of the tile, each with a margin: as wide as a cell where no other island is
        near, and else as wide as neighbours matter.
    """
    # Nuclei that may touch are one island.
    apart = max(1.0, reference.radius / COARSE)
    islands, near, places = _core.islands(as_levels(view), RULES, reference, LENIENT, apart)
    boxes = places * COARSE + [whole[0], whole[1]] * 2
    n = len(boxes)
    ranks = (islands, np.where(islands > 0, n + 1 - islands, 0))
    windows = []
    for i, box in enumerate(boxes.tolist(), start=1):
        reach = _grown(box, int(reference.cell), shape)
        top, left, bottom, right = tile.window
        if reach[0] < bottom and top < reach[2] and reach[1] < right and left < reach[3]:
            wide = _within(_grown(box, reference.margin, shape), whole)
            narrow = [_within(_grown(box, math.ceil(r * reference.radius), shape), whole) for r in NARROW]
            alone = (window for window in narrow if _shows_only(i, n, ranks, window, whole))
            windows.append(_Island(i, (*alone, wide)))
    return near, windows


def _shows_only(i: int, n: int, ranks: tuple[Numbers, Numbers], window: Window, whole: Window) -> bool:
    """Whether a window shows no other of ``n`` islands than the i-th; ``ranks`` number them, and backwards."""
    rows = slice((window[0] - whole[0]) // COARSE, -(-(window[2] - whole[0]) // COARSE))
    cols = slice((window[1] - whole[1]) // COARSE, -(-(window[3] - whole[1]) // COARSE))
    last, first = (int(rank[rows, cols].max()) for rank in ranks)
    return last <= i and first <= n + 1 - i


def _averaged(pixels: Pixels) -> Pixels:
    """Every `COARSE` x `COARSE` pixels averaged."""
    rows, cols = pixels.shape[:2]
    pixels = np.pad(pixels, ((0, -rows % COARSE), (0, -cols % COARSE), (0, 0)), mode="edge")
    sums = np.zeros((pixels.shape[0] // COARSE, pixels.shape[1], 3), np.uint16)
    for i in range(COARSE):
        sums += pixels[i::COARSE]
    total = np.full((sums.shape[0], sums.shape[1] // COARSE, 3), COARSE * COARSE // 2, np.uint16)
    for j in range(COARSE):
        total += sums[:, j::COARSE]
    return (total // (COARSE * COARSE)).astype(np.uint8)


def _grown(window: Window, margin: int, shape: tuple[int, int]) -> Window:
    """A window with a margin, on the grid of the first look, within the slide."""
    top, left, bottom, right = window
    return (
        max((top - margin) // COARSE * COARSE, 0),
        max((left - margin) // COARSE * COARSE, 0),
        min(-(-(bottom + margin) // COARSE) * COARSE, shape[0]),
        min(-(-(right + margin) // COARSE) * COARSE, shape[1]),
    )


def _within(window: Window, whole: Window) -> Window:
    return (
        max(window[0], whole[0]),
        max(window[1], whole[1]),
        min(window[2], whole[2]),
        min(window[3], whole[3]),
    )


def _size(window: Window) -> int:
    return (window[2] - window[0]) * (window[3] - window[1])
