"""Errors are counted by group and shown, the worst first."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastpgs.inference.preprocess import InputSpec
from fastpgs.training.datasets import read_dataset
from fastpgs.training.evaluate import HeldOut
from fastpgs.training.failures import errors_by_group, plot_failures, worst_fields, write_predictions


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("fields")
    for number, kind in enumerate(("benign", "early")):
        (root / kind).mkdir()
        for n in range(4):
            picture = np.full((48, 48, 3), 230, np.uint8)
            picture[16:30, 16:30] = (90, 50 + n + 8 * number, 140)
            Image.fromarray(picture).save(root / kind / f"{n}.png")
    return read_dataset(root, blocks=2)


@pytest.fixture(scope="module")
def held():
    images = np.arange(8)
    return HeldOut(images, np.zeros(8), images, np.zeros(8, int), np.ones(8), np.zeros((8, 6)))


# Benign first: rows 0 to 3 should be low, rows 4 to 7 high.
P = np.array([0.1, 0.95, 0.2, 0.3, 0.9, 0.8, 0.4, 0.45])


def test_groups_with_the_largest_share_of_errors_come_first(data, held):
    rows = errors_by_group(data, held, P)
    assert [(r["wrong"], r["fields"]) for r in rows] == [(2, 2), (1, 2), (0, 2), (0, 2)]
    assert rows[0]["group"] == data.samples[6].group
    assert rows[1]["group"] == data.samples[1].group


def test_the_worst_fields_are_those_farthest_on_the_wrong_side(data, held):
    assert worst_fields(data, held, P).tolist() == [1, 6, 7]
    assert worst_fields(data, held, P, most=2).tolist() == [1, 6]


def test_failures_are_drawn_and_only_where_there_are_any(data, held, tmp_path: Path):
    assert plot_failures(tmp_path / "failures.png", data, held, P, InputSpec(size=32)) == 3
    assert np.asarray(Image.open(tmp_path / "failures.png").convert("L")).std() > 10
    right = np.array([0.1, 0.1, 0.2, 0.3, 0.9, 0.8, 0.6, 0.7])
    assert plot_failures(tmp_path / "none.png", data, held, right, InputSpec(size=32)) == 0
    assert not (tmp_path / "none.png").exists()


def test_predictions_are_one_row_a_field(data, held, tmp_path: Path):
    write_predictions(tmp_path / "heldout.csv", data, held, P, np.where(P > 0.5, "blast", "normal"))
    lines = (tmp_path / "heldout.csv").read_text().splitlines()
    assert len(lines) == 9
    assert lines[2].startswith("benign/1.png,0,")
    assert lines[2].endswith(",0,0.950000,blast,1.0000")


def test_names_of_files_are_no_formulas(data, held, tmp_path: Path):
    sample = data.samples[held.images[0]]
    odd = replace(sample, path=sample.path.with_name("a,b.png"), stratum="=HYPERLINK(1)")
    samples = list(data.samples)
    samples[held.images[0]] = odd
    write_predictions(tmp_path / "h.csv", replace(data, samples=samples), held, P, np.full(8, "normal"))
    with (tmp_path / "h.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1][0] == "'=HYPERLINK(1)/a,b.png"
    assert {len(row) for row in rows} == {7}
