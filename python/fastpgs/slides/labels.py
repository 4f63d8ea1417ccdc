"""Cells and nuclei of a slide as OME-Zarr labels, a pyramid each.

Josh Moore et al., "OME-Zarr: a cloud-optimized bioimaging file format", 2023, DOI 10.1007/s00418-023-02209-1;
version 0.4 of the format.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from fastpgs.io.atomic import atomic_folder

from .parts import Index, SlideFolder
from .plan import Plan

__all__ = ["write_labels"]

CHUNK = 1024  # pixels of the finest level
SMALLEST = 512  # pixels of the longer side of the coarsest level, at most
LEVELS = 5


def write_labels(path: Path, plan: Plan, folder: SlideFolder, index: Index) -> None:
    """Write ``labels/cells`` and ``labels/nuclei`` of an OME-Zarr folder; chunk by chunk, empty ones not at all.

    Parameters
    ----------
    path : Path
        The folder; one that is there is replaced when the new one is whole.
    plan : Plan
    folder : SlideFolder
    index : Index
        Labels are the positions in it, from 1.
    """
    try:
        import zarr
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "OME-Zarr labels need the package 'zarr'; install it with: pip install 'fastpgs[slides]'",
            name="zarr",
        ) from error
    longest = max(plan.shape)
    levels = min(LEVELS, 1 + max(0, math.ceil(math.log2(longest / SMALLEST))))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_folder(path) as temporary:
        root = zarr.open_group(str(temporary), mode="w", zarr_format=2)
        group = root.create_group("labels")
        group.attrs["labels"] = ["cells", "nuclei"]
        pyramids = [_create(group, name, plan, levels) for name in ("cells", "nuclei")]
        for (i, j), members in sorted(_by_chunk(index).items()):
            for nucleus, pyramid in enumerate(pyramids):
                _write_chunk(pyramid, i, j, _paint(i, j, members, folder, index, bool(nucleus), plan.shape))


def _create(group: Any, name: str, plan: Plan, levels: int) -> list[Any]:
    own = group.create_group(name)
    arrays = []
    for level in range(levels):
        shape = tuple(-(-side >> level) if level == 0 else -(-side // (1 << level)) for side in plan.shape)
        arrays.append(
            own.create_array(
                str(level),
                shape=shape,
                chunks=(CHUNK >> level, CHUNK >> level),
                dtype=np.int32,
                fill_value=0,
                chunk_key_encoding={"name": "v2", "separator": "/"},
            )
        )
    unit = None if plan.pixel_size is None else "micrometer"
    size = (plan.pixel_size or 1.0) * plan.factor
    axes = [{"name": axis, "type": "space", **({"unit": unit} if unit else {})} for axis in "yx"]
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [{"type": "scale", "scale": [size * (1 << level)] * 2}],
        }
        for level in range(levels)
    ]
    own.attrs["multiscales"] = [{"version": "0.4", "name": name, "axes": axes, "datasets": datasets}]
    own.attrs["image-label"] = {"version": "0.4"}
    return arrays


def _by_chunk(index: Index) -> dict[tuple[int, int], list[int]]:
    """The cells that each chunk shows a part of."""
    members: dict[tuple[int, int], list[int]] = {}
    first, last = index.box[:, :2] // CHUNK, (index.box[:, 2:] - 1) // CHUNK
    for k in range(len(index)):
        for i in range(first[k, 0], last[k, 0] + 1):
            for j in range(first[k, 1], last[k, 1] + 1):
                members.setdefault((int(i), int(j)), []).append(k)
    return members


def _paint(
    i: int,
    j: int,
    members: list[int],
    folder: SlideFolder,
    index: Index,
    nucleus: bool,
    shape: tuple[int, int],
) -> np.ndarray[Any, np.dtype[np.int32]]:
    top, left = i * CHUNK, j * CHUNK
    out = np.zeros((min(CHUNK, shape[0] - top), min(CHUNK, shape[1] - left)), np.int32)
    for k in members:
        a, b, c, d = (int(v) for v in index.box[k])
        mask = folder.shape_of(index, k, nucleus)
        y0, x0, y1, x1 = max(a, top), max(b, left), min(c, top + out.shape[0]), min(d, left + out.shape[1])
        part = mask[y0 - a : y1 - a, x0 - b : x1 - b]
        out[y0 - top : y1 - top, x0 - left : x1 - left][part] = k + 1
    return out


def _write_chunk(pyramid: list[Any], i: int, j: int, labels: np.ndarray[Any, np.dtype[np.int32]]) -> None:
    for level, array in enumerate(pyramid):
        small = labels[:: 1 << level, :: 1 << level]
        side = CHUNK >> level
        array[i * side : i * side + small.shape[0], j * side : j * side + small.shape[1]] = small
