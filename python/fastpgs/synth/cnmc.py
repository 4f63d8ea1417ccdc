"""A small synthetic copy of the C-NMC 2019 layout, to test readers without the data."""

from __future__ import annotations

import csv
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .field import single_cell
from .leukocytes import KINDS
from .stains import STAINS

FOLDS = 3
PRELIM_FOLDER = "C-NMC_test_prelim_phase_data"
PRELIM_LABELS = "C-NMC_test_prelim_phase_data_labels.csv"

_KINDS = {"all": ("lymphoblast",), "hem": ("lymphocyte", "hematogone", "hematogone")}


@dataclass(frozen=True)
class CnmcTree:
    """What `write_cnmc_tree` wrote.

    Attributes
    ----------
    root : pathlib.Path
    training : tuple of pathlib.Path
        Images of the three folds.
    prelim : tuple of pathlib.Path
        Images of the preliminary set, in the order of the rows of its table; empty without it.
    prelim_labels : pathlib.Path or None
        Its csv table.
    """

    root: Path
    training: tuple[Path, ...]
    prelim: tuple[Path, ...]
    prelim_labels: Path | None


def write_cnmc_tree(
    root: str | Path,
    *,
    patients_per_class: int = 3,
    cells_per_patient: int = 4,
    size: int = 450,
    seed: int = 0,
    prelim: bool = True,
) -> CnmcTree:
    """Write synthetic single-cell images in the official layout and naming of C-NMC 2019.

    ``fold_<0-2>/all/UID_<patient>_<image>_<cell>_all.bmp`` and ``fold_<0-2>/hem/UID_H<patient>_..._hem.bmp``.
    Each patient has one class, lies in one fold, and has a stain of its own. The numbers of patients and of
    normals overlap, as they do in the original: without its H a normal is taken for another person. The
    preliminary set holds two further patients a class, with its images numbered and its table's columns
    ``Patient_ID`` (the original file name), ``new_names`` and ``labels`` (1 = ALL, 0 = HEM).

    Parameters
    ----------
    root : str or path
        Folder to write into; made if missing.
    patients_per_class : int
        Patients of the training set in each class, dealt to the folds in turn.
    cells_per_patient : int
        Images of each patient.
    size : int
        Rows and columns of an image; the picture always shows 22.5 micrometres (0.05 a pixel at 450).
    seed : int
        Seed of everything random.
    prelim : bool
        Whether to write the preliminary set.

    Returns
    -------
    CnmcTree

    Raises
    ------
    ValueError
        If a number is below 1.

    References
    ----------
    Gupta & Gupta, "C-NMC 2019 Dataset", The Cancer Imaging Archive, 2019, doi:10.7937/tcia.2019.dc64i46r
    """
    for name, value in (
        ("patients_per_class", patients_per_class),
        ("cells_per_patient", cells_per_patient),
        ("size", size),
    ):
        if value < 1:
            raise ValueError(f"{name} must be >= 1, got {value!r}")
    root = Path(root)
    streams = iter(np.random.SeedSequence(seed).spawn(2 * patients_per_class + 4))
    training: list[Path] = []
    for label in ("all", "hem"):
        for number in range(1, patients_per_class + 1):
            folder = root / f"fold_{(number - 1) % FOLDS}" / label
            folder.mkdir(parents=True, exist_ok=True)
            for name, image in _patient(label, number, cells_per_patient, size, next(streams)):
                training.append(folder / name)
                write_bmp(training[-1], image)
    if not prelim:
        return CnmcTree(root, tuple(training), (), None)

    images: list[tuple[str, npt.NDArray[np.uint8]]] = []
    for label in ("all", "hem"):
        for number in (patients_per_class + 1, patients_per_class + 2):
            images += _patient(label, number, cells_per_patient, size, next(streams))
    folder = root / PRELIM_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(images))
    table = root / PRELIM_LABELS
    numbered: list[Path] = []
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("Patient_ID", "new_names", "labels"))
        for number, index in enumerate(order, start=1):
            name, image = images[index]
            numbered.append(folder / f"{number}.bmp")
            write_bmp(numbered[-1], image)
            writer.writerow((name, numbered[-1].name, int(name.endswith("_all.bmp"))))
    return CnmcTree(root, tuple(training), tuple(numbered), table)


def _patient(
    label: str, number: int, cells: int, size: int, stream: np.random.SeedSequence
) -> list[tuple[str, npt.NDArray[np.uint8]]]:
    """File names and images of one patient."""
    rng = np.random.Generator(np.random.PCG64(stream))
    stain = STAINS["wright"].varied(rng, 0.08)
    person = f"H{number}" if label == "hem" else str(number)
    drawn = []
    for cell in range(1, cells + 1):
        kind = str(rng.choice(_KINDS[label]))
        assert KINDS[kind].is_blast == (label == "all")
        picture = single_cell(kind, size, stain=stain, seed=int(rng.integers(2**63)))
        # Two cells from each microscope image.
        drawn.append((f"UID_{person}_{(cell + 1) // 2}_{cell}_{label}.bmp", picture.image))
    return drawn


def write_bmp(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write an RGB image of shape (H, W, 3) as an uncompressed 24-bit Windows bitmap.

    The format is a 54-byte header and the rows from the bottom up, in blue-green-red order, each padded to a
    multiple of four bytes; writing it here keeps the synthetic tree free of an imaging library.
    """
    height, width = image.shape[:2]
    stride = -(-3 * width // 4) * 4
    rows = np.zeros((height, stride), dtype=np.uint8)
    rows[:, : 3 * width] = image[::-1, :, ::-1].reshape(height, 3 * width)
    header = struct.pack("<2sIHHI", b"BM", 54 + rows.size, 0, 0, 54)
    header += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, rows.size, 2835, 2835, 0, 0)
    path.write_bytes(header + rows.tobytes())
