"""From images to a model folder that loads, with honest figures beside it."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from fastpgs.inference import pooling
from fastpgs.inference.model import load_model
from fastpgs.inference.preprocess import InputSpec
from fastpgs.metrics import roc_auc
from fastpgs.nets import build_network
from fastpgs.training.baselines import move_prior
from fastpgs.training.cellset import collect_cells
from fastpgs.training.checkpoint import kept_weights
from fastpgs.training.config import TrainConfig
from fastpgs.training.datasets import read_dataset
from fastpgs.training.evaluate import (
    HeldOut,
    changed_figures,
    cross_fitted,
    fit_all,
    fit_others,
    pool_images,
)
from fastpgs.training.fit import FitOptions, fit_model
from fastpgs.training.perturb import PERTURBATIONS, random_view, stain_shift
from fastpgs.training.splits import LeakageError

SPEC = InputSpec(size=32, balance="none")
CONFIG = TrainConfig(
    options={"norm": "batch", "width": 4},
    epochs=2,
    batch_size=8,
    learning_rate=5e-3,
    warmup=2,
    cells_per_image=3,
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Eight small fields a class of three discs each: blasts large and dark, normals small."""
    root = tmp_path_factory.mktemp("fields")
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:120, :120]
    for kind, radius in (("benign", 10), ("early", 15)):
        (root / kind).mkdir()
        for n in range(8):
            image = rng.integers(225, 240, (120, 120, 3))
            for row, col in ((35, 35), (35, 85), (85, 60)):
                disc = (rows - row) ** 2 + (cols - col) ** 2 < (radius + rng.uniform(-1, 1)) ** 2
                image[disc] = rng.integers((95, 50, 140), (115, 70, 160), (disc.sum(), 3))
            Image.fromarray(image.astype(np.uint8)).save(root / kind / f"{n}.png")
    (root / "early" / "9.png").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def fitted(tree, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "tiny"
    told = []
    result = fit_model(
        read_dataset(tree, blocks=4),
        out,
        SPEC,
        CONFIG,
        FitOptions(folds=2, views=1, robustness=2, prior=0.5),
        command="fastpgs train fields --out tiny",
        cache=tmp_path_factory.mktemp("cache"),
        report=told.append,
    )
    return out, result, told


def test_the_folder_loads_and_judges(fitted, tree):
    out, result, _ = fitted
    model = load_model(out, "cpu")
    assert model.config == result.config
    image = np.asarray(Image.open(tree / "early" / "2.png"))
    judged = model.judge(image)
    assert len(judged.cells) == 3
    assert 0 <= judged.p_blast <= 1
    assert 0 < judged.novelty < 10


def test_the_report_and_the_card_hold_what_was_measured(fitted):
    out, _, told = fitted
    report = json.loads((out / "training" / "report.json").read_text())
    assert report["data"]["images"] == 17
    assert [name for name, _ in report["data"]["unreadable"]] == ["9.png", "9.png"]
    assert set(report["baselines"]) == {
        "majority class",
        "cell area alone",
        "colour histogram + random forest",
    }
    assert set(report["robustness"]) == {"none", *PERTURBATIONS}
    for name, row in report["robustness"].items():
        assert row["low"] <= row["balanced_accuracy"] <= row["high"]
        assert row["lost_low"] <= row["lost"] <= row["lost_high"]
        assert name != "none" or (row["lost"], row["lost_low"], row["lost_high"]) == (0.0, 0.0, 0.0)
    assert report["figures"]["roc_auc"]["low"] <= report["figures"]["roc_auc"]["value"]
    card = (out / "README.md").read_text()
    for row in report["views"].values():
        assert f"{row['balanced_accuracy']:.4f}" in card.partition("## Random views")[2]
    assert set(report["views"]) == {"score alone", "with conditions"}
    assert "| sharpness |" in card
    assert f"{report['figures']['balanced_accuracy']['value']:.4f}" in card
    assert "not a medical device" in card
    assert "fastpgs train fields --out tiny" in card
    lines = (out / "training" / "heldout.csv").read_text().splitlines()
    assert len(lines) == 1 + 16
    assert sum(row["fields"] for row in report["groups"]) == 16
    wrong = sum(row["wrong"] for row in report["groups"])
    assert (out / "training" / "failures.png").exists() == (wrong > 0)
    assert ("wrong side of p = 0.5" in card) == (wrong > 0)
    assert {"cells", "fold 0", "fold 1", "final", "robustness"} <= {t["stage"] for t in told}


def test_a_run_goes_on_from_the_networks_of_another(fitted, tree, tmp_path):
    out, result, _ = fitted
    frozen = replace(CONFIG, epochs=1, learning_rate=0.0)
    data, options = read_dataset(tree, blocks=4), FitOptions(folds=2, views=1)
    other = fit_model(
        data, tmp_path / "m", SPEC, frozen, options, command="fastpgs train", cache=tmp_path / "c", start=out
    )
    before, after = (load_file(folder / "weights.safetensors") for folder in (out, tmp_path / "m"))
    # Without a learning rate all but the running means of batch normalisation stays.
    kept = [name for name in before if "running" not in name and "num_batches" not in name]
    assert len(kept) > 10
    assert all(np.array_equal(before[name], after[name]) for name in kept)
    assert other.config.trained["start"]["weights"] == result.config.files["weights.safetensors"]
    card = (tmp_path / "m" / "README.md").read_text()
    assert "went on from" in card
    assert "fastpgs train fields --out tiny" in card


def test_blended_weights_lie_between_those_before_and_after(fitted, tree, tmp_path):
    out, _, _ = fitted
    data, options = read_dataset(tree, blocks=4), FitOptions(folds=2, views=1, final=False)
    weights = {}
    for share in (1.0, 0.25):
        folder = tmp_path / f"{share}"
        fit_model(
            data, folder, SPEC, CONFIG, replace(options, blend=share), command="fastpgs train",
            cache=tmp_path / "c", start=out,
        )  # fmt: skip
        weights[share] = load_file(folder / "weights.safetensors")
    network = build_network("unet_plr", in_channels=3, **CONFIG.options)
    before = kept_weights(out / "training" / "fold0", network)
    assert any(not np.array_equal(before[name].numpy(), weights[1.0][name]) for name in before)
    for name, new in weights[1.0].items():
        if new.dtype.kind == "f":
            expected = 0.25 * new.astype(np.float64) + 0.75 * before[name].numpy().astype(np.float64)
            np.testing.assert_allclose(weights[0.25][name], expected, rtol=1e-6, atol=1e-9)
    # A third run goes on from what was kept, not from what was trained.
    kept = kept_weights(tmp_path / "0.25" / "training" / "fold0", network)
    assert all(np.array_equal(kept[name].numpy(), value) for name, value in weights[0.25].items())
    assert "25% those after this training" in (tmp_path / "0.25" / "README.md").read_text()
    with pytest.raises(ValueError, match="needs a start"):
        fit_model(data, tmp_path / "m", SPEC, CONFIG, replace(options, blend=0.5))
    with pytest.raises(ValueError, match="blend must be above 0"):
        FitOptions(blend=0.0)


def test_a_start_that_has_seen_what_is_held_out_is_refused(fitted, tree, tmp_path):
    out, _, _ = fitted
    data = read_dataset(tree, blocks=4)
    for options in (FitOptions(folds=4), FitOptions(folds=2, seed=1)):
        with pytest.raises(LeakageError, match="may have seen"):
            fit_model(data, tmp_path / "m", SPEC, CONFIG, options, start=out, cache=tmp_path / "c")
    with pytest.raises(FileNotFoundError, match=r"folds\.csv"):
        fit_model(data, tmp_path / "m", SPEC, CONFIG, FitOptions(folds=2), start=tree, cache=tmp_path / "c")
    wide = replace(CONFIG, options={"norm": "batch", "width": 8})
    with pytest.raises(ValueError, match="expected weights of the same network"):
        fit_model(data, tmp_path / "m", SPEC, wide, FitOptions(folds=2), start=out, cache=tmp_path / "c")


def test_a_killed_run_resumes_to_the_same_model(fitted, tree, tmp_path):
    out, result, _ = fitted
    again = tmp_path / "tiny"
    (again / "training").mkdir(parents=True)
    # What a kill after the first fold would have left.
    shutil.copytree(out / "training" / "fold0", again / "training" / "fold0")
    other = fit_model(
        read_dataset(tree, blocks=4),
        again,
        SPEC,
        CONFIG,
        FitOptions(folds=2, views=1),
        cache=tmp_path,
        resume=True,
    )
    assert other.config.files["weights.safetensors"] == result.config.files["weights.safetensors"]
    assert other.config.calibration == result.config.calibration


def test_cells_are_found_once(tree, tmp_path, monkeypatch):
    from fastpgs.training import cellset

    data = read_dataset(tree, blocks=2)
    first = collect_cells(data, SPEC, cache=tmp_path, views=1)

    def refuse(*_, **__):
        raise AssertionError("looked for cells again")

    monkeypatch.setattr(cellset, "find", refuse)
    again = collect_cells(data, InputSpec(size=40, colour="grey", balance="white"), cache=tmp_path, views=1)
    assert len(again) == len(first)
    np.testing.assert_array_equal(again.crops[:, 4:-4, 4:-4], first.crops)
    assert again.inputs(InputSpec(size=40, colour="grey", balance="white")).shape == (len(first), 56, 56, 1)
    assert set(first.view) == {0, 1}


def test_no_cells_at_all(tmp_path):
    for kind in ("blast", "normal"):
        (tmp_path / "d" / kind).mkdir(parents=True)
        for n in range(2):
            image = np.full((40, 40, 3), 200 + n, np.uint8)
            image[0, 0] = n * 2 + (kind == "blast")
            Image.fromarray(image).save(tmp_path / "d" / kind / f"{kind}{n}.png")
    with pytest.raises(ValueError, match="no cell in any of 4 images"):
        collect_cells(read_dataset(tmp_path / "d", blocks=2), SPEC, cache=tmp_path)


def held_out(n=60, seed=0):
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 3 > 0).astype(np.int64)
    sample = np.repeat(np.arange(n), 5)
    logits = rng.normal(0, 1, n * 5) + np.where(labels[sample] == 1, 1.0, -1.0)
    distance = rng.normal(1, 0.1, n)
    measures = rng.uniform(0, 1, (n, 6))
    return HeldOut(sample, logits, np.arange(n), np.arange(n) % 4, distance, measures), labels


