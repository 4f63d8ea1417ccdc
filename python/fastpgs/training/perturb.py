"""Whole fields made worse: what another lamp, dye, camera or archive does to an image.

Used twice: `random_view` widens the training set before cells are looked for, so that the search for cells is
part of what is learned to be robust; `PERTURBATIONS` are the fixed changes under which a model is reported.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]


def brightness(image: UInt8, factor: float) -> UInt8:
    """All intensities times `factor`, clipped."""
    return _clip(image.astype(np.float32) * factor)


def stain_shift(image: UInt8, haematoxylin: float = 1.0, eosin: float = 1.0, tint: float = 0.0) -> UInt8:
    """Scale the amounts of the two dyes (Ruifrok & Johnston 2001) and tint the light.

    The dyes' absorptions are those of scikit-image. Its ``rgb2hed`` sets amounts below zero to zero, which alone
    turns grey-blue red cells purple; here all three amounts are kept, so factors of 1 change nothing.

    Parameters
    ----------
    haematoxylin, eosin : float
        Factors on the blue-violet and the pink dye.
    tint : float
        Red gains and blue loses this share (negative: the reverse).
    """
    from skimage.color import hed_from_rgb, rgb_from_hed

    density = -np.log(np.maximum(image, 1) / 255.0)
    amounts = density @ hed_from_rgb
    rgb = 255.0 * np.exp(-(amounts * np.array([haematoxylin, eosin, 1.0])) @ rgb_from_hed)
    return _clip(rgb * np.array([1 + tint, 1.0, 1 - tint]))


def blur(image: UInt8, sigma: float) -> UInt8:
    """Gaussian blur, sigma in pixels."""
    from scipy.ndimage import gaussian_filter

    return _clip(gaussian_filter(image.astype(np.float32), (sigma, sigma, 0)))


def jpeg(image: UInt8, quality: int) -> UInt8:
    """Saved as JPEG and read again."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def resolution(image: UInt8, factor: float) -> UInt8:
    """Sampled down by `factor` and up again to the old size: the detail is lost, the scale is kept."""
    from PIL import Image

    height, width = image.shape[:2]
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    picture = Image.fromarray(image).resize(small, Image.Resampling.BOX)
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def resize(image: UInt8, factor: float) -> UInt8:
    """A smaller picture: detail and scale are both lost."""
    from PIL import Image

    height, width = image.shape[:2]
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(image).resize(small, Image.Resampling.BOX))


PERTURBATIONS: dict[str, Callable[[UInt8], UInt8]] = {
    "stain more violet": lambda image: stain_shift(image, haematoxylin=1.25, eosin=0.8),
    "stain more pink": lambda image: stain_shift(image, haematoxylin=0.8, eosin=1.25),
    "warmer light": lambda image: stain_shift(image, tint=0.08),
    "colder light": lambda image: stain_shift(image, tint=-0.08),
    "blur, sigma 1 px": lambda image: blur(image, 1.0),
    "JPEG 50": lambda image: jpeg(image, 50),
    "brightness +30 %": lambda image: brightness(image, 1.3),
    "brightness -30 %": lambda image: brightness(image, 0.7),
    "half resolution": lambda image: resolution(image, 0.5),
    "half size": lambda image: resize(image, 0.5),
}


def random_view(image: UInt8, rng: np.random.Generator) -> UInt8:
    """One to three random changes of random strength, seldom as strong as `PERTURBATIONS`."""
    changes: list[Callable[[UInt8], UInt8]] = [
        lambda x: brightness(x, float(np.exp(rng.uniform(-0.4, 0.3)))),
        lambda x: stain_shift(
            x,
            float(np.exp(rng.uniform(-0.25, 0.25))),
            float(np.exp(rng.uniform(-0.25, 0.25))),
            float(rng.uniform(-0.1, 0.1)),
        ),
        lambda x: blur(x, float(rng.uniform(0.4, 1.2))),
        lambda x: jpeg(x, int(rng.integers(30, 85))),
        lambda x: resolution(x, float(rng.uniform(0.45, 0.9))),
        lambda x: resize(x, float(rng.uniform(0.45, 0.95))),
    ]
    chosen = rng.choice(len(changes), size=int(rng.integers(1, 4)), replace=False)
    for index in sorted(chosen):
        image = changes[index](image)
    return image


def _clip(values: NDArray[Any]) -> UInt8:
    clipped: UInt8 = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return clipped
