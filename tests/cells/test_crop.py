"""Crops keep the image's scale, its values and its type."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastpgs import _core
from fastpgs.cells import Cells, crop_cells
from fastpgs.cells.table import measure


def one_cell(image: np.ndarray, box: tuple[int, int, int, int]) -> Cells:
    labels = np.zeros(image.shape[:2], np.int32)
    labels[box[0] : box[2], box[1] : box[3]] = 1
    rgb = np.zeros((*image.shape[:2], 3), np.uint8)
    return measure(rgb, labels, labels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_native_scale(dtype: type, channels: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 200, (50, 60, *channels)).astype(dtype)
    crops = crop_cells(image, one_cell(image, (20, 10, 30, 24)), 20)
    assert crops.dtype == dtype
    assert crops.shape == (1, 20, 20, *channels)
    np.testing.assert_array_equal(crops[0], image[15:35, 7:27])


def test_padding_and_mask() -> None:
    image = np.full((30, 30, 3), 100, np.uint8)
    cells = one_cell(image, (0, 0, 10, 10))
    crop = crop_cells(image, cells, 20, fill=(1, 2, 3))[0]
    assert crop[0, 0].tolist() == [1, 2, 3]  # beyond the frame
    assert crop[19, 19].tolist() == [100, 100, 100]
    masked = crop_cells(image, cells, 20, masked=True)[0]
    assert np.count_nonzero(masked[..., 0]) == 100
    assert (masked[5:15, 5:15] == 100).all()


def test_a_large_cell_is_cut_not_shrunk() -> None:
    image = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    crop = crop_cells(image, one_cell(image, (2, 2, 62, 62)), 16)[0]
    np.testing.assert_array_equal(crop, image[24:40, 24:40])


def test_zoom() -> None:
    image = np.zeros((40, 40), np.uint8)
    image[::2] = 100
    cells = one_cell(image, (10, 10, 30, 30))
    half = crop_cells(image, cells, 10, zoom=0.5)[0]
    assert (half == 50).all()  # whole blocks are averaged
    double = crop_cells(image, cells, 20, zoom=2.0)[0]
    assert (double[::4] == 25).all()  # a quarter of the way from a row of 0 to one of 100
    assert (double[1::4] == 25).all()
    assert (double[2::4] == 75).all()


@pytest.mark.parametrize("zoom", [0.15, 0.4, 0.77, 1.3, 2.5])
def test_any_zoom(zoom: float) -> None:
    """A plane stays the plane it is, whose values tell where each crop pixel's centre is; noise keeps its mean."""
    rows, cols = np.mgrid[:200, :220].astype(np.float64)
    plane = 3.0 * rows + 5.0 * cols
    cells = one_cell(plane, (70, 90, 130, 121))
    side = 24
    top, left = (np.floor(middle - side / zoom / 2) for middle in (100.0, 105.5))
    y, x = (start + (np.arange(side) + 0.5) / zoom - 0.5 for start in (top, left))
    crop = crop_cells(plane, cells, side, zoom=zoom)[0]
    np.testing.assert_allclose(crop, 3.0 * y[:, None] + 5.0 * x, atol=1.0 if zoom < 1.0 else 1e-6)
    noise = np.random.default_rng(1).integers(0, 256, (200, 220, 3), np.uint8)
    small = crop_cells(noise, cells, side, zoom=zoom)[0]
    assert small.dtype == np.uint8
    if zoom < 1.0:
        covered = noise[int(top) : int(top + side / zoom), int(left) : int(left + side / zoom)]
        assert abs(small.mean() - covered.mean()) < 4.0
        assert small.std() < noise.std() * zoom * 1.3
    masked = crop_cells(np.full((200, 220), 200, np.uint8), cells, side, zoom=zoom, masked=True)[0]
    assert masked.max() == 200


def dense_weights(start: float, out: int, zoom: float) -> tuple[int, np.ndarray]:
    """First source pixel along one axis, and the weight of every one from it on in each of ``out`` pixels."""
    edges = start + np.arange(out + 1) / zoom
    if zoom <= 1.0:
        first = int(np.floor(edges[0]))
        pixels = first + np.arange(int(np.ceil(edges[-1] - 1e-9)) - first)
        covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
        return first, np.clip(covered, 0.0, None)
    centres = (edges[:-1] + edges[1:]) / 2.0 - 0.5
    first = int(np.floor(centres[0]))
    pixels = first + np.arange(int(np.floor(centres[-1])) + 2 - first)
    return first, np.clip(1.0 - np.abs(centres[:, None] - pixels), 0.0, None)


def window_of(image: np.ndarray, top: int, left: int, shape: tuple[int, int], fill: np.ndarray) -> np.ndarray:
    """What an image shows there; `fill` beyond it."""
    y, x = (at + np.arange(n) for at, n in zip((top, left), shape, strict=True))
    inside = ((y >= 0) & (y < image.shape[0]))[:, None] & ((x >= 0) & (x < image.shape[1]))
    found = image[np.clip(y, 0, image.shape[0] - 1)[:, None], np.clip(x, 0, image.shape[1] - 1)]
    return np.where(inside[..., None], found, fill)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("zoom", [0.1, 1 / 3, 0.36, 0.5, 0.999, 1.0, 1.001, 1.4, 2.0, 3.0, 8.0])
