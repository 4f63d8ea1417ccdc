"""Draw the picture at the top of the README: smears that the package draws, judged by the shipped model.

    python examples/readme_picture.py docs/images/smear.jpg

Needs ``pip install 'fastpgs[classify]'``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from fastpgs import classify
from fastpgs.demo import PIXEL_SIZE, draw_smears

SHOWN = (0, 2, 4)  # of the demo's smears: three stains, each with blasts
GAP = 8  # pixels between them
SIDE = 512  # pixels of each
PART = 720  # pixels of an overlay that are shown


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        drawn = draw_smears(Path(folder) / "smears", max(SHOWN) + 1)
        out = Path(folder) / "out"
        options = {"device": "cpu", "formats": ["overlays"], "report": False, "pixel_size": PIXEL_SIZE}
        classify([drawn[i] for i in SHOWN], out=out, **options)
        overlays = [Image.open(path).convert("RGB") for path in sorted((out / "overlays").glob("*.png"))]
        top = overlays[0].height - PART
        shown = [one.crop((top // 2, top, top // 2 + PART, top + PART)) for one in overlays]
        small = [np.asarray(one.resize((SIDE, SIDE), Image.Resampling.LANCZOS)) for one in shown]
    gap = np.full((SIDE, GAP, 3), 255, np.uint8)
    Image.fromarray(np.hstack([small[0], gap, small[1], gap, small[2]])).save(sys.argv[1], quality=88)


if __name__ == "__main__":
    main()
