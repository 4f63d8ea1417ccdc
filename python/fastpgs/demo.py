"""Smears to show the package with: drawn by `fastpgs.synth`, with the truth beside them."""

from __future__ import annotations

import csv
from pathlib import Path

from fastpgs.io.atomic import atomic_path

__all__ = ["PIXEL_SIZE", "draw_smears"]

STAINS = ("wright", "leishman", "pale", "dark")
SIDE = 512
PIXEL_SIZE = 0.16
"""Micrometres a pixel of what is drawn: the model wants to be told."""


def draw_smears(folder: Path, n: int, seed: int = 0) -> list[Path]:
    """Draw `n` smears into a folder: half of them with blasts, in several stains.

    ``truth.csv`` beside the folder's pictures has what was drawn: white cells and blasts of each.

    Returns
    -------
    list of Path
        The pictures.
    """
    import numpy as np
    from PIL import Image

    from fastpgs.synth import smear

    folder.mkdir(parents=True, exist_ok=True)
    paths, truth = [], []
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        leukemic = i % 2 == 0
        drawn = smear(
            (SIDE, SIDE),
            n_blasts=int(rng.integers(5, 11)) if leukemic else 0,
            n_normals=int(rng.integers(1, 4)) if leukemic else int(rng.integers(4, 9)),
            stain=STAINS[i // 2 % len(STAINS)],
            pixel_size=PIXEL_SIZE,
            seed=int(rng.integers(1 << 31)),
        )
        path = folder / f"smear-{i + 1:02d}.png"
        with atomic_path(path) as temporary:
            Image.fromarray(drawn.image).save(temporary, format="PNG")
        paths.append(path)
        truth.append((path.name, len(drawn), int(drawn.is_blast.sum())))
    with (
        atomic_path(folder / "truth.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(("image", "cells", "blasts"))
        writer.writerows(truth)
    return paths
