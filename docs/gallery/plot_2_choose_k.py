"""
Choose k
========

The objective J (Eq. 3) falls with every further pivot. Where the curve bends, a further pivot splits
what belongs together. With ``n_init`` starts the best is kept: alternating k-medoids finds local optima.
"""

import matplotlib.pyplot as plt

from fastpgs import PivotGrowingSegmentation, synth

image = synth.smear((256, 256), seed=2, n_blasts=2, n_normals=1).image
ks = range(1, 8)
models = [PivotGrowingSegmentation(k, n_init=4).fit(image) for k in ks]

fig, axes = plt.subplots(1, 4, figsize=(11, 2.9), layout="constrained")
axes[0].plot(ks, [model.inertia_ / image[..., 0].size for model in models], "o-")
axes[0].set(xlabel="k", ylabel="J / pixels, CIELAB²", yscale="log")
for ax, model in zip(axes[1:], models[1:4], strict=True):
    ax.imshow(model.labels_, cmap="viridis_r", interpolation="nearest")
    ax.set_title(f"k = {model.k_clusters}")
    ax.set_axis_off()
