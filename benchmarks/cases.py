"""What is compared: the same pixels, the same start, until convergence, one call each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fastpgs
from fastpgs.bench import smear_image

SIZES = (256, 450, 1024)


def pivots(size: int) -> np.ndarray[Any, Any]:
    """Three pixels to start from."""
    return np.array([[size // 5, size // 5], [size // 2, size // 2], [size // 2, size // 4]])


def core(image: np.ndarray[Any, Any], **options: Any) -> Callable[[], Any]:
    """The C++ core on RGB, given pivots."""
    options = {"features": "rgb", "init": pivots(len(image)), **options}
    return lambda: fastpgs.segment(image, **options)


def oracle(image: np.ndarray[Any, Any]) -> Callable[[], Any]:
    """The NumPy reference, given pivots."""
    return lambda: fastpgs.reference.segment(image, features="rgb", init=pivots(len(image)))


def _start(image: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    points = image.reshape(-1, 3).astype(np.float32)
    rows, cols = pivots(len(image)).T
    return points, image[rows, cols].astype(np.float32)


def opencv(image: np.ndarray[Any, Any]) -> Callable[[], Any]:
    """cv2.kmeans from the labels of the same pivots; its float input is prepared outside."""
    import cv2

    points, centres = _start(image)
    labels = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1).astype(np.int32)[:, None]
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 100, 1e-9)
    return lambda: cv2.kmeans(points, 3, labels.copy(), stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)


def scikit_learn(image: np.ndarray[Any, Any]) -> Callable[[], Any]:
    """KMeans from the same pivots."""
    from sklearn.cluster import KMeans

    points, centres = _start(image)
    return lambda: KMeans(3, init=centres, n_init=1, tol=0.0).fit(points)


def slic(image: np.ndarray[Any, Any]) -> Callable[[], Any]:
    """scikit-image's slic with 100 segments."""
    from skimage.segmentation import slic as skimage_slic

    return lambda: skimage_slic(image, n_segments=100)


PEERS: dict[str, Callable[[np.ndarray[Any, Any]], Callable[[], Any]]] = {
    "fastpgs": core,
    "fastpgs lab, k-medoids++": lambda image: lambda: fastpgs.segment(image),
    "NumPy reference": oracle,
    "cv2.kmeans": opencv,
    "scikit-learn KMeans": scikit_learn,
    "scikit-image slic": slic,
}

PATHS: dict[str, dict[str, Any]] = {
    "k = 8": {"k": 8, "init": "k-medoids++"},
    "threshold": {"threshold": 900.0},
    "connected": {"threshold": 900.0, "connectivity": 1},
    "mahalanobis": {"metric": "mahalanobis"},
    "spatial weight": {"spatial_weight": 0.1},
}

__all__ = ["PATHS", "PEERS", "SIZES", "core", "smear_image"]
