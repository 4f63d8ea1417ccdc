"""The pictures that a page works on: in memory, few, forgotten oldest first; nothing is written to disk."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fastpgs.inference.outlines import trace
from fastpgs.inference.results import CellRows, FieldResult
from fastpgs.report.overlay import to_8bit_rgb

__all__ = ["Judged", "Picture", "Store", "judge"]


@dataclass(frozen=True)
class Judged:
    """A judged picture: its row, and for each cell the crop that the network saw and its mask map."""

    field: FieldResult
    nucleus_ratio: npt.NDArray[np.float64]
    crops: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.float32]
    zoom: float


@dataclass
class Picture:
    """An uploaded picture; the size of its pixels, in micrometres, where it is known."""

    id: str
    name: str
    pixels: npt.NDArray[Any]
    note: str | None
    pixel_size: float | None = None
    rgb: npt.NDArray[np.uint8] = field(init=False)
    judged: Judged | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.rgb = to_8bit_rgb(self.pixels)

    @property
    def size(self) -> int:
        """Pixels."""
        return int(self.rgb.shape[0]) * int(self.rgb.shape[1])


class Store:
    """At most `most` pictures with at most `max_pixels` pixels together; adding one drops the oldest."""

    def __init__(self, most: int, max_pixels: int) -> None:
        self._most, self._max_pixels = most, max_pixels
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._pictures)

    def add(
        self, name: str, pixels: npt.NDArray[Any], note: str | None, pixel_size: float | None = None
    ) -> Picture:
        """Keep a picture under a name that cannot be guessed."""
        picture = Picture(secrets.token_urlsafe(16), name, pixels, note, pixel_size)
        with self._lock:
            self._pictures[picture.id] = picture
            while len(self._pictures) > 1 and (
                len(self._pictures) > self._most
                or sum(one.size for one in self._pictures.values()) > self._max_pixels
            ):
                self._pictures.popitem(last=False)
        return picture

    def get(self, key: str) -> Picture | None:
        """The picture, which becomes the youngest; None if it is not there (any more)."""
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
            return self._pictures.get(key)


def judge(picture: Picture, model: Any, pixel_size: float | None = None) -> Judged:
    """Find and judge the cells of a picture, once for each size of its pixels (micrometres)."""
    zoom = model.zoom(pixel_size)
    with picture.lock:
        if picture.judged is None or picture.judged.zoom != zoom:
            cells = model.find_cells(picture.pixels)
            look = model.look(picture.pixels)
            crops = model.crops(picture.pixels, cells, zoom, look)
            scores = model.scores(crops)
            rows = CellRows.from_table(cells.table)
            rows.p_blast = scores.p
            rows.call = [str(call) for call in model.call(scores.p)] if len(crops) else []
            rows.outline = trace(cells.labels, rows.cell, rows.bbox)
            rows.nucleus = trace(cells.nuclei, rows.cell, rows.bbox)
            areas = cells.table["area"] * zoom**2
            described = model.describe(look, areas, crops)
            p_field = model.pool(scores.p, described.shift)
            novelty = model.novelty(described, scores.embeddings)
            reason = model.doubt(look, p_field, len(rows), novelty)
            height, width = cells.labels.shape
            field = FieldResult(
                index=0,
                image=picture.name,
                cells=rows,
                p_blast=float(p_field) if np.isfinite(p_field) else None,
                call="uncertain" if reason else str(model.call(p_field, level="field")),
                reason=reason or None,
                novelty=float(novelty) if np.isfinite(novelty) else None,
                height=height,
                width=width,
                note=picture.note,
                labels=cells.labels,
                nuclei=cells.nuclei,
            )
            picture.judged = Judged(field, cells.table["nucleus_ratio"], crops, scores.masks, zoom)
        return picture.judged
