"""Networks with products of sixteen-bit integers: how near they come to float32, and what they can never do."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from fastpgs import _core
from fastpgs.inference import model, native, precision
from fastpgs.inference.files import ModelError
from fastpgs.nets import build_network
from layers import CONVOLUTIONS, UP_CONVOLUTIONS, convolved, maps, needs_core, up_convolved

pytestmark = needs_core


def bfloat16(x):
    return torch.from_numpy(x).bfloat16().float().numpy()


# ---- layers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize(("n", "height", "width", "c_in", "c_out"), CONVOLUTIONS)
def test_convolution(n, height, width, c_in, c_out, padding):
    x, weight = maps(n, height, width, c_in), maps(c_out, c_in, 3, 3, seed=1)
    bias, slope = maps(c_out, seed=2), maps(c_out, seed=3)
    layer = _core.Conv3(weight, bias, slope, "int16")
    y = layer.run(x, padding)
    assert y.dtype == np.float32
    exact = convolved(x, weight, bias, slope, padding)
    error = np.sqrt(((y - exact) ** 2).mean())
    halves = convolved(bfloat16(x), bfloat16(weight), bias, slope, padding)
    assert error < 0.8 * np.sqrt(((halves - exact) ** 2).mean())
    assert np.abs(y - exact).max() < 0.02 * np.abs(exact).max()
    eights = -(-c_in // 8) * 8
    spoilt = _core.Conv3(maps(c_out, eights, 3, 3), bias, slope, "int16")
    for split in {1, 5, c_in // 2, c_in - 1} & set(range(1, c_in)):
        # Maps of nan leave nan in the memory that is worked in, and 5 and 16 channels leave some of it as it is.
        assert np.isnan(spoilt.run(maps(n, height, width, eights) * np.float32(np.nan), padding)).all()
        parts = np.ascontiguousarray(x[..., :split]), np.ascontiguousarray(x[..., split:])
        np.testing.assert_array_equal(layer.run(parts[0], padding, parts[1]), y)
    # A crop's bits are its own: a neighbour a thousand times as bright changes nothing.
    crowd = np.concatenate([1000 * x[:1], x[-1:], x[:1]])
    np.testing.assert_array_equal(layer.run(crowd, padding)[1], y[-1])


@pytest.mark.parametrize(("width", "c_in", "c_out"), UP_CONVOLUTIONS)
def test_up_convolution(width, c_in, c_out):
    x, weight, bias = maps(2, 3, width, c_in), maps(c_in, c_out, 2, 2, seed=1), maps(c_out, seed=2)
    layer = _core.Up2(weight, bias, "int16")
    y = layer.run(x)
    np.testing.assert_allclose(y, up_convolved(x, weight, bias), atol=1e-3 * np.sqrt(c_in))
    np.testing.assert_array_equal(layer.run(x[-1:]), y[-1:])


@pytest.mark.parametrize("scale", [1e-20, 1e-3, 1.0, 1e20])
@pytest.mark.parametrize("c_in", [64, 1021])
def test_no_sum_leaves_its_bits(c_in, scale):
    # All factors as large as they can be: the sums come as near to 31 bits as any.
    x = np.full((1, 6, 6, c_in), scale, np.float32)
    weight = np.ones((3, c_in, 3, 3), np.float32)
    weight[1] *= -1
    weight[2, 1:] *= 1e-6  # nearly all in one weight, which must fit sixteen bits
    bias, slope = np.zeros(3, np.float32), np.ones(3, np.float32)
    y = _core.Conv3(weight, bias, slope, "int16").run(x, 0) / scale
    np.testing.assert_allclose(y[..., 0], 9 * c_in, rtol=2e-4)
    np.testing.assert_allclose(y[..., 1], -9 * c_in, rtol=2e-4)
    np.testing.assert_allclose(y[..., 2], 9 * (1 + 1e-6 * (c_in - 1)), rtol=2e-3)
    up = np.ones((c_in, 2, 2, 2), np.float32)
    up[:, 1] *= -1
    y = _core.Up2(up, bias[:2], "int16").run(x) / scale
    np.testing.assert_allclose(y, np.broadcast_to([c_in, -c_in], y.shape), rtol=2e-4)


def test_nothing_and_next_to_nothing():
    bias, slope = np.array([0.5, -2], np.float32), np.array([0.25, 0.25], np.float32)
    for weight in (np.zeros((2, 8, 3, 3), np.float32), maps(2, 8, 3, 3)):
        layer = _core.Conv3(weight, bias, slope, "int16")
        for x in (np.zeros((1, 8, 8, 8), np.float32), np.full((1, 8, 8, 8), 1e-38, np.float32)):
            np.testing.assert_allclose(layer.run(x, 1), np.broadcast_to([0.5, -0.5], (1, 8, 8, 2)))
    up = _core.Up2(maps(8, 2, 2, 2), bias, "int16")
    np.testing.assert_array_equal(
        up.run(np.zeros((1, 2, 2, 8), np.float32)), np.broadcast_to(bias, (1, 4, 4, 2))
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_seen(bad):
    # Rounded to integers it would look like any number.
    x = maps(1, 16, 16, 8)
    x[0, 8, 8, 5] = bad
    layer = _core.Conv3(maps(4, 8, 3, 3), maps(4), np.ones(4, np.float32), "int16")
    y = layer.run(x, 1)
    assert not np.isfinite(y[0, 7:10, 7:10]).any()
    assert np.isfinite(y[0, :4, :4]).all()
    y = _core.Up2(maps(8, 4, 2, 2), maps(4), "int16").run(x)
    assert not np.isfinite(y[0, 16:18, 16:18]).any()
    weight = maps(4, 8, 3, 3)
    weight[1, 2, 0, 0] = bad
    with pytest.raises(ValueError, match="expected finite weights"):
        _core.Conv3(weight, maps(4), maps(4), "int16")
    with pytest.raises(ValueError, match="expected finite weights"):
        _core.Up2(np.full((8, 4, 2, 2), bad, np.float32), maps(4), "int16")


def test_other_numbers_are_refused():
    for make in (
        lambda: _core.Conv3(maps(4, 8, 3, 3), maps(4), maps(4), "int8"),
        lambda: _core.Up2(maps(8, 4, 2, 2), maps(4), "int8"),
    ):
        with pytest.raises(ValueError, match="numbers must be fp32 or int16, got 'int8'"):
            make()


# ---- networks --------------------------------------------------------------------------------------------


def state_of(made):
    return {key: value.numpy() for key, value in made.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "options"), [("unet_plr", {"norm": "batch"}), ("unet", {}), ("unet_plr_table2", {})]
)
def test_networks(name, options):
    torch.manual_seed(0)
    made = build_network(name, in_channels=3, **options).eval()
    x = maps(5, 40, 40, 3)
    given = {"in_channels": 3, "activation": None, "options": options}
    exact = native.build(name, state_of(made), **given)
    run = native.build(name, state_of(made), **given, numbers="int16")
    expected, found = exact(x), run(x)
    assert expected.keys() == found.keys()
    for key, value in expected.items():
        error = np.abs(found[key] - value)
        assert error.max() < (0.01 if key == "mask" else 2e-3 * np.abs(value).max())
        assert error.mean() < 5e-4 * np.abs(value).max()
        assert not np.array_equal(found[key], value)
        np.testing.assert_array_equal(run(x[-1:])[key], found[key][-1:])


PROGRAM = """
import sys, hashlib, numpy as np
from fastpgs import _core
from fastpgs.inference.model import load_model
print(_core.conv3_path() or sys.exit())  # a processor may lack it
crops = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
for dtype in ("fp32", "int16"):
    scores = load_model("unet-plr", "cpu", dtype=dtype).scores(crops)
    parts = (scores.p, scores.masks, scores.embeddings)
    print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
