"""Whole slides: any window shows the same pixels, and the cells are where they are said to be."""

from __future__ import annotations

import numpy as np
import pytest

from fastpgs import synth


@pytest.fixture(scope="module")
def slide() -> synth.Slide:
    return synth.Slide((640, 760), seed=4)


@pytest.fixture(scope="module")
def whole(slide: synth.Slide) -> np.ndarray:
    return slide.read()


def test_windows_agree_with_the_whole(slide: synth.Slide, whole: np.ndarray) -> None:
    assert whole.shape == (640, 760, 3)
    for window in [(0, 0, 40, 60), (500, 500, 530, 530), (639, 759, 640, 760)]:
        top, left, bottom, right = window
        np.testing.assert_array_equal(slide.read(window), whole[top:bottom, left:right])


def test_a_tile_border_leaves_no_seam() -> None:
    slide = synth.Slide((1024, 1024), seed=4, noise=0.0)
    image = slide.read((100, 400, 500, 640)).astype(float)
    steps = np.abs(np.diff(image, axis=1)).mean(axis=(0, 2))
    seam = 512 - 400 - 1
    around = np.r_[steps[seam - 30 : seam], steps[seam + 1 : seam + 31]]
    assert steps[seam] < around.mean() + 4 * around.std()


def test_cells_are_dark_where_they_are_said_to_be(slide: synth.Slide, whole: np.ndarray) -> None:
    cells = slide.cells()
    assert len(cells) == len(cells.kinds) == len(cells.centroids) == len(cells.is_blast)
    assert 8 < len(cells) <= 20
    assert 0 < cells.is_blast.sum() < len(cells)
    grey = whole.mean(axis=2)
    glass = np.median(grey)
    rows, columns = np.rint(cells.centroids).astype(int).T
    round_nucleus = np.isin(cells.kinds, ["lymphoblast", "lymphocyte"])
    assert (grey[rows, columns][round_nucleus] < 0.7 * glass).all()


def test_cells_of_windows_add_up(slide: synth.Slide) -> None:
    windows = [(0, 0, 350, 300), (0, 300, 350, 760), (350, 0, 640, 760)]
    parts = np.concatenate([slide.cells(window).centroids for window in windows])
    whole = slide.cells().centroids
    np.testing.assert_array_equal(parts[np.lexsort(parts.T)], whole[np.lexsort(whole.T)])
    gaps = np.linalg.norm(whole[:, None] - whole[None], axis=2)[~np.eye(len(whole), dtype=bool)]
    assert gaps.min() * slide.pixel_size > 9


def test_a_huge_slide_costs_only_its_window() -> None:
    slide = synth.Slide((2_000_000, 2_000_000), reds=False, seed=1)
    window = (1_234_560, 1_999_900, 1_234_590, 2_000_000)
    assert slide.read(window).shape == (30, 100, 3)
    assert len(slide.cells((1_000_000, 1_000_000, 1_000_512, 1_000_512))) > 3


def test_parts_are_probabilities() -> None:
    assert len(synth.Slide((600, 600), white_part=0.0).cells()) == 0
    every = synth.Slide((600, 600), white_part=1.0, blast_part=1.0).cells()
    assert len(every) == 16
    assert every.is_blast.all()


def test_bad_arguments_are_named(slide: synth.Slide) -> None:
    with pytest.raises(ValueError, match=r"window must be .* within a slide of \(640, 760\)"):
        slide.read((0, 0, 641, 10))
    with pytest.raises(ValueError, match="window must be"):
        slide.cells((5, 5, 5, 10))
    with pytest.raises(ValueError, match=r"blast_part must lie in 0\.\.1, got 2\.0"):
        synth.Slide((10, 10), blast_part=2.0)
    with pytest.raises(ValueError, match=r"pixel_size must be > 0, got -1\.0"):
        synth.Slide((10, 10), pixel_size=-1.0)
    with pytest.raises(ValueError, match="stain must be one of"):
        synth.Slide((10, 10), stain="gram")
