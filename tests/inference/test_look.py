"""What is measured of a picture as a whole equals its definition in NumPy."""

import math

import numpy as np
import pytest

from fastpgs import _core
from fastpgs.inference.conditions import blockiness
from fastpgs.inference.look import look_at, look_at_crops
from fastpgs.inference.preprocess import LUMA, background

THOUSANDTHS = np.array([299, 587, 114], np.int64)


def make_pictures():
    rng = np.random.default_rng(0)
    for shape in [(1, 1), (1, 2), (3, 4), (4, 3), (17, 40), (64, 64)]:
        yield rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
        yield rng.integers(250, 256, (*shape, 3), dtype=np.uint8)
        yield np.full((*shape, 3), (200, 10, 255), np.uint8)
    stripes = np.where(np.arange(3000) % 2, 0, 255).astype(np.uint8)  # as much as can be, beyond 32 bits
    yield np.tile(stripes[:, None, None], (1, 5, 3))
    yield np.tile(stripes[None, :, None], (5, 1, 3))
    yield np.zeros((5, 5, 3), np.uint8)
    yield np.tile(np.arange(256, dtype=np.uint8)[:, None, None], (1, 9, 3))


PICTURES = list(make_pictures())


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: str(picture.shape))
def test_background_is_the_median_of_the_brightest_tenth(picture):
    pixels = picture.reshape(-1, 3)
    luma = pixels @ THOUSANDTHS
    least = np.sort(luma)[math.ceil(0.9 * (len(luma) - 1))]
    np.testing.assert_array_equal(background(picture), np.median(pixels[luma >= least], axis=0))
    look = look_at(picture)
    both = look_at(picture, blocks=True)
    assert (both.level == look.level).all()
    assert (both.brightest, both.spread) == (look.brightest, look.spread)
    assert both.blocks == blockiness(picture)
    assert look.brightest == luma.max() / 1000
    assert look.spread == pytest.approx((picture @ LUMA).std(), abs=1e-5)


def test_views_are_measured_as_copies():
    picture = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    for view in (picture[::2, ::-1], picture.transpose(1, 0, 2)):
        one, other = look_at(view, blocks=True), look_at(view.copy(), blocks=True)
        np.testing.assert_array_equal(one.level, other.level)
        assert (one.brightest, one.spread, one.blocks) == (other.brightest, other.spread, other.blocks)


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: str(picture.shape))
def test_steps_stand_out_from_their_neighbours(picture):
    luma = (picture @ THOUSANDTHS) / 1000
    for rows, found in zip((luma, luma.T), _core.picture_steps(picture), strict=True):
        step = np.diff(rows, axis=1)
        expected = np.abs(step[:, 1:-1] - (step[:, :-2] + step[:, 2:]) / 2).mean(axis=0)
        np.testing.assert_allclose(found, expected[: len(found)], atol=1e-10)
        assert len(found) == max(rows.shape[1] - 3, 0)


@pytest.mark.parametrize("shape", [(40, 33), (64, 64), (31, 90), (90, 31), (31, 31)], ids=str)
def test_blocks_are_what_stands_out_along_one_line_in_eight(shape):
    picture = np.random.default_rng(5).integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = []
    for steps in _core.picture_steps(picture):
        if len(steps) + 3 < 32:
            continue
        line = np.arange(len(steps)) % 8
        phase = np.sort(np.bincount(line, steps) / np.bincount(line))
        found.append(math.log((phase[-1] + 0.1) / (phase[-2] + 0.1)))
    assert blockiness(picture) == (sum(found) / len(found) if found else 0.0)


@pytest.mark.parametrize("shape", [(1, 3, 3, 3), (5, 16, 16, 3), (4, 8, 8)], ids=str)
def test_differences_of_crops(shape):
    crops = np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)
    luma = crops @ LUMA if crops.ndim == 4 else crops.astype(float)
    inner = luma[:, 1:-1, 1:-1]
    second = 4 * inner - luma[:, :-2, 1:-1] - luma[:, 2:, 1:-1] - luma[:, 1:-1, :-2] - luma[:, 1:-1, 2:]
    expected = [np.abs(d).mean() for d in (second, np.diff(luma, axis=1), np.diff(luma, axis=2))]
    np.testing.assert_allclose(_core.crop_look(crops)[:3], expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(1, 3, 3, 3), (5, 16, 16, 3), (4, 9, 9), (2, 2048, 2048)], ids=str)
def test_levels_of_crops(shape):
    crops = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    if len(crops) == 2:
        crops[0], crops[1] = 255, 0  # as much as can be summed
    levels = crops.reshape(len(crops), shape[1] ** 2, -1).astype(np.int64)
    *_, mean, spread = _core.crop_look(crops)
    np.testing.assert_allclose(mean, levels.mean(axis=(0, 1)), rtol=1e-14)
    np.testing.assert_allclose(spread, levels.std(axis=1).mean(axis=0), rtol=1e-12)


def test_look_of_crops_is_that_of_grey_ones_with_and_without_a_channel():
    crops = np.random.default_rng(4).integers(0, 256, (3, 8, 8), dtype=np.uint8)
    areas = np.array([0, 1, 100])
    plain = look_at_crops(crops, areas)
    assert plain == look_at_crops(crops[..., None], areas)
    assert plain == look_at_crops(np.asfortranarray(crops), areas)
    assert plain.size == pytest.approx(math.log(100) / 3)


def test_what_is_no_picture_is_refused():
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        background(np.zeros((4, 4), np.uint8))
    for shape in [(0, 8, 8), (2, 8, 9), (2, 2, 2), (2, 8, 8, 1), (8, 8)]:
        with pytest.raises(ValueError, match="crops must have shape"):
            _core.crop_look(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="at most 2048 pixels a side"):
        _core.crop_look(np.zeros((1, 2049, 2049), np.uint8))


def test_a_picture_without_anything_says_so():
    assert look_at(np.full((20, 20, 3), 5, np.uint8)).blank == "the picture is black"
    assert look_at(np.full((20, 20, 3), 200, np.uint8)).blank == "the picture is empty"
    half = np.full((20, 20, 3), 200, np.uint8)
    half[:10] = 100
    assert look_at(half).blank == ""
