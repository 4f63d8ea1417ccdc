"""``evaluate_cells``: the cells against an expert's masks, with intervals, seeds and baselines."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .baselines import BASELINES, clean_classes
from .masks import Case, CaseSet, Match, match_cells

__all__ = ["GOALS", "Figure", "Report", "evaluate_cells", "save_report"]

METHOD = "find_cells"
GOALS: dict[tuple[str, str], str] = {
    ("d1", "nucleus Dice, mean"): ">= 0.970",
    ("d1", "nucleus Dice, 10th percentile"): ">= 0.940",
    ("d2", "nucleus Dice, mean"): ">= 0.980",
    ("d2", "nucleus Dice, 10th percentile"): ">= 0.950",
    ("d1", "cell Dice, mean"): ">= 0.980",
    ("d2", "cell Dice, mean"): ">= 0.920",
}
WRONG_GOAL, TIME_GOAL, SPREAD_GOAL = "<= 1 %", "<= 3 ms", "<= 0.005"


@dataclass(frozen=True)
class Figure:
    """One line of the table: a figure, its interval and what the baselines reach."""

    dataset: str
    name: str
    goal: str
    value: float
    low: float
    high: float
    baselines: dict[str, float]


@dataclass(frozen=True)
class Report:
    """What an evaluation measured.

    Attributes
    ----------
    figures : list of Figure
    rows : list of dict
        One row per image and method, for the CSV.
    spread : dict
        Per set and measure: highest minus lowest mean over the seeds.
    seeds : int
    milliseconds : dict
        Median time of a default call per set, and the size of its images.
    """

    figures: list[Figure]
    rows: list[dict[str, Any]]
    spread: dict[str, dict[str, float]]
    seeds: int
    milliseconds: dict[str, dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the rows, as plain types."""
        return {
            "figures": [asdict(f) for f in self.figures],
            "spread": self.spread,
            "seeds": self.seeds,
            "milliseconds": self.milliseconds,
        }


