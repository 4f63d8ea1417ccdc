"""The gallery of the report: pictures with the outlines of their cells, as markup."""

from __future__ import annotations

import base64
import math
from collections.abc import Container, Iterator, Sequence
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
    from pathlib import Path

    import pyarrow as pa

    from fastpgs.inference.parts import RunFolder

__all__ = ["MAX_CARDS", "MAX_PICTURE_BYTES", "Card", "Drawing", "Drawings", "Parts", "make_cards"]

MAX_CARDS = 400
"""Pictures shown; with `MAX_PICTURE_BYTES` it bounds the size of the page."""

MAX_OUTLINES = 300  # of one picture
MAX_PICTURE_BYTES = 8_000_000  # of encoded pictures with their outlines
DASHED = ' class="dashed"'

Parts = Sequence[tuple["RunFolder", int]]


@dataclass(frozen=True)
class Drawing:
    """One picture: its JPEG, its size in pixels, and its outlines as SVG."""

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


class Card(NamedTuple):
    """One picture of the gallery, and its row."""

    row: dict[str, Any]
    drawing: Drawing


class _Block(NamedTuple):
    """The pictures of a block by the names of their inputs, and the p_blast of all its cells."""

    drawings: dict[str, Drawing]
    scores: npt.NDArray[np.float32]


class Drawings:
    """Blocks that are drawn as soon as they are saved, while others are judged: of runs that are shown whole.

    Parameters
    ----------
    inputs : int
        Of the whole run.
    """

    def __init__(self, inputs: int) -> None:
        self._few = inputs <= MAX_CARDS
        self._blocks: dict[tuple[Path, int], _Block] = {}
        self._left = MAX_PICTURE_BYTES

    def add(self, folder: RunFolder, block: int) -> None:
        """Draw a block, if all of its pictures are going to be shown, as far as can be told."""
        if self._few and self._left > 0:
            self._blocks[folder.path, block] = drawn = _draw(folder, block, None)
            self._left -= sum(drawing.bytes for drawing in drawn.drawings.values())

    def take(self, folder: RunFolder, block: int, wanted: Container[str]) -> _Block:
        """A block with those pictures that are wanted, and perhaps with others."""
        return self._blocks.pop((folder.path, block), None) or _draw(folder, block, wanted)


def make_cards(
    rows: list[dict[str, Any]], parts: Parts, drawings: Drawings
) -> tuple[list[Card], list[npt.NDArray[np.float32]]]:
    """Cards of some rows, as many as `MAX_PICTURE_BYTES` allow.

    Parameters
    ----------
    rows : list of dict
        Inputs that were judged.
    parts : sequence of (RunFolder, block)
        Where thumbnails and outlines are.
    drawings : Drawings
        What has been drawn of them.

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
        drawn = drawings.take(folder, block, wanted)
        scores.append(drawn.scores)
        for name, drawing in drawn.drawings.items():
            row = wanted.get(name)
            if row is not None and spent + drawing.bytes <= MAX_PICTURE_BYTES:
                spent += drawing.bytes
                found[row["index"]] = Card(row, drawing)
    return [found[i] for i in sorted(found)], scores


def _draw(folder: RunFolder, block: int, wanted: Container[str] | None) -> _Block:
    """The wanted pictures of a saved block; None: all."""
    listing = folder.read("images", block, ["image", "cells", "width", "height"]).to_pylist()
    shown = [wanted is None or image["image"] in wanted for image in listing]
    names = ["cell", "p_blast", "call", "outline"] if any(shown) else ["p_blast"]
    cells = folder.read("cells", block, names)
    scores = numbers(cells.column("p_blast").combine_chunks())
    if not any(shown):
        return _Block({}, scores)
    thumbnails = folder.read("images", block, ["thumbnail"]).column(0).to_pylist()
    pictures = [
        _Picture(image["image"], data if show else None, image["width"], image["height"], image["cells"] or 0)
        for image, data, show in zip(listing, thumbnails, shown, strict=True)
    ]
    return _Block(dict(_drawn(pictures, cells, folder.outlines(cells))), scores)


class _Picture(NamedTuple):
    """A picture of a block: its name, its JPEG where it is wanted, its size in pixels, and how many cells it has."""

    name: str
    jpeg: bytes | None
    width: int
    height: int
    cells: int

    @property
    def outlined(self) -> int:
        """Cells whose outlines are drawn."""
        return 0 if self.jpeg is None else min(self.cells, MAX_OUTLINES)

    @property
    def scale(self) -> float:
        """Pixels of the JPEG a pixel."""
        return min(1.0, THUMBNAIL_SIDE / max(self.width, self.height))


def _drawn(pictures: list[_Picture], cells: pa.Table, outlines: Outlines) -> Iterator[tuple[str, Drawing]]:
    """The wanted pictures of a block with their names."""
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
        own = slice(at, at + picture.outlined)
        at += picture.outlined
        if picture.jpeg is not None:
            yield (
                picture.name,
                Drawing(
                    jpeg=base64.b64encode(picture.jpeg).decode("ascii"),
                    width=math.ceil(picture.width * picture.scale),
                    height=math.ceil(picture.height * picture.scale),
                    casing="".join(paths[own]),
                    outlines="".join(elements[own]),
                    hidden=picture.cells - picture.outlined,
                ),
            )
