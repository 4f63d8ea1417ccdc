"""Hypothesis strategies: images of every dtype, layout and number of colours, and options that fit them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

DTYPES = ("uint8", "uint16", "float32", "float64")


@st.composite
def images(draw: st.DrawFn, max_side: int = 24, channels: tuple[int, ...] = (1, 3)) -> np.ndarray[Any, Any]:
    """Images with few or many colours, so that ties and empty clusters are common."""
    height, width = draw(st.integers(1, max_side)), draw(st.integers(1, max_side))
    channel = draw(st.sampled_from(channels))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    colours = draw(st.sampled_from((2, 3, 5, 17, 256)))
    shape = (height, width) if channel == 1 else (height, width, channel)
    levels = rng.integers(0, colours, size=shape)
    if dtype == np.uint8:
        image = (levels * (255 // (colours - 1))).astype(dtype)
    elif dtype == np.uint16:
        image = (levels * (65535 // (colours - 1))).astype(dtype)
    else:
        image = (levels / (colours - 1)).astype(dtype)
        if draw(st.booleans()):
            image = np.clip(image + rng.normal(0, 0.01, shape), 0, 1).astype(dtype)
    return _layout(draw, image)


def _layout(draw: st.DrawFn, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same pixels behind other strides."""
    layout = draw(st.sampled_from(("c", "fortran", "reversed", "step")))
    if layout == "fortran":
        return np.asfortranarray(image)
    if layout == "reversed":
        return image[::-1, ::-1][::1]
    if layout == "step":
        wide = np.repeat(image, 2, axis=1)
        return wide[:, ::2]
    return image


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
    """An image with options of ``fastpgs.segment``; some are refused, alike by both implementations."""
    features = draw(st.sampled_from(("lab", "rgb", "gray", "xy", "raw")))
    channels = {"rgb": (3,), "raw": (1, 2, 3, 5)}.get(features, (1, 3))
    image = draw(images(channels=channels))
    options: dict[str, Any] = {
        "k": draw(st.integers(1, 6)),
        "features": features,
        "metric": draw(st.sampled_from(("sqeuclidean", "sqeuclidean", "mahalanobis"))),
        "update": draw(st.sampled_from(("medoid", "medoid", "mean"))),
        "threshold": draw(st.sampled_from((None, None, 0.0, 1.0, 100.0, 2000.0))),
        "connectivity": draw(st.sampled_from((None, None, 1, 2))),
        "init": draw(st.sampled_from(("k-medoids++", "random"))),
        "n_init": draw(st.sampled_from((1, 1, 3))),
        "max_iter": draw(st.sampled_from((1, 2, 100))),
        "tol": draw(st.sampled_from((0.0, 0.0, 3.0))),
        "seed": draw(st.integers(0, 2**64 - 1)),
    }
    if features != "xy":
        options["spatial_weight"] = draw(st.sampled_from((0.0, 0.0, 0.25, 7.0)))
    if draw(st.booleans()):
        rng = np.random.default_rng(draw(st.integers(0, 1000)))
        options["mask"] = rng.random(image.shape[:2]) < 0.7
    if draw(st.integers(0, 3)) == 0:
        rng = np.random.default_rng(draw(st.integers(0, 1000)))
        pixels = rng.permutation(image.shape[0] * image.shape[1])[: options["k"]]
        options["init"] = np.stack(np.divmod(pixels, image.shape[1]), axis=1)
    return image, options
