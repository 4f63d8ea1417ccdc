"""Where the blasts are: an overview of a slide, its cells on it coloured by their probability."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastpgs.io.atomic import atomic_path
from fastpgs.report.colours import p_colour

from .parts import Index
from .plan import Plan
from .tissue import Tissue

__all__ = ["draw_heatmap", "write_heatmap"]

SIDE = 1024  # pixels of the longer side
BIN = 8  # pixels of the picture that are averaged
VEIL = 0.6  # of the picture's colours that the overview gives way to white
MOST = 0.9  # opacity where there are cells


def draw_heatmap(plan: Plan, tissue: Tissue, index: Index) -> npt.NDArray[np.uint8]:
    """Draw the heat map.

    Every bin that holds cells has the colour of their mean p_blast; the fuller it is, against the fullest tenth,
    the more opaque. Behind it is the slide itself, veiled, with a bar of a round number of millimetres.

    Returns
    -------
    uint8 ndarray, shape (H, W, 3)
        The longer side has `SIDE` pixels.
    """
    from PIL import Image

    rows, cols = plan.shape
    zoom = SIDE / max(rows, cols)
    height, width = max(1, round(rows * zoom)), max(1, round(cols * zoom))
    # The last blocks stick out of the slide.
    covered = (0.0, 0.0, cols / tissue.side, rows / tissue.side)
    behind = Image.fromarray(tissue.mean).resize((width, height), Image.Resampling.BILINEAR, box=covered)
    picture = np.asarray(behind).astype(np.float64) * (1.0 - VEIL) + 255.0 * VEIL
    bins = (math.ceil(height / BIN), math.ceil(width / BIN))
    at = np.minimum((index.centroid + 0.5) * zoom // BIN, np.array(bins) - 1).astype(np.intp)
    flat = at[:, 0] * bins[1] + at[:, 1]
    count = np.bincount(flat, minlength=bins[0] * bins[1]).reshape(bins)
    total = np.bincount(flat, weights=index.p_blast, minlength=bins[0] * bins[1]).reshape(bins)
    if len(index):
        mean = total / np.maximum(count, 1)
        scale = np.array([p_colour(p) for p in np.linspace(0.0, 1.0, 256)], np.float64)
        colour = scale[np.rint(255.0 * mean).astype(np.intp)]
        full = float(np.percentile(count[count > 0], 90.0))
        opacity = np.where(count > 0, MOST * (0.5 + 0.5 * np.minimum(count / full, 1.0)), 0.0)

        def spread(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return values.repeat(BIN, axis=0).repeat(BIN, axis=1)[:height, :width]

        cover = spread(opacity)[..., None]
        picture = picture * (1.0 - cover) + spread(colour) * cover
    out = Image.fromarray(np.rint(picture).astype(np.uint8))
    if plan.pixel_size is not None:
        _draw_bar(out, plan.pixel_size * plan.factor / zoom)
    return np.asarray(out)


def _draw_bar(picture: Any, micrometres: float) -> None:
    """A bar of a round length, about a sixth of the width; ``micrometres`` a pixel."""
    from PIL import ImageDraw

    most = picture.width / 6.0 * micrometres
    power = 10.0 ** math.floor(math.log10(most))
    length = max(step * power for step in (1.0, 2.0, 5.0) if step * power <= most)
    text = f"{length / 1000:g} mm"
    pixels = length / micrometres
    draw = ImageDraw.Draw(picture)
    x, y = 14, picture.height - 16
    draw.rectangle((x - 6, y - 22, x + max(pixels, 46) + 6, y + 8), fill=(255, 255, 255))
    draw.rectangle((x, y, x + pixels, y + 3), fill=(20, 20, 20))
    draw.text((x, y - 18), text, fill=(20, 20, 20))


def write_heatmap(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    """Save the picture as PNG."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG", compress_level=6)
