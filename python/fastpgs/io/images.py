"""One image file to one array, or one clear error."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "FileContent",
    "FirstFrameWarning",
    "ImageReadError",
    "Picture",
    "decode",
    "read_file",
    "read_image",
]

DEFAULT_MAX_PIXELS = 100_000_000
"""Pixels (height x width) above which a picture is refused unless the caller raises the limit."""

# Formats with well-kept decoders that run no other program (Pillow's EPS reader, for one, does).
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "JPEG2000", "PPM")
_KNOWN = "PNG, JPEG, BMP, TIFF, GIF, WebP, JPEG 2000 or PNM"
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION = 274

# Pillow's own pixel limit is a module global that cannot be set for one call.
_OPENING = threading.Lock()

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class ImageReadError(Exception):
    """A file that gave no picture.

    Attributes
    ----------
    path : str
        The file, as given.
    reason : str
        Why, in plain words, without the path.
    status : {"failed", "refused"}
        ``"failed"``: missing, unreadable or damaged. ``"refused"``: not accepted whatever its content, such
        as a named pipe, or a picture beyond the pixel limit.
    retry : bool
        The cause may pass (an I/O error, too little memory), so trying again makes sense.
    """

    def __init__(self, path: str, reason: str, *, status: str = "failed", retry: bool = False) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.status = status
        self.retry = retry


class FirstFrameWarning(UserWarning):
    """The file holds several pictures; only the first was read."""


@dataclass(frozen=True)
class FileContent:
    """The bytes of a file and what identifies them."""

    data: bytes
    mtime_ns: int

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.data)

    def sha256(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class Picture:
    """A decoded picture: ``pixels`` (H, W) or (H, W, 3), uint8 or uint16, and a ``note`` on what was left out."""

    pixels: Pixels
    note: str | None = None


def read_image(path: str | os.PathLike[str], *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Pixels:
    """Read a picture.

    The format is told by the content, not by the name. Palettes become RGB, transparency is laid over white
    (empty glass in bright field), CMYK becomes RGB, 1-bit becomes 0 and 255, 16-bit stays 16-bit; the EXIF or
    TIFF orientation is applied. Of an animation or a multi-page TIFF the first picture is read.

    Parameters
    ----------
    path : path-like
        A regular file: PNG, JPEG, BMP, TIFF (OME-TIFF included), GIF, WebP, JPEG 2000 or PNM.
    max_pixels : int
        Largest height x width that is decoded; more is refused from the header alone.

    Returns
    -------
    (H, W) or (H, W, 3) ndarray of uint8 or uint16
        Grey or RGB.

    Raises
    ------
    ImageReadError
        Whatever is wrong with the file; ``reason`` says what.

    Warns
    -----
    FirstFrameWarning
        If the file holds more than one picture.
    """
    name = os.fspath(path)
    content = read_file(path, max_bytes=byte_limit(max_pixels))
    picture = decode(content.data, name, max_pixels=max_pixels)
    if picture.note:
        warnings.warn(f"{name}: {picture.note}", FirstFrameWarning, stacklevel=2)
    return picture.pixels


def byte_limit(max_pixels: int) -> int:
    """Largest file worth reading: 16 bytes a pixel hold four 16-bit channels twice over."""
    return 16 * max_pixels + (16 << 20)


def read_file(path: str | os.PathLike[str], *, max_bytes: int) -> FileContent:
    """Content of a regular file, read once, so that it cannot change between checks.

    Raises
    ------
    ImageReadError
        Missing, unreadable, empty, too large, or not a regular file.
    """
    name = os.fspath(path)
    try:
        _refuse_special(name, os.stat(path).st_mode)  # noqa: PTH116
        # Non-blocking: should a named pipe take the file's place meanwhile, open() must not wait for a writer.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123
            info = os.fstat(file.fileno())
            _refuse_special(name, info.st_mode)
            if info.st_size > max_bytes:
                raise ImageReadError(
                    name,
                    f"the file has {info.st_size:,} bytes, more than the {max_bytes:,} that the pixel limit"
                    " implies; raise max_pixels (--max-pixels) if it is meant",
                    status="refused",
                )
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise ImageReadError(name, "no such file") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ImageReadError(name, f"cannot be read: {reason}", retry=True) from None
    except ValueError as error:  # a null byte in the name
        raise ImageReadError(name, f"not a possible file name: {error}") from None
    except MemoryError:
        raise ImageReadError(name, "not enough memory to read the file", retry=True) from None
    if not data:
        raise ImageReadError(name, "the file is empty (0 bytes)")
    return FileContent(data, info.st_mtime_ns)


def _refuse_special(name: str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    kind = kinds.get(stat.S_IFMT(mode), "a special file")
    raise ImageReadError(name, f"expected a regular file, got {kind}", status="refused")


def decode(data: bytes, name: str, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Decode the content of an image file; see `read_image`."""
    try:
        if data[:4] in _TIFF_MAGIC:
            return _decode_tiff(data, name, max_pixels)
        return _decode_pillow(data, name, max_pixels, _FORMATS)
    except ImageReadError:
        raise
    except MemoryError:
        raise ImageReadError(name, "not enough memory to decode the picture", retry=True) from None
    except Exception as error:  # a damaged file can raise anything in a decoder
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        raise ImageReadError(name, f"the picture is damaged or cut short: {detail}") from error


