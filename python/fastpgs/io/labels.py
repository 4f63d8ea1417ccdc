"""Arrays in, label images out: what ``fastpgs segment`` reads and writes."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .atomic import atomic_path
from .images import ImageReadError, read_image

__all__ = ["read_array", "read_mask", "write_label_image"]


def read_array(path: Path) -> npt.NDArray[Any]:
    """An image file as `read_image` has it, or the array of a ``.npy`` file.

    Raises
    ------
    ImageReadError
        If the file cannot be read. Arrays of Python objects are refused: loading them runs code.
    """
    if path.suffix.lower() != ".npy":
        return read_image(path)
    try:
        with path.open("rb") as file:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    except FileNotFoundError:
        raise ImageReadError(str(path), "no such file") from None
    except (OSError, ValueError, EOFError) as error:
        raise ImageReadError(str(path), f"no readable array: {error}") from None


def read_mask(path: Path) -> npt.NDArray[np.bool_]:
    """True where an image (any channel) or array is not 0."""
    mask: npt.NDArray[np.bool_] = read_array(path) != 0
    return mask if mask.ndim == 2 else np.asarray(mask.any(axis=2))


def write_label_image(path: Path, labels: npt.NDArray[np.int32]) -> None:
    """Write labels to ``.png`` (up to 255 of them, in colours; the pixel values are the labels), ``.tif`` or ``.npy``.

    Raises
    ------
    ValueError
        Another ending, or too many labels for it.
    """
    suffix = path.suffix.lower()
    top = int(labels.max(initial=0))
    if suffix not in (".png", ".tif", ".tiff", ".npy"):
        raise ValueError(f"labels can be written to .png, .tif or .npy, got {path.name!r}")
    if suffix == ".png" and top > 255:
        raise ValueError(f"a PNG holds up to 255 labels, got {top}; write .tif or .npy")
    with atomic_path(path) as temporary:
        if suffix == ".npy":
            with temporary.open("wb") as file:
                np.save(file, labels, allow_pickle=False)
        elif suffix == ".png":
            from PIL import Image

            picture = Image.fromarray(labels.astype(np.uint8), mode="P")
            picture.putpalette(_palette(top))
            picture.save(temporary, format="PNG")
        else:
            import tifffile

            kind = np.uint8 if top < 1 << 8 else np.uint16 if top < 1 << 16 else np.uint32
            tifffile.imwrite(temporary, labels.astype(kind), photometric="minisblack", compression="zlib")


def _palette(n: int) -> list[int]:
    """Black for 0, then colours from dark violet to light yellow, as labels go from dark to bright."""
    colours = [0, 0, 0]
    for i in range(n):
        share = i / max(1, n - 1)
        rgb = colorsys.hsv_to_rgb((0.75 + 0.4 * share) % 1.0, 0.75 - 0.4 * share, 0.5 + 0.48 * share)
        colours += [round(255 * part) for part in rgb]
    return colours
