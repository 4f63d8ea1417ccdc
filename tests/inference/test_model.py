"""Model folders: what they promise, and what happens to damaged or foreign ones."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from fastpgs.cells import find_cells
from fastpgs.inference import files, native
from fastpgs.inference.calibration import Calibration, Thresholds, fit_calibration, fit_thresholds, sigmoid
from fastpgs.inference.conditions import Conditions
from fastpgs.inference.files import ModelConfig, ModelError, read_config
from fastpgs.inference.model import load_model
from fastpgs.inference.novelty import Novelty, fit_novelty
from fastpgs.inference.pooling import METHODS, pool
from fastpgs.inference.preprocess import InputSpec, background, cut, to_rgb8
from fastpgs.nets import build_network
from fastpgs.training.save import save_model


def make(folder, colour="rgb", network="unet_plr", options=None, **spec):
    torch.manual_seed(3)
    options = {"width": 4, "norm": "batch"} if options is None else options
    config = ModelConfig(
        name="tiny",
        network=network,
        activation=None,
        options=options,
        input=InputSpec(size=32, colour=colour, **spec),
        calibration=Calibration(2.0, -0.5),
        pooling="mean",
        field_calibration=Calibration(0.5, 0.1),
        cell_thresholds=Thresholds(0.7, 0.4),
        field_thresholds=Thresholds(0.6, 0.3),
        novelty_threshold=2.0,
        # Every cell is larger than exp(-8) pixels: the score of each field is a quarter of a logit lower.
        conditions=Conditions(
            low=(-99.0,) * 6,
            high=(99.0, 99.0, -9.0, 99.0, 99.0, 99.0),
            lowest=(-99.0,) * 6,
            highest=(99.0, 99.0, -8.0, 99.0, 99.0, 99.0),
            below=(0.0,) * 6,
            above=(-0.25,) * 6,
        ),
    )
    built = build_network(network, in_channels=config.in_channels, **options).eval()
    embedding = built(torch.zeros(1, config.in_channels, 32, 32))["embedding"].shape[1]
    dimension = embedding + 3 + 2 * config.in_channels + 1
    novelty = Novelty(np.zeros(dimension), np.eye(dimension), 2.0)
    return save_model(folder, config, built, novelty, None)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    make(folder)
    return folder


@pytest.fixture
def copy(tiny, tmp_path):
    return shutil.copytree(tiny, tmp_path / "copy")


def some_crops(n=5, channels=3, size=32):
    shape = (n, size, size, 3) if channels == 3 else (n, size, size)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_configuration_survives_its_file(tiny):
    config = read_config(tiny)
    assert ModelConfig.from_json(config.to_json()) == config
    assert config.files.keys() == {"weights.safetensors", "model.ts", "novelty.safetensors"}
    assert config.hash == config.files["weights.safetensors"]


def test_eager_and_script_agree(tiny):
    eager = load_model(tiny, "cpu", engine="eager")
    script = load_model(tiny, "cpu", engine="torchscript", trust=True)
    assert (eager.engine, script.engine) == ("eager", "torchscript")
    one, other = eager.scores(some_crops()), script.scores(some_crops())
    for name in ("p", "masks", "embeddings"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-5)
    assert one.p.dtype == np.float32
    assert one.p.shape == (5,)
    assert one.masks.shape == (5, 32, 32)
    np.testing.assert_array_equal(eager.predict_mask(some_crops()), one.masks)


def test_probabilities_are_the_calibrated_logits(tiny):
    model = load_model(tiny, "cpu", dtype="fp32")
    network = build_network("unet_plr", in_channels=3, width=4, norm="batch").eval()
    from safetensors.torch import load_file

    network.load_state_dict(load_file(tiny / "weights.safetensors"))
    x = torch.from_numpy(some_crops()).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        logits = network((x - 0.7) / 0.25)["logit"][:, 0].double().numpy()
    np.testing.assert_allclose(model.predict_proba(some_crops()), sigmoid(logits / 2.0 - 0.5), atol=1e-6)


def test_batches_do_not_matter(tiny):
    model = load_model(tiny, "cpu")
    whole = model.predict_proba(some_crops(9))
    model.batch_size = 2
    np.testing.assert_allclose(model.predict_proba(some_crops(9)), whole, atol=1e-6)
    np.testing.assert_array_equal(model.predict_proba(some_crops(9)), model.predict_proba(some_crops(9)))


def test_no_crops(tiny):
    model = load_model(tiny, "cpu")
    assert model.predict_proba(some_crops(0)).shape == (0,)
    assert model.predict_mask(some_crops(0)).shape[0] == 0
    assert np.isnan(model.pool([]))
    assert str(model.call(model.pool([]))) == "uncertain"


def test_calls_of_cells_and_fields(tiny):
    model = load_model(tiny, "cpu")
    p = [0.0, 0.39, 0.4, 0.65, 0.7, 1.0, np.nan]
    assert list(model.call(p)) == [
        "normal",
        "normal",
        "uncertain",
        "uncertain",
        "blast",
        "blast",
        "uncertain",
    ]
    thresholds = model.config.cell_thresholds
    assert [thresholds.leaves_open(one) for one in p] == [call == "uncertain" for call in model.call(p)]
    assert list(model.call([0.29, 0.3, 0.6], level="field")) == ["normal", "uncertain", "blast"]
    with pytest.raises(ValueError, match="got 'image'"):
        model.call(p, level="image")


def test_grey_models(tmp_path):
    make(tmp_path / "grey", colour="grey")
    model = load_model(tmp_path / "grey", "cpu")
    assert model.config.in_channels == 1
    assert model.predict_proba(some_crops(channels=1)).shape == (5,)
    with pytest.raises(
        ValueError, match=r"expected uint8 crops of shape \(n, S, S\), got uint8 \(5, 32, 32, 3\)"
    ):
        model.predict_proba(some_crops())


def test_networks_without_a_mask_say_so(tmp_path):
    make(tmp_path / "cnn", network="cnn", options={})
    model = load_model(tmp_path / "cnn", "cpu")
    assert model.predict_proba(some_crops()).shape == (5,)
    with pytest.raises(ValueError, match="'cnn' has no mask"):
        model.predict_mask(some_crops())


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((2, 32, 32, 3), np.float32),
        np.zeros((2, 32, 32), np.uint8),
        np.zeros((32, 32), np.uint8),
        np.zeros((2, 30, 32, 3), np.uint8),
    ],
)
def test_wrong_crops(tiny, crops):
    for dtype in ("fp32", "bf16", *(["int16"] if native.available() else [])):
        with pytest.raises(ValueError, match=r"expected uint8 crops.* got|divisible by 8, got 30 x 32"):
            load_model(tiny, "cpu", dtype=dtype).predict_proba(crops)


def test_an_image_end_to_end(tiny):
    from fastpgs.synth import smear

    model = load_model(tiny, "cpu")
    field = smear((256, 256), seed=2, pixel_size=0.3)
    before = field.image.copy()
    judged = model.judge(field.image)
    np.testing.assert_array_equal(field.image, before)
    assert len(judged.cells) == len(judged.scores.p) > 0
    look = model.look(field.image)
    crops = model.crops(field.image, judged.cells)
    np.testing.assert_array_equal(model.crops(field.image, judged.cells, look=look), crops)
    shift = model.describe(look, judged.cells.table["area"], crops).shift
    assert shift == pytest.approx(-0.25)
    assert judged.p_blast == pytest.approx(model.pool(judged.scores.p, shift))
    assert judged.p_blast < model.pool(judged.scores.p)
    none = model.describe(look, np.zeros(0), crops[:0])
    assert none.shift == 0.0
    assert np.isnan(model.novelty(none, np.zeros((0, 64))))
    assert judged.call in ("blast", "normal", "uncertain")
    assert (judged.call == "uncertain") == bool(judged.reason)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.zeros((64, 64, 3), np.uint8), "black"),
        (np.full((64, 64, 3), 230, np.uint8), "empty"),
        (np.full((64, 64), 230, np.uint8), "empty"),
    ],
)
def test_fields_that_cannot_be_judged(tiny, image, reason):
    judged = load_model(tiny, "cpu").judge(image)
    assert judged.call == "uncertain"
    assert reason in judged.reason
    assert np.isnan(judged.p_blast) or len(judged.cells)


# ---- trust and damage ------------------------------------------------------------------------------------


def test_a_foreign_program_needs_trust(copy):
    """Without trust, TorchScript is made from the weights, and the folder's program is not even read."""
    (copy / "model.ts").write_bytes(b"no program")
    assert load_model(copy, "cpu", engine="torchscript").engine == "torchscript"
    with pytest.raises(ModelError, match=r"model\.ts"):
        load_model(copy, "cpu", engine="torchscript", dtype="fp32", trust=True)