def blurred(held, labels, by=2.0):
    """A view of each image of `held` whose sharpness is below all others', and whose scores are `by` higher."""
    measures = held.measures.copy()
    measures[:, 0] -= 2.0
    more = len(labels)
    return replace(
        held,
        sample=held.sample + more,
        logits=held.logits + by,
        images=held.images + more,
        measures=measures,
    )


def test_reported_probabilities_do_not_see_their_own_fold():
    held, labels = held_out()
    options = {"sensitivity": 0.95, "specificity": 0.95, "method": "mean"}
    p, calls, _ = cross_fitted(held, labels, **options)
    changed = labels.copy()
    changed[held.fold == 0] = 1 - changed[held.fold == 0]
    other, other_calls, _ = cross_fitted(held, changed, **options)
    np.testing.assert_array_equal(p[held.fold == 0], other[held.fold == 0])
    np.testing.assert_array_equal(calls[held.fold == 0], other_calls[held.fold == 0])
    assert not np.array_equal(p[held.fold == 1], other[held.fold == 1])


def test_everything_is_fitted_sensibly():
    held, labels = held_out(600)
    fitted = fit_all(held, labels, sensitivity=0.98, specificity=0.95)
    assert fitted.pooling in pooling.NAMES
    assert fitted.field_thresholds.normal <= fitted.field_thresholds.blast
    assert np.mean(held.novelty > fitted.novelty_threshold) == pytest.approx(0.01, abs=0.005)


