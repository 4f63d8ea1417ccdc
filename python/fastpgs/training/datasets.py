"""Labelled images on disk: class folders, a CSV manifest, and the layout in which C-NMC 2019 is published.

Every sample carries a group, the unit that must not be torn apart by a split: the patient where it is known,
else a contiguous block of the class folder (neighbouring numbers tend to be one patient). Nothing here
downloads anything.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Layout = Literal["auto", "cnmc", "folder", "manifest"]

NORMAL, BLAST = 0, 1
LABELS = ("normal", "blast")
SUFFIXES = {".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff"}
DEFAULT_BLOCKS = 10

# Folder names understood without being told. Hematogones are the normal precursors that resemble blasts.
BLAST_NAMES = frozenset({"blast", "blasts", "all", "leukemia", "malignant", "early", "pre", "pro"})
NORMAL_NAMES = frozenset({"normal", "benign", "healthy", "hem", "hematogone", "hematogones"})

# UID_57_29_1_all.bmp; normals carry an H before the number (UID_H12_3_2_hem.bmp), and subject 12 and
# subject H12 are two people.
CNMC_NAME = re.compile(r"^UID_(?P<patient>H?\d+)_(?P<image>\d+)_(?P<cell>\d+)_(?P<label>all|hem)$", re.I)


@dataclass(frozen=True)
class Sample:
    """One labelled image.

    Attributes
    ----------
    path : Path
    label : int
        0 normal, 1 blast.
    group : str
        What a split must keep together.
    stratum : str
        The class as the source names it; splits balance it.
    part : str
        Official part of the source (``fold_0`` ... or ``prelim`` of C-NMC), else empty.
    """

    path: Path
    label: int
    group: str
    stratum: str
    part: str = ""


@dataclass(frozen=True)
class Dataset:
    """Samples in a fixed order, and what was left out on reading them."""

    root: Path
    layout: str
    samples: tuple[Sample, ...]
    duplicates: tuple[tuple[Path, Path], ...] = ()  # (left out, kept)
    grouping: str = "patient"

    def __len__(self) -> int:
        return len(self.samples)

    def counts(self) -> dict[str, int]:
        """Images by stratum."""
        return dict(sorted(Counter(s.stratum for s in self.samples).items()))


def read_dataset(
    path: str | Path,
    layout: Layout = "auto",
    *,
    blocks: int = DEFAULT_BLOCKS,
    blast: tuple[str, ...] = (),
    normal: tuple[str, ...] = (),
    part: str | None = None,
) -> Dataset:
    """List the labelled images below `path`.

    Parameters
    ----------
    path : str or Path
        A folder of class folders, the root of C-NMC 2019, or a CSV file with the columns ``path``, ``label``
        (blast/normal or 1/0) and ``group``.
    layout : {"auto", "cnmc", "folder", "manifest"}
    blocks : int
        Contiguous blocks a class folder is cut into where there are no patient ids.
    blast, normal : tuple of str
        Folder names of either class, beside those known by name.
    part : str, optional
        Of C-NMC only: ``"train"`` (the three folds), ``"prelim"``, or one fold's name. None is ``"train"``:
        the preliminary set is the held-out test, to be used once.

    Returns
    -------
    Dataset
        Byte-identical images appear once; the others are in ``duplicates``.

    Raises
    ------
    FileNotFoundError
        No such path.
    ValueError
        A layout that does not fit, a file name without a patient, an unknown class folder, identical
        images with different labels.
    """
    root = Path(path)
    if not root.exists():
        raise FileNotFoundError(f"no such file or folder: {root}")
    if layout == "auto":
        layout = _guess_layout(root)
    if layout == "manifest":
        samples, grouping = _read_manifest(root), "column"
    elif layout == "cnmc":
        samples, grouping = _read_cnmc(root, part), "patient"
    elif layout == "folder":
        samples, grouping = _read_folders(root, blocks, blast, normal), f"{blocks} contiguous blocks a class"
    else:
        raise ValueError(f"layout must be auto, cnmc, folder or manifest, got {layout!r}")
    if not samples:
        raise ValueError(f"no labelled images below {root} (layout {layout})")
    kept, duplicates = drop_duplicates(samples)
    return Dataset(root, layout, tuple(kept), tuple(duplicates), grouping)


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def drop_duplicates(samples: list[Sample]) -> tuple[list[Sample], list[tuple[Path, Path]]]:
    """Keep the first of byte-identical images, so that no image can sit on both sides of a split.

    Returns
    -------
    kept : list of Sample
    duplicates : list of (left out, kept)

    Raises
    ------
    ValueError
        Identical images with different labels: one of the two must be wrong.
    """
    first: dict[str, Sample] = {}
    sizes = Counter(s.path.stat().st_size for s in samples)
    kept: list[Sample] = []
    duplicates: list[tuple[Path, Path]] = []
    for sample in samples:
        # Only files of equal size can be identical: the others need not be read.
        if sizes[sample.path.stat().st_size] == 1:
            kept.append(sample)
            continue
        twin = first.setdefault(content_hash(sample.path), sample)
        if twin is sample:
            kept.append(sample)
        elif twin.label != sample.label:
            raise ValueError(
                f"identical images with different labels: {twin.path} is {LABELS[twin.label]}, "
                f"{sample.path} is {LABELS[sample.label]}"
            )
        else:
            duplicates.append((sample.path, twin.path))
    return kept, duplicates


def thin_out(data: Dataset, most: int) -> Dataset:
    """At most `most` images of each class, evenly spaced, so that every group keeps its share: for quick runs."""
    if most < 1:
        raise ValueError(f"limit must be >= 1, got {most}")
    kept = []
    for stratum in data.counts():
        own = [s for s in data.samples if s.stratum == stratum]
        kept += [own[i * len(own) // min(most, len(own))] for i in range(min(most, len(own)))]
    chosen = {s.path for s in kept}
    return replace(data, samples=tuple(s for s in data.samples if s.path in chosen))


def natural_key(path: Path) -> tuple[object, ...]:
    """Sort key under which ``2.png`` comes before ``10.png``."""
    parts = re.split(r"(\d+)", path.name.lower())
    return tuple((1, int(p), "") if p.isdigit() else (0, 0, p) for p in parts)


def assign_blocks(samples: list[Sample], blocks: int) -> list[Sample]:
    """Give each class of samples contiguous groups ``<class>/<block>`` of nearly equal size."""
    if blocks < 2:
        raise ValueError(f"blocks must be >= 2, got {blocks}")
    totals = Counter(s.stratum for s in samples)
    too_few = {name: n for name, n in totals.items() if n < blocks}
    if too_few:
        raise ValueError(f"blocks={blocks} needs as many images in each class, got {too_few}")
    seen: Counter[str] = Counter()
    out = []
    for sample in samples:
        block = seen[sample.stratum] * blocks // totals[sample.stratum]
        seen[sample.stratum] += 1
        out.append(replace(sample, group=f"{sample.stratum}/{block:02d}"))
    return out


def _guess_layout(root: Path) -> Layout:
    if root.is_file():
        return "manifest"
    if any(root.glob("**/fold_*/all")) or any(root.glob("**/*prelim*labels*.csv")):
        return "cnmc"
    return "folder"


def _label_of(name: str, blast: frozenset[str], normal: frozenset[str]) -> int | None:
    if name.lower() in blast:
        return BLAST
    if name.lower() in normal:
        return NORMAL
    return None


def _read_folders(root: Path, blocks: int, blast: tuple[str, ...], normal: tuple[str, ...]) -> list[Sample]:
    blast_names = (BLAST_NAMES | {b.lower() for b in blast}) - {n.lower() for n in normal}
    normal_names = (NORMAL_NAMES | {n.lower() for n in normal}) - {b.lower() for b in blast}
    samples = []
    unknown = []
    for folder in sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")):
        files = sorted((p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES), key=natural_key)
        label = _label_of(folder.name, blast_names, normal_names)
        if label is None:
            unknown += [folder.name] if files else []
            continue
        samples += [Sample(p, label, "", folder.name) for p in files]
    if unknown:
        raise ValueError(
            f"cannot tell blast from normal in these folders: {unknown}; name them blast or normal"
        )
    if len({s.label for s in samples}) < 2:
        raise ValueError(
            f"expected folders of both classes below {root}, got {sorted({s.stratum for s in samples})}"
        )
    return assign_blocks(samples, blocks)


def _read_manifest(path: Path) -> list[Sample]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        missing = {"path", "label", "group"} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{path.name} needs the columns path, label, group; missing {sorted(missing)}")
        samples = []
        for number, row in enumerate(reader, start=2):
            label = {"blast": 1, "1": 1, "normal": 0, "0": 0}.get(row["label"].strip().lower())
            if label is None:
                raise ValueError(
                    f"{path.name} line {number}: label must be blast/normal or 1/0, got {row['label']!r}"
                )
            if not row["group"].strip():
                raise ValueError(f"{path.name} line {number}: the group is empty")
            image = Path(row["path"])
            image = image if image.is_absolute() else path.parent / image
            if not image.is_file():
                raise FileNotFoundError(f"{path.name} line {number}: no such file: {row['path']}")
            samples.append(Sample(image, label, row["group"].strip(), LABELS[label]))
    return samples


def parse_cnmc_name(name: str) -> tuple[str, int]:
    """Patient and label of an official C-NMC file name.

    Examples
    --------
    >>> parse_cnmc_name("UID_H12_3_2_hem.bmp")
    ('H12', 0)
    """
    match = CNMC_NAME.match(Path(name).stem)
    if match is None:
        raise ValueError(f"expected a name like UID_57_29_1_all.bmp or UID_H12_3_2_hem.bmp, got {name!r}")
    patient, label = match["patient"].upper(), BLAST if match["label"].lower() == "all" else NORMAL
    if patient.startswith("H") != (label == NORMAL):
        raise ValueError(f"normals, and only they, carry an H before the subject number, got {name!r}")
    return patient, label


def _read_cnmc(root: Path, part: str | None) -> list[Sample]:
    samples = []
    if part != "prelim":
        for folder in sorted(root.glob("**/fold_*")):
            if part not in (None, "train", folder.name):
                continue
            for kind in ("all", "hem"):
                for file in sorted((folder / kind).glob("*.bmp"), key=natural_key):
                    patient, label = parse_cnmc_name(file.name)
                    if label != (kind == "all"):
                        raise ValueError(f"{file.name} lies in the folder {kind!r}")
                    samples.append(Sample(file, label, patient, kind, folder.name))
        return samples
    for table in sorted(root.glob("**/*prelim*labels*.csv")):
        images = {
            p.name: p for p in table.parent.glob("**/*.bmp") if not p.parent.parent.name.startswith("fold_")
        }
        with table.open(newline="", encoding="utf-8-sig") as listing:
            for row in csv.DictReader(listing):
                patient, label = parse_cnmc_name(row["Patient_ID"].strip())
                if label != int(row["labels"]):
                    raise ValueError(
                        f"{table.name}: label {row['labels']} of {row['Patient_ID']} contradicts its name"
                    )
                name = row["new_names"].strip()
                if name not in images:
                    raise FileNotFoundError(f"{table.name} names {name}, which is not beside it")
                samples.append(Sample(images[name], label, patient, "all" if label else "hem", "prelim"))
    return samples