def test_a_folder_with_nothing_but_a_program_needs_trust(copy):
    edit(copy, lambda c: c["files"].pop("weights.safetensors"))
    with pytest.raises(ModelError, match="trust=True"):
        load_model(copy, "cpu")
    assert load_model(copy, "cpu", trust=True).engine == "torchscript"


@pytest.mark.parametrize("name", ["weights.safetensors", "model.ts", "novelty.safetensors"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "missing"])
def test_damaged_files_give_one_clear_error(copy, name, damage):
    path = copy / name
    data = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "flip":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    else:
        path.write_bytes(data[: len(data) // 2] if damage == "truncate" else b"")
    program = name == "model.ts"
    with pytest.raises(ModelError, match=rf"{name}.*(damaged|cannot read|No such file)"):
        load_model(copy, "cpu", engine="torchscript" if program else "auto", dtype="fp32", trust=program)


def edit(folder, change):
    path = folder / "config.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format=99), "format must be 1, got 99"),
        (lambda c: c.pop("network"), "network"),
        (lambda c: c.update(extra=1), "extra"),
        (lambda c: c["input"].update(size=33), "multiple of 8, got 33"),
        (lambda c: c["input"].update(colour="grey", mean=[0.5], std=[0.2]), "do not fit"),
        (lambda c: c.update(network="resnet"), "unknown network 'resnet'"),
        (lambda c: c.update(options={"width": 8, "norm": "batch"}), "do not fit"),
        (lambda c: c.update(options={"width": 10**9}), "do not fit"),
        (lambda c: c["cell_thresholds"].update(blast=0.1), "expected 0 <= normal <= blast"),
        (lambda c: c.update(calibration=None), "unusable"),
        (lambda c: c["files"].update({"weights.safetensors": "0" * 64}), "damaged or was exchanged"),
    ],
)
def test_unfit_configurations_give_one_clear_error(copy, change, message):
    edit(copy, change)
    with pytest.raises(ModelError, match=message):
        load_model(copy, "cpu")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "1", "\x00", '{"format": 1}', "[" * 100_000])
