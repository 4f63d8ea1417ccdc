"""The inputs of a run: numbered, and told apart by what identifies a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastpgs.io.inputs import InputLister

__all__ = ["BLOCK", "Inputs", "Item", "file_stamp", "names_files", "number_inputs"]

BLOCK = 64
"""Inputs a block: the unit of batching, of saving and of sharding."""

Inputs = str | os.PathLike[str] | npt.NDArray[Any] | Iterable[Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One input: a file, an array, or the reason why there is neither."""

    index: int
    name: str
    path: str | None = None
    pixels: npt.NDArray[Any] | None = None
    error: str | None = None

    @property
    def block(self) -> int:
        """Number of the block the item belongs to."""
        return self.index // BLOCK


def number_inputs(inputs: Inputs, exclude: Any = None) -> Iterator[Item]:
    """Number the inputs: names expanded, arrays as they are."""
    if isinstance(inputs, (str, os.PathLike)) or (isinstance(inputs, np.ndarray) and inputs.ndim < 4):
        inputs = [inputs]
    lister = InputLister(exclude)
    index = 0
    for given in inputs:
        if isinstance(given, (str, os.PathLike)):
            for found in lister.expand(given):
                yield Item(index, found.name, path=found.path, error=found.error)
                index += 1
        else:
            yield Item(index, f"array-{index}", pixels=np.asarray(given))
            index += 1


def names_files(inputs: Inputs) -> bool:
    """Whether the first of the inputs is the name of a file or folder, as far as can be told without taking it."""
    first = inputs[0] if isinstance(inputs, Sequence) and not isinstance(inputs, str) and inputs else inputs
    return isinstance(first, (str, os.PathLike))


def file_stamp(path: str) -> tuple[int | None, int | None]:
    """Size and modification time (ns) of a regular file; None for what is none."""
    try:
        info = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None, None
    return (info.st_size, info.st_mtime_ns) if stat.S_ISREG(info.st_mode) else (None, None)
