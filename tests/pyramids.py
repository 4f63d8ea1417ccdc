"""Synthetic slides as files: OME-TIFF and OME-Zarr pyramids, written band by band."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastpgs import synth

Pixels = npt.NDArray[np.uint8]


def halved(picture: Pixels) -> Pixels:
    """Every two by two pixels averaged."""
    rows, cols = picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2
    blocks = picture[:rows, :cols].reshape(rows // 2, 2, cols // 2, 2, 3)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def pyramid(picture: Pixels, levels: int) -> list[Pixels]:
    """A picture and its halves, each a fourth of the pixels."""
    out = [picture]
    for _ in range(levels - 1):
        out.append(halved(out[-1]))
    return out


def write_ome_tiff(path: Path, picture: Pixels, pixel_size: float | None = 0.25, levels: int = 3) -> Path:
    """Write an OME-TIFF of lossless tiles, its levels as sub-resolutions."""
    import tifffile

    metadata: dict[str, Any] = {"axes": "YXS"}
    if pixel_size is not None:
        metadata |= {"PhysicalSizeX": pixel_size, "PhysicalSizeY": pixel_size}
        metadata |= {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    options: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb", "compression": "zlib"}
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(picture, subifds=levels - 1, metadata=metadata, **options)
        for small in pyramid(picture, levels)[1:]:
            tiff.write(small, subfiletype=1, metadata=None, **options)
    return path


def write_svs(path: Path, picture: Pixels, pixel_size: float = 0.25, magnification: float = 40) -> Path:
    """Write what a scanner of Aperio's kind writes: the slide, a thumbnail in strips, one reduced level."""
    import tifffile

    low = halved(halved(picture))
    rows, cols = picture.shape[:2]
    text = f"Aperio Image Library v12.0\r\n{cols}x{rows} [0,0 {cols}x{rows}] (256x256)"
    end = f"JPEG/RGB Q=90|AppMag = {magnification:g}|MPP = {pixel_size:g}"
    options: dict[str, Any] = {"photometric": "rgb", "compression": "jpeg", "metadata": None}
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(picture, tile=(256, 256), description=f"{text} {end}", **options)
        tiff.write(halved(low), rowsperstrip=16, description=f"{text} -> 160x160 - |{end}", **options)
        small = f"{text} -> {low.shape[1]}x{low.shape[0]} {end}"
        tiff.write(low, tile=(256, 256), description=small, **options)
    return path


def write_ome_zarr(
    path: Path, picture: Pixels, pixel_size: float = 0.25, levels: int = 3, zarr_format: int = 2
) -> Path:
    """Write an OME-Zarr image of version 0.4 (zarr 2) or 0.5 (zarr 3), its axes c, y, x."""
    import zarr

    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    for level, small in enumerate(pyramid(picture, levels)):
        array = group.create_array(
            str(level), shape=(3, *small.shape[:2]), chunks=(3, 256, 256), dtype=np.uint8
        )
        array[:] = small.transpose(2, 0, 1)
    units = [{"name": "c", "type": "channel"}]
    units += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1.0, pixel_size * 2**level, pixel_size * 2**level]}
            ],
        }
        for level in range(levels)
    ]
    scales = [{"name": "slide", "axes": units, "datasets": datasets}]
    if zarr_format == 2:
        group.attrs["multiscales"] = [{**scales[0], "version": "0.4"}]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": scales}
    return path


def write_big(path: Path, slide: synth.Slide, side: int = 512) -> Path:
    """Write a synthetic slide of any size as OME-TIFF with one reduced level, holding one row of tiles."""
    import tifffile

    rows, cols = slide.shape
    options: dict[str, Any] = {"tile": (side, side), "photometric": "rgb", "compression": "jpeg"}
    options["compressionargs"] = {"level": 90}
    size = {"PhysicalSizeX": slide.pixel_size, "PhysicalSizeY": slide.pixel_size}
    low = np.empty((rows // 4, cols // 4, 3), np.uint8)

    def tiles() -> Iterator[Pixels]:
        for top in range(0, rows, side):
            band = slide.read((top, 0, min(top + side, rows), cols))
            small = halved(halved(band))
            low[top // 4 : top // 4 + len(small)] = small[: max(0, len(low) - top // 4)]
            for left in range(0, cols, side):
                part = band[:, left : left + side]
                yield np.pad(
                    part, ((0, side - part.shape[0]), (0, side - part.shape[1]), (0, 0)), mode="edge"
                )

    with tifffile.TiffWriter(path, ome=True, bigtiff=True) as tiff:
        shape = (rows, cols, 3)
        tiff.write(
            tiles(), shape=shape, dtype=np.uint8, subifds=1, metadata={"axes": "YXS", **size}, **options
        )
        tiff.write(low, subfiletype=1, metadata=None, **options)
    return path
