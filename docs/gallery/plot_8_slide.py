"""
A whole slide
=============

A picture with reduced levels (here an OME-TIFF; scanners' formats and OME-Zarr are read too) is searched tile by
tile, so memory does not grow with the slide, and the cells do not depend on the tiles. A synthetic slide is drawn
here, small enough for a page: 0.8 × 0.5 mm at 0.25 µm a pixel. Research use only.
"""

# sphinx_gallery_thumbnail_number = 2

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tifffile
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap

from fastpgs import classify, synth
from fastpgs.report.colours import p_colour
from fastpgs.slides import open_slide

drawn = synth.Slide((2048, 3072), seed=5, pixel_size=0.25, white_part=0.35)
pixels = drawn.read()

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "slide.ome.tiff"
options = {"tile": (256, 256), "photometric": "rgb", "compression": "zlib"}
micrometres = {
    "PhysicalSizeX": 0.25,
    "PhysicalSizeXUnit": "µm",
    "PhysicalSizeY": 0.25,
    "PhysicalSizeYUnit": "µm",
}
with tifffile.TiffWriter(path, ome=True) as file:
    file.write(pixels, subifds=2, metadata={"axes": "YXS", **micrometres}, **options)
    for step in (2, 4):
        file.write(pixels[::step, ::step], subfiletype=1, metadata=None, **options)

# %%
# What is in the file, and what the model says of it. One row a slide, one a cell; a map of where the blasts are.

with open_slide(path) as slide:
    print("levels", *(level.shape for level in slide.levels), "at", slide.pixel_size, "µm a pixel")

out = Path(folder.name) / "out"
result = classify([path], device="cpu", out=out, tile=1024)
(row,) = result.images.to_pylist()
print(f"{row['cells']} cells, {len(drawn.cells())} drawn; called {row['call']}: {row['reason']}")
heat = plt.imread(next((out / "heatmaps").glob("*.png")))

fig, axes = plt.subplots(2, 1, figsize=(8, 11), layout="constrained")
axes[0].imshow(pixels[::3, ::3])
axes[0].set_title("the slide")
axes[1].imshow(heat)
axes[1].set_title("its white cells, by p_blast")
scale = LinearSegmentedColormap.from_list("p_blast", [np.divide(p_colour(p), 255) for p in (0.0, 0.5, 1.0)])
fig.colorbar(ScalarMappable(cmap=scale), ax=axes[1], location="bottom", shrink=0.4, label="p_blast")
for ax in axes:
    ax.set_axis_off()

# %%
# Cells are in pixels of the slide's finest level, so any of them can be read from the file again: here those least
# and most like a blast.

cells = sorted(result.cells.to_pylist(), key=lambda cell: cell["p_blast"])
fig, axes = plt.subplots(2, 6, figsize=(8, 3.2), layout="constrained")
with open_slide(path) as slide:
    rows, cols = slide.levels[0].shape
    for ax, cell in zip(axes.flat, cells[:6] + cells[-6:], strict=True):
        y, x = (
            min(max(round(at), 40), side - 40)
            for at, side in zip(cell["centroid"], (rows, cols), strict=True)
        )
        ax.imshow(slide.read(0, (y - 40, x - 40, y + 40, x + 40)))
        ax.set_title(f"{cell['p_blast']:.2f}", fontsize=9)
        ax.set_axis_off()
folder.cleanup()
