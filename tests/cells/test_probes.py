"""Pictures whose answer is known: what is hidden, what is shown, what is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fastpgs.evaluation.masks import CaseSet, find_sets
from fastpgs.evaluation.probes import probe_blank_fields, probe_set, probe_single_cells, wilson
from fastpgs.synth import smear


def case_set(folder: Path, **options: int) -> CaseSet:
    """One synthetic field as a set; the expert has drawn its first white cell only."""
    truth = smear((240, 240), touching=0.0, border=False, n_normals=0, seed=8, **options)  # type: ignore[arg-type]
    folder.mkdir()
    Image.fromarray(truth.image).save(folder / "1.bmp")
    mask = np.where(truth.nuclei == 1, 255, np.where(truth.cells == 1, 128, 0)).astype(np.uint8)
    Image.fromarray(mask).save(folder / "1.png")
    (found,) = find_sets(folder)
    return found


@pytest.mark.parametrize("blasts", [1, 3])
def test_hidden_and_alone(tmp_path: Path, blasts: int) -> None:
    hidden, alone = probe_set(case_set(tmp_path / "set", n_blasts=blasts))
    assert hidden.cells == blasts - 1  # the expert's cell is not found any more, the others are
    assert (hidden.name, hidden.pictures, hidden.right) == ("set, the cell hidden", 1, int(blasts == 1))
    assert np.isnan(hidden.cell_dice)
    assert (alone.cells, alone.right) == (1, 1)
    assert alone.cell_dice > 0.95
    assert alone.nucleus_dice > 0.9


def test_blank_fields() -> None:
    probes = probe_blank_fields(1, 128)
    assert len(probes) == 3
    for probe in probes:
        assert probe.pictures == 5
        assert (probe.right, probe.cells) == (5, 0)
        assert probe.low < 1.0 <= probe.high


def test_single_cells() -> None:
    probe = probe_single_cells(1, 100)
    assert probe.pictures == probe.right == probe.cells
    assert probe.cell_dice > 0.99
    assert probe.nucleus_dice > 0.95


def test_wilson() -> None:
    """The interval's ends are where the score test turns: |p - share| = z sqrt(p (1 - p) / n)."""
    for right, total in ((0, 50), (7, 20), (150, 150)):
        low, high = wilson(right, total)
        assert 0.0 <= low <= right / total <= high <= 1.0
        for end in {low, high} - {0.0, 1.0}:
            expected = 1.959964 * np.sqrt(end * (1 - end) / total)
            assert abs(end - right / total) == pytest.approx(expected, rel=1e-5)