def evaluate_cells(
    sets: list[CaseSet],
    *,
    seeds: int = 20,
    num_threads: int | None = None,
    repeats: int = 2000,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Measure ``find_cells`` and the baselines on images with masks.

    Parameters
    ----------
    sets : list of CaseSet
        See :func:`fastpgs.evaluation.masks.find_sets`.
    seeds : int
        Number of seeds, from 0, over which the spread of the means is taken, at least 1.
    num_threads : int, optional
        Threads of ``find_cells``.
    repeats : int
        Bootstrap resamples of the images (95 % percentile intervals).
    progress : callable, optional
        Told the name of each image.

    Raises
    ------
    ValueError
        If ``seeds`` is below 1.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    figures: list[Figure] = []
    rows: list[dict[str, Any]] = []
    spread: dict[str, dict[str, float]] = {}
    milliseconds: dict[str, dict[str, Any]] = {}
    for dataset in sets:
        matches, again = _score(dataset, seeds, num_threads, rows, progress)
        figures.extend(_figures(dataset.name, matches, repeats))
        means = np.array([[np.mean(column) for column in zip(*run, strict=True)] for run in again])
        spread[dataset.name] = {
            name: float(np.ptp(means[:, i])) for i, name in enumerate(("cell Dice", "nucleus Dice"))
        }
        milliseconds[dataset.name] = _time(dataset, num_threads)
    return Report(figures, rows, spread, seeds, milliseconds)


def _available() -> dict[str, Callable[[npt.NDArray[np.uint8], int], npt.NDArray[np.int32]]]:
    """The baselines that can run here: OpenCV is optional."""
    from importlib.util import find_spec

    return {name: run for name, run in BASELINES.items() if "cv2" not in name or find_spec("cv2")}


def _score(
    dataset: CaseSet,
    seeds: int,
    num_threads: int | None,
    rows: list[dict[str, Any]],
    progress: Callable[[str], None] | None,
) -> tuple[dict[str, list[Match]], list[list[tuple[float, float]]]]:
    from fastpgs.cells import find_cells

    baselines = _available()
    matches: dict[str, list[Match]] = {name: [] for name in (METHOD, *baselines)}
    again: list[list[tuple[float, float]]] = [[] for _ in range(seeds)]
    for case in dataset:
        if progress is not None:
            progress(f"{dataset.name}/{case.name}")
        for seed in range(seeds):
            cells = find_cells(case.image, seed=seed, num_threads=num_threads)
            match = match_cells(cells.labels, cells.nuclei, case)
            again[seed].append((match.cell_dice, match.nucleus_dice))
            if seed == 0:
                matches[METHOD].append(match)
        for name, classes in baselines.items():
            labels, nuclei = clean_classes(classes(case.image, 0))
            matches[name].append(match_cells(labels, nuclei, case))
        rows.extend(
            {"set": dataset.name, "image": case.name, "method": name, **found[-1]._asdict()}
            for name, found in matches.items()
        )
    return matches, again


def _figures(dataset: str, matches: dict[str, list[Match]], repeats: int) -> list[Figure]:
    from fastpgs.metrics import bootstrap_interval

    table = {name: np.array(found, dtype=np.float64) for name, found in matches.items()}
    fields = Match._fields
    cell, nucleus = fields.index("cell_dice"), fields.index("nucleus_dice")
    expert, wrong = fields.index("cells"), fields.index("wrong")
    measures: dict[str, Callable[[npt.NDArray[np.float64]], float]] = {
        "nucleus Dice, mean": lambda t: float(t[:, nucleus].mean()),
        "nucleus Dice, 10th percentile": lambda t: float(np.percentile(t[:, nucleus], 10)),
        "cell Dice, mean": lambda t: float(t[:, cell].mean()),
        "cell Dice, 10th percentile": lambda t: float(np.percentile(t[:, cell], 10)),
        "wrong or missing cells, %": lambda t: float(
            100.0 * t[:, wrong].sum() / max(t[:, expert].sum(), 1.0)
        ),
    }
    figures = []
    for name, measure in measures.items():
        values = {method: measure(t) for method, t in table.items()}
        ours = table[METHOD]

        def resampled(at: npt.NDArray[np.int64], m: Any = measure, t: Any = ours) -> float:
            return float(m(t[at]))

        low, high = bootstrap_interval(np.arange(len(ours)), resampled, repeats=repeats)
        goal = WRONG_GOAL if name.endswith("%") else GOALS.get((dataset, name), "")
        figures.append(Figure(dataset, name, goal, values.pop(METHOD), low, high, values))
    return figures


def _time(dataset: CaseSet, num_threads: int | None, images: int = 10, rounds: int = 3) -> dict[str, Any]:
    """Median over images of the fastest of a few default calls, ms, with the images' median size."""
    from fastpgs.cells import find_cells

    step = max(1, len(dataset) // images)
    part = CaseSet(dataset.name, dataset.files[::step][:images])
    times, shapes = [], []
    for case in part:
        best = np.inf
        for _ in range(rounds):
            start = time.perf_counter()
            find_cells(case.image, num_threads=num_threads)
            best = min(best, time.perf_counter() - start)
        times.append(1e3 * best)
        shapes.append(case.image.shape[:2])
    height, width = np.median(np.array(shapes), axis=0).astype(int)
    return {"median_ms": float(np.median(times)), "height": int(height), "width": int(width)}


def save_report(report: Report, sets: list[CaseSet], out: Path, overlays: int = 12) -> list[Path]:
    """Write ``images.csv``, ``figures.json`` and overlays of the worst and of ordinary images into ``out``.

    Half of the overlays are the worst whole cells, a quarter the worst nuclei, the rest spread over the
    ranking. White and yellow: the expert's cell and nucleus; green and black: the found ones.

    Returns
    -------
    list of Path
        The overlays.
    """
    import json

    from fastpgs.io.atomic import write_atomic

    out.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(report.rows[0]))
    writer.writeheader()
    writer.writerows(report.rows)
    write_atomic(out / "images.csv", text.getvalue())
    write_atomic(out / "figures.json", json.dumps(report.to_dict(), indent=2))
    ours = [row for row in report.rows if row["method"] == METHOD]
    wanted = _choose(ours, overlays)
    paths = []
    for dataset in sets:
        keep = tuple(f for f in dataset.files if (dataset.name, f[0].stem) in wanted)
        for case in CaseSet(dataset.name, keep):
            path = out / f"{wanted[dataset.name, case.name]}-{dataset.name}-{case.name}.png"
            write_atomic(path, _overlay(case))
            paths.append(path)
    return sorted(paths)


def _choose(rows: list[dict[str, Any]], count: int) -> dict[tuple[str, str], str]:
    """Which images to draw, and the beginning of the picture's name."""
    by_cell = sorted(rows, key=lambda row: float(row["cell_dice"]))
    by_nucleus = sorted(rows, key=lambda row: float(row["nucleus_dice"]))
    spread = [by_cell[i] for i in np.linspace(0, len(rows) - 1, count).round().astype(int)]
    wanted: dict[tuple[str, str], str] = {}
    plan = [
        ("worst-cell", by_cell, count // 2),
        ("worst-nucleus", by_nucleus, count // 4),
        ("other", spread, count),
    ]
    for name, ranking, many in plan:
        added = 0
        for row in ranking:
            key = (str(row["set"]), str(row["image"]))
            if added == many or len(wanted) == count:
                break
            if key not in wanted:
                wanted[key] = f"{name}-{added + 1}"
                added += 1
    return wanted


def _overlay(case: Case) -> bytes:
    """PNG of an image with the expert's and the found outlines, enlarged by a whole factor."""
    from io import BytesIO

    from PIL import Image
    from skimage.segmentation import find_boundaries

    from fastpgs.cells import find_cells

    cells = find_cells(case.image)
    height, width = case.image.shape[:2]
    scale = max(1, 600 // max(height, width))
    picture = Image.fromarray(case.image).resize((width * scale, height * scale), Image.Resampling.BICUBIC)
    canvas = np.array(picture)
    for mask, colour in (
        (case.cell, (255, 255, 255)),
        (case.nucleus, (255, 255, 0)),
        (cells.nuclei, (0, 0, 0)),
        (cells.labels, (0, 220, 0)),
    ):
        large = np.asarray(mask).astype(np.int32).repeat(scale, axis=0).repeat(scale, axis=1)
        edge = find_boundaries(large, mode="inner")  # type: ignore[no-untyped-call]
        canvas[edge] = colour
    buffer = BytesIO()
    Image.fromarray(canvas).save(buffer, format="PNG")
    return buffer.getvalue()
