"""
Grow by neighbours
==================

A threshold T leaves out what is unlike every pivot (Eq. 6). With ``connectivity`` a cluster grows only
through neighbouring pixels from its pivot's pixel, as "region growing" says: one nucleus instead of all
of them.
"""

import matplotlib.pyplot as plt

import fastpgs
from fastpgs import synth

image = synth.smear((256, 256), seed=3, n_blasts=2, n_normals=1).image
cases = {
    "no limit": {},
    "T = 100": {"threshold": 100},
    "T = 400, 4 neighbours": {"threshold": 400, "connectivity": 1},
}
fig, axes = plt.subplots(1, 4, figsize=(11, 2.9), layout="constrained")
axes[0].imshow(image)
axes[0].set_title("image")
for ax, (title, options) in zip(axes[1:], cases.items(), strict=True):
    ax.imshow(fastpgs.segment(image, k=3, **options), cmap="viridis", interpolation="nearest", vmin=0)
    ax.set_title(title)
for ax in axes:
    ax.set_axis_off()