def test_a_configuration_that_is_none(copy, text):
    (copy / "config.json").write_text(text)
    with pytest.raises(ModelError):
        load_model(copy, "cpu")


def test_names_that_lead_out_of_the_folder_are_not_followed(copy):
    secret = copy.parent / "secret"
    secret.write_bytes(b"x")
    config = read_config(copy)
    with pytest.raises(ModelError, match="not among the files"):
        files.checked_bytes(copy, "../secret", config)


def test_oversized_configurations_are_not_read(copy):
    (copy / "config.json").write_text(" " * (files.LARGEST_CONFIG + 1))
    with pytest.raises(ModelError, match="at most 1048576 bytes"):
        load_model(copy, "cpu")


def test_unknown_models_engines_and_devices(tiny, tmp_path):
    with pytest.raises(FileNotFoundError, match="no model 'nonesuch'"):
        load_model("nonesuch")
    with pytest.raises(ModelError, match=r"no config\.json"):
        load_model(tmp_path)
    with pytest.raises(ValueError, match="got 'tensorrt'"):
        load_model(tiny, engine="tensorrt")
    with pytest.raises(ValueError, match="device 'tpu'"):
        load_model(tiny, "tpu")
    (tmp_path / "model.pkl").write_bytes(b"cos\nsystem\n")
    with pytest.raises(ModelError, match=r"got 'model\.pkl'"):
        load_model(tmp_path / "model.pkl")