def test_changed_views_mend_changed_fields_and_leave_others_alone():
    held, labels = held_out(600)
    changed = blurred(held, labels)
    chosen = {"sensitivity": 0.98, "specificity": 0.95, "method": "mean_logit"}
    plain = fit_all(held, labels, **chosen)
    fitted = fit_all(held, labels, changed=changed, **chosen)
    assert plain.conditions is None
    assert fitted.conditions is not None
    assert (fitted.field_calibration, fitted.calibration) == (plain.field_calibration, plain.calibration)
    inside = fitted.conditions.shift(held.measures) == 0
    assert inside.mean() > 0.8
    np.testing.assert_array_equal(fitted.judge(held)[inside], plain.judge(held)[inside])
    table = changed_figures(held, changed, labels, **chosen)
    assert table["score alone"]["balanced_accuracy"] < 0.8
    assert table["with conditions"]["balanced_accuracy"] > table["score alone"]["balanced_accuracy"] + 0.1
    assert table["with conditions"]["ece"] < table["score alone"]["ece"] / 2


def test_conditions_do_not_see_their_own_fold():
    held, labels = held_out()
    changed = blurred(held, labels)
    options = {"sensitivity": 0.95, "specificity": 0.95, "method": "mean"}
    flipped = replace(
        changed,
        logits=np.where(np.isin(changed.sample, changed.images[changed.fold == 0]), 9, changed.logits),
    )
    one, other = (fit_others(held, labels, 0, changed=views, **options) for views in (changed, flipped))
    assert one == other
    assert fit_others(held, labels, 1, changed=flipped, **options) != fit_others(
        held, labels, 1, changed=changed, **options
    )


