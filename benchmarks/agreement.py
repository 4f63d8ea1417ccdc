"""How far p_blast moves with other numbers and engines: every cell and field of a folder, beside the core's float32.

    python agreement.py FOLDER [--images 300] [--device cuda] [--model unet-plr] [--dtypes int16 bf16]

Goal: no probability moves by more than 0.01, and of calls no more than one in a thousand changes. All models find the
same cells, so all that differs is the network.
"""

from __future__ import annotations

import argparse

import numpy as np
from rich.progress import track

from fastpgs.inference.model import load_model
from fastpgs.io import read_image
from fastpgs.io.inputs import find_inputs


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
    judged = []
    for file in track(files, "images"):
        image = read_image(file)
        judged.append([model.judge(image) for model in (reference, *others)])
    expected, *found = zip(*judged, strict=True)
    p = np.concatenate([field.scores.p for field in expected])
    for model, values in zip(others, found, strict=True):
        q = np.concatenate([field.scores.p for field in values])
        moved = np.abs(p - q)
        changed = int((reference.call(p) != model.call(q)).sum())
        print(f"{model.device} {model.dtype}, {model.engine}:")
        size = f"{moved.max():.4f} at most, {moved.mean():.5f} on average"
        print(f"  {len(p):,} cells: |Δp| {size}; {changed} calls change")
        pairs = list(zip(files, expected, values, strict=True))
        most = np.nanmax([abs(a.p_blast - b.p_blast) for _, a, b in pairs])
        other = [(file, a, b) for file, a, b in pairs if a.call != b.call]
        print(f"  {len(files):,} fields: |Δp| {most:.4f} at most; {len(other)} calls change")
        for file, a, b in other:
            print(f"    {file}: {a.call} ({a.p_blast:.4f}), {b.call} ({b.p_blast:.4f})")


if __name__ == "__main__":
    main()
