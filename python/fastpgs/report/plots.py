"""Plots of the report as plain numbers, which the template draws as SVG in the page's own colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastpgs import _core
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


def svg_paths(outlines: Outlines, scale: npt.NDArray[np.float64]) -> list[str]:
    """SVG paths of the outlines of n cells, one each, in half units after scaling by (n,), as short as can be."""
    rings, cells = (np.asarray(offsets, np.int64) for offsets in (outlines.rings, outlines.cells))
    return _core.svg_paths(outlines.points, rings, cells, scale, MOST_POINTS)
