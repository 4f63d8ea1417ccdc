"""Single cells on black, and the synthetic C-NMC tree made of them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from fastpgs import synth
from fastpgs.synth.cnmc import write_bmp


@pytest.mark.parametrize("kind", sorted(synth.KINDS))
def test_the_surround_is_exactly_black(kind: str) -> None:
    picture = synth.single_cell(kind, 120, seed=3)
    assert picture.image.shape == (120, 120, 3)
    np.testing.assert_array_equal(picture.image.any(axis=2), picture.cells == 1)
    assert picture.image[picture.cells == 1].min() >= 1
    assert 0 < (picture.nuclei == 1).sum() < (picture.cells == 1).sum()
    assert not picture.cells[[0, -1]].any()
    assert not picture.cells[:, [0, -1]].any()
    assert picture.kinds == (kind,)
    assert picture.is_blast.tolist() == [kind == "lymphoblast"]


def test_a_cell_follows_from_its_seed() -> None:
    first, again, other = (synth.single_cell(size=100, seed=seed).image for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_size_changes_the_sampling_alone() -> None:
    small, large = (synth.single_cell(size=size, seed=7) for size in (100, 200))
    assert (large.cells == 1).sum() == pytest.approx(4 * (small.cells == 1).sum(), rel=0.02)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"kind must be one of .*, got 'basophil'"):
        synth.single_cell("basophil")
    with pytest.raises(ValueError, match=r"does not fit into a picture of 5.0 um"):
        synth.single_cell(size=50, pixel_size=0.1)
    with pytest.raises(ValueError, match="shape must be"):
        synth.single_cell(size=0)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> synth.CnmcTree:
    root = tmp_path_factory.mktemp("cnmc")
    return synth.write_cnmc_tree(root, patients_per_class=4, cells_per_patient=3, size=75, seed=1)


def test_training_names_folds_and_classes(tree: synth.CnmcTree) -> None:
    assert len(tree.training) == 2 * 4 * 3
    assert sorted(tree.root.glob("fold_*/*/*.bmp")) == sorted(tree.training)
    folds: dict[str, set[str]] = {}
    classes: dict[str, set[str]] = {}
    for path in tree.training:
        fold, label = path.parts[-3:-1]
        match = re.fullmatch(r"UID_(H?\d+)_(\d+)_(\d+)_(all|hem)\.bmp", path.name)
        assert match is not None, path.name
        assert match[4] == label
        assert match[1].startswith("H") == (label == "hem")
        folds.setdefault(match[1], set()).add(fold)
        classes.setdefault(match[1], set()).add(label)
    assert len(folds) == 8
    assert all(len(of_one) == 1 for of_one in [*folds.values(), *classes.values()])
    assert set.union(*folds.values()) == {"fold_0", "fold_1", "fold_2"}


def test_prelim_table(tree: synth.CnmcTree) -> None:
    assert tree.prelim_labels == tree.root / "C-NMC_test_prelim_phase_data_labels.csv"
    with tree.prelim_labels.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["Patient_ID", "new_names", "labels"]
    assert [row["new_names"] for row in rows] == [path.name for path in tree.prelim]
    assert [row["new_names"] for row in rows] == [f"{n}.bmp" for n in range(1, 13)]
    assert all(path.exists() for path in tree.prelim)
    assert {row["labels"] for row in rows} == {"0", "1"}
    for row in rows:
        assert row["Patient_ID"].endswith("_all.bmp" if row["labels"] == "1" else "_hem.bmp")
    seen = {path.name.split("_")[1] for path in tree.training}
    assert not seen & {row["Patient_ID"].split("_")[1] for row in rows}


def test_all_cells_are_larger(tree: synth.CnmcTree) -> None:
    image = pytest.importorskip("PIL.Image")
    areas: dict[str, list[int]] = {"all": [], "hem": []}
    for path in tree.training:
        pixels = np.asarray(image.open(path))
        assert pixels.shape == (75, 75, 3)
        areas[path.parent.name].append(int(pixels.any(axis=2).sum()))
    assert np.mean(areas["all"]) > 1.2 * np.mean(areas["hem"])


def test_a_tree_without_the_preliminary_set(tmp_path: Path) -> None:
    tree = synth.write_cnmc_tree(tmp_path, patients_per_class=1, cells_per_patient=1, size=40, prelim=False)
    assert tree.prelim == ()
    assert tree.prelim_labels is None
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["UID_1_1_1_all.bmp", "UID_H1_1_1_hem.bmp"]
    with pytest.raises(ValueError, match="cells_per_patient must be >= 1, got 0"):
        synth.write_cnmc_tree(tmp_path, cells_per_patient=0)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7])
def test_bitmaps_read_back(tmp_path: Path, width: int) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(width).integers(0, 256, (5, width, 3), dtype=np.uint8)
    write_bmp(tmp_path / "a.bmp", pixels)
    np.testing.assert_array_equal(np.asarray(image.open(tmp_path / "a.bmp")), pixels)
