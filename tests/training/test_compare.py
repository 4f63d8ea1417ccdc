"""Tables 3 to 6 at a small scale: on synthetic cells, resumed after a kill."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fastpgs.inference.preprocess import InputSpec
from fastpgs.training import classical, compare, crossval, paper
from fastpgs.training.check import check_dataset
from fastpgs.training.compare import CompareOptions
from fastpgs.training.config import TrainConfig
from fastpgs.training.datasets import read_dataset

SPEC = InputSpec(size=32, balance="none")
CONFIG = TrainConfig(network="unet", options={"norm": "batch", "width": 4}, epochs=1, batch_size=8)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Twelve small fields of discs on red cells' ground: blasts large, normals small, two blocks each."""
    root = tmp_path_factory.mktemp("fields")
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[:120, :120]
    for kind, radius in (("normal", 10), ("blast", 15)):
        (root / kind).mkdir()
        for n in range(6):
            image = rng.integers(225, 240, (120, 120, 3))
            for row, col in ((35, 35), (35, 85), (85, 60)):
                disc = (rows - row) ** 2 + (cols - col) ** 2 < (radius + rng.uniform(-1, 1)) ** 2
                image[disc] = rng.integers((95, 50, 140), (115, 70, 160), (disc.sum(), 3))
            Image.fromarray(image.astype(np.uint8)).save(root / kind / f"{n}.png")
    return root


@pytest.fixture(scope="module")
def data(tree):
    return read_dataset(tree, blocks=2)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_table_5_has_its_27_classifiers():
    assert len(paper.TABLE5) == 27
    assert len(paper.TABLE6) == 8
    for name in paper.TABLE5:
        assert hasattr(classical.make_classifier(name, 0), "fit")
    with pytest.raises(ValueError, match="unknown classifier 'SVM'"):
        classical.make_classifier("SVM", 0)


@pytest.mark.parametrize(
    "name", ["SVC", "RidgeClassifier", "NearestCentroid", "NuSVC", "DummyClassifier", "LGBMClassifier"]
)
def test_classifiers_give_scores_and_calls(name):
    rng = np.random.default_rng(0)
    y = (rng.random(120) < 0.15).astype(np.int64)
    x = rng.normal(0, 1, (120, 4)) + y[:, None] * 3
    scores, calls, probabilistic, _ = classical.fit_and_score(classical.make_classifier(name, 0), x, y, x)
    assert scores.shape == calls.shape == (120,)
    assert set(calls) <= {0, 1}
    if probabilistic:
        assert scores.min() >= 0
        assert scores.max() <= 1
    if name != "DummyClassifier":
        assert np.mean(calls == y) > 0.9


def test_classical_table_with_baselines_and_resume(data, cache, tmp_path, monkeypatch):
    options = CompareOptions(folds=2, only=("majority class", "cell area alone", "SVC", "GaussianNB"))
    rows = compare.compare(data, tmp_path, SPEC, CONFIG, options, cache=cache)
    by_name = {r["name"]: r for r in rows}
    assert list(by_name) == ["majority class", "cell area alone", "SVC", "GaussianNB"]
    assert by_name["majority class"]["balanced_accuracy"] == 0.5
    assert by_name["SVC"]["balanced_accuracy"] == 1
    assert by_name["SVC"]["paper"][0] == 0.89
    text = (tmp_path / "classical.md").read_text()
    assert "| SVC | 1.0000 (0.000) |" in text
    assert "0.8900" in text
    table = list(csv.DictReader((tmp_path / "classical.csv").read_text().splitlines()))
    assert [r["name"] for r in table] == list(by_name)
    assert (tmp_path / "classical.png").stat().st_size > 5000

    (tmp_path / "rows" / "svc.json").unlink()
    done = []
    real = compare._classical_row
    monkeypatch.setattr(compare, "_classical_row", lambda name, *rest: done.append(name) or real(name, *rest))
    again = compare.compare(data, tmp_path, SPEC, CONFIG, options, cache=cache, resume=True)
    assert done == ["SVC"]
    assert [r["balanced_accuracy"] for r in again] == [r["balanced_accuracy"] for r in rows]
    compare.compare(data, tmp_path, SPEC, CONFIG, replace(options, seed=1), cache=cache, resume=True)
    assert done == ["SVC", "SVC", "GaussianNB"]


def test_a_classifier_that_fails_keeps_the_others(data, cache, tmp_path, monkeypatch):
    def fail(name, *rest):
        raise ValueError("cannot")

    monkeypatch.setattr(compare, "_classical_row", fail)
    rows = compare.compare(
        data, tmp_path, SPEC, CONFIG, CompareOptions(folds=2, only=("majority class", "SVC")), cache=cache
    )
    assert [r["kind"] for r in rows] == ["baseline", "failed"]
    assert "SVC failed: cannot" in (tmp_path / "classical.md").read_text()


@pytest.mark.slow
def test_deep_table(data, cache, tmp_path):
    options = CompareOptions(family="deep", folds=2, use_folds=1, only=("CNN", "U-Net with PLR"))
    rows = compare.compare(data, tmp_path, SPEC, CONFIG, options, cache=cache)
    assert [r["name"] for r in rows] == ["CNN", "U-Net with PLR"]
    assert rows[0]["parameters"] < rows[1]["parameters"] * 10
    assert rows[1]["paper"][0] == 0.9522
    assert "U-Net with PLR" in (tmp_path / "deep.md").read_text()
    with pytest.raises(ValueError, match="got 'quantum'"):
        compare.compare(data, tmp_path, SPEC, CONFIG, CompareOptions(family="quantum"))


@pytest.mark.slow
def test_crossval_tables(data, cache, tmp_path):
    config = replace(CONFIG, epochs=2, network="cnn", options={})
    result = crossval.cross_validate(data, tmp_path, SPEC, config, folds=2, cache=cache)
    assert len(result.rows) == 2
    text = (tmp_path / "crossval.md").read_text()
    assert "Table 3" in text
    assert "Table 4" in text
    assert "90 % / 94 % / 88 % / 93 %" in text
    assert "random split" not in text.lower()
    again = crossval.cross_validate(data, tmp_path, SPEC, config, folds=2, cache=cache, resume=True)
    assert [r["seconds"] for r in again.rows] == [r["seconds"] for r in result.rows]
    leaky = crossval.cross_validate(
        data, tmp_path / "leaky", SPEC, replace(config, epochs=1), folds=2, cache=cache, allow_leakage=True
    )
    assert 'color:red">Random split: groups lie on both sides' in leaky.files[0].read_text()


def test_data_check(tree, tmp_path):
    import shutil

    root = shutil.copytree(tree, tmp_path / "copy")
    (root / "blast" / "5.png").write_bytes((root / "blast" / "1.png").read_bytes())
    (root / "blast" / "4.png").write_bytes(b"not a picture")
    report = check_dataset(read_dataset(root, blocks=2))
    assert report.images == 11
    assert report.classes == {"blast (blast)": 5, "normal (normal)": 6}
    assert report.sizes == {"120 x 120": 10}
    assert report.duplicates == [("blast/5.png", "blast/1.png")]
    assert [name for name, _ in report.unreadable] == ["blast/4.png"]
    assert len(report.problems) == 1