def test_probabilities_are_for_the_share_of_blasts_asked_for():
    held, labels = held_out(600)
    truth = labels[held.images] == 1
    for prior in (0.2, 0.5):
        fitted = fit_all(held, labels, sensitivity=0.98, specificity=0.95, method="mean_logit", prior=prior)
        for p, kind in (
            (fitted.calibration(held.logits).reshape(600, 5).mean(axis=1), truth),
            (
                fitted.field_calibration(
                    pool_images(fitted.calibration(held.logits), held.sample, held.images, "mean_logit")
                ),
                truth,
            ),
        ):
            assert prior * p[kind].mean() + (1 - prior) * p[~kind].mean() == pytest.approx(prior, abs=0.01)
    for wrong in (0.0, 1.0, -0.1):
        with pytest.raises(ValueError, match=f"prior must lie between 0 and 1, got {wrong}"):
            fit_all(held, labels, sensitivity=0.98, specificity=0.95, prior=wrong)


def test_a_baseline_moves_to_another_share_of_blasts():
    # Of 84 blasts and 16 normals that look alike p is 0.84; where they are as many, it is a half.
    np.testing.assert_allclose(move_prior(np.array([0.0, 0.84, 1.0]), 0.84, 0.5), [0.0, 0.5, 1.0])
    p = np.array([0.1, 0.6])
    np.testing.assert_allclose(move_prior(move_prior(p, 0.8, 0.3), 0.3, 0.8), p)


def test_attention_is_fitted_to_what_decides_a_field():
    # A field is a blast field when one of its six cells looks like a blast, whatever the others are.
    rng = np.random.default_rng(3)
    labels = (rng.random(400) < 0.5).astype(np.int64)
    logits = rng.normal(-2, 1, (400, 6))
    logits[labels == 1, 0] += 3
    held = HeldOut(
        np.repeat(np.arange(400), 6),
        logits.ravel(),
        np.arange(400),
        np.arange(400) % 2,
        np.ones(400),
        np.zeros((400, 6)),
    )
    chosen = {"sensitivity": 0.95, "specificity": 0.95}
    fitted = fit_all(held, labels, **chosen, method="attention")
    assert fitted.pooling == "attention"
    assert fitted.focus > 0.3
    p, _, _ = cross_fitted(held, labels, **chosen, method="attention")
    plain, _, _ = cross_fitted(held, labels, **chosen, method="mean_logit")
    assert roc_auc(labels, p) > roc_auc(labels, plain) + 0.05