@pytest.mark.parametrize("size", [1, 7, 32])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_crops_are_what_dense_weights_make(zoom: float, size: int, dtype: type, channels: int) -> None:
    rng = np.random.default_rng(size)
    image = rng.integers(0, 256, (50, 60, channels)).astype(dtype)
    labels = rng.integers(1, 3, (50, 60)).astype(np.int32)
    fill = np.arange(channels).astype(dtype)
    tops, lefts = np.array([0, -13, 20, 45, -400]), np.array([0, 50, -9, 59, 3])
    middles = [at + math.ceil(size / zoom / 2) for at in (tops, lefts)]  # of boxes without a pixel
    crops = _core.cut_crops(image, *middles, *middles, size, zoom, fill)
    ids = np.array([1, 2, 1, 2, 1], np.int32)
    masked = _core.cut_crops(image, *middles, *middles, size, zoom, fill, labels, ids)
    assert crops.dtype == masked.dtype == dtype
    for i, (top, left) in enumerate(zip(tops.tolist(), lefts.tolist(), strict=True)):
        own = np.where(labels[..., None] == ids[i], image, fill)
        np.testing.assert_array_equal(crops[i], densely_resampled(image, top, left, size, zoom, fill))
        np.testing.assert_array_equal(masked[i], densely_resampled(own, top, left, size, zoom, fill))


def densely_resampled(
    image: np.ndarray, top: int, left: int, size: int, zoom: float, fill: np.ndarray
) -> np.ndarray:
    (y, down), (x, across) = (dense_weights(at, size, zoom) for at in (top, left))
    window = window_of(image, y, x, (down.shape[1], across.shape[1]), fill).astype(np.float64)
    # In the order of the core, so that the bits are the same.
    down, across = (weights / np.add.accumulate(weights, axis=1)[:, -1:] for weights in (down, across))
    for weights, axis in [(down, 0), (across, 1)] if zoom <= 1.0 else [(across, 1), (down, 0)]:
        lines = np.moveaxis(window, axis, 0)
        mixed = np.zeros((size, *lines.shape[1:]))
        for i, line in enumerate(lines):
            mixed += weights[:, i, None, None] * line
        window = np.moveaxis(mixed, 0, axis)
    wanted = window
    return (np.rint(wanted) if image.dtype.kind == "u" else wanted).astype(image.dtype)


@pytest.mark.parametrize("dtype", [bool, np.int16, np.int64, np.dtype(">u2"), np.float16])
def test_other_types_come_back_as_they_were(dtype: type) -> None:
    image = (np.arange(30 * 30).reshape(30, 30) % 2).astype(dtype)
    crop = crop_cells(image, one_cell(image, (5, 5, 25, 25)), 16)
    assert crop.dtype == dtype
    np.testing.assert_array_equal(crop[0], image[7:23, 7:23])


def test_the_core_refuses_what_does_not_fit_together() -> None:
    image, at, fill = np.zeros((8, 8, 3), np.uint8), np.zeros(2, np.int64), np.zeros(3, np.uint8)
    with pytest.raises(ValueError, match=r"shape \(H, W, C\) and fill \(C,\)"):
        _core.cut_crops(image, at, at, at, at, 4, 1.0, fill[:2])
    with pytest.raises(ValueError, match="zoom finite and above 0"):
        _core.cut_crops(image, at, at, at, at, 4, 0.0, fill)
    with pytest.raises(ValueError, match="must be of one length"):
        _core.cut_crops(image, at, at[:1], at, at, 4, 1.0, fill)
    ids = np.zeros(2, np.int32)
    with pytest.raises(ValueError, match="one for each box"):
        _core.cut_crops(image, at, at, at, at, 4, 1.0, fill, np.zeros((8, 8), np.int32), ids[:1])
    with pytest.raises(ValueError, match=r"labels must have shape \(8, 8\)"):
        _core.cut_crops(image, at, at, at, at, 4, 1.0, fill, np.zeros((8, 7), np.int32), ids)
    for zoom in (1e-7, 1e-300):
        with pytest.raises(ValueError, match=r"may span 2\*\*24 pixels of the image"):
            _core.cut_crops(image, at, at, at, at, 4, zoom, fill)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "size must be an integer >= 1, got 0"),
        ({"size": 8.0}, "got 8.0"),
        ({"zoom": 0.0}, "zoom must be a finite number > 0, got 0.0"),
        ({"fill": (1, 2)}, r"fill must be a number or 3 numbers, got \(1, 2\)"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match=message):
        crop_cells(image, one_cell(image, (1, 1, 4, 4)), **options)  # type: ignore[arg-type]


def test_other_image() -> None:
    cells = one_cell(np.zeros((8, 8), np.uint8), (1, 1, 4, 4))
    with pytest.raises(ValueError, match=r"shape \(8, 8\).*got \(9, 8, 3\)"):
        crop_cells(np.zeros((9, 8, 3), np.uint8), cells)
