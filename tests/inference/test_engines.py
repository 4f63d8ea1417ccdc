"""The ways to run a network: they agree, whatever the threads, and take the numbers that the device is good at."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional

from fastpgs import _core
from fastpgs.inference import engines, model, native, precision, threads
from fastpgs.inference.files import ModelError
from fastpgs.inference.preprocess import InputSpec, level_table, to_tensor
from fastpgs.nets import build_network
from layers import (
    CONVOLUTIONS,
    UP_CONVOLUTIONS,
    channels_last,
    convolved,
    maps,
    needs_core,
    tensor,
    up_convolved,
)

# ---- layers of the core ----------------------------------------------------------------------------------


@needs_core
@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize(("n", "height", "width", "c_in", "c_out"), CONVOLUTIONS)
def test_convolution(n, height, width, c_in, c_out, padding):
    x, weight = maps(n, height, width, c_in), maps(c_out, c_in, 3, 3, seed=1)
    bias, slope = maps(c_out, seed=2), maps(c_out, seed=3)
    layer = _core.Conv3(weight, bias, slope)
    y = layer.run(x, padding)
    assert y.dtype == np.float32
    expected = convolved(x, weight, bias, slope, padding)
    np.testing.assert_allclose(y, expected, atol=2e-4 * np.sqrt(c_in))
    for split in {1, c_in // 2, c_in - 1} - {0, c_in}:
        parts = np.ascontiguousarray(x[..., :split]), np.ascontiguousarray(x[..., split:])
        np.testing.assert_array_equal(layer.run(parts[0], padding, parts[1]), y)
    np.testing.assert_array_equal(layer.run(x[-1:], padding), y[-1:])


@needs_core
@pytest.mark.parametrize(("width", "c_in", "c_out"), UP_CONVOLUTIONS)
def test_up_convolution(width, c_in, c_out):
    x, weight, bias = maps(2, 3, width, c_in), maps(c_in, c_out, 2, 2, seed=1), maps(c_out, seed=2)
    y = _core.Up2(weight, bias).run(x)
    np.testing.assert_allclose(y, up_convolved(x, weight, bias), atol=1e-5)


@needs_core
@pytest.mark.parametrize("shape", [(2, 2, 2, 1), (3, 8, 6, 32), (2, 7, 9, 5), (1, 5, 4, 17)])
def test_pool(shape):
    x = maps(*shape)
    np.testing.assert_array_equal(_core.pool2(x), channels_last(functional.max_pool2d(tensor(x), 2)))


@needs_core
def test_layers_refuse_other_shapes():
    layer = _core.Conv3(maps(4, 3, 3, 3), maps(4), maps(4))
    for call, message in [
        (lambda: layer.run(maps(1, 8, 8, 2), 1), r"\(n, height, width, 3\), got \(1, 8, 8, 2\)"),
        (lambda: layer.run(maps(1, 8, 8, 3), 2), "padding must be 0 or 1, got 2"),
        (lambda: layer.run(maps(1, 2, 8, 3), 0), r"too small: \(1, 2, 8, 3\)"),
        (
            lambda: layer.run(maps(1, 8, 8, 2), 1, maps(1, 8, 8, 2)),
            r"\(n, height, width, 1\), got \(1, 8, 8, 2\)",
        ),
        (lambda: layer.run(maps(1, 8, 8, 2), 1, maps(1, 8, 7, 1)), "two sizes"),
        (lambda: layer.run(maps(1, 8, 8, 4), 1, maps(1, 8, 8, 1)), "got"),
        (lambda: _core.Conv3(maps(4, 3, 5, 5), maps(4), maps(4)), "weight must have shape"),
        (lambda: _core.Conv3(maps(4, 3, 3, 3), maps(3), maps(4)), "bias and slope"),
        (lambda: _core.Up2(maps(4, 3, 3, 3), maps(3)), "weight must have shape"),
        (lambda: _core.Up2(maps(4, 3, 2, 2), maps(4)), r"bias must have shape .*got \(4\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    assert layer.run(maps(0, 8, 8, 3), 1).shape == (0, 8, 8, 4)


# ---- networks --------------------------------------------------------------------------------------------


def network(name, norm="none", activation=None):
    torch.manual_seed(0)
    options = {"norm": norm} if norm != "none" else {}
    made = build_network(name, in_channels=3, activation=activation, **options).eval()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    return made


@needs_core
@pytest.mark.parametrize("size", [32, 40])
@pytest.mark.parametrize(
    ("name", "norm", "activation"),
    [("unet_plr", "batch", None), ("unet", "none", None), ("unet_plr_table2", "none", None)],
)
def test_native_network_equals_torch(name, norm, activation, size):
    x = torch.from_numpy(maps(3, 3, size, size))
    made = network(name, norm, activation)
    run = built(name, made, {"norm": norm} if norm != "none" else {})
    with torch.inference_mode():
        expected = made(x)
    found = run(channels_last(x))
    assert expected.keys() == found.keys()
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], atol=5e-4, rtol=1e-3)
    without = run(channels_last(x), masks=False)
    assert without.keys() == {"logit", "embedding"}
    for key, value in without.items():
        np.testing.assert_array_equal(value, found[key])
        np.testing.assert_array_equal(run(channels_last(x[-1:]), masks=False)[key], value[-1:])


@needs_core
@pytest.mark.parametrize(("name", "colour"), [("unet_plr", "rgb"), ("unet_plr_table2", "grey")])
def test_native_network_takes_crops_of_bytes_in_any_number(name, colour):
    spec = InputSpec(size=32, colour=colour, mean=(0.7,), std=(0.2,))
    crops = np.random.default_rng(1).integers(0, 256, (35, 32, 32, spec.channels), dtype=np.uint8)
    torch.manual_seed(0)
    made = build_network(name, in_channels=spec.channels).eval()
    state = {key: value.numpy() for key, value in made.state_dict().items()}
    run = native.build(name, state, in_channels=spec.channels, activation=None, options={})
    assert run is not None
    levels = level_table(spec)
    found = run(crops, levels=levels)
    numbers = run(channels_last(to_tensor(crops, spec)))
    for key, value in found.items():
        np.testing.assert_array_equal(value, numbers[key])
        np.testing.assert_array_equal(value[[0, 16, 34]], run(crops[[0, 16, 34]], levels=levels)[key])
        assert run(crops[:0], levels=levels)[key].shape == (0, *value.shape[1:])


@needs_core
def test_a_network_of_the_core_refuses_what_does_not_fit():
    core = _core.Network(3)
    layer = _core.Conv3(maps(4, 3, 3, 3), maps(4), maps(4))
    made = core.conv(layer, 0, 0)
    for call, message in [
        (lambda: core.conv(layer, 0, made), "expected maps of 3 channels for the convolution, got 4"),
        (lambda: core.conv(layer, 1, 0, made), "got 7"),
        (lambda: core.conv(layer, 2, 0), "padding must be 0 or 1, got 2"),
        (lambda: core.pool(9), "expected maps of number 0 to 1, got 9"),
        (lambda: core.enlarge(made, 0), "at least once, got 0"),
        (lambda: core.up(_core.Up2(maps(3, 4, 2, 2), maps(4)), made), "expected maps of 3 channels, got 4"),
        (lambda: core.head([made], maps(3, 2), maps(2), maps(2), maps(2, 1), maps(1)), "head of 4 channels"),
        (lambda: core.head([made], maps(4, 2), maps(3), maps(2), maps(2, 1), maps(1)), r"got \(4, 2\) and"),
        (lambda: core.pixelwise(made, maps(3), 0), "expected 4 weights, got 3"),
        (lambda: core.pixelwise(made, maps(4, 1), 0), r"shape \(channels,\), got \(4, 1\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    core.head([made], maps(4, 2), maps(2), maps(2), maps(2, 1), maps(1))
    for call, message in [
        (lambda: core.run(maps(1, 2, 8, 3), False), "crops of 2 x 8 pixels are too small"),
        (lambda: core.run(maps(1, 8, 8, 3), True), "the network has no mask"),
        (lambda: core.run(maps(1, 8, 8, 1), False), r"expected input of shape .* 3\), got \(1, 8, 8, 1\)"),
        (
            lambda: core.run(np.zeros((1, 8, 8, 3), np.uint8), maps(256, 1), False),
            r"table of shape \(256, 3\)",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def large(x, times):
    return np.repeat(np.repeat(x, times, axis=1), times, axis=2)


@needs_core
@pytest.mark.parametrize("numbers", native.NUMBERS)
@pytest.mark.parametrize("c_in", [2, 9])  # of few channels sums are as written, of more by tiles
def test_enlarged_maps_are_read_where_they_lie(c_in, numbers):
    x = maps(3, 7, 10, c_in)
    one = _core.Conv3(maps(c_in, c_in, 3, 3, seed=1), maps(c_in, seed=2), maps(c_in, seed=3), numbers)
    two = _core.Conv3(maps(5, 2 * c_in, 3, 3, seed=4), maps(5, seed=5), maps(5, seed=6), numbers)
    up = _core.Up2(maps(c_in, 3, 2, 2, seed=7), maps(3, seed=8), numbers)

    def late(core):
        first = core.conv(one, 1, 0)
        seen = core.enlarge(first, 2)
        for _ in range(3):  # which must leave the first maps alone
            first = core.conv(one, 1, first)
        return core.conv(two, 0, seen, core.enlarge(first, 2))

    def joined(core):
        return core.conv(two, 1, core.enlarge(0, 2), core.enlarge(core.conv(one, 0, 0), 2))

    later = one.run(x, 1)
    for _ in range(3):
        later = one.run(later, 1)
    for build, expected in [
        (lambda core: core.enlarge(0, 3), large(x, 3)),
        (lambda core: core.enlarge(core.enlarge(0, 3), 2), large(x, 6)),
        (lambda core: core.pool(core.enlarge(0, 2)), x),
        (lambda core: core.up(up, core.enlarge(0, 2)), up.run(large(x, 2))),
        (lambda core: core.conv(one, 1, core.enlarge(core.enlarge(0, 3), 2)), one.run(large(x, 6), 1)),
        (joined, two.run(large(x, 2)[:, 2:-2, 2:-2].copy(), 1, large(one.run(x, 0), 2))),
        (late, two.run(large(one.run(x, 1), 2), 0, large(later, 2))),
    ]:
        core = _core.Network(c_in)
        made = build(core)
        channels = expected.shape[3]
        core.head([made], maps(channels, 2), maps(2), maps(2), maps(2, 1), maps(1))
        weight, bias = maps(channels, 1, seed=9), maps(1)
        core.pixelwise(made, weight[:, 0], float(bias[0]))
        logit, _, mask = core.run(x, True)
        wanted = _core.dense(expected.reshape(-1, channels), weight, bias)
        np.testing.assert_array_equal(mask.reshape(-1, 1), wanted)
        assert mask.shape == expected.shape[:3]
        np.testing.assert_array_equal(core.run(x, False)[0], logit)


def built(name, made, options):
    state = {key: value.numpy() for key, value in made.state_dict().items()}
    return native.build(name, state, in_channels=3, activation=None, options=options)


@needs_core
@pytest.mark.parametrize("size", [0, 12, 20])
def test_native_network_refuses_what_torch_does(size):
    run = built("unet_plr", network("unet_plr"), {})
    for x in (maps(1, 16, size, 3), maps(1, size, 16, 3), maps(1, 16, 16, 1)):
        with pytest.raises(ValueError, match=r"height and width must be|expected input of shape"):
            run(x)


@needs_core
def test_what_the_core_cannot_run_is_left_to_torch():
    plain, grouped = network("unet_plr"), network("unet_plr", "group")
    assert built("unet_plr", plain, {}) is not None
    assert built("unet_plr", grouped, {"norm": "group"}) is None
    for name, options in [
        ("cnn", {}),
        ("unet_plr", {"norm": "batch"}),
        ("unet_plr", {"width": 16}),
        ("unet_plr", {"width": "32"}),
        ("unet_plr", {"unheard": 1}),
        ("unet", {}),  # slopes are left
        ("unet_plr_table2", {}),
    ]:
        assert built(name, plain, options) is None


@needs_core
def test_dense():
    x, weight, bias = maps(5, 7), maps(7, 3, seed=1), maps(3, seed=2)
    np.testing.assert_allclose(_core.dense(x, weight, bias), x @ weight + bias, atol=1e-5)
    assert _core.dense(x[:0], weight, bias).shape == (0, 3)
    for wrong in [(x, weight.T, bias), (x, weight, bias[:2]), (x[0], weight, bias)]:
        with pytest.raises(ValueError, match=r"expected x \(n, c_in\)"):
            _core.dense(*wrong)


@needs_core
def test_classifying_on_a_cpu_imports_neither_torch_nor_pandas(tmp_path):
    code = """
