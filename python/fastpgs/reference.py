"""Pivot-Growing Segmentation in NumPy: the oracle of the C++ core, and the baseline it is timed against.

Written for reading: each function is one step of the method, with its equation. The C++ core agrees
with it to the bit in labels, pivots, iterations and objective. That needs three conventions, which
both follow:

* integer features (8- and 16-bit colours, ``lab``, ``xy``) are summed as integers, so that no order of
  summation matters;
* reals (features after a linear map, float images) are rounded to a power of two, chosen so that the sum
  over all pixels is exact in a double, before they are summed: again no order matters. Products are never
  contracted into fused multiply-adds;
* random numbers are a SplitMix64 sequence [2]_.

References
----------
.. [1] "Advanced Blast Identification in ALL Using Pivot-Growing Segmentation and U-Net PLR", Eqs. 1-8.
.. [2] G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014,
   doi:10.1145/2660193.2660195.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import _linear, _problem, _starts
from ._problem import Features, Init, Metric, Problem, Update

__all__ = ["ReferenceResult", "fit", "lab_image", "segment"]

Int = npt.NDArray[np.int64]
Real = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
#: Integers where features are exact, else float64.
Values = npt.NDArray[Any]


class ReferenceResult(NamedTuple):
    """What a fit returns; the attributes of :class:`fastpgs.PivotGrowingSegmentation` without underscores."""

    labels: npt.NDArray[np.int32]
    clusters: Bool
    pivot_points: Int
    pivot_features: Real
    inertia: float
    n_iter: int
    converged: bool
    empty: Int


# --- features ------------------------------------------------------------------------------------------


@functools.cache
def _linear_table(top: int) -> Int:
    """Decode sRGB (IEC 61966-2-1): level 0…top to linear light 0…65535."""
    v = np.arange(top + 1) / float(top)
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    return np.floor(linear * 65535.0 + 0.5).astype(np.int64)


@functools.cache
def _lab_f_table() -> Int:
    """CIE 15's f(t) for t = 0…65535 over 65535, times 32000."""
    t = np.arange(65536) / 65535.0
    delta = 6.0 / 29.0
    f = np.where(t > delta**3, np.cbrt(t), t / (3.0 * delta * delta) + 4.0 / 29.0)
    return np.floor(f * 32000.0 + 0.5).astype(np.int64)


# Linear sRGB to XYZ over the D65 white, in 1/32768, each row summing to 32768: grey has a = b = 0 exactly.
_XYZ = np.array([[14220, 12328, 6220], [6968, 23434, 2366], [582, 3587, 28599]], dtype=np.int64)


def lab_image(image: npt.NDArray[Any]) -> Int:
    """CIELAB (D65) of an 8- or 16-bit sRGB or grey image in fixed point.

    Parameters
    ----------
    image : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)

    Returns
    -------
    ndarray of int64, shape (H, W, 3)
        L*, a*, b* in 1/64. Every step is an integer operation, so the result is exact by definition;
        it is within 0.12 of a floating-point conversion.
    """
    linear = _linear_table(255 if image.dtype == np.uint8 else 65535)[image]
    if linear.ndim == 2:
        linear = np.repeat(linear[:, :, None], 3, axis=2)
    fx, fy, fz = np.moveaxis(_lab_f_table()[(linear @ _XYZ.T + 16384) >> 15], -1, 0)
    lightness = (29 * fy + 62) // 125 - 1024
    return np.stack([lightness, fx - fy, (2 * (fy - fz) + 2) // 5], axis=-1)


def _luma(image: npt.NDArray[Any]) -> Values:
    """Rec. 709 luma of each pixel, in the image's own units; of other than 3 channels, their sum."""
    if image.ndim == 2:
        return image.astype(np.int64 if image.dtype.kind == "u" else np.float64)
    if image.dtype.kind == "u":
        wide = image.astype(np.int64)
        if image.shape[2] != 3:
            return np.asarray(wide.sum(axis=2))
        return (13926 * wide[..., 0] + 46885 * wide[..., 1] + 4725 * wide[..., 2] + 32768) >> 16
    real = image.astype(np.float64)
    if image.shape[2] != 3:
        return np.cumsum(real, axis=2)[..., -1]
    return np.asarray((0.2125 * real[..., 0] + 0.7154 * real[..., 1]) + 0.0721 * real[..., 2])


def _features(problem: Problem) -> Values:
    """Feature vectors x_i in internal units, (H, W, F); integers wherever the input allows."""
    image = problem.image
    height, width = problem.shape
    position = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), axis=-1)
    if problem.features == "xy":
        return position
    if problem.features == "lab":
        out: Values = lab_image(image)
    elif problem.features == "gray":
        out = _luma(image)[..., None]
    else:
        out = image.astype(np.int64 if image.dtype.kind == "u" else np.float64)
        out = out[..., None] if out.ndim == 2 else out
    if image.dtype.kind == "f" and problem.features in ("rgb", "gray"):
        out = out * 255.0
    if problem.spatial_weight > 0.0:
        out = np.concatenate([out, position.astype(out.dtype)], axis=-1)
    return out


