"""Curves of what goals.py measured: python benchmarks/plot.py results.json"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

HERE = Path(__file__).parent
SIZES = (256, 450, 1024)


def curves(found: dict[str, Any], out: Path) -> None:
    """Draw milliseconds over pixels, one line a contender."""
    figure, axes = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
    pixels = [size * size for size in SIZES]
    names = [name for name in found["peers"]["256"] if "FasterPAM" not in name]
    for name in sorted(names, key=lambda n: -found["peers"]["1024"][n]):
        times = [found["peers"][str(size)][name] for size in SIZES]
        ours = name.startswith("fastpgs")
        axes.loglog(pixels, times, "o-" if ours else "o--", linewidth=2.2 if ours else 1.2, label=name)
    axes.loglog([4096**2], [found["large"]["rgb"]], "o", color="black", label="fastpgs, 4096²")
    axes.loglog([4096**2], [found["large"]["copy and labels"]], "x", color="black", label="copy, 4096²")
    axes.set(xlabel="pixels", ylabel="milliseconds, CPU time of one thread", title="k = 3, RGB uint8")
    axes.grid(alpha=0.3, which="major")
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.savefig(out, dpi=110)
    plt.close(figure)


def paths(found: dict[str, Any], out: Path) -> None:
    """Draw the time of each way through the core over that of RGB, one bar a size."""
    figure, axes = plt.subplots(figsize=(7.2, 4.6), layout="constrained")
    names = [n for n in found["paths"]["256"] if n not in ("rgb", "histogram and table")]
    for i, size in enumerate(SIZES):
        times = found["paths"][str(size)]
        places = [row + 0.27 * (i - 1) for row in range(len(names))]
        axes.barh(places, [times[n] / times["rgb"] for n in names], height=0.25, label=f"{size}²")
    axes.axvline(4.0, color="black", linewidth=1, linestyle=":")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel="times the RGB path on the same picture (dotted: the goal of most, 4)")
    axes.legend(fontsize=8)
    figure.savefig(out, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    results = json.loads(Path(sys.argv[1]).read_text())
    curves(results, HERE / "curves.png")
    paths(results, HERE / "paths.png")
