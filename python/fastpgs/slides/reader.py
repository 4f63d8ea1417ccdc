"""Slides as pyramids: OME-TIFF and other tiled TIFF, OME-Zarr, and what OpenSlide reads."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["OPENSLIDE_SUFFIXES", "Level", "Slide", "SlideError", "is_slide", "is_zarr_image", "open_slide"]

Pixels = npt.NDArray[np.uint8]
Window = tuple[int, int, int, int]
"""Top, left, bottom, right; half-open, pixels."""

OPENSLIDE_SUFFIXES = frozenset(
    {".svs", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".bif", ".svslide", ".dcm", ".czi"}
)
TIFF_SUFFIXES = frozenset({".tif", ".tiff", ".btf", ".tf8", ".tf2"})

MICROMETRES = {
    "m": 1e6, "cm": 1e4, "mm": 1e3, "um": 1.0, "nm": 1e-3,
    "meter": 1e6, "centimeter": 1e4, "millimeter": 1e3, "micrometer": 1.0, "nanometer": 1e-3,
    "µm": 1.0, "μm": 1.0,
}  # fmt: skip
ONE_OVER_MAGNIFICATION = 10.0
"""Micrometres a pixel at magnification 1, by the custom of scanners: 40x is 0.25."""


class SlideError(ValueError):
    """A slide that cannot be read, and why."""


@dataclass(frozen=True)
class Level:
    """One picture of a pyramid: rows and columns, and level-0 pixels a pixel."""

    shape: tuple[int, int]
    downsample: float


class Slide(ABC):
    """An open slide.

    Attributes
    ----------
    path : str
    levels : tuple of Level
        From the finest, level 0, to the coarsest.
    pixel_size : float or None
        Micrometres a pixel of level 0; None where the file does not say.
    magnification : float or None
        Of the objective.
    """

    path: str
    levels: tuple[Level, ...]
    pixel_size: float | None = None
    magnification: float | None = None

    def read(self, level: int, window: Window) -> Pixels:
        """Pixels (rows, columns, 3) of a window of a level.

        Raises
        ------
        ValueError
            The window is empty or leaves the level.
        SlideError
            The file is damaged.
        """
        top, left, bottom, right = window
        rows, cols = self.levels[level].shape
        if not (0 <= top < bottom <= rows and 0 <= left < right <= cols):
            raise ValueError(
                f"window must be (top, left, bottom, right) within level {level} of {(rows, cols)}, got {window}"
            )
        try:
            return self._read(level, window)
        except (SlideError, MemoryError):
            raise
        except Exception as error:
            detail = " ".join(str(error).split())[:200]
            raise SlideError(
                f"cannot read {window} of level {level}: {type(error).__name__}: {detail}"
            ) from error

    @abstractmethod
    def _read(self, level: int, window: Window) -> Pixels: ...

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Slide:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def is_slide(path: str | os.PathLike[str], max_pixels: int | None = None) -> bool:
    """Whether a path holds a slide: OpenSlide's by their endings, OME-Zarr folders, tiled TIFF pyramids.

    Parameters
    ----------
    path : path-like
    max_pixels : int, optional
        Tiled TIFF without a pyramid is a slide too if it has more pixels than this.
    """
    name = os.fspath(path)
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122  # asked of each input, of which most are no slides
    if suffix in OPENSLIDE_SUFFIXES:
        return True
    if is_zarr_image(name):
        return True
    if suffix not in TIFF_SUFFIXES or not Path(name).is_file():
        return False
    import tifffile

    try:
        with tifffile.TiffFile(name) as tiff:
            series = tiff.series[0]
            page = series.keyframe
            if not page.is_tiled:
                return False
            return len(series.levels) > 1 or (
                max_pixels is not None and page.imagewidth * page.imagelength > max_pixels
            )
    except Exception:  # what is wrong with the file is said where it is read
        return False


def is_zarr_image(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is an OME-Zarr image."""
    try:
        return os.path.isdir(path) and _multiscales(Path(path)) is not None  # noqa: PTH112
    except (OSError, ValueError):
        return False


def open_slide(path: str | os.PathLike[str]) -> Slide:
    """Open a slide.

    Parameters
    ----------
    path : path-like
        OME-TIFF or another tiled TIFF, an OME-Zarr folder, or a file of a scanner that OpenSlide reads.

    Raises
    ------
    SlideError
        Not a slide, damaged, or not in colour.
    ModuleNotFoundError
        The extra ``slides`` is not installed.
    """
    name = os.fspath(path)
    if not Path(name).exists():
        raise SlideError("no such file")
    if Path(name).is_dir():
        return _ZarrSlide(name)
    if Path(name).suffix.lower() in OPENSLIDE_SUFFIXES:
        return _OpenSlide(name)
    from .tiff import TiffSlide

    return TiffSlide(name)


