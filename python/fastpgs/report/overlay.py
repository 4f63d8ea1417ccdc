"""Pictures with outlined cells."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastpgs.report.colours import p_colour

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

    from fastpgs.inference.results import CellRows

__all__ = ["THUMBNAIL_SIDE", "draw_overlay", "thumbnail", "to_8bit_rgb"]

THUMBNAIL_SIDE = 240
"""Longest side of a thumbnail in pixels."""

_CASING = (24, 20, 34)  # dark line under each outline, so that every colour stands out on glass and on stain


def to_8bit_rgb(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Any image that the pipeline judges as (H, W, 3) uint8."""
    array = np.asarray(image)
    if array.dtype == np.uint16:
        array = (array // 257).astype(np.uint8)
    elif array.dtype.kind == "f":
        array = np.rint(np.clip(np.nan_to_num(array), 0, 1) * 255).astype(np.uint8)
    if array.ndim == 2:
        array = array[..., None]
    rgb = np.broadcast_to(array[..., :3], (*array.shape[:2], 3))
    return np.ascontiguousarray(rgb, dtype=np.uint8)


def thumbnail(image: npt.NDArray[Any], side: int = THUMBNAIL_SIDE) -> bytes:
    """A small JPEG of an image, its longest side at most `side` pixels; carries no metadata."""
    from PIL import Image

    # Slicing first keeps a large 16-bit picture from being converted as a whole.
    step = max(1, min(image.shape[:2]) // (4 * side))
    small = Image.fromarray(to_8bit_rgb(image[::step, ::step]))
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = BytesIO()
    small.save(buffer, format="JPEG", quality=74, optimize=True)
    return buffer.getvalue()


def draw_overlay(image: npt.NDArray[Any], cells: CellRows) -> PilImage:
    """The image at full size with every cell outlined in the colour of its p_blast.

    The line is dotted where the call is uncertain. The number beside a cell is its id in the tables.
    """
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(to_8bit_rgb(image))
    draw = ImageDraw.Draw(picture)
    width = max(1, round(max(picture.size) / 600))
    font = ImageFont.load_default(size=max(10, round(max(picture.size) / 60)))
    for rings in cells.outline:
        for ring in rings:
            draw.line([tuple(point) for point in ring.tolist()], fill=_CASING, width=width + 2, joint="curve")
    for number, rings, p, call, box in zip(
        cells.cell, cells.outline, cells.p_blast, cells.call, cells.bbox, strict=True
    ):
        colour = p_colour(float(p))
        for ring in rings:
            points = [tuple(point) for point in ring.tolist()]
            if call == "uncertain":
                for i in range(0, len(points) - 1, 2):
                    draw.line(points[i : i + 2], fill=colour, width=width)
            else:
                draw.line(points, fill=colour, width=width, joint="curve")
        at = (int(box[1]) + width, int(box[0]) + width)
        text = f"{number}: {p:.2f}"
        draw.text(at, text, fill="white", font=font, stroke_width=2, stroke_fill=_CASING)
    return picture
