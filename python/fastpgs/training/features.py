"""Measurements of cells for classical classifiers: shape, colour, texture; means and spreads over an image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fastpgs.training.cellset import CellSet

Floats = NDArray[np.float64]


def cell_features(cells: CellSet, members: NDArray[np.int64]) -> tuple[Floats, list[str]]:
    """One row a cell.

    Returns
    -------
    values : float64, shape (n, F)
    names : list of str, length F
        Area, eccentricity, perimeter index and solidity of the mask; mean, spread and 10/50/90 % quantiles of
        red, green, blue and saturation inside it; mean and spread of the local gradient of luminance.
    """
    from skimage.measure import label, regionprops

    names = ["area", "eccentricity", "compactness", "solidity"]
    for channel in ("red", "green", "blue", "saturation"):
        names += [f"{channel} {what}" for what in ("mean", "sd", "q10", "q50", "q90")]
    names += ["gradient mean", "gradient sd"]
    rows = []
    for i in members:
        inside = cells.masks[i] >= 128
        if not inside.any():
            inside = np.zeros_like(inside)
            inside[inside.shape[0] // 2, inside.shape[1] // 2] = True
        parts = regionprops(label(inside))  # type: ignore[no-untyped-call]
        region = max(parts, key=lambda r: r.area)
        perimeter = max(float(region.perimeter), 1.0)
        row = [
            float(cells.area[i]),
            float(region.eccentricity),
            4 * np.pi * float(region.area) / perimeter**2,
            float(region.solidity) if region.area > 3 else 1.0,
        ]
        pixels = cells.crops[i][inside].astype(np.float64) / 255
        top = pixels.max(axis=1)
        saturation = (top - pixels.min(axis=1)) / np.maximum(top, 1e-6)
        for values in (*pixels.T, saturation):
            row += [values.mean(), values.std(), *np.quantile(values, (0.1, 0.5, 0.9))]
        luma = cells.crops[i].astype(np.float64).mean(axis=2) / 255
        steps = np.hypot(*np.gradient(luma))[inside]
        row += [steps.mean(), steps.std()]
        rows.append(row)
    return np.array(rows, dtype=np.float64).reshape(len(members), len(names)), names


def image_features(cells: CellSet, n_images: int) -> tuple[Floats, list[str]]:
    """One row an image: mean and standard deviation of its cells' features, and their number.

    Images without cells are rows of nan.
    """
    members = np.flatnonzero(cells.view == 0)
    values, names = cell_features(cells, members)
    sample = cells.sample[members]
    number = np.bincount(sample, minlength=n_images).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.stack([np.bincount(sample, v, n_images) / number for v in values.T], axis=1)
        squares = np.stack([np.bincount(sample, v * v, n_images) / number for v in values.T], axis=1)
    spreads = np.sqrt(np.maximum(squares - means**2, 0))
    table = np.column_stack([means, spreads, np.where(number > 0, number, np.nan)])
    return table, [*(f"mean {n}" for n in names), *(f"sd {n}" for n in names), "cells"]
