"""
Classify a folder
=================

The shipped model judges every cell and every field. It has learned from one hospital's real smears;
drawn ones are unlike those, so the fields are called ``uncertain``, with the reason: that is what the
model is meant to do. Research use only.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from fastpgs import classify
from fastpgs.demo import draw_smears

with tempfile.TemporaryDirectory() as folder:
    draw_smears(Path(folder) / "smears", 2, seed=0)
    result = classify(f"{folder}/smears", device="cpu", out=f"{folder}/out", formats=["overlays"])
    pictures = [plt.imread(path) for path in sorted(Path(folder, "out", "overlays").glob("*.png"))]
for row in result.images.to_pylist():
    print(f"{row['cells']} cells, p_blast {row['p_blast']:.2f}, {row['call']}: {row['reason']}")

fig, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
for ax, picture in zip(axes, pictures, strict=True):
    ax.imshow(picture)
    ax.set_axis_off()