import sys, numpy as np
from fastpgs.inference.model import load_model
from fastpgs.inference.pipeline import classify
model = load_model("unet-plr", "cpu")
field = np.random.default_rng(0).integers(225, 245, (64, 64, 3), dtype=np.uint8)
field[20:40, 20:40] = (90, 40, 130)
cells = classify([field], model, out=sys.argv[1]).cells
print(model.engine, len(cells) > 0, {"torch", "pandas", "sklearn"} & set(sys.modules))
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["native", "True", "set()"]


@pytest.mark.parametrize("there", [False, True])
def test_torch_is_asked_for_a_gpu_only_where_its_driver_is(monkeypatch, tmp_path, there):
    monkeypatch.setattr(precision, "GPU_DRIVERS", ("nowhere.so",))
    monkeypatch.setattr(precision, "AMD_GPU", tmp_path if there else tmp_path / "none")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert precision.choose_device("auto") == "cuda"  # torch is imported here: it is asked
    monkeypatch.setattr(precision, "_torch_is_there", lambda: False)
    assert precision.choose_device("auto") == ("cuda" if there else "cpu")


@pytest.mark.parametrize("name", ["unet_plr", "unet_plr_table2"])
def test_bf16_keeps_entrance_and_head_exact(name):
    x = torch.from_numpy(maps(2, 3, 32, 32))
    one, other = network(name), network(name)
    assert engines.to_dtype(other, torch.bfloat16)
    assert other.head.fc1.weight.dtype == torch.float32
    first, *others = [layer for layer in other.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert first.weight.dtype == torch.float32
    assert {layer.weight.dtype for layer in others} == {torch.bfloat16}
    with torch.inference_mode():
        expected, found = one(x), engines.ModuleEngine(other, "eager", torch.bfloat16)(x)
    assert found["logit"].dtype == torch.float32
    np.testing.assert_allclose(found["mask"].float(), expected["mask"], atol=0.05)
    np.testing.assert_allclose(
        found["logit"], expected["logit"], atol=0.05 * float(expected["logit"].abs().max()) + 0.05
    )


# ---- the choice ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amx", "avx512", "units", "dtypes"),
    [
        (True, True, "AMX", ["bf16", "fp32"]),
        (False, True, "AVX512-BF16", ["bf16", "fp32"]),
        (False, False, "", ["fp32"]),
    ],
)
def test_auto_dtype_follows_the_processor(monkeypatch, amx, avx512, units, dtypes):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512, raising=False)
    assert precision.cpu_bf16_units() == units
    assert list(precision.choose_dtypes("auto", "cpu", native=False)) == dtypes
    assert list(precision.choose_dtypes("auto", "cpu")) == ["int16", *dtypes]
    assert list(precision.choose_dtypes("fp32", "cpu")) == ["fp32"]


