"""Pictures that Pillow decodes. Plain ones, as most are, need no NumPy."""

from __future__ import annotations

import threading
from io import BytesIO
from typing import TYPE_CHECKING, Any

from .errors import ImageReadError, check_size
from .raw import Raw

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL.Image import Image as PilImage

__all__ = ["ORIENTATION", "decode_pillow"]

# Formats with well-kept decoders that run no other program (Pillow's EPS reader, for one, does).
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "JPEG2000", "PPM")
KNOWN = "PNG, JPEG, BMP, TIFF, GIF, WebP, JPEG 2000 or PNM"
ORIENTATION = 274

# Pillow's own pixel limit is a module global that cannot be set for one call.
_OPENING = threading.Lock()


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


def decode_pillow(data: bytes, name: str, max_pixels: int, formats: tuple[str, ...] = FORMATS) -> Raw:
    """Decode a picture of one of the formats; raises whatever Pillow raises, and `ImageReadError`."""
    image = _open(data, formats)
    if image is None:
        raise ImageReadError(name, f"not a picture in a known format ({KNOWN})")
    with image:
        check_size(name, *image.size, max_pixels)
        frames = getattr(image, "n_frames", 1) if image.format != "MPO" else 1
        note = f"first of {frames} frames" if frames > 1 else None
        deep = image.format == "PNG" and _rawmode(image).endswith(";16B") and not image.mode.startswith("I")
        # Pillow turns a TIFF by itself while loading it, and nothing else.
        orientation = _exif_orientation(image) if image.format != "TIFF" else 1
        if not deep:
            image.load()
            if orientation == 1 and image.mode in ("L", "RGB"):
                shape = (image.height, image.width, 3)[: 2 if image.mode == "L" else 3]
                return Raw(shape, "|u1", image.tobytes(), note)
        import numpy as np

        from .levels import on_white, orient

        if deep:  # Pillow would silently reduce 16-bit colour to 8
            import imagecodecs

            pixels = on_white(np.asarray(imagecodecs.png_decode(data)))
        else:
            pixels = _to_array(image, name)
    return Raw.of(orient(pixels, orientation), note)


def _rawmode(image: PilImage) -> str:
    tiles = getattr(image, "tile", None) or []
    return str(tiles[0][3]) if tiles and isinstance(tiles[0][3], str) else ""


def _exif_orientation(image: PilImage) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged metadata beside a sound picture
        return 1


def _to_array(image: PilImage, name: str) -> npt.NDArray[Any]:
    import numpy as np

    from .levels import on_white

    mode = image.mode
    if mode == "P" and "transparency" in image.info:
        mode = "PA"
    if mode in ("L", "RGB"):
        return np.asarray(image)
    if mode == "1":
        return np.asarray(image.convert("L"))
    if mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        grey = mode in ("LA", "La")
        return on_white(np.asarray(image.convert("LA" if grey else "RGBA")))
    if mode in ("P", "CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        return np.asarray(image.convert("RGB"))
    if mode.startswith("I"):
        values = np.asarray(image)
        if values.min() >= 0 and values.max() <= 65535:
            return values.astype(np.uint16)
    raise ImageReadError(
        name, f"expected 8- or 16-bit unsigned pixels, got Pillow mode {mode!r}", status="refused"
    )
