"""Splits that keep groups whole, and the check that they did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fastpgs.io.spreadsheet import csv_text
from fastpgs.training.datasets import Dataset, Sample

Indices = NDArray[np.int64]

# Heads every report of a split that ignored the groups; where a viewer drops styles, it is bold at least.
LEAKY = (
    '**<span style="color:red">Random split: groups lie on both sides, these figures are too good.</span>**'
)


@dataclass(frozen=True)
class Fold:
    """One way of dividing a data set: indices into its samples."""

    train: Indices
    test: Indices
    leaky: bool = False  # made at random, with groups on both sides


class LeakageError(ValueError):
    """A group lies on both sides of a split."""


def check_disjoint(samples: tuple[Sample, ...], *sides: Indices) -> None:
    """Raise `LeakageError` where two sides of a split share a sample or a group."""
    owner: dict[str, int] = {}
    for number, side in enumerate(sides):
        for index in side:
            group = samples[index].group
            if owner.setdefault(group, number) != number:
                raise LeakageError(
                    f"group {group!r} lies on both sides of the split ({samples[index].path.name})"
                )


def group_folds(data: Dataset, n_folds: int, *, seed: int = 0, allow_leakage: bool = False) -> list[Fold]:
    """Cross-validation folds: stratified by class, groups whole.

    Parameters
    ----------
    data : Dataset
    n_folds : int
        At least 2, at most the number of groups of the rarest class.
    seed : int
    allow_leakage : bool
        Ignore the groups and split at random. The folds say so (``leaky``).

    Returns
    -------
    list of Fold

    Raises
    ------
    ValueError
        Too few groups in a class.
    LeakageError
        A group straddles a split (cannot happen unless the grouping is broken; it is checked all the same).
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    if n_folds < 2:
        raise ValueError(f"n_folds must be >= 2, got {n_folds}")
    strata = np.array([s.stratum for s in data.samples])
    groups = np.array([s.group for s in data.samples])
    if allow_leakage:
        random = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
        return [Fold(train, test, leaky=True) for train, test in random.split(strata, strata)]
    for name in sorted({s.stratum for s in data.samples}):
        available = len(np.unique(groups[strata == name]))
        if available < n_folds:
            raise ValueError(
                f"{n_folds} folds need as many groups in each class, got {available} in {name!r}"
            )
    grouped = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    folds = [Fold(train, test) for train, test in grouped.split(strata, strata, groups)]
    for fold in folds:
        check_disjoint(data.samples, fold.train, fold.test)
    return folds


def official_folds(data: Dataset) -> list[Fold]:
    """The parts that the source itself defines (C-NMC's three folds), each in turn the test."""
    parts = np.array([s.part for s in data.samples])
    names = [p for p in np.unique(parts) if p]
    if len(names) < 2:
        raise ValueError(f"expected at least two official parts, got {names}")
    folds = [Fold(np.flatnonzero(parts != p), np.flatnonzero(parts == p)) for p in names]
    for fold in folds:
        check_disjoint(data.samples, fold.train, fold.test)
    return folds


def split_once(data: Dataset, among: Indices, fraction: float, *, seed: int = 0) -> tuple[Indices, Indices]:
    """Divide `among` into a larger and a smaller part of about `fraction`, groups whole.

    Returns
    -------
    larger, smaller : indices into ``data.samples``
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
    chosen = [data.samples[i] for i in among]
    subset = Dataset(data.root, data.layout, tuple(chosen), (), data.grouping)
    fewest = min(len({s.group for s in chosen if s.stratum == name}) for name in {s.stratum for s in chosen})
    fold = group_folds(subset, min(max(2, round(1 / fraction)), max(2, fewest)), seed=seed)[0]
    larger, smaller = among[fold.train], among[fold.test]
    check_disjoint(data.samples, larger, smaller)
    return larger, smaller


def folds_csv(data: Dataset, folds: list[Fold]) -> str:
    """The manifest of the folds: path, label, group and the fold in which each image is tested."""
    tested = np.full(len(data), -1)
    for number, fold in enumerate(folds):
        tested[fold.test] = number
    rows = (
        (_relative(sample.path, data.root), sample.label, sample.group, sample.stratum, fold_number)
        for sample, fold_number in zip(data.samples, tested, strict=True)
    )
    return csv_text(("path", "label", "group", "class", "fold"), rows)


def check_same_folds(manifest: Path, folds: str) -> None:
    """Refuse to go on from a run with other folds: its networks have seen what is held out now.

    Parameters
    ----------
    manifest : Path
        ``folds.csv`` of that run.
    folds : str
        What `folds_csv` says now.

    Raises
    ------
    FileNotFoundError
        No manifest.
    LeakageError
        The folds differ.
    """
    if not manifest.exists():
        raise FileNotFoundError(f"no {manifest}, expected the folder of a finished training")
    before, now = manifest.read_text().splitlines(), folds.splitlines()
    differ = [(a, b) for a, b in zip(before, now, strict=False) if a != b]
    if differ or len(before) != len(now):
        reason = (
            f"{differ[0][0]!r} there, {differ[0][1]!r} now"
            if differ
            else f"{len(before)} and {len(now)} rows"
        )
        raise LeakageError(
            f"folds other than those of {manifest}, so its networks may have seen what is held out: {reason}"
        )


def _relative(path: Path, root: Path) -> str:
    base = root if root.is_dir() else root.parent
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name