def test_nothing_is_ever_unpickled(tiny, monkeypatch):
    import pickle

    def refuse(*_, **__):
        raise AssertionError("unpickled")

    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(pickle, "Unpickler", refuse)
    load_model(tiny, "cpu")
    load_model(tiny, "cpu", engine="torchscript", trust=True)


# ---- calibration, thresholds, pooling, novelty -------------------------------------------------------------


def test_calibration_recovers_temperature_and_bias():
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 4, 20_000)
    labels = rng.random(20_000) < sigmoid(scores / 2.5 - 0.7)
    fitted = fit_calibration(scores, labels)
    assert fitted.temperature == pytest.approx(2.5, rel=0.05)
    assert fitted.bias == pytest.approx(-0.7, abs=0.08)


def test_calibration_of_separated_and_of_useless_scores_stays_finite():
    perfect = fit_calibration([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1])
    assert 0 < perfect.temperature < 10
    assert 0.5 < perfect(1.0) < 0.99
    wrong = fit_calibration([2.0, 1.0, -1.0, -2.0], [0, 0, 1, 1])
    assert abs(float(wrong(2.0)) - float(wrong(-2.0))) < 0.01
    with pytest.raises(ValueError, match="both classes, got 2 blasts and 0 normals"):
        fit_calibration([1.0, 2.0], [1, 1])


@pytest.mark.parametrize("overlap", [0.0, 0.5, 2.0])
def test_thresholds_keep_their_promises(overlap):
    rng = np.random.default_rng(1)
    labels = rng.random(2000) < 0.6
    p = sigmoid(rng.normal(0, 1, 2000) * (0.3 + overlap) + np.where(labels, 2, -2))
    chosen = fit_thresholds(p, labels, sensitivity=0.98, specificity=0.95)
    calls = chosen.call(p)
    assert np.mean(calls[labels] == "normal") <= 0.02 + 1e-9
    assert np.mean(calls[~labels] == "blast") <= 0.05 + 1e-9
    if overlap == 0:
        assert chosen.blast == chosen.normal
        assert "uncertain" not in calls


@pytest.mark.parametrize("method", list(METHODS))
def test_pooling_rises_with_every_cell(method):
    assert pool([0.9, 0.8], method) > pool([0.9, 0.1], method) > pool([0.1, 0.05], method)
    assert np.isnan(pool([], method))
    for extreme in ([0.0], [1.0], [0.0, 1.0], [1.0] * 500, [0.0] * 500):
        assert np.isfinite(pool(extreme, method))


def test_attention_goes_from_the_most_normal_cell_over_the_mean_to_the_most_like_a_blast():
    p = [0.9, 0.5, 0.2]
    assert pool(p, "attention", 0.0) == pytest.approx(pool(p, "mean_logit"))
    focused = [pool(p, "attention", focus) for focus in (-50.0, -0.5, 0.0, 0.5, 50.0)]
    assert focused == sorted(focused)
    assert sigmoid(focused[0]) == pytest.approx(0.2)
    assert sigmoid(focused[-1]) == pytest.approx(0.9)
    weights = np.exp(0.5 * np.log([9.0, 1.0, 0.25]))
    assert focused[3] == pytest.approx(weights @ np.log([9.0, 1.0, 0.25]) / weights.sum())
    assert np.isnan(pool([], "attention", 0.5))


def test_noisy_or_by_hand():
    assert sigmoid(pool([0.5, 0.5], "noisy_or")) == pytest.approx(0.75)
    with pytest.raises(ValueError, match="got 'max'"):
        pool([0.5], "max")


def test_novelty_is_about_one_at_home_and_large_far_away():
    rng = np.random.default_rng(0)
    vectors = rng.normal(5, 2, (400, 12)) @ np.diag(np.linspace(0.1, 3, 12))
    fitted = fit_novelty(vectors)
    assert np.median(fitted.score(vectors)) == pytest.approx(1, abs=0.1)
    assert fitted.score(vectors[:1] + 60)[0] > 5


# ---- images --------------------------------------------------------------------------------------------