def needs(package: str, what: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(
        f"{what} needs the package {package!r}; install it with: pip install 'fastpgs[slides]'", name=package
    )


# --- arrays of a pyramid ----------------------------------------------------------------------------------


class ArraySlide(Slide):
    """Levels that are zarr arrays with named axes."""

    def __init__(self, path: str, arrays: Sequence[Any], axes: str) -> None:
        self.path = path
        self._arrays = list(arrays)
        self._axes = axes
        if "y" not in axes or "x" not in axes:
            raise SlideError(f"expected axes with y and x, got {axes!r}")
        channel = axes.find("c")
        count = self._arrays[0].shape[channel] if channel >= 0 else 1
        if count not in (3, 4):
            raise SlideError(f"expected a colour slide with 3 or 4 channels, got {count}")
        kind = np.dtype(self._arrays[0].dtype)
        if kind not in (np.uint8, np.uint16):
            raise SlideError(f"expected uint8 or uint16 pixels, got {kind}")
        y, x = axes.index("y"), axes.index("x")
        shapes = [(int(a.shape[y]), int(a.shape[x])) for a in self._arrays]
        self.levels = tuple(
            Level(shape, (shapes[0][0] / shape[0] + shapes[0][1] / shape[1]) / 2.0) for shape in shapes
        )

    def _read(self, level: int, window: Window) -> Pixels:
        top, left, bottom, right = window
        pick = {"y": slice(top, bottom), "x": slice(left, right), "c": slice(0, 3)}
        array = self._arrays[level]
        values = np.asarray(array[tuple(pick.get(axis, 0) for axis in self._axes)])
        kept = [axis for axis in self._axes if axis in pick]
        values = values.transpose([kept.index(axis) for axis in "yxc"])
        if values.dtype == np.uint16:
            values = ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        return np.ascontiguousarray(values)

    def close(self) -> None:
        self._arrays = []


def one_size(sides: Sequence[float]) -> float | None:
    sides = [side for side in sides if np.isfinite(side) and side > 0]
    if not sides:
        return None
    if max(sides) > 1.02 * min(sides):
        raise SlideError(
            f"expected square pixels, got {' x '.join(f'{side:.4g}' for side in sides)} micrometres"
        )
    return float(np.mean(sides))


class _ZarrSlide(ArraySlide):
    def __init__(self, path: str) -> None:
        try:
            import zarr
        except ModuleNotFoundError as error:
            raise needs("zarr", "reading an OME-Zarr slide") from error
        try:
            found = _multiscales(Path(path))
        except (OSError, ValueError) as error:
            raise SlideError(f"damaged metadata: {error}") from error
        if found is None:
            raise SlideError("expected an OME-Zarr folder with 'multiscales', got another folder")
        try:
            axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in found.get("axes", "tczyx")]
            datasets = found["datasets"]
            arrays = [zarr.open_array(str(Path(path) / item["path"]), mode="r") for item in datasets]
        except Exception as error:
            raise SlideError(
                f"the OME-Zarr folder is damaged: {' '.join(str(error).split())[:200]}"
            ) from error
        names = "".join(axis["name"][0].lower() for axis in axes)
        super().__init__(path, arrays, names)
        scale: Any = [1.0] * len(names)
        for step in (
            *found.get("coordinateTransformations", ()),
            *datasets[0].get("coordinateTransformations", ()),
        ):
            if step.get("type") == "scale":
                scale = [a * b for a, b in zip(scale, step["scale"], strict=True)]
        self.pixel_size = one_size(
            [
                scale[i] * MICROMETRES[axis["unit"]]
                for i, axis in enumerate(axes)
                if axis["name"] in ("x", "y") and axis.get("unit") in MICROMETRES
            ]
        )


def _multiscales(folder: Path) -> dict[str, Any] | None:
    """The first multi-scale image of an OME-Zarr group, of version 0.4 (zarr 2) or 0.5 (zarr 3)."""
    for name in ("zarr.json", ".zattrs"):
        file = folder / name
        if file.is_file():
            values = json.loads(file.read_text(encoding="utf-8"))
            attributes = values.get("attributes", {}) if name == "zarr.json" else values
            found = attributes.get("ome", attributes).get("multiscales")
            if found:
                first: dict[str, Any] = found[0]
                return first
    return None


# --- OpenSlide --------------------------------------------------------------------------------------------


class _OpenSlide(Slide):
    def __init__(self, path: str) -> None:
        try:
            import openslide
        except (ModuleNotFoundError, OSError) as error:
            raise needs("openslide", f"reading {Path(path).suffix} slides") from error
        try:
            self._slide = openslide.OpenSlide(path)
        except Exception as error:
            raise SlideError(f"OpenSlide cannot read it: {' '.join(str(error).split())[:200]}") from error
        self.path = path
        own = self._slide
        self.levels = tuple(
            Level((rows, cols), float(downsample))
            for (cols, rows), downsample in zip(own.level_dimensions, own.level_downsamples, strict=True)
        )
        sides = [own.properties.get(f"openslide.mpp-{axis}") for axis in "xy"]
        self.pixel_size = one_size([float(side) for side in sides if side])
        power = own.properties.get("openslide.objective-power")
        self.magnification = float(power) if power else None

    def _read(self, level: int, window: Window) -> Pixels:
        top, left, bottom, right = window
        downsample = self._slide.level_downsamples[level]
        corner = (round(left * downsample), round(top * downsample))
        region = np.asarray(self._slide.read_region(corner, level, (right - left, bottom - top)))
        if (region[..., 3] == 255).all():
            return np.ascontiguousarray(region[..., :3])
        # Where nothing was scanned there is glass. OpenSlide's pixels are not premultiplied by their alpha.
        alpha = region[..., 3:].astype(np.uint16)
        flat = (region[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
        return np.ascontiguousarray(flat.astype(np.uint8))

    def close(self) -> None:
        self._slide.close()
