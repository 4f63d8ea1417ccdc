"""If only one test file is run then this is the one: the installed package, with NumPy alone."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

import fastpgs


def test_segments_a_smear_like_image() -> None:
    image = np.full((40, 60, 3), (235, 225, 230), dtype=np.uint8)
    image[5:25, 10:30] = (210, 150, 160)
    image[10:20, 15:25] = (90, 30, 120)
    labels = fastpgs.segment(image, k=3)
    assert labels.shape == (40, 60)
    assert labels.dtype == np.int32
    assert labels[15, 20] == 1  # the nucleus is the darkest
    assert labels[6, 11] == 2
    assert labels[0, 0] == 3
    assert np.array_equal(labels, fastpgs.reference.segment(image, k=3))


def test_says_how_it_was_built() -> None:
    info = fastpgs.build_info()
    assert info["version"] == fastpgs.__version__
    assert info["simd"] in ("baseline", "avx2", "avx512")
    assert info["threads"] >= 1


def test_segments_and_cells_need_numpy_alone() -> None:
    code = (
        "import sys, numpy as np, fastpgs\n"
        "from fastpgs import synth\n"
        "fastpgs.segment(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))\n"
        "image = synth.smear((160, 160), n_blasts=2, n_normals=0, seed=1).image\n"
        "cells = fastpgs.find_cells(image)\n"
        "assert len(fastpgs.crop_cells(image, cells, size=48)) == len(cells) > 0\n"
        "heavy = {'torch', 'scipy', 'skimage', 'PIL', 'pyarrow', 'typer', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
