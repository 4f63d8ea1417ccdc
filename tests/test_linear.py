"""Mahalanobis' map: what it must undo, and which covariances have none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastpgs import _linear


def covariance(size: int, ratio: float, seed: int = 0) -> list[list[float]]:
    """A covariance matrix whose smallest eigenvalue is ``ratio`` times the largest, 900."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))
    matrix = turn @ np.diag(np.geomspace(900.0 * ratio, 900.0, size)) @ turn.T
    return ((matrix + matrix.T) / 2).tolist()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 62])
def test_map_makes_the_covariance_the_identity(size: int) -> None:
    matrix = covariance(size, 1.0 if size == 1 else 1e-3, seed=size)
    found = _linear.whitening_of(matrix)
    assert np.array_equal(found, np.tril(found))
    whole = np.array(matrix)
    whole += _linear.RIDGE * np.trace(whole) / size * np.eye(size)
    np.testing.assert_allclose(found @ whole @ found.T, np.eye(size), atol=1e-10)
    reference = np.linalg.inv(np.linalg.cholesky(whole))
    np.testing.assert_allclose(found, reference, rtol=1e-9, atol=1e-12)


def sums_of(points: np.ndarray) -> tuple[int, list[int], list[list[int]]]:
    """Number, sums and products of integer points (n, F)."""
    return len(points), points.sum(axis=0).tolist(), (points.T @ points).tolist()


@pytest.mark.parametrize("n", [50, 4096, 70001])
def test_sums_of_mapped_bytes_are_mapped_sums(n: int) -> None:
    rng = np.random.default_rng(n)
    shade = rng.integers(0, 250, (n, 1))
    points = np.clip(shade + rng.integers(0, 6, (n, 3)), 0, 255)
    plain, rounded = (_linear.whitening(*sums_of(points), most) for most in (None, 256.0))
    assert not np.array_equal(plain, rounded)
    assert np.abs((plain - rounded) @ points.T).max() <= _linear.ROUNDED
    mapped = points.astype(np.float64) @ rounded.T
    grain = _linear.sum_grain(float(np.abs(mapped).max()), n)
    assert np.array_equal(np.rint(mapped / grain) * grain, mapped)
    assert mapped.sum(axis=0).tolist() == [
        math.fsum(r * s for r, s in zip(row, points.sum(axis=0), strict=True)) for row in rounded
    ]


def test_maps_that_rounding_would_bend_stay_as_they_are() -> None:
    n = 1 << 40  # the sums of very many points: their grain is coarse
    sums, products = [100 * n, 90 * n], [[10900 * n, 9000 * n], [9000 * n, 8200 * n]]
    plain, rounded = (_linear.whitening(n, sums, products, most) for most in (None, 256.0))
    assert np.array_equal(plain, rounded)


@pytest.mark.parametrize("ratio", [1e-12, 0.9e-10])
def test_singular_covariances_are_refused(ratio: float) -> None:
    for seed in range(5):
        with pytest.raises(
            ValueError, match=r"singular one \(smallest / largest eigenvalue = .* above 1e-10\)"
        ):
            _linear.whitening_of(covariance(3, ratio, seed))


@pytest.mark.parametrize("ratio", [1.1e-10, 1e-9, 1e-8, 1e-4])
def test_nearly_singular_ones_are_not(ratio: float) -> None:
    for seed in range(5):
        assert np.isfinite(_linear.whitening_of(covariance(3, ratio, seed))).all()


def test_what_is_constant_has_no_map() -> None:
    with pytest.raises(ValueError, match="singular"):
        _linear.whitening_of([[0.0]])
    with pytest.raises(ValueError, match="singular"):
        _linear.whitening_of([[4.0, 4.0], [4.0, 4.0]])
