"""The model that the package ships: whole, honest about itself, and able to say that it does not know."""

import re

import numpy as np
import pytest

from fastpgs import metrics
from fastpgs.inference.files import find_model, read_config
from fastpgs.inference.model import load_model
from fastpgs.io import read_image


@pytest.fixture(scope="module")
def model():
    return load_model("unet-plr", "cpu")


def test_it_is_the_default_network(model):
    assert load_model("unet-plr", "cpu", engine="torchscript").engine == "torchscript"
    assert model.config.network == "unet_plr"
    assert load_model(device="cpu").config == model.config


@pytest.mark.parametrize("engine", ["auto", "torchscript"])
def test_engines_agree(engine):
    model = load_model("unet-plr", "cpu", engine=engine, dtype="fp32")
    side = model.config.input.size
    crops = np.random.default_rng(0).integers(0, 256, (6, side, side, 3), dtype=np.uint8)
    eager = load_model("unet-plr", "cpu", engine="eager", dtype="fp32")
    np.testing.assert_allclose(eager.predict_proba(crops), model.predict_proba(crops), atol=1e-5)
    np.testing.assert_allclose(eager.predict_mask(crops), model.predict_mask(crops), atol=1e-5)


def test_its_card_says_what_its_configuration_says(model):
    folder, own = find_model("unet-plr")
    assert own
    card = (folder / "README.md").read_text()
    config = read_config(folder)
    for name in ("balanced_accuracy", "roc_auc", "ece"):
        assert f"{config.trained['figures'][name]['value']:.4f}" in card
    assert config.trained["command"] in card
    assert "not a medical device" in card
    assert not re.search(r"/(home|root|opt|tmp|work)/", card + config.to_json())


@pytest.mark.parametrize("kind", ["noise", "gradient", "stripes", "black", "white"])
def test_what_is_no_smear_is_uncertain(model, kind):
    rng = np.random.default_rng(0)
    ramp = np.tile(np.linspace(0, 255, 224).astype(np.uint8)[:, None], (1, 224))
    image = {
        "noise": rng.integers(0, 256, (224, 224, 3), dtype=np.uint8),
        "gradient": np.dstack([ramp, ramp.T, 255 - ramp]),
        "stripes": np.dstack(
            [np.where(np.arange(224) // 16 % 2, 255, 40).astype(np.uint8) * np.ones((224, 1), np.uint8)] * 3
        ),
        "black": np.zeros((224, 224, 3), np.uint8),
        "white": np.full((224, 224, 3), 255, np.uint8),
    }[kind]
    judged = model.judge(image)
    assert judged.call == "uncertain"
    assert judged.reason


@pytest.mark.shared
def test_it_tells_fields_apart(model, shared_data):
    """A check that the pieces fit, not a figure of merit: the kept network has seen these fields."""
    p, labels = [], []
    for folder in ("Benign", "Early", "Pre", "Pro"):
        for path in sorted((shared_data / "all4" / folder).glob("*.jpg"))[20::130][:5]:
            p.append(model.judge(read_image(path), num_threads=1).p_blast)
            labels.append(int(folder != "Benign"))
    assert metrics.roc_auc(labels, np.array(p)) > 0.9


@pytest.mark.shared
def test_integers_come_near_to_floats_on_real_cells(shared_data):
    """benchmarks/agreement.py has all fields: 0.0012 at most, no call of a cell changes."""
    exact, free = (load_model("unet-plr", "cpu", dtype=dtype) for dtype in ("fp32", "auto"))
    crops = []
    for path in sorted((shared_data / "all4").glob("*/*.jpg"))[10::100]:
        image = read_image(path)
        crops.append(exact.crops(image, exact.place_cells(image, num_threads=1)))
    p, q = (model.predict_proba(np.concatenate(crops)) for model in (exact, free))
    assert len(p) > 150
    assert np.abs(p - q).max() < 0.01
    assert (exact.call(p) != free.call(q)).sum() <= len(p) // 1000
