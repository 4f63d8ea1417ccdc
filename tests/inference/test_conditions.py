"""Measures see what was done to a picture, and shifts are those that changed fields ask for."""

import io
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from fastpgs.inference.conditions import NAMES, Conditions, blockiness, fit_conditions, measure, sharpness
from fastpgs.inference.files import ModelConfig, ModelError
from fastpgs.inference.look import look_at_crops
from fastpgs.inference.preprocess import InputSpec, field_gain

LIGHT = ((0.95, 0.95, 230.0), (0.98, 0.98, 250.0), (1.0, 1.0, 255.0))
SPEC = InputSpec(size=16, balance="typical", light=LIGHT)
RANGE = Conditions((0.0,) * 6, (1.0,) * 6, (-2.0,) * 6, (3.0,) * 6, (0.5,) * 6, (-1.0,) * 6)


@pytest.fixture(scope="module")
def picture():
    """Smooth blobs with a little grain: what a camera gives."""
    rng = np.random.default_rng(0)
    smooth = gaussian_filter(rng.normal(size=(128, 128, 3)), (3, 3, 0))
    grain = gaussian_filter(rng.normal(size=(128, 128, 3)), (0.6, 0.6, 0))
    return np.clip(150 + 250 * smooth + 5 * grain, 0, 255).astype(np.uint8)


def as_jpeg(image, quality):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def test_blocks_are_seen_where_jpeg_left_them(picture):
    plain = blockiness(picture)
    found = [blockiness(as_jpeg(picture, quality)) for quality in (85, 50, 25)]
    assert plain < 0.2 < found[0] < found[1] < found[2]
    # Wherever the picture was cut, and not for any other regular pattern.
    assert blockiness(as_jpeg(picture, 50)[3:, 5:]) == pytest.approx(found[1], rel=0.2)
    assert blockiness(np.repeat(np.repeat(picture[::2, ::2], 2, axis=0), 2, axis=1)) < found[0]
    assert blockiness(picture[:20, :20]) == 0.0
    assert blockiness(np.full((64, 64, 3), 200, np.uint8)) == 0.0


def test_blur_takes_sharpness_and_brightness_does_not(picture):
    crops = picture.reshape(8, 16, 8, 16, 3).transpose(0, 2, 1, 3, 4).reshape(64, 16, 16, 3)
    blurred = gaussian_filter(crops.astype(float), (0, 1, 1, 0)).astype(np.uint8)
    darker = np.rint(crops * 0.7).astype(np.uint8)
    sharp, soft, dim, none = (
        sharpness(look_at_crops(c, np.ones(64))) for c in (crops, blurred, darker, np.zeros_like(crops))
    )
    assert soft < sharp - 0.2
    assert dim == pytest.approx(sharp, abs=0.05)
    assert np.isfinite(none)


def test_measures_of_a_field():
    crops = np.full((2, 16, 16, 3), 100, np.uint8)
    seen = look_at_crops(crops, np.array([np.e**5, np.e**7]))
    found = measure(seen, field_gain(np.array([245.0, 250.0, 245.0]), SPEC), 0.3)
    assert len(found) == len(NAMES)
    np.testing.assert_allclose(found[1:], [0.3, 6.0, 0.0, 0.0, 0.0], atol=1e-12)
    # A background of another colour is mended: its gains are what was done.
    red = measure(look_at_crops(crops, np.ones(2)), field_gain(np.array([200.0, 250.0, 245.0]), SPEC), 0.3)
    np.testing.assert_allclose(red[3:], np.log([1.0, 245 / 200, 1.0]), atol=1e-12)


def test_nothing_happens_within_the_range():
    inside = np.random.default_rng(0).uniform(0, 1, (50, 6))
    np.testing.assert_array_equal(RANGE.shift(inside), np.zeros(50))
    assert all(map(RANGE.holds, inside))
    assert not any(RANGE.holds(np.where(np.arange(6) == i, v, 0.5)) for i in range(6) for v in (-0.1, 1.1))
    beyond = np.full((4, 6), 0.5)
    beyond[:, 2] = [-1.0, 3.0, -9.0, 99.0]
    # Half a logit up for each unit below, one down for each above, two units at most.
    np.testing.assert_allclose(RANGE.shift(beyond), [0.5, -2.0, 1.0, -2.0])


def test_shifts_are_recovered_and_the_score_itself_is_left_alone():
    rng = np.random.default_rng(1)
    n = 20_000
    labels = rng.integers(0, 2, n)
    measures = rng.uniform(0, 1, (n, 6))
    blurred, blocky = rng.random(n) < 0.3, rng.random(n) < 0.3
    measures[blurred, 0] -= 1.5
    measures[blocky, 1] += 1.5
    # Scores say what the odds are: normals around -2, blasts around 2, variance 4.
    scores = rng.normal(0, 2, n) + np.where(labels == 1, 2.0, -2.0)
    below = np.maximum(-measures[:, 0], 0)
    above = np.maximum(measures[:, 1] - 1, 0)
    usual = rng.uniform(0, 1, (500, 6))
    found = fit_conditions(usual, measures, scores + 1.2 * below - 0.8 * above, labels, np.ones(n))
    assert found.below[0] == pytest.approx(-1.2, abs=0.15)
    assert found.above[1] == pytest.approx(0.8, abs=0.15)
    assert np.mean(found.shift(usual) == 0) > 0.8
    # Of measures that hardly leave the range hardly anything is learned.
    others = np.full((12, 6), 0.5)
    others[range(6), range(6)] = -9.0
    others[range(6, 12), range(6)] = 9.0
    assert np.abs(np.delete(found.shift(others), [0, 7])).max() < 0.1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"low": (0.0,) * 5}, "low of the conditions needs 6 finite values"),
        ({"below": (np.nan,) * 6}, "below of the conditions needs 6 finite values"),
        ({"low": (2.0,) * 6}, "the conditions' bounds of sharpness must rise"),
        ({"highest": (0.5,) * 6}, "the conditions' bounds of sharpness must rise"),
    ],
)
def test_impossible_conditions_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        replace(RANGE, **wrong)


def test_a_model_keeps_its_conditions():
    config = ModelConfig("m", "unet_plr", None, {}, SPEC, conditions=RANGE)
    assert ModelConfig.from_json(config.to_json()) == config
    text = replace(config, conditions=None).to_json()
    assert ModelConfig.from_json(text).conditions is None
    # Models older than conditions have none.
    old = text.replace('  "conditions": null,\n', "")
    assert old != text
    assert ModelConfig.from_json(old).conditions is None
    for broken in ({}, {**asdict(RANGE), "low": "six"}, {**asdict(RANGE), "more": 1}, 3):
        with pytest.raises(ModelError, match="unusable model configuration"):
            ModelConfig.from_json(_with(text, broken))


def _with(text, conditions):
    import json

    return json.dumps({**json.loads(text), "conditions": conditions})
