"""Reading labelled images: layouts, patients, duplicates."""

import csv

import numpy as np
import pytest
from PIL import Image

from fastpgs.training.datasets import (
    BLAST,
    NORMAL,
    content_hash,
    natural_key,
    parse_cnmc_name,
    read_dataset,
    thin_out,
)


def picture(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(value)
    Image.fromarray(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def folders(tmp_path):
    for n in range(1, 13):
        picture(tmp_path / "Benign" / f"b-{n}.png", n)
        picture(tmp_path / "Early" / f"e-{n}.png", 100 + n)
        picture(tmp_path / "Pro" / f"p-{n}.png", 200 + n)
    return tmp_path


def cnmc_tree(root):
    value = 0
    for fold in range(3):
        for subject in range(2):
            number = fold * 2 + subject + 1
            for cell in range(1, 4):
                value += 2
                folder = root / "training_data" / f"fold_{fold}"
                picture(folder / "all" / f"UID_{number}_1_{cell}_all.bmp", value)
                picture(folder / "hem" / f"UID_H{number}_1_{cell}_hem.bmp", value + 1)
    prelim = root / "validation_data" / "C-NMC_test_prelim_phase_data"
    rows = []
    for n, name in enumerate(["UID_57_29_1_all.bmp", "UID_H49_29_2_hem.bmp"], start=1):
        picture(prelim / f"{n}.bmp", 1000 + n)
        rows.append({"Patient_ID": name, "new_names": f"{n}.bmp", "labels": int("all" in name)})
    table = root / "validation_data" / "C-NMC_test_prelim_phase_data_labels.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return table


def test_class_folders_become_contiguous_blocks(folders):
    data = read_dataset(folders, blocks=4)
    assert len(data) == 36
    assert {s.label for s in data.samples if s.stratum == "Benign"} == {NORMAL}
    assert {s.label for s in data.samples if s.stratum in ("Early", "Pro")} == {BLAST}
    benign = [s for s in data.samples if s.stratum == "Benign"]
    # In the order of the numbers, not of the text: 2 before 10.
    assert [s.path.stem for s in benign] == [f"b-{n}" for n in range(1, 13)]
    assert [s.group for s in benign] == [f"Benign/{n // 3:02d}" for n in range(12)]


def test_thinning_keeps_every_group(folders):
    data = read_dataset(folders, blocks=4)
    few = thin_out(data, 4)
    assert few.counts() == {"Benign": 4, "Early": 4, "Pro": 4}
    assert {s.group for s in few.samples} == {s.group for s in data.samples}
    assert thin_out(data, 99) == data
    with pytest.raises(ValueError, match="got 0"):
        thin_out(data, 0)


def test_natural_order():
    from pathlib import Path

    names = ["x10", "x9", "a2b10", "a2b9", "10", "9"]
    assert sorted(names, key=lambda n: natural_key(Path(n))) == ["9", "10", "a2b9", "a2b10", "x9", "x10"]


def test_unknown_class_folder_is_named(folders):
    picture(folders / "odd" / "1.png", 500)
    with pytest.raises(ValueError, match=r"\['odd'\]"):
        read_dataset(folders, blocks=2)
    picture(folders / "odd" / "2.png", 501)
    data = read_dataset(folders, blocks=2, blast=("ODD",))
    assert [s.label for s in data.samples if s.stratum == "odd"] == [BLAST, BLAST]


def test_one_class_alone_is_refused(tmp_path):
    picture(tmp_path / "Pro" / "1.png", 1)
    with pytest.raises(ValueError, match="both classes"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("blocks", [1, 0, 13])
def test_impossible_blocks(folders, blocks):
    with pytest.raises(ValueError, match=f"{blocks}"):
        read_dataset(folders, blocks=blocks)


def test_byte_identical_images_appear_once(folders):
    twin = folders / "Pro" / "p-12.png"
    twin.write_bytes((folders / "Pro" / "p-2.png").read_bytes())
    data = read_dataset(folders, blocks=3)
    assert len(data) == 35
    assert data.duplicates == ((twin, folders / "Pro" / "p-2.png"),)
    assert len({content_hash(s.path) for s in data.samples}) == len(data)


def test_identical_images_with_different_labels_are_refused(folders):
    (folders / "Pro" / "p-3.png").write_bytes((folders / "Benign" / "b-3.png").read_bytes())
    with pytest.raises(ValueError, match=r"b-3\.png is normal.*p-3\.png is blast"):
        read_dataset(folders, blocks=3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("UID_57_29_1_all.bmp", ("57", BLAST)),
        ("UID_H12_3_2_hem.bmp", ("H12", NORMAL)),
        ("UID_h12_3_2_HEM.bmp", ("H12", NORMAL)),
    ],
)
def test_cnmc_names(name, expected):
    assert parse_cnmc_name(name) == expected


@pytest.mark.parametrize("name", ["UID_H5_1_1_all.bmp", "UID_5_1_1_hem.bmp", "UID_5_1_all.bmp", "5.bmp", ""])
def test_wrong_cnmc_names(name):
    with pytest.raises(ValueError, match="got"):
        parse_cnmc_name(name)


def test_cnmc_folds_keep_the_h(tmp_path):
    cnmc_tree(tmp_path)
    data = read_dataset(tmp_path)
    assert data.layout == "cnmc"
    assert len(data) == 36
    # Subjects 1 and H1 are two people: six of each kind.
    assert {s.group for s in data.samples} == {f"{h}{n}" for h in ("", "H") for n in range(1, 7)}
    assert {s.part for s in data.samples} == {"fold_0", "fold_1", "fold_2"}
    assert len(read_dataset(tmp_path, part="fold_1")) == 12


def test_cnmc_preliminary_set(tmp_path):
    table = cnmc_tree(tmp_path)
    data = read_dataset(tmp_path, part="prelim")
    assert [(s.group, s.label, s.path.name) for s in data.samples] == [
        ("57", 1, "1.bmp"),
        ("H49", 0, "2.bmp"),
    ]
    table.write_text(table.read_text().replace("all.bmp,1.bmp,1", "all.bmp,1.bmp,0"))
    with pytest.raises(ValueError, match="contradicts"):
        read_dataset(tmp_path, part="prelim")


def test_manifest(folders):
    table = folders / "list.csv"
    table.write_text("path,label,group\nBenign/b-1.png,normal,anna\nPro/p-1.png,1,berta\n")
    data = read_dataset(table)
    assert [(s.label, s.group) for s in data.samples] == [(0, "anna"), (1, "berta")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\nBenign/b-1.png,0\n", r"missing \['group'\]"),
        ("path,label,group\nBenign/b-1.png,maybe,a\n", "line 2: label .* got 'maybe'"),
        ("path,label,group\nBenign/b-1.png,0, \n", "line 2: the group is empty"),
        ("path,label,group\nBenign/none.png,0,a\n", "no such file"),
        ("path,label,group\n", "no labelled images"),
    ],
)
def test_wrong_manifests(folders, text, message):
    (folders / "list.csv").write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_dataset(folders / "list.csv")


def test_missing_path(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_dataset(tmp_path / "none")


def test_real_set_has_40_twins(shared_data):
    data = read_dataset(shared_data / "all4", blocks=10)
    assert len(data.duplicates) == 40
    assert len(data) == 2564
    assert len({s.group for s in data.samples}) == 40
