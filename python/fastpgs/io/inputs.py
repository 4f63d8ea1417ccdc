"""From what a user names (files, folders, patterns, lists) to the list of inputs of a run."""

# Names are kept as given ("./a.png"), which pathlib would rewrite.
# ruff: noqa: PTH100, PTH112, PTH113, PTH117, PTH118, PTH122, PTH207

from __future__ import annotations

import csv
import glob
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .images import display_name

__all__ = ["IMAGE_SUFFIXES", "Input", "InputLister", "find_inputs", "read_list", "read_manifest"]

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".tif", ".tiff"}
    | {".gif", ".webp", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm"}
    | {".svs", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".bif", ".svslide"}
)
"""Endings by which a folder's files count as images; a file that is named itself may end in anything.

Folders that end in ``.zarr`` and hold an OME-Zarr image count as one."""

_WRITTEN = frozenset({"overlays", "labels", "heatmaps", "geojson", "shards"})
"""Folders of pictures and parts that a run writes into its output folder; they are no inputs of the next."""


@dataclass(frozen=True, slots=True)
class Input:
    """One row of the run to come.

    Attributes
    ----------
    name : str
        As given, the way tables show it.
    path : str or None
        The file; None where ``error`` says why there is none.
    error : str or None
        Why there is nothing to read, such as a pattern that matches no file.
    """

    name: str
    path: str | None
    error: str | None = None


def find_inputs(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    exclude: str | os.PathLike[str] | None = None,
) -> list[Input]:
    """List the files that the inputs stand for.

    Parameters
    ----------
    inputs : path-like or iterable of path-like
        Files, folders (searched recursively for `IMAGE_SUFFIXES`, hidden ones left out) and patterns with
        ``*``, ``?``, ``[...]`` or ``**``. A file whose name contains such characters is taken as a file.
        What a run has written into them (overlays, label images, heat maps) is left out: those are no smears.
    exclude : path-like, optional
        The output folder of the run to come: left out where it lies inside a folder. Where it is the folder that
        was named, what runs write into it is.

    Returns
    -------
    list of Input
        In the order given; folders and patterns in natural order ("2.png" before "10.png"). A file that is
        reached twice is listed once. What does not exist, an empty folder and a pattern without a match are
        listed with an ``error``: nothing is dropped silently, and nothing raises.
    """
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    lister = InputLister(exclude)
    return [item for given in inputs for item in lister.expand(given)]


class InputLister:
    """`find_inputs` for names that come one at a time; remembers what it has listed."""

    def __init__(self, exclude: str | os.PathLike[str] | None = None) -> None:
        self._banned = None if exclude is None else os.path.realpath(exclude)
        self._seen: set[str] = set()

    def expand(self, given: str | os.PathLike[str]) -> Iterator[Input]:
        """Inputs that a name stands for, without those listed before."""
        for item in _expand(os.fspath(given), self._banned):
            key = os.path.abspath(item.path) if item.path is not None else f"\0{item.name}"
            if key not in self._seen:
                self._seen.add(key)
                yield item


def _expand(given: str, banned: str | None) -> Iterator[Input]:
    name = display_name(given)
    if "\0" in given:
        yield Input(name, None, "not a possible file name: embedded null byte")
    elif _is_zarr(given):
        yield Input(name, given)
    elif os.path.isdir(given):
        files, barred = _walk(given, banned)
        for file in files:
            yield Input(display_name(file), file)
        for folder, reason in barred:
            yield Input(display_name(folder), None, f"the folder cannot be read: {reason}")
        if not files and not barred:
            yield Input(name, None, "no image file in this folder")
    elif not os.path.lexists(given) and glob.has_magic(given):
        matches = sorted(glob.glob(given, recursive=True), key=natural_key)
        files = [match for match in matches if not os.path.isdir(match) or _is_zarr(match)]
        for file in files:
            yield Input(display_name(file), file)
        if not files:
            yield Input(name, None, "no file matches this pattern")
    else:
        yield Input(name, given)


def _is_zarr(path: str) -> bool:
    """Whether a folder is one OME-Zarr image, not a folder of images."""
    return (
        path.rstrip("/" + os.sep).lower().endswith(".zarr")
        and os.path.isdir(path)
        and any(os.path.isfile(os.path.join(path, name)) for name in ("zarr.json", ".zattrs"))
    )


def _walk(folder: str, banned: str | None) -> tuple[list[str], list[tuple[str, str]]]:
    """Image files under a folder, and folders that are barred.

    Links are followed, each real folder is entered once, and what a run has written is left out.
    """
    found: list[str] = []
    barred: list[tuple[str, str]] = []

    def note(error: OSError) -> None:
        barred.append((os.fsdecode(error.filename), error.strerror or type(error).__name__))

    entered: set[str] = set()
    for root, folders, files in os.walk(folder, onerror=note, followlinks=True):
        real = os.path.realpath(root)
        if real in entered or (real == banned and root != folder):
            folders.clear()
            continue
        entered.add(real)
        if real == banned or {"run.json", "images.parquet"} <= set(files):
            folders[:] = [name for name in folders if name not in _WRITTEN]
        slides = [name for name in folders if _is_zarr(os.path.join(root, name))]
        found += [os.path.join(root, name) for name in slides]
        folders[:] = [name for name in folders if not name.startswith(".") and name not in slides]
        found += [
            os.path.join(root, name)
            for name in files
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
        ]
    return sorted(found, key=natural_key), barred


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which "image 2" comes before "image 10"."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((1, int(part), part) if i % 2 else (0, 0, part) for i, part in enumerate(parts))


def read_list(text: str) -> list[str]:
    """File names of a list: one a line, or separated by null characters as ``find -print0`` does."""
    names = text.split("\0") if "\0" in text else text.splitlines()
    return [name for name in names if name.strip()]


def read_manifest(path: str | os.PathLike[str]) -> list[str]:
    """File names of a manifest.

    Parameters
    ----------
    path : path-like
        CSV or TSV with a column ``image``, or plain text with one name a line. Relative names are relative
        to the manifest's folder. Other columns are not read.

    Raises
    ------
    ValueError
        If a CSV or TSV has no column ``image``.
    OSError
        If the manifest cannot be read.
    """
    file = Path(path)
    text = file.read_text(encoding="utf-8-sig")
    suffix = file.suffix.lower()
    if suffix in (".csv", ".tsv"):
        rows = csv.DictReader(text.splitlines(), delimiter="\t" if suffix == ".tsv" else ",")
        if "image" not in (rows.fieldnames or ()):
            raise ValueError(f"{file.name}: expected a column 'image', got {list(rows.fieldnames or ())}")
        names = [row["image"] for row in rows if row["image"]]
    else:
        names = read_list(text)
    return [name if os.path.isabs(name) else os.path.join(file.parent, name) for name in names]