"""


def test_all_instruction_sets_give_the_same_bits():
    found = {}
    for path in ("avx2", "avx512", ""):
        environment = os.environ | {"FASTPGS_SIMD": path}
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        name, *hashes = done.stdout.split() or [""]
        if name:
            assert len(hashes) == 2
            found[name] = hashes
    assert "avx2" in found
    for hashes in found.values():
        assert hashes == found["avx2"]


# ---- the choice ------------------------------------------------------------------------------------------


def test_the_shipped_model_uses_them_where_the_choice_is_free():
    crops = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    free = model.load_model("unet-plr", "cpu")
    assert (free.engine, free.dtype) == ("native", "int16")
    exact = model.load_model("unet-plr", "cpu", dtype="fp32")
    assert (exact.engine, exact.dtype) == ("native", "fp32")
    difference = np.abs(free.predict_proba(crops) - exact.predict_proba(crops))
    assert 0 < difference.max() < 0.01


@pytest.mark.parametrize("engine", ["torchscript", "eager"])
def test_torch_has_none(engine):
    with pytest.raises(ValueError, match="'int16' is for model folders that engine 'native' runs on a CPU"):
        model.load_model("unet-plr", "cpu", engine=engine, dtype="int16")


def test_a_network_that_the_core_cannot_run_is_run_by_torch(monkeypatch):
    monkeypatch.setattr(native, "available", lambda: False)
    monkeypatch.setattr(precision, "cpu_bf16_units", lambda: "")
    found = model.load_model("unet-plr", "cpu")
    assert (found.engine, found.dtype) == ("torchscript", "fp32")
    with pytest.raises(ModelError, match=r"engine 'native' needs fp32 or int16 on .*; got int16 on cpu"):
        model.load_model("unet-plr", "cpu", dtype="int16")
    with pytest.raises(ModelError, match=r"engine 'native' needs fp32 or int16 on .*; got fp32 on cpu"):
        model.load_model("unet-plr", "cpu", engine="native")
