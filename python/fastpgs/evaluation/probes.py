"""Pictures whose answer is known without an expert: fields without white cells, and single cells on black.

Synthetic fields are drawn in every stain. Of a real picture the expert's cell is hidden, or everything else is
made black, as in C-NMC 2019 (A. Gupta, R. Gupta, doi:10.7937/tcia.2019.dc64i46r).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .masks import Case, CaseSet, dice

__all__ = ["Probe", "probe_blank_fields", "probe_set", "probe_single_cells"]

Image = npt.NDArray[np.uint8]

MARGIN = 0.05  # of a hidden cell's diameter: its rim is hidden too
WHOLE = 0.9  # intersection over union from which on a cell counts as found whole

# Numbers of red cells, and of platelets and of specks; None: by the area.
BLANK: dict[str, tuple[int | None, int | None]] = {
    "empty glass": (0, 0),
    "red cells": (None, 0),
    "red cells, platelets, specks": (None, None),
}


@dataclass(frozen=True)
class Probe:
    """What was found in pictures of one kind.

    Attributes
    ----------
    name : str
        Kind of picture.
    pictures, right : int
        Pictures, and those with the right answer: no cell, or one cell found whole.
    cells : int
        Cells found in all of them.
    low, high : float
        95 % Wilson interval of the share of right pictures.
    cell_dice, nucleus_dice : float
        Means over the pictures; nan where there is no cell to find.
    """

    name: str
    pictures: int
    right: int
    cells: int
    low: float
    high: float
    cell_dice: float = float("nan")
    nucleus_dice: float = float("nan")


def probe_blank_fields(
    fields: int = 10, side: int = 256, *, seed: int = 100, num_threads: int | None = None
) -> list[Probe]:
    """Count white cells in synthetic fields that have none.

    Parameters
    ----------
    fields : int
        Fields of each kind in each stain.
    side : int
        Rows and columns of a field.
    seed : int
        Seed of the first field of each stain.
    num_threads : int, optional
        Threads of ``find_cells``.
    """
    from fastpgs.cells import find_cells
    from fastpgs.synth import STAINS, smear

    probes = []
    for name, (reds, rest) in BLANK.items():
        counts = []
        for stain in STAINS:
            for i in range(fields):
                field = smear(
                    (side, side),
                    n_blasts=0,
                    n_normals=0,
                    n_red=reds,
                    n_platelets=rest,
                    n_specks=rest,
                    stain=stain,
                    seed=seed + i,
                )
                counts.append(len(find_cells(field.image, num_threads=num_threads)))
        probes.append(_counted(f"synthetic, {name}", counts))
    return probes


def probe_single_cells(
    cells: int = 2, size: int = 120, *, seed: int = 100, num_threads: int | None = None
) -> Probe:
    """Find synthetic single cells on black, of every kind in every stain, ``cells`` of each."""
    from fastpgs.synth import KINDS, STAINS, single_cell

    cases = []
    for stain in STAINS:
        for kind in KINDS:
            for i in range(cells):
                truth = single_cell(kind, size=size, stain=stain, seed=seed + i)
                cases.append(Case(f"{kind}-{i}", truth.image, truth.cells > 0, truth.nuclei > 0))
    return _alone("synthetic, one cell on black", [_on_black(case, num_threads) for case in cases])


def probe_set(cases: CaseSet, *, num_threads: int | None = None) -> list[Probe]:
    """Hide the expert's cell in each picture, then show it alone on black."""
    from fastpgs.cells import find_cells

    counts = [
        len(find_cells(case.image, mask=seen, num_threads=num_threads)) for case, seen in _hidden(cases)
    ]
    alone = _alone(f"{cases.name}, the cell on black", [_on_black(case, num_threads) for case in cases])
    return [_counted(f"{cases.name}, the cell hidden", counts), alone]


def wilson(right: int, total: int) -> tuple[float, float]:
    """95 % interval of a share (E. B. Wilson, doi:10.1080/01621459.1927.10502953)."""
    from scipy.stats import binomtest

    found = binomtest(right, total).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def _counted(name: str, counts: list[int]) -> Probe:
    """Pictures that hold no cell: right where none was found."""
    right = counts.count(0)
    low, high = wilson(right, len(counts))
    return Probe(name, len(counts), right, sum(counts), low, high)


def _alone(name: str, found: list[dict[str, float]]) -> Probe:
    """Pictures of one cell: right where one was found, whole."""
    right = sum(row["cells"] == 1 and row["iou"] >= WHOLE for row in found)
    low, high = wilson(right, len(found))
    cells = int(sum(row["cells"] for row in found))
    means = (float(np.mean([row[key] for row in found])) for key in ("cell_dice", "nucleus_dice"))
    return Probe(name, len(found), right, cells, low, high, *means)


def _hidden(cases: CaseSet) -> Iterator[tuple[Case, npt.NDArray[np.bool_]]]:
    """Each picture with the pixels to use: those apart from the expert's cell. Pictures full of it are left out."""
    from scipy import ndimage

    for case in cases:
        margin = MARGIN * 2.0 * np.sqrt(np.count_nonzero(case.cell) / np.pi)
        seen = ndimage.distance_transform_edt(~case.cell) > margin
        if seen.any():
            yield case, seen


def _on_black(case: Case, num_threads: int | None) -> dict[str, float]:
    from fastpgs.cells import find_cells

    image: Image = np.where(case.cell[:, :, None], case.image, 0).astype(np.uint8)
    cells = find_cells(image, num_threads=num_threads)
    found = cells.labels > 0
    either = np.count_nonzero(found | case.cell)
    return {
        "cells": len(cells),
        "iou": float(np.count_nonzero(found & case.cell)) / max(int(either), 1),
        "cell_dice": dice(found, case.cell),
        "nucleus_dice": dice(cells.nuclei > 0, case.nucleus),
    }
