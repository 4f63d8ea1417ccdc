"""Synthetic fields: what was asked for is there, the masks agree, and the seed decides everything."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from fastpgs import synth


@pytest.fixture(scope="module")
def field() -> synth.Smear:
    return synth.smear((320, 400), n_blasts=4, n_normals=3, seed=11)


def test_the_same_seed_gives_the_same_bytes(field: synth.Smear) -> None:
    again = synth.smear((320, 400), n_blasts=4, n_normals=3, seed=11)
    for name in ("image", "cells", "nuclei", "red"):
        np.testing.assert_array_equal(getattr(again, name), getattr(field, name))
    assert again.kinds == field.kinds


def test_another_seed_gives_another_field(field: synth.Smear) -> None:
    other = synth.smear((320, 400), n_blasts=4, n_normals=3, seed=12)
    assert (other.cells != field.cells).mean() > 0.05


def test_dtypes_and_shapes(field: synth.Smear) -> None:
    assert field.image.shape == (320, 400, 3)
    assert field.image.dtype == np.uint8
    for labels in (field.cells, field.nuclei, field.red):
        assert labels.shape == (320, 400)
        assert labels.dtype == np.int32
    assert field.is_blast.dtype == np.bool


@pytest.mark.parametrize(("n_blasts", "n_normals", "n_red"), [(1, 0, 0), (0, 1, 3), (5, 4, 40), (12, 8, 12)])
def test_the_numbers_are_honoured_exactly(n_blasts: int, n_normals: int, n_red: int) -> None:
    field = synth.smear((512, 512), n_blasts=n_blasts, n_normals=n_normals, n_red=n_red, seed=2)
    assert len(field) == n_blasts + n_normals
    assert field.is_blast.sum() == n_blasts
    assert field.kinds.count("lymphoblast") == n_blasts
    assert np.unique(field.cells).tolist() == list(range(len(field) + 1))
    assert field.n_red == n_red
    assert field.red.max() <= n_red


def test_every_red_cell_of_an_open_field_is_seen() -> None:
    field = synth.smear((512, 512), n_blasts=0, n_normals=0, n_red=20, seed=4)
    assert np.unique(field.red).tolist() == list(range(21))


@pytest.mark.parametrize("seed", range(6))
def test_every_nucleus_lies_in_its_cell(seed: int) -> None:
    mix = {kind: 1.0 for kind, traits in synth.KINDS.items() if not traits.is_blast}
    field = synth.smear((448, 448), n_blasts=5, n_normals=7, normal_mix=mix, touching=0.6, seed=seed)
    nuclear = field.nuclei > 0
    np.testing.assert_array_equal(field.nuclei[nuclear], field.cells[nuclear])
    np.testing.assert_array_equal(np.unique(field.nuclei), np.unique(field.cells))
    cell_area = np.bincount(field.cells.ravel())[1:]
    nucleus_area = np.bincount(field.nuclei.ravel())[1:]
    assert (nucleus_area < cell_area).all()
    assert (nucleus_area > 0.1 * cell_area).all()
    assert not (field.red[field.cells > 0] > 0).any()


def test_nuclei_are_dark_and_cells_differ_from_the_background(field: synth.Smear) -> None:
    grey = field.image.mean(axis=2)
    background = (field.cells == 0) & (field.red == 0)
    assert grey[field.nuclei > 0].mean() < 0.6 * grey[background].mean()
    cytoplasm = (field.cells > 0) & (field.nuclei == 0)
    assert grey[cytoplasm].mean() < grey[background].mean() - 20
    assert grey[field.red > 0].mean() < grey[background].mean() - 20


def test_blasts_are_larger_and_fuller_than_lymphocytes() -> None:
    blasts = synth.smear((900, 900), n_blasts=24, n_normals=0, border=False, touching=0.0, n_red=0, seed=1)
    others = synth.smear(
        (900, 900),
        n_blasts=0,
        n_normals=24,
        normal_mix={"lymphocyte": 1},
        border=False,
        touching=0.0,
        n_red=0,
    )
    areas = [np.bincount(each.cells.ravel())[1:].mean() for each in (blasts, others)]
    assert areas[0] > 1.4 * areas[1]
    # Round cells of the right size: 9 to 17 micrometres across.
    diameters = 2 * np.sqrt(np.bincount(blasts.cells.ravel())[1:] / np.pi) * blasts.pixel_size
    assert diameters.min() > 9
    assert diameters.max() < 17.5
    ratio = np.bincount(blasts.nuclei.ravel())[1:] / np.bincount(blasts.cells.ravel())[1:]
    assert ratio.mean() > 0.65


def test_an_empty_field_is_only_glass() -> None:
    field = synth.smear((64, 80), n_blasts=0, n_normals=0, n_red=0, n_platelets=0, n_specks=0, noise=0)
    assert len(field) == 0
    assert field.is_blast.shape == (0,)
    assert not field.cells.any()
    assert not field.red.any()
    deviation = np.abs(field.image.astype(float) - synth.STAINS["wright"].background)
    assert deviation.max() < 40


def test_no_white_cells() -> None:
    field = synth.smear((256, 256), n_blasts=0, n_normals=0, seed=3)
    assert not field.cells.any()
    assert field.n_red > 5


def test_leaving_out_the_red_cells_moves_no_white_cell(field: synth.Smear) -> None:
    bare = synth.smear((320, 400), n_blasts=4, n_normals=3, n_red=0, n_platelets=0, seed=11)
    np.testing.assert_array_equal(bare.cells, field.cells)


def _neighbours(labels: np.ndarray) -> set[tuple[int, int]]:
    pairs = set()
    for first, second in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        meet = (first != second) & (first > 0) & (second > 0)
        pairs |= {
            tuple(sorted(pair)) for pair in zip(first[meet].tolist(), second[meet].tolist(), strict=True)
        }
    return pairs


def test_touching_cells_touch_and_the_others_do_not() -> None:
    apart = synth.smear((512, 512), touching=0.0, seed=8)
    assert _neighbours(apart.cells) == set()
    clump = synth.smear((512, 512), touching=1.0, seed=8)
    # Every cell but the first was set against an earlier one.
    assert {max(pair) for pair in _neighbours(clump.cells)} == set(range(2, len(clump) + 1))


def _on_the_border(labels: np.ndarray) -> set[int]:
    edges = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return set(edges.tolist()) - {0}


def test_border_decides_whether_cells_are_cut() -> None:
    whole = [synth.smear((360, 360), border=False, n_red=0, seed=seed).cells for seed in range(4)]
    assert not any(_on_the_border(cells) for cells in whole)
    cut = [synth.smear((360, 360), border=True, n_red=0, seed=seed).cells for seed in range(4)]
    assert any(_on_the_border(cells) for cells in cut)


def test_each_stain_has_its_own_colours() -> None:
    fields = {name: synth.smear((256, 256), n_blasts=3, n_normals=1, stain=name) for name in synth.STAINS}
    reference = fields["wright"]
    nuclei = []
    for name, field in fields.items():
        np.testing.assert_array_equal(field.cells, reference.cells)
        glass = field.image[(field.cells == 0) & (field.red == 0)]
        assert np.abs(np.median(glass, axis=0) - synth.STAINS[name].background).max() < 25, name
        nuclei.append(field.image[field.nuclei > 0].mean(axis=0))
    gaps = [np.linalg.norm(a - b) for i, a in enumerate(nuclei) for b in nuclei[:i]]
    assert min(gaps) > 20


def test_a_stain_of_ones_own() -> None:
    green = synth.STAINS["wright"].varied(np.random.default_rng(0), 0.0)
    assert green == synth.STAINS["wright"]
    varied = synth.STAINS["wright"].varied(np.random.default_rng(0), 0.2)
    assert varied != green
    a, b = (synth.smear((200, 200), n_blasts=1, n_normals=0, stain=stain).image for stain in (green, varied))
    assert np.abs(a.astype(int) - b).max() > 10


def test_pixel_size_magnifies_the_same_field() -> None:
    small = synth.smear((256, 256), n_blasts=4, n_normals=3, pixel_size=0.32, seed=5)
    large = synth.smear((512, 512), n_blasts=4, n_normals=3, pixel_size=0.16, seed=5)
    assert small.kinds == large.kinds
    sampled = large.cells[::2, ::2]
    assert (sampled != small.cells).mean() < 0.02
    halved = large.image.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - small.image).mean() < 5


def test_blur_noise_and_light_do_what_they_say() -> None:
    still = {"n_blasts": 3, "n_normals": 1, "noise": 0.0, "illumination": 0.0, "seed": 6}
    sharp = synth.smear((256, 256), blur=0.0, **still).image.astype(float)
    soft = synth.smear((256, 256), blur=0.8, **still).image.astype(float)
    assert np.abs(np.diff(soft, axis=1)).mean() < 0.6 * np.abs(np.diff(sharp, axis=1)).mean()
    assert abs(soft.mean() - sharp.mean()) < 2

    glass = {"n_blasts": 0, "n_normals": 0, "n_red": 0, "n_platelets": 0, "n_specks": 0, "blur": 0.0}
    # A green channel below 255: nothing is clipped.
    noisy = synth.smear((256, 256), noise=4.0, illumination=0.0, **glass).image[..., 1]
    assert noisy.std() == pytest.approx(4.0, rel=0.1)
    even = synth.smear((256, 256), noise=0.0, illumination=0.0, **glass).image
    assert (even == synth.STAINS["wright"].background).all()
    uneven = synth.smear((256, 256), noise=0.0, illumination=0.2, seed=1, **glass).image
    assert np.ptp(uneven[..., 1]) > 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (0, 10)}, r"shape .* got \(0, 10\)"),
        ({"n_blasts": -1}, "n_blasts must be >= 0, got -1"),
        ({"n_red": -2}, "n_red must be >= 0, got -2"),
        ({"pixel_size": 0.0}, "pixel_size must be > 0, got 0.0"),
        ({"touching": 1.5}, r"touching must lie in 0..1, got 1.5"),
        ({"noise": float("nan")}, "noise must be >= 0, got nan"),
        ({"stain": "gram"}, "stain must be one of .*'wright'.* got 'gram'"),
        ({"normal_mix": {"lymphoblast": 1.0}}, "normal_mix may name"),
        ({"normal_mix": {"neutrophil": 0.0}}, "normal_mix needs weights"),
        ({"n_blasts": 500}, "no room for 504 white cells"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        synth.smear(**{"shape": (128, 128), **arguments})


def test_a_stain_must_be_made_of_levels() -> None:
    colours = {name: (1, 2, 3) for name in vars(synth.STAINS["wright"]) if name != "pallor"}
    with pytest.raises(ValueError, match=r"red must be three levels in 0..255, got \(1, 2, 300\)"):
        synth.Stain(**{**colours, "red": (1, 2, 300)})


def test_needs_numpy_alone() -> None:
    code = (
        "import sys; from fastpgs import synth; synth.smear((96, 96), n_blasts=1, n_normals=0);"
        "print(*sorted({'scipy', 'skimage', 'PIL', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
