"""What is compared: the same pixels, the same start, until convergence, one call each."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

import fastpgs
from fastpgs.bench import smear_image

SIZES = (256, 450, 1024)
Image = np.ndarray[Any, Any]
Call = Callable[[], Any]


def picture(size: int) -> Image:
    """Return the image that FASTPGS_BENCH_IMAGE names, resized, or else a synthetic smear: RGB uint8."""
    path = os.environ.get("FASTPGS_BENCH_IMAGE")
    if not path:
        return smear_image(size)
    import PIL.Image

    with PIL.Image.open(path) as file:
        return np.asarray(file.convert("RGB").resize((size, size), PIL.Image.Resampling.BICUBIC)).copy()


#: Where given pivots lie, in parts of a side; three, unless k says otherwise.
PLACES = (
    (0.2, 0.2),
    (0.5, 0.5),
    (0.5, 0.25),
    (0.25, 0.75),
    (0.75, 0.25),
    (0.75, 0.75),
    (0.8, 0.5),
    (0.125, 0.5),
)


def pivots(size: int, k: int = 3) -> Image:
    """Pixels to start from."""
    return np.array([[int(size * row), int(size * column)] for row, column in PLACES[:k]])


def core(image: Image, **options: Any) -> Call:
    """The C++ core on RGB, given pivots, one thread."""
    options = {"features": "rgb", "init": pivots(len(image)), "num_threads": 1, **options}
    return lambda: fastpgs.segment(image, **options)


def default(image: Image, **options: Any) -> Call:
    """The C++ core with its own start, one thread."""
    options = {"num_threads": 1, **options}
    return lambda: fastpgs.segment(image, **options)


def oracle(image: Image) -> Call:
    """The NumPy reference, given pivots."""
    return lambda: fastpgs.reference.segment(image, features="rgb", init=pivots(len(image)))


def _start(image: Image) -> tuple[Image, Image]:
    points = image.reshape(-1, 3).astype(np.float32)
    rows, cols = pivots(len(image)).T
    return points, image[rows, cols].astype(np.float32)


def opencv(image: Image) -> Call:
    """cv2.kmeans from the labels of the same pivots; its float input is prepared outside."""
    import cv2

    points, centres = _start(image)
    labels = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1).astype(np.int32)[:, None]
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 100, 1e-9)
    return lambda: cv2.kmeans(points, 3, labels.copy(), stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)


def scikit_learn(image: Image) -> Call:
    """KMeans from the same pivots."""
    from sklearn.cluster import KMeans

    points, centres = _start(image)
    return lambda: KMeans(3, init=centres, n_init=1, tol=0.0).fit(points)


def slic(image: Image) -> Call:
    """scikit-image's slic with 100 segments."""
    from skimage.segmentation import slic as skimage_slic

    return lambda: skimage_slic(image, n_segments=100)


def fasterpam(image: Image) -> Call:
    """FasterPAM of kmedoids on 1000 of the pixels, distances counted in: it needs them all."""
    import kmedoids

    flat = image.reshape(-1, 3)
    few = flat[np.linspace(0, len(flat) - 1, 1000).astype(int)].astype(np.float64)
    return lambda: kmedoids.fasterpam(((few[:, None] - few) ** 2).sum(axis=2), 3, random_state=0)


def copy_and_labels(image: Image) -> Call:
    """Copy the image and write labels: the least that any segmentation moves."""
    return lambda: (image.copy(), np.full(image.shape[:2], 1, dtype=np.int32))


def histogram_and_table(image: Image) -> Call:
    """One histogram of a grey image and one look-up of each pixel, by OpenCV."""
    import cv2

    table = np.arange(256, dtype=np.int32)
    return lambda: (cv2.calcHist([image], [0], None, [256], [0, 256]), cv2.LUT(image, table))


def wide(image: Image) -> Image:
    """The same picture with 16 bits that are not those of 8."""
    noise = np.random.default_rng(0).integers(0, 99, image.shape)
    return np.minimum(image.astype(np.uint16) * np.uint16(257) + noise, 65535).astype(np.uint16)


def real(image: Image) -> Image:
    """The same picture as float32 that holds no levels."""
    noise = np.random.default_rng(0).normal(0.0, 0.001, image.shape)
    return np.clip(image / 255.0 + noise, 0.0, 1.0).astype(np.float32)


PEERS: dict[str, Callable[[Image], Call]] = {
    "fastpgs": core,
    "fastpgs, default call": default,
    "cv2.kmeans": opencv,
    "scikit-learn KMeans": scikit_learn,
    "scikit-image slic": slic,
    "NumPy reference": oracle,
    "kmedoids FasterPAM, 1000 points": fasterpam,
}

#: Other ways through the core, each on the same picture as "rgb".
PATHS: dict[str, Callable[[Image], Call]] = {
    "rgb": core,
    "rgb, k-medoids++": lambda image: default(image, features="rgb"),
    "lab, k-medoids++ (default)": default,
    "k = 8, given pivots": lambda image: core(image, k=8, init=pivots(len(image), 8)),
    "k = 8": lambda image: default(image, features="rgb", k=8),
    "global growth": lambda image: core(image, threshold=900.0),
    "connected growth": lambda image: core(image, threshold=900.0, connectivity=1),
    "mahalanobis": lambda image: core(image, metric="mahalanobis"),
    "spatial weight": lambda image: core(image, spatial_weight=0.1),
    "uint16": lambda image: core(wide(image)),
    "float32": lambda image: core(real(image)),
    "float32 of levels": lambda image: core((image / 255.0).astype(np.float32)),
    "grey": lambda image: default(np.ascontiguousarray(image[..., 1]), features="gray"),
}
