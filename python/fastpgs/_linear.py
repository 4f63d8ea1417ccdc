"""The linear map that distances are taken after: Mahalanobis' whitening of colours, weighted positions.

Shared by the C++ core and the NumPy reference, which each sum up the moments of the features by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ._problem import Problem


def whitening(n: int, sums: list[int], products: list[list[int]]) -> npt.NDArray[np.float64]:
    """Lower-triangular W with WᵀW = Σ⁻¹, from exact sums, so that ‖W(x − y)‖² is Mahalanobis' d².

    Parameters
    ----------
    n : int
        Number of pixels.
    sums : list of int, length F
        Σ x.
    products : list of list of int, shape (F, F)
        Σ x xᵀ.

    Raises
    ------
    ValueError
        If the covariance is singular: features that are linearly dependent have no Mahalanobis distance.
    """
    size = len(sums)
    covariance = np.array(
        [[(n * products[a][b] - sums[a] * sums[b]) / (n * n) for b in range(size)] for a in range(size)]
    )
    return whitening_of(covariance)


def whitening_of(covariance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """As :func:`whitening`, from a covariance matrix of shape (F, F)."""
    size = len(covariance)
    eigenvalues = np.linalg.eigvalsh(covariance)
    low, high = float(eigenvalues[0]), float(eigenvalues[-1])
    if not low > 1e-10 * high:
        raise ValueError(
            "metric='mahalanobis' needs features with a regular covariance, got a singular one "
            f"(smallest / largest eigenvalue = {low:.3g} / {high:.3g}, expected a ratio above 1e-10); "
            "use metric='sqeuclidean' or features='gray'"
        )
    ridge = 1e-6 * float(np.trace(covariance)) / size
    lower = np.linalg.cholesky(covariance + ridge * np.eye(size))
    return np.ascontiguousarray(np.tril(np.linalg.inv(lower)))


def real_covariance(features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Pooled covariance (F, F) of real features (n, F)."""
    centred = features - features.mean(axis=0)
    return np.asarray(centred.T @ centred / len(features))


def linear_map(
    problem: Problem, colour_map: npt.NDArray[np.float64] | None, n_colours: int
) -> npt.NDArray[np.float64]:
    """The (F, F) map of colour (``colour_map`` or the identity) and weighted position."""
    size = n_colours + (2 if problem.spatial_weight > 0.0 else 0)
    out = np.zeros((size, size))
    out[:n_colours, :n_colours] = np.eye(n_colours) if colour_map is None else colour_map
    for axis in range(n_colours, size):
        out[axis, axis] = problem.spatial_weight
    return out


def unmap(linear: npt.NDArray[np.float64] | None, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Solve W x = z for each row of ``points`` (k, F), by forward substitution."""
    if linear is None:
        return points
    out = np.empty_like(points)
    for a in range(points.shape[1]):
        rest = points[:, a].copy()
        for b in range(a):
            rest -= linear[a, b] * out[:, b]
        out[:, a] = rest / linear[a, a]
    return out
