"""How well cells are found in pictures that were changed: moved, resized, faded, overexposed, unevenly lit.

python benchmarks/robust_cells.py ../../shared/data/wbc

Sets of images with an expert's masks, as for `fastpgs evaluate-cells`. Changes of the first kind, which no
microscopist would see, tell how far figures depend on chance; those of the second where the method ends.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFilter

from fastpgs import find_cells
from fastpgs.evaluation.masks import Case, find_sets, match_cells

Image = np.ndarray[Any, Any]
Change = Callable[[Case], Case]


def of_levels(change: Callable[[Image], Image]) -> Change:
    """A change of the picture that leaves its masks as they are."""

    def changed(case: Case) -> Case:
        image = np.clip(np.rint(change(case.image.astype(np.float64))), 0, 255).astype(np.uint8)
        return Case(case.name, image, case.cell, case.nucleus)

    return changed


def of_places(change: Callable[[Image], Image]) -> Change:
    """A change of picture and masks alike."""

    def changed(case: Case) -> Case:
        return Case(
            case.name, *(np.ascontiguousarray(change(a)) for a in (case.image, case.cell, case.nucleus))
        )

    return changed


def resized(factor: float) -> Change:
    def changed(case: Case) -> Case:
        size = tuple(round(n * factor) for n in case.image.shape[1::-1])
        image = PIL.Image.fromarray(case.image).resize(size, PIL.Image.Resampling.BICUBIC)
        masks = (
            np.asarray(PIL.Image.fromarray(m).resize(size, PIL.Image.Resampling.NEAREST))
            for m in (case.cell, case.nucleus)
        )
        return Case(case.name, np.asarray(image), *masks)

    return changed


def jpeg(quality: int) -> Change:
    def through(image: Image) -> Image:
        file = io.BytesIO()
        PIL.Image.fromarray(image.astype(np.uint8)).save(file, "JPEG", quality=quality)
        return np.asarray(PIL.Image.open(file), np.float64)

    return of_levels(through)


def blurred(sigma: float) -> Change:
    blur = PIL.ImageFilter.GaussianBlur(sigma)
    return of_levels(lambda x: np.asarray(PIL.Image.fromarray(x.astype(np.uint8)).filter(blur), np.float64))


def noisy(sigma: float) -> Change:
    return of_levels(lambda x: x + np.random.default_rng(0).normal(0.0, sigma, x.shape))


def faded(share: float) -> Change:
    """What is darker than white, by so much of that only."""
    return of_levels(lambda x: 255.0 - share * (255.0 - x))


def exposed(gamma: float) -> Change:
    return of_levels(lambda x: 255.0 * (x / 255.0) ** gamma)


def lit(amount: float) -> Change:
    """Light that falls off by so much from corner to corner."""

    def dimmed(image: Image) -> Image:
        rows, cols = (np.linspace(0.0, 1.0, n) for n in image.shape[:2])
        return image * (1.0 - amount * (rows[:, None] + cols) / 2.0)[..., None]

    return of_levels(dimmed)


UNSEEN: dict[str, Change] = {
    "turned by 90°": of_places(lambda x: np.rot90(x)),
    "by 180°": of_places(lambda x: np.rot90(x, 2)),
    "by 270°": of_places(lambda x: np.rot90(x, 3)),
    "mirrored": of_places(lambda x: x[:, ::-1]),
    "cut by 6 pixels, top left": of_places(lambda x: x[6:, 6:]),
    "bottom right": of_places(lambda x: x[:-6, :-6]),
    "0.9 times the size": resized(0.9),
    "1.1 times": resized(1.1),
    "1.25 times": resized(1.25),
    "JPEG 85": jpeg(85),
    "noise of 2 levels": noisy(2.0),
    "faded to 0.93": faded(0.93),
    "gamma 0.93": exposed(0.93),
    "gamma 1.07": exposed(1.07),
    "light that falls by 0.1": lit(0.1),
    "blur of 0.6 pixels": blurred(0.6),
}
SEEN: dict[str, Change] = {
    "half the size": resized(0.5),
    "twice the size": resized(2.0),
    "JPEG 50": jpeg(50),
    "JPEG 25": jpeg(25),
    "noise of 8 levels": noisy(8.0),
    "blur of 2 pixels": blurred(2.0),
    "faded to 0.8": faded(0.8),
    "faded to 0.6": faded(0.6),
    "overexposed, gamma 0.8": exposed(0.8),
    "gamma 0.6": exposed(0.6),
    "underexposed, gamma 1.25": exposed(1.25),
    "gamma 1.6": exposed(1.6),
    "light that falls by 0.2": lit(0.2),
    "by 0.4": lit(0.4),
}


def row(name: str, found: list[list[tuple[float, ...]]]) -> str:
    """A line of the table: for each set the means of Dice, nucleus and cell, and the share of wrong cells."""
    parts = []
    for matches in found:
        nucleus, cell, wrong, cells = np.asarray(matches, float).T
        parts.append(f"{nucleus.mean():.4f} | {cell.mean():.4f} | {100 * wrong.sum() / cells.sum():.1f} %")
    return f"| {name} | {' | '.join(parts)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path)
    given = parser.parse_args()
    sets = [(one.name, list(one)) for one in find_sets(given.path)]
    print("| | " + " | ".join(f"{name} nucleus | cell | wrong" for name, _ in sets) + " |")
    print("|---|" + "---|" * (3 * len(sets)))

    def measured(change: Change) -> list[list[tuple[float, ...]]]:
        found = []
        for _, cases in sets:
            matches = []
            for case in map(change, cases):
                cells = find_cells(case.image)
                match = match_cells(cells.labels, cells.nuclei, case)
                matches.append((match.nucleus_dice, match.cell_dice, match.wrong, match.cells))
            found.append(matches)
        return found

    print(row("as they are", measured(lambda case: case)), flush=True)
    unseen = [measured(change) for change in UNSEEN.values()]
    together = [list(chain.from_iterable(one[i] for one in unseen)) for i in range(len(sets))]
    print(row(f"{len(UNSEEN)} changes that nobody would see, the mean", together), flush=True)
    worst = [min(unseen, key=lambda one: np.mean([m[1] for m in one[i]]))[i] for i in range(len(sets))]
    print(row("the worst of them for cells", worst), flush=True)
    for name, change in SEEN.items():
        print(row(name, measured(change)), flush=True)


if __name__ == "__main__":
    main()
