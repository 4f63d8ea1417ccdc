"""What the page shows, as encoded pictures: the image, label overlays, crops and their mask maps."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from fastpgs.serve.store import Judged

__all__ = ["CLUSTER_COLOURS", "encode", "encode_labels", "mask_map", "seen"]

# Okabe and Ito's colours, which people with any common colour vision deficiency tell apart; then repeated.
CLUSTER_COLOURS = (
    (213, 94, 0),
    (0, 114, 178),
    (240, 228, 66),
    (0, 158, 115),
    (204, 121, 167),
    (86, 180, 233),
    (230, 159, 0),
    (40, 40, 40),
)
ZOOM = 5


def encode(rgb: npt.NDArray[np.uint8]) -> tuple[bytes, str]:
    """A picture for the browser, and its media type: PNG where it is small, else JPEG."""
    from PIL import Image

    buffer = BytesIO()
    picture = Image.fromarray(rgb)
    if rgb.shape[0] * rgb.shape[1] <= 2_000_000:
        picture.save(buffer, format="PNG", compress_level=1)
        return buffer.getvalue(), "image/png"
    picture.save(buffer, format="JPEG", quality=92, subsampling=0)
    return buffer.getvalue(), "image/jpeg"


def encode_labels(labels: npt.NDArray[np.int32]) -> bytes:
    """Labels as a PNG whose pixel values are the labels, coloured by a palette; 0 is transparent."""
    from PIL import Image

    picture = Image.fromarray(labels.astype(np.uint8))
    palette = [0, 0, 0]
    for i in range(255):
        palette += CLUSTER_COLOURS[i % len(CLUSTER_COLOURS)]
    picture.putpalette(palette)
    buffer = BytesIO()
    picture.save(buffer, format="PNG", compress_level=1, transparency=bytes([0] + [255] * 255))
    return buffer.getvalue()


def seen(judged: Judged, row: int) -> bytes:
    """The crop that the network was fed, enlarged."""
    return _enlarged(judged.crops[row])


def mask_map(judged: Judged, row: int) -> bytes:
    """The network's mask map over the grey crop: where it sees the cell that it judges."""
    crop, mask = judged.crops[row], judged.masks[row]
    grey = (crop.mean(axis=2) if crop.ndim == 3 else crop.astype(np.float64))[..., None]
    heat = np.stack([np.interp(mask, (0, 0.5, 1), levels) for levels in _HEAT], axis=2)
    return _enlarged(np.rint(0.3 * grey + 0.7 * heat).astype(np.uint8))


# Dark blue over magenta to light yellow: it rises in lightness too, so it reads without colour.
_HEAT = ((20, 190, 255), (20, 50, 245), (90, 130, 170))


def _enlarged(array: npt.NDArray[np.uint8]) -> bytes:
    from PIL import Image

    picture: Any = Image.fromarray(array)
    picture = picture.resize((array.shape[1] * ZOOM, array.shape[0] * ZOOM), Image.Resampling.BICUBIC)
    buffer = BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
