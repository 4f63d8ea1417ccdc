"""``find_cells`` on pictures whose truth is known: what it finds, and what it promises of any picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastpgs.cells import Cells, find_cells
from fastpgs.synth import single_cell, smear

STAINS = ("wright", "leishman", "pale", "dark", "rapid")


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2.0 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def check(cells: Cells, shape: tuple[int, int]) -> None:
    """What holds of every result."""
    n = len(cells)
    for labels in (cells.labels, cells.nuclei):
        assert labels.shape == shape
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(np.unique(labels[labels > 0]), np.arange(1, n + 1))
    inside = cells.nuclei > 0
    np.testing.assert_array_equal(cells.nuclei[inside], cells.labels[inside])
    assert {len(column) for column in cells.table.values()} == {n}
    np.testing.assert_array_equal(cells.table["area"], np.bincount(cells.labels.ravel(), minlength=n + 1)[1:])
    np.testing.assert_array_equal(
        cells.table["nucleus_area"], np.bincount(cells.nuclei.ravel(), minlength=n + 1)[1:]
    )


@pytest.mark.parametrize("stain", STAINS)
def test_every_stain(stain: str) -> None:
    truth = smear((320, 320), n_blasts=5, n_normals=3, stain=stain, touching=0.0, border=False, seed=3)
    cells = find_cells(truth.image)
    check(cells, (320, 320))
    assert abs(len(cells) - len(truth)) <= 1
    cell_dice, nucleus_dice = [], []
    for i in range(1, len(truth) + 1):
        expert = truth.cells == i
        j = int(np.bincount(cells.labels[expert]).argmax())
        assert j > 0, f"cell {i} ({truth.kinds[i - 1]}) is missing"
        cell_dice.append(dice(cells.labels == j, expert))
        nucleus_dice.append(dice(cells.nuclei == j, truth.nuclei == i))
    assert np.mean(cell_dice) > 0.88
    assert np.mean(nucleus_dice) > 0.95


def test_magnification() -> None:
    """The same field at half and twice the size: the same cells."""
    found = [
        len(
            find_cells(
                smear((side, side), n_blasts=4, n_normals=2, pixel_size=0.32 * 160 / side, seed=5).image
            )
        )
        for side in (160, 320, 640)
    ]
    assert max(found) - min(found) <= 1


@pytest.mark.parametrize("kind", ["lymphoblast", "lymphocyte", "neutrophil"])
def test_black_surround(kind: str) -> None:
    truth = single_cell(kind, size=200, seed=1)
    cells = find_cells(truth.image)
    check(cells, (200, 200))
    assert len(cells) == 1
    assert dice(cells.labels > 0, truth.cells > 0) > 0.99
    assert dice(cells.nuclei > 0, truth.nuclei > 0) > 0.93


@pytest.mark.parametrize("light", [(1.0, 0.95, 0.55), (0.7, 0.75, 1.0)], ids=["yellow", "blue"])
def test_black_surround_in_any_light(light: tuple[float, float, float]) -> None:
    """On black there is no glass to tell the light's colour from."""
    truth = single_cell("lymphoblast", size=160, seed=2)
    cells = find_cells((truth.image * np.array(light)).astype(np.uint8))
    check(cells, (160, 160))
    assert len(cells) == 1
    assert dice(cells.labels > 0, truth.cells > 0) > 0.99
    assert dice(cells.nuclei > 0, truth.nuclei > 0) > 0.9


def test_ragged_cell_on_black() -> None:
    """What was cut out is the cell, however little convex."""
    truth = single_cell("lymphoblast", size=160, seed=2)
    image = truth.image.copy()
    middle = image[truth.cells > 0].mean(axis=0).astype(np.uint8)
    image[78:84, 5:155] = np.where(
        (image[78:84, 5:155] > 0).any(axis=2, keepdims=True), image[78:84, 5:155], middle
    )
    cells = find_cells(image)
    assert len(cells) == 1
    np.testing.assert_array_equal(cells.labels > 0, image.any(axis=2))


@pytest.mark.parametrize(
    ("blasts", "red"), [(6, None), (0, None), (0, 0)], ids=["cells", "red cells", "glass"]
)
def test_round_field_of_view(blasts: int, red: int | None) -> None:
    """Black around a field is no black around a cell."""
    truth = smear(
        (300, 300), n_blasts=blasts, n_normals=0, n_red=red, n_platelets=0, n_specks=0, touching=0.0, seed=6
    )
    y, x = np.mgrid[:300, :300] - 149.5
    view = np.hypot(y, x) < 145
    image = np.where(view[:, :, None], truth.image, 0).astype(np.uint8)
    cells = find_cells(image)
    check(cells, (300, 300))
    assert not cells.labels[~view].any()
    assert len(cells) == len(find_cells(truth.image, mask=view))
    assert (len(cells) > 0) == (blasts > 0)


