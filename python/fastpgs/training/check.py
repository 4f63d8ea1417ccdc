"""What is in a data set, and what is wrong with it: ``fastpgs data check``."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastpgs.io import ImageReadError
from fastpgs.training.cellset import read_image
from fastpgs.training.datasets import LABELS, Dataset


@dataclass
class DataReport:
    """Findings of `check_dataset`; `problems` is empty for a sound set."""

    layout: str
    grouping: str
    images: int
    classes: dict[str, int]
    groups: dict[str, int]
    groups_with_both_labels: list[str]
    sizes: dict[str, int]
    parts: dict[str, int]
    duplicates: list[tuple[str, str]]  # (left out, kept)
    unreadable: list[tuple[str, str]] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """One line for each thing that should be looked at."""
        found = [f"unreadable: {name}: {why}" for name, why in self.unreadable]
        found += [f"group with both labels: {group}" for group in self.groups_with_both_labels]
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for JSON."""
        return {**self.__dict__, "problems": self.problems}


def check_dataset(data: Dataset) -> DataReport:
    """Read every image once.

    Returns
    -------
    DataReport
        Duplicates are by content hash, over all groups; the reader has left them out already, so that none can
        sit on both sides of a split.
    """
    sizes: Counter[str] = Counter()
    unreadable: list[tuple[str, str]] = []
    for sample in data.samples:
        try:
            height, width = read_image(sample.path).shape[:2]
            sizes[f"{height} x {width}"] += 1
        except (OSError, ValueError, ImageReadError) as error:
            unreadable.append((_name(sample.path), str(error)))
    labels_of: dict[str, set[int]] = defaultdict(set)
    groups: dict[str, set[str]] = defaultdict(set)
    for sample in data.samples:
        labels_of[sample.group].add(sample.label)
        groups[sample.stratum].add(sample.group)
    return DataReport(
        layout=data.layout,
        grouping=data.grouping,
        images=len(data),
        classes={
            f"{name} ({LABELS[next(s.label for s in data.samples if s.stratum == name)]})": n
            for name, n in data.counts().items()
        },
        groups={name: len(members) for name, members in sorted(groups.items())},
        groups_with_both_labels=sorted(g for g, labels in labels_of.items() if len(labels) > 1),
        sizes=dict(sizes.most_common()),
        parts=dict(sorted(Counter(s.part for s in data.samples if s.part).items())),
        duplicates=[(_name(left), _name(kept)) for left, kept in data.duplicates],
        unreadable=unreadable,
    )


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
