"""How far p_blast moves with other numbers and engines: every cell and field of a folder, beside the core's float32.

    python agreement.py FOLDER [--images 300] [--device cuda] [--model unet-plr] [--dtypes int16 bf16]

Goal: no probability moves by more than 0.01, and of calls no more than one in a thousand changes. Cells are found and
cut once, so all that differs is the network. A field's call also hangs on its novelty.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from rich.progress import track

from fastpgs.inference.classifier import BlastClassifier, CellScores
from fastpgs.inference.model import load_model
from fastpgs.io import read_image
from fastpgs.io.inputs import find_inputs

Judged = tuple[np.ndarray, float, str]  # p_blast of cells, of the field, the field's call


def judge(reference: BlastClassifier, models: list[BlastClassifier], file: str) -> Iterator[Judged]:
    """What each model says of an image."""
    image = read_image(file)
    cells, look = reference.place_cells(image), reference.look(image)
    crops = reference.crops(image, cells, look=look)
    for model in models:
        scores: CellScores = model.scores(crops, masks=False)
        described = model.describe(look, cells.table["area"], crops)
        p = model.pool(scores.p, described.shift)
        doubt = model.doubt(look, p, len(cells), model.novelty(described, scores.embeddings))
        yield scores.p, p, "uncertain" if doubt else str(model.call(p, level="field"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--images", type=int, help="take so many, evenly; default: all")
    parser.add_argument("--model", default="unet-plr")
    parser.add_argument("--device", default="cpu", help="of what is compared; the reference runs on the CPU")
    parser.add_argument("--dtypes", nargs="+", default=["auto"])
    given = parser.parse_args()
    files = [item.name for item in find_inputs([given.folder])]
    if given.images:
        files = files[:: max(1, len(files) // given.images)][: given.images]
    reference = load_model(given.model, "cpu", dtype="fp32")
    others = [load_model(given.model, given.device, dtype=dtype) for dtype in given.dtypes]
    print("reference:", reference)
    judged = [list(judge(reference, [reference, *others], file)) for file in track(files, "images")]
    expected, *found = zip(*judged, strict=True)
    p = np.concatenate([cells for cells, _, _ in expected])
    for model, values in zip(others, found, strict=True):
        q = np.concatenate([cells for cells, _, _ in values])
        moved = np.abs(p - q)
        changed = int((reference.call(p) != model.call(q)).sum())
        print(f"{model.device} {model.dtype}, {model.engine}:")
        size = f"{moved.max():.4f} at most, {moved.mean():.5f} on average"
        print(f"  {len(p):,} cells: |Δp| {size}; {changed} calls change")
        fields = [(a[1], b[1]) for a, b in zip(expected, values, strict=True)]
        most = np.nanmax(np.abs(np.subtract(*np.transpose(fields))))
        other = [(file, a, b) for file, a, b in zip(files, expected, values, strict=True) if a[2] != b[2]]
        print(f"  {len(files):,} fields: |Δp| {most:.4f} at most; {len(other)} calls change")
        for file, a, b in other:
            print(f"    {file}: {a[2]} ({a[1]:.4f}), {b[2]} ({b[1]:.4f})")


if __name__ == "__main__":
    main()
