"""From the tiles of a slide to its row, its cells, its heat map and its labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fastpgs.cells import Cells
from fastpgs.inference.look import Look
from fastpgs.inference.outlines import Outlines, join, trace
from fastpgs.inference.preprocess import cut
from fastpgs.inference.results import CellRows, FieldResult

from .heatmap import draw_heatmap, write_heatmap
from .labels import write_labels
from .parts import Index, SlideFolder
from .plan import Plan, sample_of
from .scaled import ScaledSlide
from .tissue import Tissue

__all__ = ["stitch"]

WITNESSES = 128
"""Cells that tell how unlike the training images a slide is."""


def stitch(
    row: FieldResult,
    slide: ScaledSlide,
    plan: Plan,
    tissue: Tissue,
    folder: SlideFolder,
    model: Any,
    *,
    products: Path | None = None,
    stem: str = "slide",
    labels: bool = False,
    outlines: bool = False,
    thumbnail: Any = None,
    workers: int = 1,
) -> FieldResult:
    """Fill the row of a slide whose tiles are all done.

    Parameters
    ----------
    row : FieldResult
    slide, plan, tissue, folder
        The slide, and what is known of it.
    model : BlastClassifier
    products : Path, optional
        Where ``heatmaps/STEM.png`` and ``labels/STEM.ome.zarr`` go.
    stem : str
    labels : bool
        Write the labels.
    outlines : bool
        Trace polygons. They, alone of all, take memory by the cells of the whole slide.
    thumbnail : callable, optional
        Makes a small encoded picture.
    workers : int
        Threads that read.
    """
    index = folder.index(list(plan.tiles(tissue)))
    row.height, row.width = plan.native_shape
    row.note = _note(plan)
    row.cells = _rows(index, plan, folder, outlines)
    row.cells.call = [str(call) for call in model.call(index.p_blast)] if len(index) else []
    p_field = float(model.pool(index.p_blast))
    look = model.look(sample_of(slide, tissue, workers))
    novelty = _novelty(slide, plan, folder, index, model, look)
    row.reason = model.doubt(look, p_field, len(index), novelty) or None
    row.call = "uncertain" if row.reason else str(model.call(p_field, level="field"))
    row.p_blast = p_field if np.isfinite(p_field) else None
    row.novelty = novelty if np.isfinite(novelty) else None
    if products is not None or thumbnail is not None:
        picture = draw_heatmap(plan, tissue, index)
        if thumbnail is not None:
            row.thumbnail = thumbnail(picture)
        if products is not None:
            write_heatmap(products / "heatmaps" / f"{stem}.png", picture)
            if labels:
                write_labels(products / "labels" / f"{stem}.ome.zarr", plan, folder, index)
    return row


def _note(plan: Plan) -> str:
    if plan.pixel_size is None:
        return "slide; the file does not say its pixel size: taken as it is"
    size = f"slide of {plan.pixel_size:.3g} µm a pixel ({plan.pixel_size_from})"
    seen = plan.pixel_size * plan.factor
    return size if plan.factor == 1.0 else f"{size}, seen at {seen:.3g} µm"


def _rows(index: Index, plan: Plan, folder: SlideFolder, outlines: bool) -> CellRows:
    """Rows in pixels of level 0."""
    f = plan.factor
    box = np.concatenate([np.floor(index.box[:, :2] * f), np.ceil(index.box[:, 2:] * f)], axis=1)
    limit = np.array([*plan.native_shape] * 2)
    rows = CellRows(
        cell=np.arange(1, len(index) + 1, dtype=np.int32),
        bbox=np.minimum(box, limit).astype(np.int32),
        area=np.rint(index.area * f * f).astype(np.int64),
        nucleus_area=np.rint(index.nucleus_area * f * f).astype(np.int64),
        # Pixel i covers i .. i + 1.
        centroid=(index.centroid + 0.5) * f - 0.5,
        p_blast=index.p_blast,
        call=[],
    )
    if outlines:
        rows.outline = join([_ring(folder, index, i, f, nucleus=False) for i in range(len(index))])
        rows.nucleus = join([_ring(folder, index, i, f, nucleus=True) for i in range(len(index))])
    return rows


def _ring(folder: SlideFolder, index: Index, i: int, factor: float, *, nucleus: bool) -> Outlines:
    mask = folder.shape_of(index, i, nucleus).astype(np.int32)
    found = trace(mask, np.array([1]), np.array([[0, 0, *mask.shape]]))
    corner = index.box[i, 1::-1].astype(np.float32)
    return replace(found, points=(found.points + corner) * np.float32(factor))


def _novelty(
    slide: ScaledSlide,
    plan: Plan,
    folder: SlideFolder,
    index: Index,
    model: Any,
    look: Look,
) -> float:
    """How unlike the training fields the slide is, by cells evenly over it."""
    spec = model.config.input
    if not len(index):
        return float("nan")
    chosen = np.unique(np.linspace(0, len(index) - 1, min(WITNESSES, len(index))).round().astype(int))
    reach = int(np.ceil(spec.size / spec.scale)) + 2
    crops = []
    for i in chosen:
        top, left, bottom, right = (int(v) for v in index.box[i])
        window = (
            max(top - reach, 0),
            max(left - reach, 0),
            min(bottom + reach, plan.shape[0]),
            min(right + reach, plan.shape[1]),
        )
        picture = slide.read(window)
        labels = np.zeros(picture.shape[:2], np.int32)
        y, x = top - window[0], left - window[1]
        mask = folder.shape_of(index, int(i))
        labels[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
        box = (y, x, y + mask.shape[0], x + mask.shape[1])
        table = {"label": np.array([1]), **{f"bbox-{k}": np.array([v]) for k, v in enumerate(box)}}
        crops.append(cut(picture, Cells(labels, labels, table), spec, np.asarray(plan.level)))
    pictures = np.concatenate(crops)
    embeddings = model.scores(pictures, masks=False).embeddings
    return float(model.novelty(model.describe(look, index.area[chosen], pictures), embeddings))
