"""Images with an expert's masks, and how a found cell is matched to the expert's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Case", "CaseSet", "Match", "dice", "find_sets", "match_cells"]

Bool = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]

CELL_LEVEL, NUCLEUS_LEVEL = 60, 200  # masks hold 0, 128 and 255, and some stray greys between


@dataclass(frozen=True)
class Case:
    """One image and its masks.

    Attributes
    ----------
    name : str
        File name without extension.
    image : (H, W, 3) uint8 ndarray
    cell, nucleus : (H, W) bool ndarray
        The expert's whole cells (nucleus and cytoplasm), and nuclei.
    """

    name: str
    image: npt.NDArray[np.uint8]
    cell: Bool
    nucleus: Bool


@dataclass(frozen=True)
class CaseSet:
    """The images of one folder that have a mask beside them."""

    name: str
    files: tuple[tuple[Path, Path], ...]

    def __iter__(self) -> Iterator[Case]:
        from fastpgs.io import read_image
        from fastpgs.report.overlay import to_8bit_rgb

        for path, mask_path in self.files:
            mask = read_image(mask_path)
            mask = mask if mask.ndim == 2 else mask.max(axis=2)
            image = to_8bit_rgb(read_image(path))
            if mask.shape != image.shape[:2]:
                raise ValueError(
                    f"{mask_path} must be as large as its image {image.shape[:2]}, got {mask.shape}"
                )
            yield Case(path.stem, image, mask >= CELL_LEVEL, mask >= NUCLEUS_LEVEL)

    def __len__(self) -> int:
        return len(self.files)


def find_sets(path: Path, limit: int | None = None) -> list[CaseSet]:
    """Folders with pairs ``NAME.bmp`` (or .jpg, .tif) and ``NAME.png``: ``path`` itself, and those below it.

    Parameters
    ----------
    path : Path
        A folder.
    limit : int, optional
        Use at most so many images of each set, spread evenly over it.

    Raises
    ------
    ValueError
        If there is no such pair.
    """
    sets = []
    for folder in [path, *sorted(p for p in path.rglob("*") if p.is_dir())]:
        images = (
            p
            for p in sorted(folder.iterdir())
            if p.suffix.lower() in {".bmp", ".jpg", ".jpeg", ".tif", ".tiff"}
        )
        pairs = [(p, p.with_suffix(".png")) for p in images if p.with_suffix(".png").is_file()]
        if limit is not None and len(pairs) > limit:
            pairs = [pairs[i] for i in np.linspace(0, len(pairs) - 1, limit).round().astype(int)]
        if pairs:
            sets.append(CaseSet(folder.name, tuple(pairs)))
    if not sets:
        raise ValueError(f"expected images with masks of the same name (.png) in {path}, got none")
    return sets


def dice(a: Bool, b: Bool) -> float:
    """Overlap 2 |a and b| / (|a| + |b|); 1 where both are empty (L. R. Dice, doi:10.2307/1932409)."""
    total = np.count_nonzero(a) + np.count_nonzero(b)
    return 2.0 * np.count_nonzero(a & b) / total if total else 1.0


class Match(NamedTuple):
    """How one image's expert cells were met."""

    cell_dice: float
    nucleus_dice: float
    iou: float  # the worst of the image's expert cells
    cells: int  # expert cells
    wrong: int  # of them without a found cell of IoU >= 0.5


def match_cells(labels: Labels, nuclei: Labels, case: Case) -> Match:
    """Match found cells to the expert's.

    The masks hold the cell (rarely the cells) in the middle of the picture, not every cell in it. So each
    expert cell (a connected part of at least a tenth of the largest) is matched with the found cell of
    highest intersection over union; found cells elsewhere count neither for nor against. Dice is taken over
    the whole picture between the expert's masks and the union of the matched cells, so that a missed cell,
    or a lobe given to another cell, lowers it.
    """
    from fastpgs.cells.shapes import label

    parts, n = label(case.cell)
    sizes = np.bincount(parts.ravel(), minlength=n + 1)
    sizes[0] = 0
    chosen: set[int] = set()
    ious = []
    for part in np.flatnonzero(sizes >= 0.1 * sizes.max(initial=1)):
        expert = parts == part
        best, best_id = 0.0, 0
        for i in np.unique(labels[expert]):
            if i == 0:
                continue
            found = labels == i
            iou = np.count_nonzero(found & expert) / np.count_nonzero(found | expert)
            if iou > best:
                best, best_id = iou, int(i)
        ious.append(best)
        chosen.add(best_id)
    met = np.isin(labels, sorted(chosen - {0}))
    found_nuclei = np.where(met, nuclei, 0) > 0
    return Match(
        dice(met, case.cell),
        dice(found_nuclei, case.nucleus),
        min(ious, default=0.0),
        len(ious),
        sum(iou < 0.5 for iou in ious),
    )
