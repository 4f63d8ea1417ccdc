"""Files that are either whole or not there, whatever interrupts the writing."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["TEMPORARY", "atomic_folder", "atomic_path", "remove_leftovers", "write_atomic"]

TEMPORARY = ".fastpgs-tmp"
"""Ending of a file that is being written; one that is found later was left by a killed process."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and put the file written there in its place.

    The content is on disk before the name is: after a power cut the old file or the new one is there, whole.
    If the block raises, the old file stays.
    """
    temporary = _temporary(path)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and put the folder made there in its place.

    The content is on disk before the name is. If the block raises, the old folder stays; a folder cannot take
    the place of another in one step, so a kill in the moment between two renames leaves none of that name.
    """
    temporary, old = _temporary(path), _temporary(path)
    try:
        yield temporary
        for folder, _, files in os.walk(temporary):
            for name in files:
                with Path(folder, name).open("rb+") as file:
                    os.fsync(file.fileno())
            _sync_folder(Path(folder))
        with suppress(FileNotFoundError):
            path.replace(old)
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        for left in (old, temporary):
            shutil.rmtree(left, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes have left half written in a folder that nobody writes to now."""
    for leftover in folder.glob(f".*{TEMPORARY}"):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    # A process number is not enough: several machines may write to one disk.
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}{TEMPORARY}")


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a whole file; text as UTF-8."""
    data = content.encode() if isinstance(content, str) else content
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def _sync_folder(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows cannot open folders
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
