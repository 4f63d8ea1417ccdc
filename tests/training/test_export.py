"""Exported files say what the model says, carry its configuration, and are not trusted blindly."""

import numpy as np
import pytest

from fastpgs.inference import precision
from fastpgs.inference.calibration import Calibration
from fastpgs.inference.files import ModelConfig, ModelError
from fastpgs.inference.model import load_model
from fastpgs.inference.novelty import Novelty
from fastpgs.inference.preprocess import InputSpec
from fastpgs.nets import build_network
from fastpgs.training import export
from fastpgs.training.save import save_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "tiny"
    options = {"width": 4, "norm": "batch"}
    config = ModelConfig(
        "tiny", "unet_plr", None, options, InputSpec(size=16), Calibration(1.5, 0.25), novelty_threshold=3.0
    )
    network = build_network("unet_plr", in_channels=3, **options).eval()
    save_model(path, config, network, Novelty(np.zeros(74), np.eye(74), 3.0), None)
    return path


@pytest.fixture(
    scope="module",
    params=["torchscript", *(pytest.param(f, marks=pytest.mark.slow) for f in ("onnx", "pt2"))],
)
def exported(request, folder, tmp_path_factory):
    if request.param == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    path, difference = export.export_model(folder, tmp_path_factory.mktemp("out") / "tiny", request.param)
    return request.param, path, difference


def crops(n, side):
    return np.random.default_rng(n).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def test_the_file_agrees_at_any_batch_and_size(exported, folder):
    kind, path, difference = exported
    assert path.suffix == export.FORMATS[kind]
    assert difference <= export.TOLERANCE
    original, model = (load_model(one, "cpu", dtype="fp32", trust=True) for one in (folder, path))
    assert model.engine == kind
    assert model.config == original.config
    for n, side in ((1, 16), (7, 16), (2, 40)):
        one, other = original.scores(crops(n, side)), model.scores(crops(n, side))
        np.testing.assert_allclose(other.p, one.p, atol=1e-5)
        np.testing.assert_allclose(other.masks, one.masks, atol=1e-4)
    np.testing.assert_array_equal(model._novelty.whiten, original._novelty.whiten)


def test_a_processor_with_bf16_is_no_reason_to_differ(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "cpu_bf16_units", lambda: "AMX")
    assert load_model(folder, "cpu", engine="torchscript").dtype == "bf16"
    _, difference = export.export_model(folder, tmp_path / "tiny", "torchscript")
    assert difference <= export.TOLERANCE


def test_programs_need_trust_and_data_does_not(exported):
    kind, path, _ = exported
    if kind == "onnx":
        assert load_model(path, "cpu").engine == "onnx"
    else:
        with pytest.raises(ModelError, match="trust=True"):
            load_model(path, "cpu")


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.98])
def test_truncated_files_give_one_clear_error(exported, tmp_path, keep):
    _, path, _ = exported
    data = path.read_bytes()
    cut = tmp_path / path.name
    cut.write_bytes(data[: int(keep * len(data)) if keep < 1 else keep])
    with pytest.raises(ModelError):
        load_model(cut, "cpu", trust=True)


def test_a_file_without_configuration_is_refused(tmp_path):
    import torch

    torch.jit.save(torch.jit.script(build_network("cnn").eval()), str(tmp_path / "x.ts"))
    with pytest.raises(ModelError, match="carries no configuration"):
        load_model(tmp_path / "x.ts", "cpu", trust=True)


def test_a_file_that_differs_is_not_kept(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(ModelError, match="differs from the model"):
        export.export_model(folder, tmp_path / "x", "torchscript")
    assert list(tmp_path.iterdir()) == []


def test_unknown_formats(folder, tmp_path):
    with pytest.raises(ValueError, match="got 'tflite'"):
        export.export_model(folder, tmp_path / "x", "tflite")
