"""TIFF slides: OME-TIFF and the tiled pyramids that other programs write, decoded tile by tile."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from typing import Any
from xml.etree import ElementTree

import numpy as np

from .reader import MICROMETRES, ArraySlide, Level, Pixels, Slide, SlideError, Window, needs, one_size

__all__ = ["TiffSlide"]

KEPT_BYTES = 80 << 20
"""Decoded tiles of a level that are kept: windows about neighbouring cells show the same ones, and looks from afar
those of the overview, which the many of the finest level would drive out if they shared the room."""


class _Kept:
    """Tiles of a level, the last ones that were asked for."""

    def __init__(self) -> None:
        self._tiles: OrderedDict[int, Pixels] = OrderedDict()
        self._held = 0

    def get(self, index: int) -> Pixels | None:
        found = self._tiles.get(index)
        if found is not None:
            self._tiles.move_to_end(index)
        return found

    def add(self, index: int, tile: Pixels) -> None:
        if index not in self._tiles:
            self._tiles[index] = tile
            self._held += tile.nbytes
        while self._held > KEPT_BYTES and len(self._tiles) > 1:
            self._held -= self._tiles.popitem(last=False)[1].nbytes


class TiffSlide(Slide):
    """A pyramid in a TIFF file; any number of threads may read it.

    Pages of interleaved colours are decoded here. Other layouts (planes, stacks) go through zarr.
    """

    def __init__(self, path: str) -> None:
        import tifffile

        self.path = path
        try:
            self._tiff = tifffile.TiffFile(path)
        except Exception as error:
            raise SlideError(
                f"not a TIFF file that can be read: {' '.join(str(error).split())[:200]}"
            ) from error
        self._lock = threading.Lock()
        self._kept: list[_Kept] = []
        self._planes: ArraySlide | None = None
        try:
            if not len(self._tiff.pages):
                raise SlideError("not a TIFF file that can be read: it holds no picture")
            self._open()
        except (SlideError, ModuleNotFoundError):
            self.close()
            raise
        except Exception as error:
            self.close()
            raise SlideError(f"the TIFF file is damaged: {' '.join(str(error).split())[:200]}") from error

    def _open(self) -> None:
        series = self._tiff.series[0]
        axes = series.axes.lower().replace("s", "c")
        self._pages: list[Any] = [level.pages[0] for level in series.levels]
        first = self._pages[0]
        if axes == "yxc" and all(_interleaved(page) for page in self._pages):
            if first.samplesperpixel not in (3, 4):
                raise SlideError(f"expected a colour slide with 3 or 4 channels, got {first.samplesperpixel}")
            shapes = [(int(page.imagelength), int(page.imagewidth)) for page in self._pages]
            self.levels = tuple(
                Level(shape, (shapes[0][0] / shape[0] + shapes[0][1] / shape[1]) / 2.0) for shape in shapes
            )
        else:
            try:
                import zarr
            except ModuleNotFoundError as error:
                raise needs("zarr", "reading a TIFF slide of this layout") from error
            arrays = [zarr.open(series.aszarr(level=i), mode="r") for i in range(len(series.levels))]
            self._planes = ArraySlide(self.path, arrays, axes)
            self.levels = self._planes.levels
        self._kept = [_Kept() for _ in self.levels]
        self.pixel_size, self.magnification = tiff_scale(self._tiff)

    def _read(self, level: int, window: Window) -> Pixels:
        if self._planes is not None:
            return self._planes.read(level, window)
        top, left, bottom, right = window
        page = self._pages[level]
        high, wide = page.chunks[:2]
        across = -(-page.imagewidth // wide)
        out = np.empty((bottom - top, right - left, 3), np.uint8)
        for row in range(top // high, -(-bottom // high)):
            for col in range(left // wide, -(-right // wide)):
                tile = self._tile(level, row * across + col)
                y, x = row * high, col * wide
                y0, x0 = max(y, top), max(x, left)
                y1, x1 = min(y + high, bottom), min(x + wide, right)
                out[y0 - top : y1 - top, x0 - left : x1 - left] = tile[y0 - y : y1 - y, x0 - x : x1 - x]
        return out

    def _tile(self, level: int, index: int) -> Pixels:
        page = self._pages[level]
        with self._lock:
            found = self._kept[level].get(index)
            if found is not None:
                return found
            data = None
            if size := page.databytecounts[index]:
                file = self._tiff.filehandle
                file.seek(page.dataoffsets[index])
                data = file.read(size)
                if len(data) != size:
                    raise SlideError(f"cut short: expected {size} bytes of tile {index}, got {len(data)}")
        tile = _decode(page, data, index)
        with self._lock:
            self._kept[level].add(index, tile)
        return tile

    def close(self) -> None:
        """Close the file."""
        self._kept.clear()
        self._tiff.close()


def _interleaved(page: Any) -> bool:
    return (
        page is not None
        and page.planarconfig == 1
        and page.imagedepth == 1
        and page.dtype in (np.uint8, np.uint16)
    )


def _decode(page: Any, data: bytes | None, index: int) -> Pixels:
    """Pixels of one tile; where nothing was scanned there is glass."""
    values = None
    if data is not None:
        values = page.decode(data, index, jpegtables=page.jpegtables)[0]
    if values is None:
        return np.full((*page.chunks[:2], 3), 255, np.uint8)
    pixels = np.asarray(values)[0, ..., :3]
    if pixels.dtype == np.uint16:
        pixels = (pixels.astype(np.uint32) * 255 + 32767) // 65535
    return np.ascontiguousarray(pixels, np.uint8)


def tiff_scale(tiff: Any) -> tuple[float | None, float | None]:
    """Pixel size and magnification: from the OME-XML, a scanner's description, or the resolution tags."""
    if tiff.ome_metadata:
        return _ome_scale(tiff.ome_metadata)
    text = tiff.pages[0].description or ""
    size = re.search(r"\bMPP\s*=\s*([0-9.]+)", text)
    power = re.search(r"\bAppMag\s*=\s*([0-9.]+)", text)
    if size or power:
        return float(size[1]) if size else None, float(power[1]) if power else None
    tags = tiff.pages[0].tags
    unit = {2: 25400.0, 3: 10000.0}.get(int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 0)
    if unit is not None and "XResolution" in tags:
        number, over = tags["XResolution"].value
        if number and over and 0.02 < (found := unit * over / number) < 10.0:  # 72 dots an inch say nothing
            return found, None
    return None, None


def _ome_scale(text: str) -> tuple[float | None, float | None]:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None, None
    pixels = root.find(".//{*}Pixels")
    objective = root.find(".//{*}Objective")
    magnification = objective.get("NominalMagnification") if objective is not None else None
    size = None
    if pixels is not None:
        sides = [
            float(value) * MICROMETRES.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"), np.nan)
            for axis in "XY"
            if (value := pixels.get(f"PhysicalSize{axis}"))
        ]
        size = one_size(sides)
    return size, float(magnification) if magnification else None
