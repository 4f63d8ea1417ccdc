"""Measurements, against scikit-image and NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from skimage import measure as reference

from fastpgs import _core
from fastpgs.cells import find_cells, shapes
from fastpgs.cells.find import place_cells
from fastpgs.cells.table import measure
from fastpgs.synth import smear

SHARED = (
    "label",
    "bbox",
    "centroid",
    "area",
    "perimeter",
    "axis_major_length",
    "axis_minor_length",
    "eccentricity",
    "equivalent_diameter_area",
    "intensity_mean",
)


def test_like_regionprops() -> None:
    truth = smear((256, 256), n_blasts=4, n_normals=3, seed=2)
    table = measure(truth.image, truth.cells, truth.nuclei).table
    for name, column in reference.regionprops_table(truth.cells, truth.image, properties=SHARED).items():
        np.testing.assert_allclose(table[name], column, rtol=1e-9, atol=1e-9, err_msg=name)


def test_cells_that_are_only_placed_are_those_that_are_measured() -> None:
    image = smear((220, 240), n_blasts=3, n_normals=4, seed=6).image
    whole, placed = find_cells(image, num_threads=1), place_cells(image, num_threads=1)
    np.testing.assert_array_equal(placed.labels, whole.labels)
    np.testing.assert_array_equal(placed.nuclei, whole.nuclei)
    assert len(placed) >= 5
    assert {"label", "bbox-0", "bbox-3", "centroid-0", "centroid-1", "area", "nucleus_area"} <= set(
        placed.table
    )
    for name, column in placed.table.items():
        np.testing.assert_array_equal(column, whole.table[name], err_msg=name)
        assert column.dtype == whole.table[name].dtype


def test_colours_and_chromatin_of_nuclei() -> None:
    truth = smear((200, 220), n_blasts=3, n_normals=3, seed=4)
    table = measure(truth.image, truth.cells, truth.nuclei).table
    green = truth.image[..., 1].astype(float)
    for i, label in enumerate(table["label"]):
        own = truth.nuclei == label
        np.testing.assert_allclose(
            [table[f"nucleus_mean-{c}"][i] for c in range(3)], truth.image[own].mean(axis=0)
        )
        np.testing.assert_allclose(table["nucleus_std"][i], green[own].std(), rtol=1e-12)
        steps = [np.abs(np.diff(green, axis=a))[np.diff(own.astype(int), axis=a) == 0] for a in (0, 1)]
        pairs = [
            own[:-1][np.diff(own.astype(int), axis=0) == 0],
            own[:, :-1][np.diff(own.astype(int), axis=1) == 0],
        ]
        inside = np.concatenate([step[pair] for step, pair in zip(steps, pairs, strict=True)])
        np.testing.assert_allclose(table["nucleus_roughness"][i], inside.mean(), rtol=1e-12)
    assert table["area"].sum() == np.count_nonzero(truth.cells)


def test_columns_of_a_known_cell() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[5:15, 0:10] = 1
    nuclei = np.zeros_like(labels)
    nuclei[6:10, 2:5] = nuclei[12:14, 2:5] = 1
    image = np.full((20, 30, 3), 200, np.uint8)
    image[nuclei > 0] = (90, 10, 120)
    table = measure(image, labels, nuclei, pixel_size=0.5).table
    assert table["area"][0] == 100
    assert table["solidity"][0] == 1.0
    assert table["nucleus_area"][0] == 18
    assert table["nucleus_parts"][0] == 2
    assert table["nucleus_ratio"][0] == 0.18
    np.testing.assert_allclose(table["nucleus_cytoplasm_ratio"], 18 / 82)
    assert [table[f"nucleus_mean-{i}"][0] for i in range(3)] == [90.0, 10.0, 120.0]
    assert table["nucleus_std"][0] == table["nucleus_roughness"][0] == 0.0
    assert table["touches_border"].tolist() == [True]
    assert table["area_um2"][0] == 25.0
    assert [int(table[f"bbox-{i}"][0]) for i in range(4)] == [5, 0, 15, 10]


def test_micrometres() -> None:
    truth = smear((200, 200), n_blasts=2, n_normals=1, seed=3, pixel_size=0.25)
    plain, sized = find_cells(truth.image), find_cells(truth.image, pixel_size=0.25)
    assert set(sized.table) - set(plain.table) == {
        "area_um2",
        "nucleus_area_um2",
        "perimeter_um",
        "equivalent_diameter_um",
    }
    np.testing.assert_allclose(sized.table["area_um2"], plain.table["area"] * 0.0625)
    np.testing.assert_allclose(sized.table["perimeter_um"], plain.table["perimeter"] * 0.25)


@given(seed=st.integers(0, 2**32 - 1), radius=st.floats(0.5, 8.0), fill=st.floats(0.3, 0.9))
def test_disc_morphology(seed: int, radius: float, fill: float) -> None:
    """Runs give what the definition gives: a disc of all offsets within the radius."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    mask = ndimage.uniform_filter(rng.random((24, 31)), 5) > np.quantile(rng.random(9), 1 - fill) * 0.4 + 0.3
    reach = int(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = y**2 + x**2 <= radius**2
    eroded = ndimage.binary_erosion(mask, disc, border_value=1)
    np.testing.assert_array_equal(_core.erode_disc(mask, radius), eroded)
    opened = ndimage.binary_dilation(eroded, disc) & mask
    np.testing.assert_array_equal(shapes.open_disc(mask, radius), opened)
    if not mask.all():
        np.testing.assert_array_equal(_core.distance(mask), ndimage.distance_transform_edt(mask))