def test_any_image_becomes_rgb8():
    rgb = some_crops(1)[0]
    np.testing.assert_array_equal(to_rgb8(rgb), rgb)
    np.testing.assert_array_equal(to_rgb8(rgb / 255), rgb)
    np.testing.assert_array_equal(to_rgb8(rgb.astype(np.uint16) * 257), rgb)
    np.testing.assert_array_equal(to_rgb8(np.dstack([rgb, rgb[..., 0]])), rgb)
    np.testing.assert_array_equal(to_rgb8(rgb[..., 0])[..., 2], rgb[..., 0])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((3, 3, 5), np.uint8),
        np.zeros(4),
        np.zeros((2, 2), int),
        np.full((2, 2), np.nan),
        np.full((2, 2), 2.0),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_image(image):
    with pytest.raises(ValueError, match=r"expected|must be"):
        to_rgb8(image)


@pytest.mark.parametrize("masked", [False, True])
def test_denoised_crops_are_cut_from_the_denoised_field(masked):
    from scipy.ndimage import median_filter

    rng = np.random.default_rng(5)
    field = np.full((80, 90, 3), 225, np.uint8)
    field[30:52, 34:58] = (100, 60, 150)
    field[rng.random((80, 90)) < 0.03] = 0
    cells = find_cells(field)
    assert len(cells)
    plain = InputSpec(size=32, balance="none", masked=masked)
    quiet = replace(plain, denoise="median")
    expected = cut(median_filter(field, size=(3, 3, 1), mode="nearest"), cells, plain)
    np.testing.assert_array_equal(cut(field, cells, quiet), expected)
    assert not np.array_equal(cut(field, cells, plain), expected)
    with pytest.raises(ValueError, match=r"denoise must be one of .* got 'wavelets'"):
        InputSpec(denoise="wavelets")


def test_only_light_unlike_the_training_is_made_typical():
    from fastpgs.inference.preprocess import finish, fit_light, gains, seen_levels

    levels = np.random.default_rng(3).uniform((230, 245, 225), (245, 255, 240), (200, 3))
    spec = InputSpec(size=32, balance="typical", light=fit_light(levels))
    assert InputSpec.from_dict(spec.to_dict()) == spec
    assert (gains(levels, spec) == 1).all(axis=1).mean() > 0.9
    typical = np.median(levels, axis=0)
    cold = typical * (0.9, 1.0, 1.05)
    dim = typical * 0.7
    odd = np.stack([typical, cold, dim, typical * 0.1, typical * (0.4, 1.0, 1.0)])
    seen = seen_levels(odd, gains(odd, spec), spec)
    np.testing.assert_array_equal(seen[0], typical)
    np.testing.assert_allclose(seen[1:3], np.stack([typical] * 2), rtol=0.01)
    np.testing.assert_array_equal(seen[3:], odd[3:])  # nothing to go by, and beyond recognition
    crop = np.full((1, 8, 8, 3), np.rint(dim * 0.5), np.uint8)
    plain = InputSpec(balance="none")
    np.testing.assert_allclose(
        finish(crop, None, gains(dim[None], spec), spec)[0, 0, 0], typical * 0.5, atol=2
    )
    np.testing.assert_array_equal(finish(crop, None, gains(dim[None], plain), plain), crop)
    with pytest.raises(ValueError, match="light needs three rows of three values"):
        InputSpec(light=((1.0, 1.0, 255.0),))


def test_white_balance_makes_the_background_white(tmp_path):
    from fastpgs.inference.preprocess import WHITE, finish, gains

    field = np.full((20, 20, 3), (200, 180, 220), np.uint8)
    field[5:9, 5:9] = (100, 50, 150)
    level = background(field)
    np.testing.assert_array_equal(level, (200, 180, 220))
    spec = InputSpec(balance="white")
    out = finish(field[None], None, gains(level[None], spec), spec)
    np.testing.assert_array_equal(out[0, 0, 0], (WHITE, WHITE, WHITE))
    np.testing.assert_array_equal(out[0, 6, 6], np.rint(np.array([100, 50, 150]) * WHITE / (200, 180, 220)))
