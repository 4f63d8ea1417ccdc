"""Examples under the help of commands whose own files hold none."""

from __future__ import annotations

__all__ = ["EXAMPLES"]

EXAMPLES = {
    "demo": "fastpgs demo --out demo --images 12",
    "train": "fastpgs train data/ --out my-model --folds 5",
    "crossval": "fastpgs crossval C-NMC_training_data/ --out crossval",
    "compare": "fastpgs compare data/ --out comparison --family classical",
    "evaluate-cells": "fastpgs evaluate-cells wbc/ --out evaluation --limit 20 --json",
    "export": "fastpgs export unet-plr --to onnx --out unet-plr.onnx",
    "model-summary": "fastpgs model-summary unet_plr_table2 --json",
    "info": "fastpgs info --json",
}
"""Command -> an example of it."""
