"""One image file to one array, or one clear error."""

from __future__ import annotations

import os
import stat
import warnings
from typing import TYPE_CHECKING, NamedTuple

from .errors import FirstFrameWarning, ImageReadError
from .raw import Raw

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

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

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class FileContent(NamedTuple):
    """The bytes of a file and what identifies them."""

    data: bytes
    mtime_ns: int

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.data)

    def sha256(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        import hashlib

        return hashlib.sha256(self.data).hexdigest()


class Picture(NamedTuple):
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
        handle = os.open(path, flags)
        try:
            info = os.fstat(handle)
            _refuse_special(name, info.st_mode)
            if info.st_size > max_bytes:
                raise ImageReadError(
                    name,
                    f"the file has {info.st_size:,} bytes, more than the {max_bytes:,} that the pixel limit"
                    " implies; raise max_pixels (--max-pixels) if it is meant",
                    status="refused",
                )
            data = _read_all(handle, info.st_size, max_bytes)
        finally:
            os.close(handle)
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


def _read_all(handle: int, size: int, most: int) -> bytes:
    """What is left of a file that should have ``size`` bytes, at most ``most``, should it have grown meanwhile."""
    data = os.read(handle, size + 1)  # as a rule all of it, in one go; room for the most would be gigabytes
    if len(data) == size:
        return data
    pieces, left = [data], most - len(data)
    while left > 0 and (piece := os.read(handle, min(left, 1 << 24))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


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
    raw = decode_raw(data, name, max_pixels=max_pixels)
    return Picture(raw.pixels(), raw.note)


def decode_raw(data: bytes, name: str, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Raw:
    """`decode`, to bytes; imports NumPy only for pictures that are not plain."""
    try:
        if data[:4] in _TIFF_MAGIC:
            from .tiff import decode_tiff

            return decode_tiff(data, name, max_pixels)
        from .pillow import decode_pillow

        return decode_pillow(data, name, max_pixels)
    except ImageReadError:
        raise
    except MemoryError:
        raise ImageReadError(name, "not enough memory to decode the picture", retry=True) from None
    except Exception as error:  # a damaged file can raise anything in a decoder
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        raise ImageReadError(name, f"the picture is damaged or cut short: {detail}") from error


def display_name(path: str | os.PathLike[str] | Path) -> str:
    """A file name as text that any table can hold: bytes outside UTF-8 are written as ``\\xNN``."""
    try:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a lone surrogate, which no file name can hold either
        return str(path).encode("utf-8", "backslashreplace").decode()