# --- exact sums and random numbers ---------------------------------------------------------------------


def _round_to(values: Real, grain: float) -> Real:
    return np.asarray(np.rint(values / grain) * grain)


# --- the method ----------------------------------------------------------------------------------------


class Space:
    """The points of a problem: their coordinates z, their exact integers x if any, and the metric.

    Two kinds, as in the core: integer points under the plain squared distance (``exact``), where medoids
    are told apart by integers; and real points, whose sums are made exact by rounding.
    """

    def __init__(self, problem: Problem) -> None:
        x = _features(problem)
        self.dims = x.shape[-1]
        self.index = (
            np.arange(x[..., 0].size) if problem.mask is None else np.flatnonzero(problem.mask)
        )  # raster indices of the pixels that take part
        self.x = x.reshape(-1, self.dims)
        self.integer = problem.integer
        self.exact = problem.exact
        colour_map = None
        n_colours = self.dims - (2 if problem.spatial_weight > 0.0 else 0)
        if problem.metric == "mahalanobis":
            colour_map = self._whitening(problem, n_colours)
        self.map = _linear.linear_map(problem, colour_map, n_colours) if problem.linear else None
        self.z = self.x if self.exact else self.transform(self.x.astype(np.float64))
        self.grain = self.objective_grain = 0.0
        if not self.exact:
            used = self.z[self.index]
            low, high = used.min(axis=0), used.max(axis=0)
            bound = np.cumsum((high - low) * (high - low))[-1]
            self.grain = _linear.sum_grain(float(np.abs(used).max()), len(used))
            self.objective_grain = _linear.sum_grain(float(bound), len(used))

    def _whitening(self, problem: Problem, n_colours: int) -> Real:
        used = self.x[self.index, :n_colours]
        if self.integer:
            products = [
                [int((used[:, a] * used[:, b]).sum()) for b in range(n_colours)] for a in range(n_colours)
            ]
            return _linear.whitening(
                len(used), [int(s) for s in used.sum(axis=0)], products, _linear.most_of(problem)
            )
        return _linear.whitening_of(_linear.real_covariance(used))

    def transform(self, x: Real) -> Real:
        """z = W x, each coordinate summed from the first feature to the last."""
        if self.map is None:
            return x
        columns = []
        for a in range(self.dims):
            total = self.map[a, 0] * x[..., 0]
            for b in range(1, a + 1):
                total = total + self.map[a, b] * x[..., b]
            columns.append(total)
        return np.stack(columns, axis=-1)

    def d2(self, z: Values, pivot: Values) -> Values:
        """Squared distance of each point to one pivot, coordinates added from first to last (Eq. 1)."""
        total = (z[..., 0] - pivot[0]) ** 2
        for a in range(1, self.dims):
            total = total + (z[..., a] - pivot[a]) ** 2
        return np.asarray(total)

    def nearest(self, pivots: Values) -> tuple[Int, Values]:
        """Eq. 4: index of the nearest pivot of each pixel that takes part, ties to the lower, and its d²."""
        z = self.z[self.index]
        distances = np.stack([self.d2(z, pivot) for pivot in pivots])
        labels = np.argmin(distances, axis=0)
        return labels, distances[labels, np.arange(len(labels))]

    def mean(self, members: Int, grain: float | None = None) -> Real:
        """Mean of the pixels at raster indices ``members``, as a point."""
        rounded = _round_to(self.z[members], self.grain if grain is None else grain)
        return np.asarray(rounded.sum(axis=0) / float(len(members)))

    def medoid(self, members: Int, grain: float | None = None) -> int:
        """Eq. 5: the member with the least Σ d² to all members, that is the nearest to their mean."""
        if self.exact:
            x = self.x[members]
            key: Values = len(members) * (x * x).sum(axis=1) - 2 * (x @ x.sum(axis=0))
        else:
            key = self.d2(self.z[members], self.mean(members, grain))
        return int(members[np.argmin(key)])

    def inertia(self, d2: Values) -> float:
        """Eq. 3, in internal units, from the squared distances to the nearest pivots."""
        if self.exact:
            return float(int(d2.sum()))
        return float(_round_to(d2, self.objective_grain).sum())


