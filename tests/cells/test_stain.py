"""Stain features in the core equal their definition in NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from fastpgs import _core
from fastpgs.cells.rules import StainRules

OFFSET, DARK, *_ = StainRules()


@st.composite
def pictures(draw, side=24):
    shape = draw(st.integers(1, side)), draw(st.integers(1, side)), 3
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    low = draw(st.integers(0, 200))
    return rng.integers(low, draw(st.integers(low + 1, 256)), shape).astype(np.uint8)


def smooth(plane):
    """3 x 3 binomial mean, edges repeated, rounded half up."""
    kernel = np.outer([1, 2, 1], [1, 2, 1])
    return (ndimage.convolve(plane.astype(np.int64), kernel, mode="nearest") + 8) >> 4


@given(
    pictures(),
    st.booleans(),
    st.tuples(*[st.one_of(st.integers(1, 510).map(lambda twice: twice / 2), st.floats(1, 255))] * 3),
)
def test_features_are_what_the_page_says(rgb, grey, white):
    white = np.array(white)
    red, green, blue = (
        smooth(np.minimum(np.rint(rgb[..., c] * (255.0 / white[c])), 255).astype(np.int64)) for c in range(3)
    )
    features, score, depth, strength = _core.stain_planes(rgb, white, OFFSET, grey)
    u, v = blue - green, red - green
    np.testing.assert_array_equal(features[..., 0], 255 - green)
    np.testing.assert_array_equal(features[..., 1], np.clip(u + OFFSET, 0, 255))
    np.testing.assert_array_equal(features[..., 2], np.clip(v + OFFSET, 0, 255))
    np.testing.assert_array_equal(depth, 255 - green + u)
    purple = np.clip(255 * (u + 2 * np.minimum(v, 0)) // np.maximum(blue, 32), -255, 255)
    np.testing.assert_array_equal(score, 255 - green if grey else purple)
    absent = 255.0 - np.stack([red, green, blue]).astype(np.float32)
    np.testing.assert_array_equal(strength, np.sqrt((absent**2).sum(axis=0)))


@given(pictures(), st.integers(0, 2**32 - 1))
def test_the_background_is_the_median_of_what_is_nearly_brightest(rgb, seed):
    valid = np.random.default_rng(seed).random(rgb.shape[:2]) < 0.7
    for mask in (None, valid):
        if mask is not None and not mask.any():
            with pytest.raises(ValueError, match="must hold a pixel"):
                _core.background(rgb, mask)
            continue
        pixels = (rgb.reshape(-1, 3) if mask is None else rgb[mask]).astype(np.int64)
        light = pixels.sum(axis=1)
        bright = pixels[light >= 0.9 * np.percentile(light, 95)]
        expected = np.maximum(np.median(bright, axis=0), 1.0)
        np.testing.assert_array_equal(_core.background(rgb, mask), expected)


def test_large_pictures_are_sampled_evenly():
    rgb = np.random.default_rng(0).integers(0, 256, (300, 210, 3), dtype=np.uint8)
    pixels = rgb.reshape(-1, 3)[:: 300 * 210 // 20000].astype(np.int64)
    light = pixels.sum(axis=1)
    bright = pixels[light >= 0.9 * np.percentile(light, 95)]
    np.testing.assert_array_equal(_core.background(rgb, None), np.median(bright, axis=0))


def test_a_black_surround_is_what_is_black_and_touches_the_frame():
    rgb = np.full((40, 50, 3), 200, np.uint8)
    assert _core.black_surround(rgb, DARK) is None
    rgb[:, :15] = 3
    rgb[20:24, 30:34] = 0  # black, but inside
    surround = _core.black_surround(rgb, DARK)
    expected = np.zeros((40, 50), bool)
    expected[:, :15] = True
    np.testing.assert_array_equal(surround, expected)
    rgb[:, :15] = DARK + 1
    assert _core.black_surround(rgb, DARK) is None


@given(pictures(), st.integers(2, 7), st.integers(0, 2**32 - 1), st.sampled_from([0.5, 1.1]))
def test_pivots_start_evenly_over_the_range_of_the_score(rgb, k, seed, share):
    _, score, _, _ = _core.stain_planes(rgb, np.array([250.0, 233.5, 241.0]), OFFSET, False)
    valid = np.random.default_rng(seed).random(score.shape) < share
    got = _core.spread_pivots(score, valid, k)
    rows, cols = np.nonzero(valid)
    values = score[rows, cols].astype(np.int64)
    expected = []
    if values.size >= k:
        low, high = np.percentile(values, [1, 99])
        at = [int(np.abs(values - want).argmin()) for want in np.linspace(low, high, k)]
        if len(np.unique(values[at])) == k:
            expected = (rows * score.shape[1] + cols)[at].tolist()
    assert got == expected
