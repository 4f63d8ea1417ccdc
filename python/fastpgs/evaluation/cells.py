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
from .counts import Count, CountFigure, count_figures
from .masks import Case, CaseSet, Match, match_cells
from .probes import Probe, probe_blank_fields, probe_set, probe_single_cells, wilson

__all__ = ["GOALS", "Estimate", "Figure", "Report", "evaluate_cells", "save_report"]

Float = npt.NDArray[np.float64]

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
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figure:
    """One line of the table: a figure, its interval and what the baselines reach."""

    dataset: str
    name: str
    goal: str
    value: float
    low: float
    high: float
    baselines: dict[str, Estimate]


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
        Median time of a default call per set, on the clock and of the processor, and the size of its images.
    probes : list of Probe
        What was found where the answer is known: nothing, or one cell on black.
    counts : list of CountFigure
        Precision and recall on fields counted by eye; empty without such counts.
    """

    figures: list[Figure]
    rows: list[dict[str, Any]]
    spread: dict[str, dict[str, float]]
    seeds: int
    milliseconds: dict[str, dict[str, Any]]
    probes: list[Probe]
    counts: list[CountFigure]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the rows, as plain types."""
        return {
            "figures": [asdict(f) for f in self.figures],
            "spread": self.spread,
            "seeds": self.seeds,
            "milliseconds": self.milliseconds,
            "probes": [asdict(p) for p in self.probes],
            "counts": [asdict(c) for c in self.counts],
        }


def evaluate_cells(
    sets: list[CaseSet],
    *,
    seeds: int = 20,
    num_threads: int | None = None,
    repeats: int = 2000,
    probes: int = 10,
    counts: list[Count] | None = None,
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
    probes : int
        Synthetic fields without white cells, of each kind in each stain; 0 leaves all probes out.
    counts : list of Count, optional
        Fields counted by eye, see :func:`fastpgs.evaluation.counts.read_counts`.
    progress : callable, optional
        Told the name of each image.

    Raises
    ------
    ValueError
        If ``seeds`` is below 1, or ``probes`` below 0.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    if probes < 0:
        raise ValueError(f"probes must be at least 0, got {probes}")
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
    known: list[Probe] = []
    if probes:
        for dataset in sets:
            known.extend(probe_set(dataset, num_threads=num_threads))
        known.append(probe_single_cells(-(-probes // 5), num_threads=num_threads))
        known.extend(probe_blank_fields(probes, num_threads=num_threads))
    by_eye = count_figures(counts, repeats=repeats) if counts else []
    return Report(figures, rows, spread, seeds, milliseconds, known, by_eye)


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
    """Each measure of each method. All methods are judged on the same draws of images."""
    table = {name: np.array(found, dtype=np.float64) for name, found in matches.items()}
    cell, nucleus = Match._fields.index("cell_dice"), Match._fields.index("nucleus_dice")
    images = len(table[METHOD])
    draws = np.random.default_rng(0).integers(0, images, (repeats, images))
    measures: dict[str, tuple[int, Callable[[Float], Float]]] = {
        "nucleus Dice, mean": (nucleus, _mean),
        "nucleus Dice, 10th percentile": (nucleus, _tenth),
        "cell Dice, mean": (cell, _mean),
        "cell Dice, 10th percentile": (cell, _tenth),
    }
    figures = []
    for name, (column, measure) in measures.items():
        estimates = {}
        for method, t in table.items():
            low, high = np.percentile(measure(t[:, column][draws]), [2.5, 97.5])
            estimates[method] = Estimate(float(measure(t[:, column])), float(low), float(high))
        figures.append(_figure(dataset, name, GOALS.get((dataset, name), ""), estimates))
    wrong = {method: _wrong(found) for method, found in matches.items()}
    figures.append(_figure(dataset, "wrong or missing cells, %", WRONG_GOAL, wrong))
    return figures


def _figure(dataset: str, name: str, goal: str, estimates: dict[str, Estimate]) -> Figure:
    ours = estimates.pop(METHOD)
    return Figure(dataset, name, goal, ours.value, ours.low, ours.high, estimates)


def _mean(values: Float) -> Float:
    return np.asarray(values.mean(axis=-1))


def _tenth(values: Float) -> Float:
    return np.asarray(np.percentile(values, 10, axis=-1))


def _wrong(found: list[Match]) -> Estimate:
    """Share of the expert's cells without a found one. Resampling no failures would give no interval."""
    wrong, cells = sum(m.wrong for m in found), max(sum(m.cells for m in found), 1)
    low, high = wilson(wrong, cells)
    return Estimate(100.0 * wrong / cells, 100.0 * low, 100.0 * high)


def _time(dataset: CaseSet, num_threads: int | None, images: int = 10, rounds: int = 10) -> dict[str, Any]:
    """Median over images of the fastest of some default calls in a row, ms, with the images' median size.

    A call beside others' work takes longer, and one after a pause finds threads asleep and caches cold. The clock
    says how long one waits, and counts what else the machine does; the processor's time does not.
    """
    from fastpgs.cells import find_cells

    step = max(1, len(dataset) // images)
    part = CaseSet(dataset.name, dataset.files[::step][:images])
    clock, cpu, shapes = [], [], []
    for case in part:
        waited, used = [], []
        for _ in range(rounds):
            start = time.perf_counter(), time.process_time()
            find_cells(case.image, num_threads=num_threads)
            waited.append(time.perf_counter() - start[0])
            used.append(time.process_time() - start[1])
        clock.append(1e3 * min(waited))
        cpu.append(1e3 * min(used))
        shapes.append(case.image.shape[:2])
    height, width = np.median(np.array(shapes), axis=0).astype(int)
    return {
        "median_ms": float(np.median(clock)),
        "median_cpu_ms": float(np.median(cpu)),
        "height": int(height),
        "width": int(width),
    }


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
