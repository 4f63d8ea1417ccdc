"""
Classify a folder
=================

The shipped model judges every cell and every field. It has learned from one hospital's real smears;
drawn ones are unlike those, so the fields are called ``uncertain``, with the reason: that is what the
model is meant to do. Research use only.
"""

import tempfile
from pathlib import Path

from fastpgs import classify
from fastpgs.demo import draw_smears

with tempfile.TemporaryDirectory() as folder:
    draw_smears(Path(folder) / "smears", 2, seed=0)
    result = classify(f"{folder}/smears", device="cpu", out=f"{folder}/out")
for row in result.images.to_pylist():
    print(f"{row['cells']} cells, p_blast {row['p_blast']:.2f}, {row['call']}: {row['reason']}")
