"""Plots of the report as plain numbers, which the template draws as SVG in the page's own colours."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fastpgs.inference.outlines import Outlines
from fastpgs.report.colours import css, p_colour

__all__ = ["BINS", "Bar", "Histogram", "histogram", "svg_paths"]

BINS = 20
MOST_POINTS = 40  # of a ring, or nearly twice as many: more than a thumbnail can show
WIDTH, HEIGHT = 460, 170
_LEFT, _BOTTOM, _TOP = 46, 26, 14


@dataclass(frozen=True)
class Bar:
    """One bar: position and size in SVG units, colour, and its description."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    text: str


@dataclass(frozen=True)
class Histogram:
    """A histogram over [0, 1], laid out in a box of WIDTH x HEIGHT."""

    title: str
    total: int
    bars: list[Bar]
    lines: list[tuple[float, str]]
    ticks: list[tuple[float, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    baseline: int = HEIGHT - _BOTTOM


def histogram(title: str, counts: npt.NDArray[np.int64], unit: str) -> Histogram:
    """Lay out counts over equal bins of [0, 1]."""
    plot_width, plot_height = WIDTH - _LEFT - 10, HEIGHT - _BOTTOM - _TOP
    top = _round_up(int(counts.max(initial=0)))
    bars = []
    for i, n in enumerate(counts.tolist()):
        low, high = i / len(counts), (i + 1) / len(counts)
        height = plot_height * n / top
        bars.append(
            Bar(
                x=round(_LEFT + plot_width * low + 1, 1),
                y=round(HEIGHT - _BOTTOM - height, 1),
                width=round(plot_width / len(counts) - 2, 1),
                height=round(height, 1),
                colour=css(p_colour((low + high) / 2)),
                text=f"{low:.2f} to {high:.2f}: {n:,} {unit}",
            )
        )
    lines = [
        (round(HEIGHT - _BOTTOM - plot_height * share, 1), f"{top * share:,.0f}") for share in (0.5, 1.0)
    ]
    ticks = [(round(_LEFT + plot_width * p, 1), f"{p:g}") for p in (0, 0.25, 0.5, 0.75, 1)]
    return Histogram(title, int(counts.sum()), bars, lines, ticks)


def _round_up(n: int) -> int:
    """The next even number that looks good at the end of an axis."""
    if n <= 2:
        return 2
    power = int("1" + "0" * (len(str(n)) - 1))
    steps = [power * i // 10 for i in (10, 12, 14, 16, 20, 24, 30, 40, 50, 60, 80, 100)]
    return min(step for step in steps if step >= n and step % 2 == 0)


class _Moves(dict[int, str]):
    """Steps of a path as text, each written once: outlines of cells are made of few."""

    def __missing__(self, step: int) -> str:
        across, down = divmod(step + _HALF, 2 * _HALF)
        text = self[step] = f"{across} {down - _HALF}"
        return text


_HALF = 1 << 20  # more than a step can measure
_moves = _Moves()


def svg_paths(outlines: Outlines, scale: npt.NDArray[np.float64]) -> list[str]:
    """SVG paths of the outlines of n cells, one each, in half units after scaling by (n,), as short as can be."""
    points, rings, cells = outlines.points, outlines.rings, outlines.cells
    n = np.maximum(np.diff(rings) - 1, 0)  # the last point is the first
    every = np.maximum(1, -(-n // MOST_POINTS))
    kept = -(-n // every)
    first = np.cumsum(kept) - kept
    ring = np.repeat(np.arange(len(n)), kept)
    at = points[rings[ring] + (np.arange(len(ring)) - first[ring]) * every[ring]].astype(np.float64)
    at = np.rint(at * np.repeat(scale, np.diff(cells))[ring, None] * 2).astype(np.int64)
    steps = np.diff(at, axis=0)
    moved = steps.any(axis=1) & (ring[1:] == ring[:-1])
    texts = [_moves[step] for step in (steps[moved] @ np.array([2 * _HALF, 1])).tolist()]
    counts = np.bincount(ring[:-1][moved], minlength=len(n))
    starts = at[first] if len(at) else np.zeros((len(n), 2), np.int64)
    pieces = [
        f"M{x} {y}l{' '.join(texts[stop - count : stop])}z" if count >= 2 else ""
        for (x, y), count, stop in zip(
            starts.tolist(), counts.tolist(), np.cumsum(counts).tolist(), strict=True
        )
    ]
    return ["".join(pieces[a:b]) for a, b in pairwise(cells.tolist())]
