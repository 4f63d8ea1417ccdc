"""
Cells to table
==============

``find_cells`` returns white cells with their nuclei and one row of measurements each, named as in
``regionprops_table``.
"""

import matplotlib.pyplot as plt
from skimage.segmentation import mark_boundaries

import fastpgs
from fastpgs import synth

image = synth.smear(seed=4).image
cells = fastpgs.find_cells(image)

for name in ("label", "area", "nucleus_ratio", "circularity"):
    print(f"{name:14s}", *(f"{value:8.4g}" for value in cells.table[name]))

fig, ax = plt.subplots(figsize=(5.4, 5.4), layout="constrained")
picture = mark_boundaries(image, cells.labels, color=(0.0, 0.45, 0.7), mode="thick")
ax.imshow(mark_boundaries(picture, cells.nuclei, color=(0.84, 0.37, 0.0)))
ax.set_axis_off()
ax.set_title(f"{len(cells)} cells")

# %%
# Crops of one size, at the image's own scale, are what networks are fed.

crops = fastpgs.crop_cells(image, cells, size=96)
fig, axes = plt.subplots(1, min(6, len(crops)), figsize=(9, 1.8), layout="constrained")
for axis, crop in zip(axes, crops, strict=False):
    axis.imshow(crop)
    axis.set_axis_off()