def _check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageReadError(
            name,
            f"{width} x {height} = {width * height:,} pixels, more than the limit of {max_pixels:,};"
            " cut out fields or raise max_pixels (--max-pixels)",
            status="refused",
        )
    if width < 1 or height < 1:
        raise ImageReadError(name, f"expected a picture with pixels, got {width} x {height}")


# --- Pillow -----------------------------------------------------------------------------------------------


def _open(data: bytes, formats: tuple[str, ...]) -> PilImage | None:
    """The picture with its header read; None if no decoder knows the format."""
    from PIL import Image, UnidentifiedImageError

    with _OPENING:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(BytesIO(data), formats=formats)
        except UnidentifiedImageError:
            return None
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _decode_pillow(data: bytes, name: str, max_pixels: int, formats: tuple[str, ...]) -> Picture:
    image = _open(data, formats)
    if image is None:
        raise ImageReadError(name, f"not a picture in a known format ({_KNOWN})")
    with image:
        _check_size(name, *image.size, max_pixels)
        frames = getattr(image, "n_frames", 1) if image.format != "MPO" else 1
        note = f"first of {frames} frames" if frames > 1 else None
        deep = image.format == "PNG" and _rawmode(image).endswith(";16B") and not image.mode.startswith("I")
        # Pillow turns a TIFF by itself while loading it, and nothing else.
        orientation = _exif_orientation(image) if image.format != "TIFF" else 1
        if deep:  # Pillow would silently reduce 16-bit colour to 8
            import imagecodecs

            pixels = _on_white(np.asarray(imagecodecs.png_decode(data)))
        else:
            image.load()
            pixels = _to_array(image, name)
    return Picture(_orient(pixels, orientation), note)


def _rawmode(image: PilImage) -> str:
    tiles = getattr(image, "tile", None) or []
    return str(tiles[0][3]) if tiles and isinstance(tiles[0][3], str) else ""


def _exif_orientation(image: PilImage) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged metadata beside a sound picture
        return 1


def _to_array(image: PilImage, name: str) -> npt.NDArray[Any]:
    mode = image.mode
    if mode == "P" and "transparency" in image.info:
        mode = "PA"
    if mode in ("L", "RGB"):
        return np.asarray(image)
    if mode == "1":
        return np.asarray(image.convert("L"))
    if mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        grey = mode in ("LA", "La")
        return _on_white(np.asarray(image.convert("LA" if grey else "RGBA")))
    if mode in ("P", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        return np.asarray(image.convert("RGB"))
    if mode.startswith("I"):
        values = np.asarray(image)
        if values.min() >= 0 and values.max() <= 65535:
            return values.astype(np.uint16)
    raise ImageReadError(
        name, f"expected 8- or 16-bit unsigned pixels, got Pillow mode {mode!r}", status="refused"
    )


def _on_white(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Lay (H, W, 2) grey + alpha or (H, W, 4) RGB + alpha over white; others pass."""
    if pixels.ndim != 3 or pixels.shape[2] not in (2, 4):
        return pixels
    white = int(np.iinfo(pixels.dtype).max)
    alpha = pixels[..., -1:].astype(np.uint64)
    colour = pixels[..., :-1].astype(np.uint64)
    flat = ((colour * alpha + white * (white - alpha) + white // 2) // white).astype(pixels.dtype)
    return flat[..., 0] if flat.shape[2] == 1 else flat


def _orient(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Apply the EXIF orientation 1..8."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


# --- TIFF -------------------------------------------------------------------------------------------------


def _decode_tiff(data: bytes, name: str, max_pixels: int) -> Picture:
    import tifffile

    with tifffile.TiffFile(BytesIO(data)) as tiff:
        series = tiff.series[0]
        page = series.keyframe
        _check_size(name, page.imagewidth, page.imagelength, max_pixels)
        if page.samplesperpixel > 4:  # before anything is decoded: 65,535 would be as good as a bomb
            raise ImageReadError(
                name, f"expected 1 to 4 samples a pixel, got {page.samplesperpixel}", status="refused"
            )
        photometric = tifffile.PHOTOMETRIC
        if page.photometric in (photometric.SEPARATED, photometric.CIELAB, photometric.ICCLAB):
            return _decode_pillow(data, name, max_pixels, ("TIFF",))
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
                pixels = _on_white(pixels) if alpha else pixels[..., : pixels.shape[2] - 1]
            if pixels.shape[2:] == (1,):
                pixels = pixels[..., 0]
        tag = page.tags.get(_ORIENTATION)
    return Picture(_orient(pixels, int(tag.value) if tag else 1), note)


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


def display_name(path: str | os.PathLike[str] | Path) -> str:
    """A file name as text that any table can hold: bytes outside UTF-8 are written as ``\\xNN``."""
    try:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a lone surrogate, which no file name can hold either
        return str(path).encode("utf-8", "backslashreplace").decode()
