"""What simple methods make of the same images: Otsu's thresholds, OpenCV's k-means, one plain PGS run.

Each gives three grey classes; the darkest is nucleus, all but the brightest is cell. The same simple clean-up
follows: opening by one pixel, holes filled, the cell nearest to the middle kept.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fastpgs.cells import shapes

__all__ = ["BASELINES", "kmeans_classes", "otsu_classes", "plain_classes"]

Bool = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]
Image = npt.NDArray[np.uint8]


def otsu_classes(image: Image, seed: int) -> Labels:
    """Two Otsu thresholds on the green channel (P.-S. Liao et al., J. Inf. Sci. Eng. 17 (2001) 713-727)."""
    from skimage.filters import threshold_multiotsu

    green = image[:, :, 1]
    if len(np.unique(green)) < 3:
        return np.full(green.shape, 3, np.int32)
    thresholds = threshold_multiotsu(green, classes=3)  # type: ignore[no-untyped-call]
    return (np.digitize(green, thresholds) + 1).astype(np.int32)


def kmeans_classes(image: Image, seed: int) -> Labels:
    """``cv2.kmeans`` in CIELAB, k = 3, k-means++ start, one attempt; classes by lightness."""
    import cv2

    cv2.setRNGSeed(seed)
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 100, 0.01)
    start = np.zeros((len(lab), 1), np.int32)  # filled by OpenCV
    _, classes, centres = cv2.kmeans(lab, 3, start, criteria, 1, cv2.KMEANS_PP_CENTERS)
    rank = np.argsort(np.argsort(centres[:, 0]))
    ordered: Labels = (rank[np.asarray(classes).ravel()].reshape(image.shape[:2]) + 1).astype(np.int32)
    return ordered


def plain_classes(image: Image, seed: int) -> Labels:
    """``segment(image, 3)``: CIELAB, one k-medoids++ start."""
    from fastpgs.segmentation import segment

    return segment(image, 3, seed=seed)


BASELINES: dict[str, Callable[[Image, int], Labels]] = {
    "multi-Otsu": otsu_classes,
    "cv2.kmeans k=3": kmeans_classes,
    "plain k=3": plain_classes,
}


def clean_classes(classes: Labels) -> tuple[Labels, Labels]:
    """Three classes -> one cell and its nucleus, as label images like those of ``Cells``."""
    cell = _fill(shapes.open_disc((classes > 0) & (classes < 3), 1.0))
    parts, n = shapes.label(cell)
    if n == 0:
        none = np.zeros(classes.shape, np.int32)
        return none, none
    rows, cols = np.nonzero(cell)
    middle = np.hypot(rows - classes.shape[0] / 2.0, cols - classes.shape[1] / 2.0)
    cell = parts == parts[rows[middle.argmin()], cols[middle.argmin()]]
    nucleus = _fill(shapes.open_disc(classes == 1, 1.0)) & cell
    return cell.astype(np.int32), nucleus.astype(np.int32)


def _fill(mask: Bool) -> Bool:
    return shapes.fill_holes(mask, mask.size)
