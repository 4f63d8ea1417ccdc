"""How a run works, and which of its settings go together."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastpgs.io.images import DEFAULT_MAX_PIXELS

__all__ = [
    "FORMATS",
    "TILE",
    "SlideOptions",
    "StreamOptions",
    "check_options",
    "row_options",
    "slide_options",
]

FORMATS = ("csv", "labels", "overlays", "geojson", "coco")
"""What can be written beside the two parquet tables."""

TILE = 2048
"""Pixels of a side of a slide's tiles: two of them at a time fit into a gigabyte."""

SMALLEST_TILE = 256


@dataclass(frozen=True)
class StreamOptions:
    """How the stages work.

    Attributes
    ----------
    max_pixels : int
        Larger pictures are refused.
    batch_size : int
        Cells a batch.
    workers : int
        Threads that find cells.
    readers : int
        Threads that read files.
    judges : int
        Threads that run the model, a batch each.
    threads : int, optional
        Threads within a picture; default: the processors divided among the workers.
    zoom : float
        Pixels of the model's size a pixel of the pictures, `fastpgs.inference.classifier.BlastClassifier.zoom`.
    outlines : bool
        Trace polygons.
    labels : bool
        Keep label images in the results.
    pixels : bool
        Keep the pictures in the results.
    thumbnail : callable, optional
        Makes a small encoded picture of an image.
    """

    max_pixels: int = DEFAULT_MAX_PIXELS
    batch_size: int = 64
    workers: int = 1
    readers: int = 1
    judges: int = 1
    threads: int | None = None
    zoom: float = 1.0
    outlines: bool = False
    labels: bool = False
    pixels: bool = False
    thumbnail: Callable[[npt.NDArray[Any]], bytes] | None = None


@dataclass(frozen=True)
class SlideOptions:
    """How whole slides are judged, each by itself; see `fastpgs.slides`.

    Attributes
    ----------
    tile : int
        Side of a tile in pixels of the model's size. The cells do not depend on it; memory does.
    pixel_size : float or None
        Micrometres a pixel of level 0, where files are wrong or silent.
    folder : Path or None
        Where tiles are saved, a folder a slide; None: nowhere that lasts.
    products : Path or None
        Where heat maps and labels go.
    labels : bool
        Write labels, too.
    outlines : bool
        Trace polygons.
    """

    tile: int
    pixel_size: float | None = None
    folder: Path | None = None
    products: Path | None = None
    labels: bool = False
    outlines: bool = False


def check_options(
    out: Any,
    lazy: bool,
    formats: Collection[str],
    resume: bool,
    restart: bool,
    shard: tuple[int, int] | None,
    batch_size: int | None,
    workers: int | None,
    max_pixels: int,
) -> None:
    unknown = sorted(set(formats) - set(FORMATS))
    if isinstance(formats, str) or unknown:
        raise ValueError(f"formats must be a collection of {', '.join(FORMATS)}, got {formats!r}")
    if out is None and (formats or resume or restart or shard):
        raise ValueError("formats, resume, restart and shard need an output folder: pass out=")
    if lazy and out is not None:
        raise ValueError("lazy=True writes nothing; leave out=None")
    if resume and restart:
        raise ValueError("resume keeps what restart discards; pass one of them")
    if shard is not None and not (len(shard) == 2 and 1 <= shard[0] <= shard[1]):
        raise ValueError(f"shard must be (i, n) with 1 <= i <= n, got {shard!r}")
    for name, value in (("batch_size", batch_size), ("workers", workers), ("max_pixels", max_pixels)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def slide_options(tile: int, pixel_size: float | None) -> SlideOptions:
    if isinstance(tile, bool) or tile < SMALLEST_TILE:
        raise ValueError(f"tile must be at least {SMALLEST_TILE} pixels, got {tile}")
    if pixel_size is not None and not (np.isfinite(pixel_size) and pixel_size > 0):
        raise ValueError(f"pixel_size must be a finite number of micrometres > 0, got {pixel_size!r}")
    return SlideOptions(tile, pixel_size)


def row_options(options: StreamOptions) -> dict[str, Any]:
    """The options that rows depend on."""
    return {"max_pixels": options.max_pixels, "batch_size": options.batch_size}