def _check_distinct(space: Space, k: int) -> None:
    distinct = len(np.unique(space.x[space.index], axis=0))
    if distinct < k:
        raise _problem.too_few_distinct(k, distinct)


def _initial_pivots(problem: Problem, space: Space, start: int) -> list[int]:
    if problem.init_pivots is not None:
        _check_distinct(space, problem.k)
        return [int(row) * problem.shape[1] + int(col) for row, col in problem.init_pivots]
    rng = _starts.SplitMix64(problem.seed)
    if start:
        rng = _starts.SplitMix64(rng.next() ^ start)
    seeder = _starts.plus_plus if problem.init == "k-medoids++" else _starts.uniform
    return seeder(space, problem.k, rng)


def _update(problem: Problem, space: Space, pixels: list[int], pivots: Values) -> tuple[list[int], Values]:
    """Step 4: new pivot pixels and points. An emptied cluster keeps its pivot."""
    labels, _ = space.nearest(pivots)
    new_pixels, new_pivots = list(pixels), pivots.copy()
    for j in range(problem.k):
        if problem.update == "medoid":
            members = space.index[labels == j]
            if len(members):
                new_pixels[j] = space.medoid(members)
                new_pivots[j] = space.z[new_pixels[j]]
            continue
        if problem.threshold is None:
            members = space.index[labels == j]
        else:
            members = space.index[space.d2(space.z[space.index], pivots[j]) <= problem.threshold]
        if len(members):
            new_pivots[j] = space.mean(members)
    return new_pixels, new_pivots


def _iterate(problem: Problem, space: Space, pixels: list[int]) -> tuple[list[int], Values, int, bool]:
    """Steps 2-5: assign and update until the pivots stay (Eq. 8)."""
    pivots = space.z[pixels]
    n_iter, converged = 0, False
    while n_iter < problem.max_iter and not converged:
        pixels, moved = _update(problem, space, pixels, pivots)
        shift2 = max(float(space.d2(new, old)) for new, old in zip(moved, pivots, strict=True))
        pivots = moved
        n_iter += 1
        converged = shift2 <= problem.tol2
    if problem.update == "mean":
        pixels = [int(space.index[np.argmin(space.d2(space.z[space.index], p))]) for p in pivots]
    return pixels, pivots, n_iter, converged


