"""Pictures with outlined cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fastpgs.report.colours import p_colour

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

    from fastpgs.inference.results import CellRows

__all__ = ["OVERLAY_SIDE", "THUMBNAIL_SIDE", "draw_overlay", "thumbnail", "to_8bit_rgb"]

THUMBNAIL_SIDE = 240
"""Longest side of a thumbnail in pixels."""

OVERLAY_SIDE = 900
"""Pixels that the longest side of an overlay picture should have at least, roughly."""

_CASING = (24, 20, 34)  # dark line under each outline, so that every colour stands out on glass and on stain


def to_8bit_rgb(image: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Any image that the pipeline judges as (H, W, 3) uint8."""
    array = np.asarray(image)
    if array.dtype == np.uint8 and array.shape[2:] == (3,):  # as most are
        return np.ascontiguousarray(array)
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
    import imagecodecs  # which takes arrays as they are: half of Pillow's time, the same bytes

    # Slicing first keeps a large 16-bit picture from being converted as a whole.
    step = max(1, min(image.shape[:2]) // (4 * side))
    small = to_8bit_rgb(image[::step, ::step])
    if max(small.shape[:2]) > side:
        from PIL import Image

        picture = Image.fromarray(small)
        picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
        small = np.asarray(picture)
    return bytes(imagecodecs.jpeg8_encode(small, level=74, subsampling="420"))


def draw_overlay(image: npt.NDArray[Any], cells: CellRows) -> PilImage:
    """The image with every cell outlined in the colour of its p_blast.

    The line is dashed where the call is uncertain. Beside a cell stand its id in the tables and its p_blast.
    Pictures smaller than `OVERLAY_SIDE` are enlarged by a whole factor, so that the lines stay thin.
    """
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(to_8bit_rgb(image))
    zoom = max(1, round(OVERLAY_SIDE / max(picture.size)))
    if zoom > 1:
        picture = picture.resize((picture.width * zoom, picture.height * zoom), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    width = max(2, round(max(picture.size) / 450))
    size = max(12, round(max(picture.size) / 70))
    font = ImageFont.load_default(size=size)
    outlines = [[_points(ring, zoom) for ring in rings] for rings in cells.outline or [[]] * len(cells)]
    for rings in outlines:
        for points in rings:
            draw.line(points, fill=_CASING, width=width + 2, joint="curve")
    for rings, p, call in zip(outlines, cells.p_blast, cells.call, strict=True):
        for points in rings:
            for piece in _dashes(points, 5 * width) if call == "uncertain" else [points]:
                draw.line(piece, fill=p_colour(float(p)), width=width, joint="curve")
    for number, p, box in zip(cells.cell, cells.p_blast, cells.bbox, strict=True):
        top, left, bottom, _ = (int(side) * zoom for side in box)
        above = top - size - width - 2
        at = (max(2, left), above if above >= 0 else min(bottom + width, picture.height - size - 2))
        draw.text(at, f"{number}: {p:.2f}", fill="white", font=font, stroke_width=2, stroke_fill=_CASING)
    return picture


def _points(ring: npt.NDArray[np.float32], zoom: int) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in ring * zoom]


def _dashes(points: list[tuple[float, float]], length: float) -> list[list[tuple[float, float]]]:
    """Pieces of a line, about as long as the gaps between them."""
    line = np.asarray(points)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    pieces = []
    for start in np.arange(0.0, along[-1], 1.6 * length):
        stop = min(start + length, along[-1])
        inside = along[(along > start) & (along < stop)]
        at = np.concatenate([[start], inside, [stop]])
        x, y = np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])
        pieces.append(list(zip(x.tolist(), y.tolist(), strict=True)))
    return pieces
