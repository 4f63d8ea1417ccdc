"""Files that are either whole or not there, whatever interrupts the writing."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["TEMPORARY", "atomic_path", "write_atomic"]

TEMPORARY = ".fastpgs-tmp"
"""Ending of a file that is being written; one that is found later was left by a killed process."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and put the file written there in its place.

    The content is on disk before the name is: after a power cut the old file or the new one is there, whole.
    If the block raises, the old file stays.
    """
    # A process number is not enough: several machines may write to one disk.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}{TEMPORARY}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


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
