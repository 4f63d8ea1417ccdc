"""Counts made by eye: read, turned into precision and recall, and still counts of today's cells."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastpgs.cells import find_cells
from fastpgs.evaluation.counts import ALL, count_figures, read_counts
from fastpgs.io import read_image

HEADER = "file,class,seen,true_positives,false_positives,missed\n"
BY_EYE = Path(__file__).parents[2] / "benchmarks" / "all4_counts.csv"


def write(path: Path, text: str) -> Path:
    path.write_text(HEADER + text, encoding="utf-8")
    return path


def test_figures(tmp_path: Path) -> None:
    counts = read_counts(write(tmp_path / "c.csv", "1,A,10,9,3,1\n2,A,2,2,0,0\n3,B,5,5,0,0\n4,B,0,0,0,0\n"))
    figures = {f.kind: f for f in count_figures(counts, repeats=200)}
    assert list(figures) == ["A", "B", ALL]
    assert (figures["A"].precision, figures["A"].recall) == (11 / 14, 11 / 12)
    assert figures["B"].recall_interval == (1.0, 1.0)
    whole = figures[ALL]
    assert (whole.fields, whole.seen, whole.true, whole.false, whole.missed) == (4, 17, 16, 3, 1)
    low, high = whole.precision_interval
    assert 9 / 12 < low < whole.precision < high <= 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,A,10,9,3,2\n", "must be true \\+ missed = 11, got 10"),
        ("1,A,1,1,-3,0\n", "whole numbers"),
        ("1,A,1,1,0\n", "whole numbers"),
        ("", "got none"),
    ],
)
def test_bad_counts(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_counts(write(tmp_path / "c.csv", text))


def test_missing_column(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("file,class\n1,A\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"'seen', 'true_positives'.* missing"):
        read_counts(path)


@pytest.mark.shared
def test_counts_are_of_these_cells(shared_data: Path) -> None:
    """Whoever changes the cells of a counted field has to look at it again."""
    for count in read_counts(BY_EYE)[::4]:
        cells = find_cells(read_image(shared_data / "all4" / count.kind / count.file))
        assert len(cells) == count.true + count.false, count.file
