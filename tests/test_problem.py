"""Bad input is refused with the expected and the actual value; and never changed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import fastpgs
from fastpgs import _core

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)
RGB = np.arange(144, dtype=np.uint8).reshape(6, 8, 3)
REAL = RGB / 255.0

BAD: list[tuple[Any, dict[str, Any], str]] = [
    (RGB.astype(np.int64), {}, "uint8, uint16, float32, float64, got int64"),
    (RGB.astype(bool), {}, "got bool"),
    (RGB.astype(complex), {}, "got complex128"),
    (np.array(["a"]), {}, "got str"),
    (RGB[0, 0], {}, r"(H, W) or (H, W, C), got (3,)"),
    (RGB[None], {}, "got (1, 6, 8, 3)"),
    (RGB[:0], {}, "must not be empty, got shape (0, 8, 3)"),
    (RGB, {"k": 0}, "k must be in [1, 255], got 0"),
    (RGB, {"k": 256}, "k must be in [1, 255], got 256"),
    (RGB, {"k": 2.5}, "k must be an integer in [1, 255], got 2.5"),
    (RGB, {"k": True}, "k must be an integer in [1, 255], got True"),
    (GREY, {"k": 49, "features": "gray"}, "got k = 49 and 48 distinct"),
    (np.zeros((5, 5), np.uint8), {"k": 2}, "got k = 2 and 1 distinct"),
    (np.zeros((5, 5), np.uint8), {"k": 2, "init": "random"}, "got k = 2 and 1 distinct"),
    (np.zeros((5, 5), np.uint8), {"k": 2, "init": [[0, 0], [1, 1]]}, "got k = 2 and 1 distinct"),
    (RGB, {"features": "hsv"}, "features must be one of 'lab', 'rgb', 'gray', 'xy', 'raw', got 'hsv'"),
    (RGB, {"metric": "cosine"}, "metric must be one of"),
    (RGB, {"update": "mode"}, "update must be one of"),
    (RGB, {"connectivity": 3}, "connectivity must be in [1, 2], got 3"),
    (RGB, {"init": "best"}, "init must be one of 'k-medoids++', 'random', got 'best'"),
    (RGB, {"init": [[0, 0]]}, "shape (3, 2), got (1, 2)"),
    (RGB, {"init": [[0, 0], [1, 1], [9, 9]]}, "must lie in an image of (6, 8), got [9, 9]"),
    (RGB, {"init": [[0, 0], [1, 1], [1, 1]]}, "3 different pixels"),
    (RGB, {"init": [[0.0, 0], [1, 1], [2, 1]]}, "integers (row, col), got float64"),
    (RGB, {"init": [[0, 0], [1, 1], [2, 1]], "mask": np.eye(6, 8) > 0}, "inside the mask, got [2, 1]"),
    (RGB, {"threshold": -1}, "threshold must be finite and at least 0, got -1"),
    (RGB, {"threshold": float("nan")}, "threshold must be finite and at least 0, got nan"),
    (RGB, {"tol": -0.5}, "tol must be finite and at least 0, got -0.5"),
    (RGB, {"max_iter": 0}, "max_iter must be in [1, 1000000], got 0"),
    (RGB, {"n_init": 0}, "n_init must be in [1, 10000], got 0"),
    (RGB, {"seed": -1}, "seed must be at least 0, got -1"),
    (RGB, {"num_threads": 0}, "num_threads must be in [1, 4096], got 0"),
    (RGB, {"spatial_weight": -1}, "spatial_weight must be finite and at least 0"),
    (RGB, {"features": "xy", "spatial_weight": 1}, "spatial_weight must be 0, got 1"),
    (RGB, {"mask": np.ones((6, 7), bool)}, "mask must have the image's shape (6, 8), got (6, 7)"),
    (RGB, {"mask": np.ones((6, 8))}, "mask must be of bool, got float64"),
    (RGB, {"mask": np.zeros((6, 8), bool)}, "at least one pixel, got none"),
    (RGB, {"channel_axis": None}, "got (6, 8, 3)"),
    (RGB, {"channel_axis": 3}, "channel_axis must be in [-3, 2]"),
    (GREY, {"features": "rgb"}, "features='rgb' needs 3 channels, got 1"),
    (np.zeros((4, 4, 4), np.uint8), {}, "needs 1 or 3 channels, got 4"),
    (np.zeros((4, 4, 63), np.uint8), {"features": "raw"}, "at most 62 channels, got 63"),
    (np.where(REAL > 0.5, np.nan, REAL), {}, "NaN or infinity"),
    (np.where(REAL > 0.5, np.inf, REAL), {"features": "raw"}, "NaN or infinity"),
    (REAL * 300, {}, "must be in [0, 1] for features='lab', got [0,"),
    (REAL * 1e200, {"features": "raw"}, "at most 1e+100 in magnitude"),
    (
        np.stack([GREY] * 3, -1),
        {"metric": "mahalanobis", "features": "rgb"},
        "regular covariance, got a singular one",
    ),
]


@pytest.mark.parametrize(("image", "options", "message"), BAD, ids=[m[:40] for _, _, m in BAD])
@pytest.mark.parametrize("call", [fastpgs.segment, fastpgs.reference.segment], ids=["core", "reference"])
def test_bad_input(call: Any, image: Any, options: dict[str, Any], message: str) -> None:
    before = image.copy()
    with pytest.raises(ValueError, match=re.escape(message)):
        call(image, **options)
    np.testing.assert_array_equal(image, before)


def test_masked_array_is_refused() -> None:
    with pytest.raises(ValueError, match="masked array"):
        fastpgs.segment(np.ma.masked_array(GREY))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_channel_axis(axis: int) -> None:
    moved = np.moveaxis(RGB, -1, axis)
    np.testing.assert_array_equal(fastpgs.segment(moved, channel_axis=axis), fastpgs.segment(RGB))


def test_byte_order_and_read_only_input() -> None:
    swapped = RGB.astype(np.uint16).astype(">u2")
    np.testing.assert_array_equal(fastpgs.segment(swapped), fastpgs.segment(RGB.astype(np.uint16)))
    frozen = RGB.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(fastpgs.segment(frozen), fastpgs.segment(RGB))


def test_numbers_beyond_double_precision() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    # A tolerance whose square is infinite stops after one iteration, as any large one does.
    large = fastpgs.segment(image, 2, features="gray", tol=1e300)
    np.testing.assert_array_equal(large, fastpgs.segment(image, 2, features="gray", tol=1e9))
    for name in ("tol", "threshold", "spatial_weight"):
        with pytest.raises(ValueError, match=f"{name} must be finite"):
            fastpgs.segment(image, 2, features="gray", **{name: 10**400})
    with pytest.raises(ValueError, match="spatial_weight must be at most 1e\\+90, got 1e\\+200"):
        fastpgs.segment(image, 2, features="gray", spatial_weight=1e200)


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_arrays_that_are_not_aligned(dtype: str) -> None:
    """Columns of packed records and memory-mapped files begin anywhere."""
    sound = np.random.default_rng(0).integers(0, 9, (9, 11, 3)).astype(dtype) / np.dtype(dtype).type(1)
    sound = sound.astype(dtype) if dtype == "uint16" else sound / 9
    raw = np.empty(sound.nbytes + 1, np.uint8)
    moved = raw[1:].view(sound.dtype).reshape(sound.shape)
    moved[...] = sound
    assert not moved.flags.aligned
    np.testing.assert_array_equal(fastpgs.segment(moved, 2), fastpgs.segment(sound, 2))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 7, 3), (40, 9, 3), (7, 11), (13, 5, 4), (3, 3, 62)])
def test_extents_of_channels_with_what_is_not_finite_anywhere(dtype: Any, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    image = (rng.random(shape) * 200).astype(dtype)
    flat = image.reshape(-1, shape[2] if len(shape) == 3 else 1)
    assert _core.extents(image) == [*flat.min(axis=0).tolist(), *flat.max(axis=0).tolist()]
    if image.dtype.kind != "f":
        return
    n = flat.shape[1]
    for bad in (np.nan, np.inf, -np.inf):
        for place in rng.integers(image.size, size=20):
            spoilt = image.copy()
            spoilt.reshape(-1)[place] = bad
            found = _core.extents(spoilt)
            lost = [c for c in range(2 * n) if np.isnan(found[c])]
            assert lost == [place % n, n + place % n]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("top", "levels"), [(255, np.uint8), (65535, np.uint16)])
@pytest.mark.parametrize("size", [1, 3, 127, 128, 129, 1000])
def test_levels_of_reals(dtype: Any, top: int, levels: Any, size: int) -> None:
    expected = np.random.default_rng(size).integers(0, top + 1, size).astype(levels)
    expected[-1] = top
    tolerance = 1e-3
    for off in (0.0, 0.9 * tolerance, -0.9 * tolerance):
        values = (expected.astype(np.float64) + (off if dtype == np.float64 else 0.0)) / top
        got = _core.levels(values.astype(dtype), top, tolerance if dtype == np.float64 else 0.02)
        assert got is not None
        assert got.dtype == levels
        np.testing.assert_array_equal(got, expected)
    for at in {0, size // 2, size - 1}:  # one value between levels, wherever it is
        values = expected.astype(np.float64) / top
        values[at] = 0.5 / top
        assert _core.levels(values.astype(dtype), top, 0.02) is None


def test_levels_are_asked_of_what_may_hold_them() -> None:
    with pytest.raises(ValueError, match="float32 or float64"):
        _core.levels(np.zeros(3, np.int32), 255, 0.1)
    with pytest.raises(ValueError, match="C-contiguous and aligned"):
        _core.levels(np.zeros((4, 4))[:, ::2], 255, 0.1)
    with pytest.raises(ValueError, match="C-contiguous and aligned"):
        _core.levels(np.zeros(25, np.uint8)[1:].view(np.float64), 255, 0.1)
    with pytest.raises(ValueError, match="255 or 65535, got 7"):
        _core.levels(np.zeros(3), 7, 0.1)
