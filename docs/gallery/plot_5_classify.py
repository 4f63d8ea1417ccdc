"""
Classify a folder
=================

The shipped model judges every cell and every field. It has learned from one hospital's real smears, at
0.45 micrometres a pixel; these are drawn at 0.16, which it has to be told. Drawn fields that are still
unlike those of the training are called ``uncertain``, with the reason: that is what the model is meant
to do. Research use only.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from fastpgs import classify
from fastpgs.demo import PIXEL_SIZE, draw_smears

with tempfile.TemporaryDirectory() as folder:
    draw_smears(Path(folder) / "smears", 4, seed=0)
    options = {"device": "cpu", "out": f"{folder}/out", "formats": ["overlays"]}
    result = classify(f"{folder}/smears", pixel_size=PIXEL_SIZE, **options)
    pictures = [plt.imread(path) for path in sorted(Path(folder, "out", "overlays").glob("*.png"))]
for row in result.images.to_pylist():
    print(f"{row['cells']} cells, p_blast {row['p_blast']:.2f}, {row['call']}", row["reason"] or "")

fig, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
for ax, picture in zip(axes, pictures, strict=True):
    ax.imshow(picture)
    ax.set_axis_off()
