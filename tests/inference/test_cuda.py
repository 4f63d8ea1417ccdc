"""The model on a CUDA device: ``pytest -m cuda -rs`` is the whole GPU check, and prints its speed.

Skipped where there is no device.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import fastpgs  # noqa: E402
from fastpgs import synth  # noqa: E402
from fastpgs.inference.files import ModelError  # noqa: E402
from fastpgs.training.save import save_model  # noqa: E402

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def test_auto_takes_the_device_and_agrees_with_the_cpu() -> None:
    image = synth.smear(seed=2).image
    on_gpu, on_cpu = fastpgs.load_model(), fastpgs.load_model(device="cpu")
    assert on_gpu.device.startswith("cuda")
    crops = on_cpu.crops(image, on_cpu.find_cells(image))
    np.testing.assert_allclose(on_gpu.predict_proba(crops), on_cpu.predict_proba(crops), atol=0.01)
    np.testing.assert_allclose(on_gpu.predict_mask(crops), on_cpu.predict_mask(crops), atol=0.02)


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("n", [1, 8, 9, 27])
def test_graphs_give_what_the_cpu_gives(dtype: str, n: int) -> None:
    """Whole and broken batches, more of them than slots, and the same again from the same graphs."""
    on_cpu, on_gpu = fastpgs.load_model(device="cpu"), fastpgs.load_model(device="cuda", dtype=dtype)
    on_gpu.batch_size = 8
    side = on_cpu.config.input.size
    crops = np.random.default_rng(n).integers(0, 256, (n, side, side, 3), dtype=np.uint8)
    for _ in range(2):
        np.testing.assert_allclose(on_gpu.predict_proba(crops), on_cpu.predict_proba(crops), atol=0.01)
        np.testing.assert_allclose(on_gpu.predict_mask(crops), on_cpu.predict_mask(crops), atol=0.05)


def test_classify_gives_the_same_calls() -> None:
    images = [synth.smear(seed=seed).image for seed in range(3)]
    calls = [
        fastpgs.classify(images, device=device).images.column("call").to_pylist()
        for device in ("cuda", "cpu")
    ]
    assert calls[0] == calls[1]


def test_threads_share_the_slots() -> None:
    """More threads than slots, each with several batches: everyone gets what it would get alone."""
    model = fastpgs.load_model(device="cuda")
    model.batch_size = 8
    side = model.config.input.size
    crops = np.random.default_rng(3).integers(0, 256, (6, 27, side, side, 3), dtype=np.uint8)
    alone = [model.predict_proba(some) for some in crops]
    with ThreadPoolExecutor(len(crops)) as pool:
        for _ in range(3):
            for got, wanted in zip(pool.map(model.predict_proba, crops), alone, strict=True):
                np.testing.assert_array_equal(got, wanted)


def test_a_batch_that_does_not_fit_is_refused_and_the_next_goes_on() -> None:
    model = fastpgs.load_model(device="cuda")
    crops = np.full((1, 256, 256, 3), 200, np.uint8)
    model.batch_size = 1 << 15
    with pytest.raises(
        MemoryError, match=r"no room for batches of 32768 crops of 256 x 256 pixels: use a smaller"
    ):
        model.predict_proba(crops)
    model.batch_size = 2
    assert model.predict_proba(crops).shape == (1,)


def test_a_network_too_large_for_fp16_runs_with_fp32(tmp_path: Path) -> None:
    model = fastpgs.load_model(device="cpu", dtype="fp32", engine="eager")
    network = model._run.module
    large = 2.0**20  # of the maps of one layer; its readers take it back
    with torch.no_grad():
        for values in (network.conv2.norm.weight, network.conv2.norm.bias):
            values *= large
        network.conv3.conv.weight /= large
        network.conv6.conv.weight[:, 64:] /= large
    folder = tmp_path / "large"
    save_model(folder, model.config, network, model._novelty, None)
    found = fastpgs.load_model(folder, "cuda")
    assert (fastpgs.load_model(device="cuda").dtype, found.dtype) == ("fp16", "fp32")
    with pytest.raises(ModelError, match="values that are not finite with fp16"):
        fastpgs.load_model(folder, "cuda", dtype="fp16")


def test_speed(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints crops a second; asserts no time."""
    model = fastpgs.load_model(device="cuda")
    size = model.config.input.size
    model.batch_size = 512
    crops = np.random.default_rng(0).integers(0, 256, (4096, size, size, 3), dtype=np.uint8)
    model.predict_proba(crops[:512])
    begin = time.perf_counter()
    p = model.predict_proba(crops)
    seconds = time.perf_counter() - begin
    assert p.shape == (4096,)
    with capsys.disabled():
        print(f"\n{torch.cuda.get_device_name()}: {4096 / seconds:.0f} crops of {size}² a second, {model!r}")
