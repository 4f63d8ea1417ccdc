"""
Train on C-NMC
==============

C-NMC 2019 has one cell a picture and the patient in its name. A tiny tree in its layout is drawn here; put your
download in its place. Folds keep patients whole. With eighteen drawn patients the figures mean
nothing but that it runs: on the real set, take a GPU and the command at the end.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from fastpgs.inference.preprocess import InputSpec
from fastpgs.synth import write_cnmc_tree
from fastpgs.training.check import check_dataset
from fastpgs.training.config import TrainConfig
from fastpgs.training.crossval import cross_validate
from fastpgs.training.datasets import read_dataset

with tempfile.TemporaryDirectory() as folder:
    tree = write_cnmc_tree(Path(folder) / "cnmc", patients_per_class=9, size=150)
    data = read_dataset(tree.root)
    print(check_dataset(data).to_dict()["groups"], "patients")
    result = cross_validate(
        data,
        Path(folder) / "out",
        InputSpec(size=32, source="image", scale=0.25, balance="none"),
        TrainConfig(
            network="unet_plr", options={"width": 8}, epochs=6, batch_size=8, learning_rate=3e-3, threads=1
        ),
        folds=3,
    )
    curves = plt.imread(Path(folder) / "out" / "crossval.png")

# %%
# Every figure over the held-out patients, with its interval over patients.
for name, figure in result.figures.items():
    print(f"{name:24s} {figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})")

fig, ax = plt.subplots(figsize=(9, 5), layout="constrained")
ax.imshow(curves)
ax.set_axis_off()

# %%
# The same from a shell: ``fastpgs crossval C-NMC_training_data/ --out crossval --network unet_plr --size 96``,
# and ``fastpgs train C-NMC_training_data/ --out my-model --official --test-part prelim`` for a model folder.