@pytest.mark.parametrize("stain", STAINS)
def test_no_white_cells(stain: str) -> None:
    red = smear((200, 200), n_blasts=0, n_normals=0, n_platelets=0, n_specks=0, stain=stain, seed=4)
    empty = smear(
        (200, 200), n_blasts=0, n_normals=0, n_red=0, n_platelets=0, n_specks=0, stain=stain, seed=4
    )
    for field in (red, empty):
        cells = find_cells(field.image, pixel_size=0.2)
        check(cells, (200, 200))
        assert len(cells) == 0
        assert cells.table["area_um2"].dtype == np.float64


def test_dtypes_agree() -> None:
    image = smear((160, 160), n_blasts=2, n_normals=1, seed=6).image
    wanted = find_cells(image)
    for other in (image / 255.0, (image / 255.0).astype(np.float32), image.astype(np.uint16) * 257):
        np.testing.assert_array_equal(find_cells(other).labels, wanted.labels)
    alpha = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    np.testing.assert_array_equal(find_cells(alpha).labels, wanted.labels)
    np.testing.assert_array_equal(find_cells(np.asfortranarray(image)).labels, wanted.labels)
    padded = np.zeros((320, 320, 3), np.uint8)
    padded[::2, ::2] = image
    np.testing.assert_array_equal(find_cells(padded[::2, ::2]).labels, wanted.labels)


def test_seed_and_threads_change_nothing() -> None:
    image = smear((160, 160), n_blasts=2, n_normals=1, seed=6).image
    wanted = find_cells(image)
    for seed, threads in ((1, 1), (7, 2), (123, None)):
        again = find_cells(image, seed=seed, num_threads=threads)
        np.testing.assert_array_equal(again.labels, wanted.labels)
        np.testing.assert_array_equal(again.nuclei, wanted.nuclei)


def test_input_is_left_alone() -> None:
    image = smear((128, 128), n_blasts=2, n_normals=0, seed=7).image
    mask = np.ones(image.shape[:2], bool)
    before, mask_before = image.copy(), mask.copy()
    image.flags.writeable = mask.flags.writeable = False
    find_cells(image, mask=mask)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(mask, mask_before)


def test_mask_hides_cells() -> None:
    truth = smear((256, 256), n_blasts=4, n_normals=0, touching=0.0, border=False, seed=8)
    mask = np.ones((256, 256), bool)
    mask[:, :128] = False
    cells = find_cells(truth.image, mask=mask)
    assert len(cells) > 0
    assert not cells.labels[:, :128].any()
    assert len(find_cells(truth.image, mask=np.zeros((256, 256), bool))) == 0


@given(
    data=st.data(),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    levels=st.integers(1, 256),
    channels=st.sampled_from([None, 1, 3, 4]),
)
@settings(max_examples=40)
def test_any_picture(data: st.DataObject, height: int, width: int, levels: int, channels: int | None) -> None:
    """Noise, flat colours, tiny pictures: a valid result, never a crash."""
    shape = (height, width) if channels is None else (height, width, channels)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    image = rng.integers(0, levels, shape).astype(np.uint8)
    check(find_cells(image), (height, width))


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.zeros((4, 4, 2), np.uint8), {}, r"1, 3 or 4 channels, got 2"),
        (np.zeros((0, 4), np.uint8), {}, r"non-empty .* got shape \(0, 4\)"),
        (np.zeros((4, 4), np.int64), {}, r"uint8, uint16, float32 or float64, got int64"),
        (np.full((4, 4), np.nan), {}, r"finite, got NaN"),
        (np.full((4, 4), 2.0), {}, r"\[0, 1\], got \[2, 2\]"),
        (np.zeros((4, 4), np.uint8), {"k": 1}, r"2\.\.64, got 1"),
        (np.zeros((4, 4), np.uint8), {"k": True}, r"got True"),
        (np.zeros((4, 4), np.uint8), {"seed": -1}, r"seed must be at least 0, got -1"),
        (
            np.zeros((4, 4), np.uint8),
            {"num_threads": 0},
            r"num_threads must be in \[1, 4096\], got 0",
        ),
        (np.zeros((4, 4), np.uint8), {"neck": 0.0}, r"\(0, 1\], got 0\.0"),
        (np.zeros((4, 4), np.uint8), {"pixel_size": -1.0}, r"> 0, got -1\.0"),
        (np.zeros((4, 4), np.uint8), {"mask": np.ones((3, 4), bool)}, r"shape \(4, 4\), got \(3, 4\)"),
        (np.zeros((4, 4), np.uint8), {"mask": np.ones((4, 4), np.uint8)}, r"bool, got uint8"),
    ],
)
def test_bad_input(image: np.ndarray, options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_cells(image, **options)  # type: ignore[arg-type]
