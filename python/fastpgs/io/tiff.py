"""Pictures in TIFF files, which tifffile decodes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ImageReadError, check_size
from .levels import on_white, orient
from .pillow import ORIENTATION, decode_pillow
from .raw import Raw

__all__ = ["decode_tiff"]


def decode_tiff(data: bytes, name: str, max_pixels: int) -> Raw:
    """Decode the first picture of a TIFF; raises whatever tifffile raises, and `ImageReadError`."""
    import tifffile

    with tifffile.TiffFile(BytesIO(data)) as tiff:
        series = tiff.series[0]
        page = series.keyframe
        check_size(name, page.imagewidth, page.imagelength, max_pixels)
        if page.samplesperpixel > 4:  # before anything is decoded: 65,535 would be as good as a bomb
            raise ImageReadError(
                name, f"expected 1 to 4 samples a pixel, got {page.samplesperpixel}", status="refused"
            )
        photometric = tifffile.PHOTOMETRIC
        if page.photometric in (photometric.SEPARATED, photometric.CIELAB, photometric.ICCLAB):
            return decode_pillow(data, name, max_pixels, ("TIFF",))
        _refuse_truncated(tiff, name, len(data))
        pixels, note = _tiff_plane(tiff, series, name, max_pixels)
        pixels = _tiff_levels(pixels, page, name)
        if page.photometric == photometric.MINISWHITE:
            pixels = np.iinfo(pixels.dtype).max - pixels
        elif page.photometric == photometric.PALETTE and page.colormap is not None:
            pixels = np.moveaxis(page.colormap[:, pixels], 0, -1) >> 8
            pixels = pixels.astype(np.uint8)
        if pixels.ndim == 3:
            alpha = [int(sample) for sample in page.extrasamples or ()] in ([1], [2])
            if pixels.shape[2] in (2, 4):
                pixels = on_white(pixels) if alpha else pixels[..., : pixels.shape[2] - 1]
            if pixels.shape[2:] == (1,):
                pixels = pixels[..., 0]
        tag = page.tags.get(ORIENTATION)
    return Raw.of(orient(pixels, int(tag.value) if tag else 1), note)


def _refuse_truncated(tiff: Any, name: str, size: int) -> None:
    """Tifffile fills missing segments with zeros; a picture with holes must not pass for a whole one."""
    page = tiff.pages[0]
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if offset + count > size or offset == 0 or count == 0:
            raise ImageReadError(
                name, f"the picture is damaged or cut short: expected {offset + count:,} bytes, got {size:,}"
            )


def _tiff_plane(tiff: Any, series: Any, name: str, max_pixels: int) -> tuple[npt.NDArray[Any], str | None]:
    """First plane of a series as (H, W) or (H, W, C), and what was left out."""
    sizes = dict(zip(series.axes, series.shape, strict=True))
    stack = {axis: n for axis, n in sizes.items() if axis not in "YXSC" and n > 1}
    pages = max(1, int(np.prod(list(stack.values()), dtype=np.int64)), len(tiff.series))
    note = f"first of {pages} pages" if pages > 1 else None
    channels = sizes.get("C", 1)
    if channels == 1:
        array = np.asarray(series.pages[0].asarray())
        axes = series.pages[0].axes
    else:
        if "S" in sizes or channels not in (3, 4):
            raise ImageReadError(
                name, f"expected 1, 3 or 4 channels, got axes {series.axes} {series.shape}", status="refused"
            )
        if int(np.prod(series.shape, dtype=np.int64)) > 4 * max_pixels:
            raise ImageReadError(
                name,
                f"a stack of {series.shape} pixels, more than the limit of {max_pixels:,} a picture;"
                " save its planes as separate files or raise max_pixels (--max-pixels)",
                status="refused",
            )
        array, axes = np.asarray(series.asarray()), series.axes
    index = tuple(slice(None) if axis in "YXSC" else 0 for axis in axes)
    array = array[index]
    axes = "".join(axis for axis in axes if axis in "YXSC").replace("C", "S")
    if axes.count("S") > 1 or "Y" not in axes or "X" not in axes:
        raise ImageReadError(
            name, f"expected a picture, got axes {series.axes} {series.shape}", status="refused"
        )
    order = [axes.index(axis) for axis in ("YXS" if "S" in axes else "YX")]
    return np.transpose(array, order), note


def _tiff_levels(pixels: npt.NDArray[Any], page: Any, name: str) -> npt.NDArray[Any]:
    """Samples as uint8 or uint16 that use their whole range; palette indices stay."""
    bits = int(page.bitspersample)
    if pixels.dtype == bool:
        pixels, bits = pixels.astype(np.uint8), 1
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageReadError(
            name, f"expected 8- or 16-bit unsigned pixels, got {pixels.dtype.name}", status="refused"
        )
    full = 8 * pixels.dtype.itemsize
    if page.colormap is not None or bits == full:
        return pixels
    top = int(np.iinfo(pixels.dtype).max)
    scaled: npt.NDArray[Any] = (pixels.astype(np.uint32) * top // (2**bits - 1)).astype(pixels.dtype)
    return scaled