@pytest.mark.parametrize("name", list(PERTURBATIONS))
def test_perturbations_change_the_picture_and_keep_its_kind(name):
    image = np.random.default_rng(0).integers(60, 220, (40, 50, 3), dtype=np.uint8)
    before = image.copy()
    out = PERTURBATIONS[name](image)
    np.testing.assert_array_equal(image, before)
    assert out.dtype == np.uint8
    assert out.shape == ((20, 25, 3) if name == "half size" else image.shape)
    assert not np.array_equal(out, image)


def test_a_stain_shift_by_nothing_changes_nothing():
    # Grey-blue, green and white hold less than none of a dye; that must not be lost on the way.
    image = np.random.default_rng(1).integers(1, 256, (40, 50, 3), dtype=np.uint8)
    image[0, :4] = (170, 180, 200), (90, 200, 90), (255, 255, 255), (10, 20, 250)
    assert np.abs(stain_shift(image).astype(int) - image).max() <= 1
    more = stain_shift(image, haematoxylin=1.3).astype(int)
    assert more.mean() < image.mean()
    warm = stain_shift(image, tint=0.08).astype(float)
    low = image[..., 0] < 230
    np.testing.assert_allclose(warm[..., 0][low], 1.08 * image[..., 0][low], atol=1.6)
    np.testing.assert_allclose(warm[..., 1], image[..., 1], atol=1)


def test_random_views_follow_from_their_generator():
    image = np.random.default_rng(0).integers(60, 220, (40, 50, 3), dtype=np.uint8)
    one, other = (random_view(image, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, random_view(image, np.random.default_rng(5)))


@pytest.fixture(scope="module")
def cnmc(tmp_path_factory):
    from fastpgs.synth import write_cnmc_tree

    return write_cnmc_tree(
        tmp_path_factory.mktemp("cnmc"), patients_per_class=6, cells_per_patient=2, size=112
    ).root


@pytest.mark.slow
@pytest.mark.parametrize("source", ["cells", "image"])
def test_cnmc_by_its_official_folds_with_the_preliminary_set_as_test(cnmc, tmp_path, source):
    data, prelim = read_dataset(cnmc), read_dataset(cnmc, part="prelim")
    assert {s.part for s in data.samples} == {"fold_0", "fold_1", "fold_2"}
    spec = InputSpec(size=64, source=source, scale=0.5, balance="none")
    result = fit_model(
        data,
        tmp_path / "m",
        spec,
        CONFIG,
        FitOptions(official=True, views=0),
        test=prelim,
        cache=tmp_path / "c",
    )
    assert result.report["folds"] == 3
    assert result.report["test"]["images"] == len(prelim)
    assert "used once" in (tmp_path / "m" / "README.md").read_text()


def test_a_test_set_of_training_patients_is_refused(cnmc, tmp_path):
    data = read_dataset(cnmc)
    with pytest.raises(ValueError, match="both sides"):
        fit_model(data, tmp_path / "m", SPEC, CONFIG, FitOptions(), test=read_dataset(cnmc, part="fold_1"))


def test_a_test_set_with_a_training_image_is_refused(tree, tmp_path):
    other = shutil.copytree(tree, tmp_path / "other")
    with pytest.raises(ValueError, match="of the test set is"):
        fit_model(
            read_dataset(tree, blocks=4),
            tmp_path / "m",
            SPEC,
            CONFIG,
            FitOptions(),
            test=read_dataset(other, blocks=4),
        )