@pytest.mark.parametrize(
    ("capability", "dtypes"), [((6, 1), ["fp32"]), ((7, 0), ["fp16", "fp32"]), ((9, 0), ["fp16", "fp32"])]
)
def test_auto_dtype_follows_the_gpu(monkeypatch, capability, dtypes):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert list(precision.choose_dtypes("auto", "cuda")) == dtypes
    assert list(precision.choose_dtypes("fp16", "cuda:1")) == ["fp16"]


def test_a_network_that_leaves_the_range_runs_with_the_next_numbers():
    tried = []

    def make(kind):
        tried.append(kind)
        if kind != "fp32":
            raise model.UnfitNumbersError(f"too large for {kind}")
        return kind

    assert model._with(iter(["fp16", "fp32"]), make) == "fp32"
    assert tried == ["fp16", "fp32"]
    with pytest.raises(ModelError, match="too large for bf16"):
        model._with(iter(["bf16"]), make)
    assert tried == ["fp16", "fp32", "bf16"]


def test_impossible_choices_are_refused():
    with pytest.raises(ValueError, match="dtype must be one of auto, fp32, int16, bf16, fp16, got 'int8'"):
        precision.choose_dtypes("int8", "cpu")
    with pytest.raises(ValueError, match="'fp16' is for CUDA"):
        precision.choose_dtypes("fp16", "cpu")
    with pytest.raises(ValueError, match=r"'int16' is for .* got device 'cuda'$"):
        precision.choose_dtypes("int16", "cuda")


# ---- threads ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [None, 1, 3])
def test_spread_keeps_order_and_raises(n):
    assert threads.spread(lambda i: i * i, range(40), n) == [i * i for i in range(40)]
    assert threads.spread(lambda i: i, [], n) == []
    with pytest.raises(ZeroDivisionError):
        threads.spread(lambda i: 1 // i, [1, 0, 1], n)


def test_torch_keeps_its_threads_and_ours_have_one():
    """In a process of its own: the pool of this one is long there."""
    code = """
import threading, torch
from fastpgs.inference.threads import spread
torch.set_num_threads(3)
print(set(spread(lambda _: torch.get_num_threads(), range(8))), torch.get_num_threads())
seen = []
thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
thread.start(); thread.join()
print(seen)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["{1} 3", "[3]"]