def _flood(allowed: Bool, row: int, col: int, connectivity: int) -> Bool:
    """Pixels joined to (row, col) through allowed 4- or 8-neighbours; none if it is not allowed itself."""
    reached = np.zeros_like(allowed)
    if not allowed[row, col]:
        return reached
    steps = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    if connectivity == 2:
        steps += [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    height, width = allowed.shape
    reached[row, col] = True
    stack = [(row, col)]
    while stack:
        r, c = stack.pop()
        for dr, dc in steps:
            rr, cc = r + dr, c + dc
            if 0 <= rr < height and 0 <= cc < width and allowed[rr, cc] and not reached[rr, cc]:
                reached[rr, cc] = True
                stack.append((rr, cc))
    return reached


def _grow(
    problem: Problem, space: Space, pixels: list[int], pivots: Values
) -> tuple[npt.NDArray[np.int32], Bool]:
    """Eqs. 6-7: masks of what each pivot reaches, and one label a pixel."""
    height, width = problem.shape
    distances = np.stack([space.d2(space.z, p).reshape(height, width) for p in pivots])
    used = np.ones((height, width), dtype=bool) if problem.mask is None else problem.mask
    clusters = np.repeat(used[None], problem.k, axis=0)
    if problem.threshold is not None:
        clusters &= distances <= problem.threshold
    if problem.connectivity is not None:
        for j, pixel in enumerate(pixels):
            clusters[j] = _flood(clusters[j], *divmod(pixel, width), problem.connectivity)
    best = np.argmin(np.where(clusters, distances, np.inf), axis=0)
    labels = np.where(clusters.any(axis=0), best + 1, 0).astype(np.int32)
    return labels, clusters


def fit(problem: Problem) -> ReferenceResult:
    """Segment a checked problem and return everything that is known of the result."""
    space = Space(problem)
    best: tuple[float, list[int], Values, int, bool] | None = None
    for start in range(problem.n_init if problem.init != "given" else 1):
        pixels, pivots, n_iter, converged = _iterate(problem, space, _initial_pivots(problem, space, start))
        inertia = space.inertia(space.nearest(pivots)[1])
        if best is None or inertia < best[0]:
            best = (inertia, pixels, pivots, n_iter, converged)
    assert best is not None
    inertia, pixels, pivots, n_iter, converged = best

    luma = _luma(problem.image).reshape(-1)[pixels]
    order = np.argsort(luma, kind="stable")
    pixels, pivots = [pixels[j] for j in order], pivots[order]
    members, _ = space.nearest(pivots)
    empty = np.flatnonzero(np.bincount(members, minlength=problem.k) == 0) + 1
    labels, clusters = _grow(problem, space, pixels, pivots)
    points = (
        space.x[pixels].astype(np.float64) if problem.update == "medoid" else _linear.unmap(space.map, pivots)
    )
    return ReferenceResult(
        labels=labels,
        clusters=clusters,
        pivot_points=np.array([divmod(p, problem.shape[1]) for p in pixels], dtype=np.int64),
        pivot_features=_problem.in_documented_units(problem, points),
        inertia=inertia / problem.unit2,
        n_iter=n_iter,
        converged=converged,
        empty=empty.astype(np.int64),
    )


def segment(
    image: npt.ArrayLike,
    k: int = 3,
    *,
    threshold: float | None = None,
    features: Features = "lab",
    metric: Metric = "sqeuclidean",
    update: Update = "medoid",
    connectivity: int | None = None,
    init: Init = "k-medoids++",
    n_init: int = 1,
    max_iter: int = 100,
    tol: float = 0.0,
    spatial_weight: float = 0.0,
    mask: npt.ArrayLike | None = None,
    channel_axis: int | None = -1,
    seed: int = 0,
    num_threads: int | None = None,
) -> npt.NDArray[np.int32]:
    """Segment an image with NumPy alone: same arguments and same labels as :func:`fastpgs.segment`.

    Parameters
    ----------
    num_threads : int or None
        Checked as :func:`fastpgs.segment` does; the reference runs on one thread.

    Returns
    -------
    ndarray of int32, shape (H, W)

    See Also
    --------
    fastpgs.segment : documents every parameter.
    """
    _problem.check_num_threads(num_threads)
    problem = _problem.prepare(
        image,
        k,
        threshold=threshold,
        features=features,
        metric=metric,
        update=update,
        connectivity=connectivity,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        tol=tol,
        spatial_weight=spatial_weight,
        mask=mask,
        channel_axis=channel_axis,
        seed=seed,
    )
    return fit(problem).labels
