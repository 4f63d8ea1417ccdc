"""Precision and recall of cells on fields that were counted by eye, from a CSV of counts."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["ALL", "Count", "CountFigure", "count_figures", "read_counts"]

ALL = "all"
COLUMNS = ("file", "class", "seen", "true_positives", "false_positives", "missed")


@dataclass(frozen=True)
class Count:
    """One field: how many cells a person saw, and how the found ones compare."""

    file: str
    kind: str
    seen: int
    true: int
    false: int
    missed: int


@dataclass(frozen=True)
class CountFigure:
    """Precision and recall of one class of fields, with 95 % intervals (bootstrap over fields)."""

    kind: str
    fields: int
    seen: int
    true: int
    false: int
    missed: int
    precision: float
    precision_interval: tuple[float, float]
    recall: float
    recall_interval: tuple[float, float]


def read_counts(path: Path) -> list[Count]:
    """Read a CSV of counts: ``file``, ``class``, ``seen``, ``true_positives``, ``false_positives``, ``missed``.

    Raises
    ------
    ValueError
        If a column is missing, a count is no whole number >= 0, or seen is not true positives + missed.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        absent = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if absent:
            raise ValueError(f"{path} must have the columns {COLUMNS}, {absent} are missing")
        counts = [_row(path, row) for row in reader]
    if not counts:
        raise ValueError(f"expected counts in {path}, got none")
    return counts


def _row(path: Path, row: dict[str, str]) -> Count:
    numbers = [row[name] for name in COLUMNS[2:]]
    if not all((number or "").isdecimal() for number in numbers):
        raise ValueError(f"{path}, {row['file']}: counts must be whole numbers >= 0, got {numbers}")
    seen, true, false, missed = map(int, numbers)
    if seen != true + missed:
        raise ValueError(f"{path}, {row['file']}: seen must be true + missed = {true + missed}, got {seen}")
    return Count(row["file"], row["class"], seen, true, false, missed)


def count_figures(counts: list[Count], *, repeats: int = 2000) -> list[CountFigure]:
    """Precision and recall of each class and of all.

    The cells of a field are alike, so whole fields are drawn for the intervals, within each class.
    """
    from fastpgs.metrics import bootstrap_draws, interval

    kinds = np.array([c.kind for c in counts])
    table = np.array([(c.true, c.false, c.missed) for c in counts])
    figures = []
    for kind in (*dict.fromkeys(kinds.tolist()), ALL):
        rows = table if kind == ALL else table[kinds == kind]
        strata = kinds if kind == ALL else np.full(len(rows), kind)
        draws = [rows[at] for at in bootstrap_draws(np.arange(len(rows)), strata=strata, repeats=repeats)]
        true, false, missed = (int(total) for total in rows.sum(axis=0))
        precision, recall = _ratios(rows)
        figures.append(
            CountFigure(
                kind,
                len(rows),
                true + missed,
                true,
                false,
                missed,
                precision,
                interval([_ratios(drawn)[0] for drawn in draws]),
                recall,
                interval([_ratios(drawn)[1] for drawn in draws]),
            )
        )
    return figures


def _ratios(rows: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Precision and recall; nan where there is nothing to divide by."""
    true, false, missed = (int(total) for total in rows.sum(axis=0))
    nan = float("nan")
    return (
        true / (true + false) if true + false else nan,
        true / (true + missed) if true + missed else nan,
    )
