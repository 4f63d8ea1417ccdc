"""The gallery of the report: pictures with the outlines of their cells, as markup."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastpgs.inference.columns import numbers
from fastpgs.inference.outlines import Outlines
from fastpgs.report.colours import p_css
from fastpgs.report.overlay import THUMBNAIL_SIDE
from fastpgs.report.plots import svg_paths

if TYPE_CHECKING:
    import pyarrow as pa

    from fastpgs.inference.parts import RunFolder

__all__ = ["MAX_PICTURE_BYTES", "Card", "Parts", "make_cards"]

MAX_OUTLINES = 300  # of one picture
MAX_PICTURE_BYTES = 8_000_000  # of encoded pictures with their outlines
DASHED = ' class="dashed"'

Parts = Sequence[tuple["RunFolder", int]]


@dataclass(frozen=True)
class Card:
    """One picture of the gallery: its row, its JPEG, its size in pixels, and its outlines as SVG."""

    row: dict[str, Any]
    jpeg: str
    width: int
    height: int
    casing: str
    outlines: str
    hidden: int

    @property
    def bytes(self) -> int:
        """About what it adds to the page."""
        return len(self.jpeg) + len(self.casing) + len(self.outlines) + 1500


def make_cards(rows: list[dict[str, Any]], parts: Parts) -> tuple[list[Card], list[npt.NDArray[np.float32]]]:
    """Cards of some rows, as many as `MAX_PICTURE_BYTES` allow.

    Parameters
    ----------
    rows : list of dict
        Inputs that were judged.
    parts : sequence of (RunFolder, block)
        Where thumbnails and outlines are.

    Returns
    -------
    cards : list of Card
        In the order of the inputs.
    p_blast : list of float32 ndarrays
        Of all cells of the parts, which were read on the way.
    """
    wanted = {row["image"]: row for row in rows}
    found: dict[int, Card] = {}
    scores = []
    spent = 0
    for folder, block in parts:
        listing = folder.read("images", block, ["image", "cells", "width", "height"]).to_pylist()
        shown = any(image["image"] in wanted for image in listing)
        names = ["cell", "p_blast", "call", "outline"] if shown else ["p_blast"]
        cells = folder.read("cells", block, names)
        scores.append(numbers(cells.column("p_blast").combine_chunks()))
        if not shown:
            continue
        thumbnails = folder.read("images", block, ["thumbnail"]).column(0).to_pylist()
        pictures = [
            _Picture(wanted.get(image["image"]), data, image["width"], image["height"], image["cells"] or 0)
            for image, data in zip(listing, thumbnails, strict=True)
        ]
        for picture, paths, outlines in _drawn(pictures, cells, folder.outlines(cells)):
            card = _card(picture, paths, outlines)
            if spent + card.bytes <= MAX_PICTURE_BYTES:
                spent += card.bytes
                found[card.row["index"]] = card
    return [found[i] for i in sorted(found)], scores


class _Picture(NamedTuple):
    """A picture of a block: its row where it is wanted, its JPEG, its size in pixels, and how many cells it has."""

    row: dict[str, Any] | None
    jpeg: bytes | None
    width: int
    height: int
    cells: int

    @property
    def outlined(self) -> int:
        """Cells whose outlines are drawn."""
        return 0 if self.row is None or self.jpeg is None else min(self.cells, MAX_OUTLINES)

    @property
    def scale(self) -> float:
        """Pixels of the JPEG a pixel."""
        return min(1.0, THUMBNAIL_SIDE / max(self.width, self.height))


def _drawn(
    pictures: list[_Picture], cells: pa.Table, outlines: Outlines
) -> Iterator[tuple[_Picture, list[str], list[str]]]:
    """Of each wanted picture of a block the paths of its cells, and their elements."""
    chosen = [i < picture.outlined for picture in pictures for i in range(picture.cells)]
    scale = [picture.scale for picture in pictures for _ in range(picture.outlined)]
    paths = svg_paths(outlines.some(np.array(chosen, bool)), np.array(scale, np.float64))
    columns = (cells.column(name).to_pylist() for name in ("cell", "p_blast", "call"))
    ids, scores, calls = (list(compress(column, chosen)) for column in columns)
    elements = [
        # Numbers, colours and the three calls: nothing to escape.
        f'<path d="{path}" stroke="{colour}"{DASHED if call == "uncertain" else ""} data-n="{number}" data-p="{p}"'
        f' data-call="{call}"><title>cell {number}: p_blast {p:.2f}, {call}</title></path>'
        for path, colour, number, p, call in zip(
            paths, p_css(np.array(scores)), ids, [round(p, 3) for p in scores], calls, strict=True
        )
    ]
    at = 0
    for picture in pictures:
        if picture.row is not None and picture.jpeg is not None:
            own = slice(at, at + picture.outlined)
            yield picture, paths[own], elements[own]
        at += picture.outlined


def _card(picture: _Picture, paths: list[str], elements: list[str]) -> Card:
    assert picture.row is not None and picture.jpeg is not None  # noqa: PT018
    return Card(
        row=picture.row,
        jpeg=base64.b64encode(picture.jpeg).decode("ascii"),
        width=math.ceil(picture.width * picture.scale),
        height=math.ceil(picture.height * picture.scale),
        casing="".join(paths),
        outlines="".join(elements),
        hidden=picture.cells - picture.outlined,
    )
