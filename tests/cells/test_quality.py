"""Cells against an expert's masks, and the command that measures them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fastpgs.cells import find_cells
from fastpgs.evaluation.cells import METHOD, evaluate_cells, save_report
from fastpgs.evaluation.masks import Case, find_sets, match_cells
from fastpgs.synth import smear


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three synthetic pictures of one cell with masks beside them."""
    folder = tmp_path_factory.mktemp("masks") / "set"
    folder.mkdir()
    for i in range(3):
        truth = smear((140, 140), n_blasts=1, n_normals=0, border=False, seed=20 + i)
        Image.fromarray(truth.image).save(folder / f"{i}.bmp")
        mask = np.where(truth.nuclei > 0, 255, np.where(truth.cells > 0, 128, 0)).astype(np.uint8)
        Image.fromarray(mask).save(folder / f"{i}.png")
    return folder.parent


def test_matching() -> None:
    cell = np.zeros((20, 20), bool)
    cell[5:15, 5:15] = True
    nucleus = np.zeros_like(cell)
    nucleus[8:12, 8:12] = True
    case = Case("one", np.zeros((20, 20, 3), np.uint8), cell, nucleus)
    labels = np.zeros((20, 20), np.int32)
    labels[0:3, 0:3] = 1  # another cell: neither for nor against
    labels[5:15, 5:15] = 2
    nuclei = np.where(nucleus, labels, 0)
    assert match_cells(labels, nuclei, case) == (1.0, 1.0, 1.0, 1, 0)
    labels[5:15, 9:15] = 3  # split in two: only the better half counts
    nuclei = np.where(nucleus, labels, 0)
    match = match_cells(labels, nuclei, case)
    assert match.iou == pytest.approx(0.6)
    assert match.cell_dice == pytest.approx(0.75)
    assert match.nucleus_dice == pytest.approx(2 * 12 / (12 + 16))
    assert match_cells(np.zeros_like(labels), np.zeros_like(labels), case) == (0.0, 0.0, 0.0, 1, 1)


def test_report(masks: Path, tmp_path: Path) -> None:
    sets = find_sets(masks)
    assert [(s.name, len(s)) for s in sets] == [("set", 3)]
    report = evaluate_cells(sets, seeds=2, repeats=50, probes=0)
    assert report.probes == report.counts == []
    nucleus = next(f for f in report.figures if f.name == "nucleus Dice, mean")
    assert nucleus.low <= nucleus.value <= nucleus.high
    assert nucleus.value > 0.95
    assert {"multi-Otsu", "plain k=3"} <= set(nucleus.baselines)
    assert all(0.0 <= other.low <= other.value <= other.high <= 1.0 for other in nucleus.baselines.values())
    missing = next(f for f in report.figures if f.name == "wrong or missing cells, %")
    assert (missing.value, missing.low) == (0.0, 0.0)
    assert 50.0 < missing.high < 60.0  # none of three says little
    assert report.spread["set"] == {"cell Dice": 0.0, "nucleus Dice": 0.0}
    overlays = save_report(report, sets, tmp_path / "out")
    assert len(overlays) == 3
    for path in overlays:
        with Image.open(path) as picture:
            assert picture.size == (560, 560)  # enlarged by a whole factor
    rows = list(csv.DictReader((tmp_path / "out" / "images.csv").read_text().splitlines()))
    ours = [float(row["nucleus_dice"]) for row in rows if row["method"] == METHOD]
    assert np.mean(ours) == pytest.approx(nucleus.value)


def test_command(masks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    from fastpgs.cli import evaluate_cells as module

    app = typer.Typer()
    module.register(app)
    runner = CliRunner()
    quick = ["--seeds", "1", "--limit", "1", "--probes"]
    done = runner.invoke(app, [str(masks), "--out", str(tmp_path / "o"), *quick, "0", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["seeds"] == 1
    counts = tmp_path / "counts.csv"
    counts.write_text("file,class,seen,true_positives,false_positives,missed\n1.jpg,Sort,4,3,1,1\n")
    monkeypatch.chdir(tmp_path)  # without --out a folder here
    table = runner.invoke(app, [str(masks), *quick, "1", "--counts", str(counts)])
    assert table.exit_code == 0, table.output
    for text in ("nucleus Dice, mean", "set, the cell on black", "synthetic, red cells", "Sort", "0.750"):
        assert text in table.output
    assert len(list((tmp_path / "cells-evaluation").glob("*.png"))) == 1
    counts.write_text("file,class\n")
    assert runner.invoke(app, [str(masks), *quick, "0", "--counts", str(counts)]).exit_code == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    assert runner.invoke(app, [str(empty), "--out", str(tmp_path / "o")]).exit_code == 2


@pytest.mark.shared
@pytest.mark.parametrize(
    ("dataset", "nucleus", "cell"), [("d1", 0.965, 0.972), ("d2", 0.970, 0.935)], ids=["d1", "d2"]
)
def test_expert_masks(shared_data: Path, dataset: str, nucleus: float, cell: float) -> None:
    """Floors a little below what was measured on 25 images of each set (docs/cells.md)."""
    (cases,) = find_sets(shared_data / "wbc" / dataset, limit=25)
    matches = []
    for case in cases:
        cells = find_cells(case.image)
        matches.append(match_cells(cells.labels, cells.nuclei, case))
    assert np.mean([m.nucleus_dice for m in matches]) > nucleus
    assert np.mean([m.cell_dice for m in matches]) > cell
    assert sum(m.wrong for m in matches) <= 1
