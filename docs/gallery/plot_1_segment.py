"""
Segment a smear
===============

Pivot-growing segmentation with three pivots: nuclei, red cells and cytoplasm, background. Label 1 is
always the darkest cluster.
"""

import matplotlib.pyplot as plt
from skimage.segmentation import mark_boundaries

import fastpgs
from fastpgs import synth

image = synth.smear((256, 384), seed=1, n_blasts=3, n_normals=1).image
model = fastpgs.PivotGrowingSegmentation(k_clusters=3).fit(image)

fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
axes[0].imshow(mark_boundaries(image, model.labels_ == 1, color=(0, 0.6, 0.45)))
rows, cols = model.pivot_points_.T
axes[0].plot(cols, rows, "w*", markersize=11, markeredgecolor="k")
axes[0].set_title("nuclei outlined; stars are the pivots")
axes[1].imshow(model.labels_, cmap="viridis_r", interpolation="nearest")
axes[1].set_title(f"{model.n_iter_} iterations")
for ax in axes:
    ax.set_axis_off()
