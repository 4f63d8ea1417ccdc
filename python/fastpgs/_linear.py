"""The linear map that distances are taken after: Mahalanobis' whitening of colours, weighted positions.

Shared by the C++ core and the NumPy reference, which each sum up the moments of the features by themselves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ._problem import Problem

SINGULAR = 1e-10  # ratio of the smallest to the largest eigenvalue
RIDGE = 1e-6  # of the mean variance, added to each
ROUNDED = 2.0**-8  # of a standard deviation


def sum_grain(top: float, n: int) -> float:
    """The power of two to which n reals of magnitude at most ``top`` are rounded before they are summed."""
    shift = 51 - n.bit_length() - math.frexp(top)[1]
    return math.ldexp(1.0, -min(shift, 900))


def most_of(problem: Problem) -> float | None:
    """What 8-bit features and lab stay below, in magnitude; None of others."""
    if problem.features == "lab":
        return 8192.0
    return 256.0 if problem.image.dtype == np.uint8 else None


def whitening(
    n: int, sums: list[int], products: list[list[int]], most: float | None = None
) -> npt.NDArray[np.float64]:
    """Lower-triangular W with WᵀW = Σ⁻¹, from exact sums, so that ‖W(x − y)‖² is Mahalanobis' d².

    Where it moves no point by more than ``ROUNDED``, entries are rounded to the grain that sums of n points Wx have
    (2⁻²⁷ in a smear of 65,536 pixels): then Σ Wx is W Σ x to the bit, and the core need not look at each Wx for it.

    Parameters
    ----------
    n : int
        Number of pixels.
    sums : list of int, length F
        Σ x.
    products : list of list of int, shape (F, F)
        Σ x xᵀ.
    most : float, optional
        What features stay below, in magnitude. None leaves entries as they are.

    Raises
    ------
    ValueError
        If the covariance is singular: features that are linearly dependent have no Mahalanobis distance.
    """
    size = len(sums)
    exact = whitening_of(
        [[(n * products[a][b] - sums[a] * sums[b]) / (n * n) for b in range(size)] for a in range(size)]
    )
    if most is None:
        return exact
    grain = sum_grain(most * float(np.abs(exact).sum(axis=1).max()), n)
    return np.rint(exact / grain) * grain if 0.5 * size * most * grain <= ROUNDED else exact


def whitening_of(covariance: list[list[float]]) -> npt.NDArray[np.float64]:
    """As :func:`whitening`, from a covariance matrix, F lists of F.

    In plain floats: a matrix of three rows takes LAPACK's callers ten times as long, and the bits do not depend on
    which LAPACK it is.
    """
    trace = 0.0
    for a, row in enumerate(covariance):
        trace += row[a]
    inverse = inverse_factor(covariance, 0.0)
    # The smallest eigenvalue is at least one over the sum of squares of the factor's inverse, the largest at most
    # the trace: enough to know of nearly every image that it is regular.
    if inverse is None or not 10.0 * SINGULAR * trace * sum(v * v for row in inverse for v in row) < 1.0:
        _check_regular(covariance)
    ridge = RIDGE * trace / len(covariance)
    return np.array(inverse_factor(covariance, ridge), np.float64)


def _check_regular(covariance: list[list[float]]) -> None:
    eigenvalues = np.linalg.eigvalsh(np.array(covariance))
    low, high = float(eigenvalues[0]), float(eigenvalues[-1])
    if not low > SINGULAR * high:
        raise ValueError(
            "metric='mahalanobis' needs features with a regular covariance, got a singular one "
            f"(smallest / largest eigenvalue = {low:.3g} / {high:.3g}, expected a ratio above {SINGULAR:g}); "
            "use metric='sqeuclidean' or features='gray'"
        )


def inverse_factor(matrix: list[list[float]], ridge: float) -> list[list[float]] | None:
    """The inverse of the lower Cholesky factor of a symmetric matrix plus ``ridge`` times the identity, F lists of F.

    None where the sum is not positive definite.
    """
    size = len(matrix)
    lower = [[0.0] * size for _ in range(size)]
    inverse = [[0.0] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i][j] + (ridge if i == j else 0.0)
            for k in range(j):
                rest -= lower[i][k] * lower[j][k]
            if i > j:
                lower[i][j] = rest / lower[j][j]
            elif rest > 0.0:
                lower[i][i] = math.sqrt(rest)
            else:
                return None
    for j in range(size):
        inverse[j][j] = 1.0 / lower[j][j]
        for i in range(j + 1, size):
            rest = 0.0
            for k in range(j, i):
                rest -= lower[i][k] * inverse[k][j]
            inverse[i][j] = rest / lower[i][i]
    return inverse


def real_covariance(features: npt.NDArray[np.float64]) -> list[list[float]]:
    """Pooled covariance, F lists of F, of real features (n, F)."""
    centred = features - features.mean(axis=0)
    rows: list[list[float]] = (centred.T @ centred / len(features)).tolist()
    return rows


def linear_map(
    problem: Problem, colour_map: npt.NDArray[np.float64] | None, n_colours: int
) -> npt.NDArray[np.float64]:
    """The (F, F) map of colour (``colour_map`` or the identity) and weighted position."""
    if colour_map is not None and problem.spatial_weight == 0.0:
        return colour_map
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
