"""What all trials share: the row of the table, processes with a limit, pictures, comparisons."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from PIL import Image

SCRATCH = Path(tempfile.mkdtemp(prefix="fastpgs-soak-"))
CLASSIFY = [sys.executable, "-m", "fastpgs", "classify"]


@dataclass
class Trial:
    """A row of the table."""

    name: str
    tried: int = 0
    survived: int = 0
    lost: list[str] = field(default_factory=list)
    note: str = ""
    seconds: float = 0.0

    def check(self, ok: bool, what: str) -> None:
        """Count one trial."""
        self.tried += 1
        self.survived += ok
        if not ok:
            self.lost.append(what)
            print(f"  LOST {self.name}: {what}", file=sys.stderr)


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run to the end, at most ten minutes."""
    return subprocess.run(command, capture_output=True, timeout=600, check=False, **options)


def smears(folder: Path, n: int, side: int = 160, first: int = 0) -> Path:
    """Save `n` synthetic smears, of the seeds from `first` on."""
    from fastpgs import synth

    folder.mkdir(parents=True)
    for i in range(first, first + n):
        image = synth.smear((side, side), seed=i, n_blasts=i % 2, n_normals=(i + 1) % 2).image
        Image.fromarray(image).save(folder / f"{i:04}.png")
    return folder


def tables(out: Path) -> tuple[Any, Any]:
    """The two tables of a run."""
    return pq.read_table(out / "images.parquet"), pq.read_table(out / "cells.parquet")


def same(a: Path, b: Path) -> bool:
    """Whether two runs have equal tables."""
    try:
        return all(x.equals(y) for x, y in zip(tables(a), tables(b), strict=True))
    except (OSError, ValueError):
        return False


def complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    """The last line of what a command said; a traceback is a crash."""
    text = done.stderr.decode(errors="replace")
    return (
        "a traceback: " + text[-300:]
        if "Traceback" in text
        else text.strip().splitlines()[-1]
        if text.strip()
        else ""
    )


def small_training() -> list[str]:
    """A command that trains for some seconds, without its `--out`."""
    data = SCRATCH / "train-in"
    for i, kind in enumerate(("blast", "normal")):
        if not (data / kind).exists():
            smears(data / kind, 12, 96, first=100 * i)
    options = (
        "--epochs 3 --folds 2 --blocks 4 --batch-size 4 --size 32 --width 4 --views 0 --threads 1 --quiet"
    )
    command = [sys.executable, "-m", "fastpgs", "train", str(data), *options.split()]
    return [*command, "--blast", "blast", "--normal", "normal"]


def same_model(a: Path, b: Path) -> bool:
    """Whether two trainings have equal weights, statistics and held-out predictions, to the bit."""
    names = ("weights.safetensors", "novelty.safetensors", "training/heldout.csv", "training/folds.csv")
    return all((b / name).exists() and (a / name).read_bytes() == (b / name).read_bytes() for name in names)
