"""Pivot-Growing Segmentation: functions over the C++ core."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from . import _core, _linear, _problem
from ._problem import Features, Init, Metric, Problem, Update

__all__ = [
    "ConvergenceWarning",
    "EmptyClusterWarning",
    "build_info",
    "segment",
    "segment_batch",
]


class ConvergenceWarning(UserWarning):
    """Pivots still moved after ``max_iter`` iterations."""


class EmptyClusterWarning(UserWarning):
    """No pixel is nearest to some pivot, which kept its place."""


class Fit(NamedTuple):
    labels: npt.NDArray[np.int32]
    core: _core.Result
    problem: Problem
    map: npt.NDArray[np.float64] | None


#: The core's names, looked up once.
_FEATURES = {name: getattr(_core.Features, name) for name in ("lab", "rgb", "gray", "xy", "raw")}


def _params(problem: Problem, linear: npt.NDArray[np.float64] | None) -> _core.Params:
    params = _core.Params()  # as the core's defaults are: a small image feels every setting
    params.k = problem.k
    params.features = _FEATURES[problem.features]
    if problem.update != "medoid":
        params.update = getattr(_core.Update, problem.update)
    if problem.init_pivots is not None:
        width = problem.shape[1]
        params.init = _core.Init.given
        params.given = [row * width + col for row, col in problem.init_pivots.tolist()]
    elif problem.init == "random":
        params.init = _core.Init.random
    if problem.n_init != 1:
        params.n_init = problem.n_init
    params.max_iter = problem.max_iter
    params.tol2 = problem.tol2
    if problem.threshold is not None:
        params.threshold = problem.threshold
    if problem.connectivity is not None:
        params.connectivity = problem.connectivity
    if linear is not None:
        params.positions = problem.spatial_weight > 0.0
        params.map = linear.ravel().tolist()
    if problem.bounds is not None:
        params.bounds = problem.bounds
    params.seed = problem.seed
    return params


def _linear_map(problem: Problem) -> npt.NDArray[np.float64] | None:
    """Mahalanobis whitening and spatial weight as one (F, F) map, or None for plain squared distance."""
    if not problem.linear:
        return None
    colours = _core.Params()
    colours.features = _FEATURES[problem.features]
    whitening = None
    if problem.metric == "mahalanobis":
        if problem.integer:
            whitening = _linear.whitening(*_moments(problem, colours), _linear.most_of(problem))
        else:
            features = _core.features(problem.image, colours)
            used = features.reshape(-1, features.shape[2]) if problem.mask is None else features[problem.mask]
            whitening = _linear.whitening_of(_linear.real_covariance(used))
        n_colours = len(whitening)
    else:
        n_colours = _n_colours(problem)
    return _linear.linear_map(problem, whitening, n_colours)


def _moments(problem: Problem, colours: _core.Params) -> tuple[int, list[int], list[list[int]]]:
    n, sums, products = _core.moments(problem.image, problem.mask, colours)
    size = len(sums)
    return n, sums, [products[a * size : (a + 1) * size] for a in range(size)]


def _n_colours(problem: Problem) -> int:
    if problem.features == "lab":
        return 3
    return 1 if problem.features == "gray" or problem.image.ndim == 2 else int(problem.image.shape[2])


def warn_not_converged(max_iter: int, stacklevel: int) -> None:
    """Warn that the pivots have not come to rest."""
    warnings.warn(
        f"pivots still moved after max_iter={max_iter} iterations; raise max_iter or tol",
        ConvergenceWarning,
        stacklevel=stacklevel,
    )


def _check(result: _core.Result, problem: Problem, stacklevel: int) -> None:
    """Raise or warn of what the core found."""
    if result.beyond or result.distinct >= 0:
        _problem.check_values(problem)  # says what is wrong with them
    if result.distinct >= 0:
        raise _problem.too_few_distinct(problem.k, result.distinct)
    if not result.converged:
        warn_not_converged(problem.max_iter, stacklevel + 1)
    if any(result.empty):
        empty = [label for label, is_empty in enumerate(result.empty, start=1) if is_empty]
        warnings.warn(
            f"no pixel is nearest to the pivots of labels {empty}, which kept their places; lower k",
            EmptyClusterWarning,
            stacklevel=stacklevel,
        )


def solve(
    problem: Problem,
    num_threads: int | None,
    *,
    clusters: bool = False,
    inertia: bool = True,
    stacklevel: int = 4,
) -> Fit:
    threads = _problem.check_num_threads(num_threads)
    linear = _linear_map(problem)
    params = _params(problem, linear)
    params.threads = threads
    if problem.extents is not None:
        params.extents = problem.extents
    if clusters:
        params.want_clusters = True
    if not inertia:
        params.want_inertia = False
    labels, result = _core.segment(problem.image, problem.mask, params)
    _check(result, problem, stacklevel)
    return Fit(labels, result, problem, linear)


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
    """Segment an image into clusters of pixels around k pivots (Pivot-Growing Segmentation).

    Pivots are pixels of the image, chosen by alternating k-medoids; clusters are then grown around
    them [1]_. The result is exact: it equals :func:`fastpgs.reference.segment` to the bit, on any number
    of threads and any instruction set.

    Parameters
    ----------
    image : array_like of shape (H, W) or (H, W, C)
        uint8, uint16, float32 or float64, of any strides. Float colours are in [0, 1]; those that hold 8- or
        16-bit levels (``skimage.util.img_as_float``) give the labels of the integer image. Never changed.
    k : int, default 3
        Number of pivots, 1 to 255. In a stained smear 3 or 4: nuclei, cytoplasm and red cells, background.
    threshold : float, optional
        T of Eq. 6: a pivot reaches pixels within this *squared* distance of it. In squared units of the
        features (below); of squared Mahalanobis distance for that metric. None sets no limit. Search on a
        log scale: 25, 100, 400, 1600 for ``lab``.
    features : {"lab", "rgb", "gray", "xy", "raw"}, default "lab"
        - ``"lab"``: CIELAB (D65) of sRGB or grey input, in CIELAB units, by a defined fixed-point conversion
          (8-bit and 16-bit levels; other floats are rounded to 16 bits first).
        - ``"rgb"``: the three channels, in 8-bit levels (0-255) whatever the dtype.
        - ``"gray"``: Rec. 709 luma, in 8-bit levels.
        - ``"xy"``: row and column, in pixels (Eq. 1 to the letter).
        - ``"raw"``: the channels as they are, up to 62 of them, in the caller's units.
    metric : {"sqeuclidean", "mahalanobis"}, default "sqeuclidean"
        ``"mahalanobis"`` whitens the features by their pooled covariance over the image. For 8-bit images and
        ``"lab"`` the whitening map is rounded to the grain of exact sums (2⁻²⁷ in 65,536 pixels), and only
        where that moves no point by more than 1/256 of a standard deviation.
    update : {"medoid", "mean"}, default "medoid"
        ``"medoid"``: Eq. 5, the member with the least sum of squared distances to all members. ``"mean"``: the
        paper's pseudo-code, the mean of all pixels within ``threshold`` of the pivot (of its members if
        ``threshold`` is None).
    connectivity : {None, 1, 2}, default None
        None grows anywhere (Eq. 6); 1 or 2 only through 4- or 8-neighbours from the pivot's pixel.
    init : {"k-medoids++", "random"} or array_like of int, shape (k, 2), default "k-medoids++"
        Seeded greedy D² weighting [2]_ and a local search by swaps [3]_, k random pixels (the paper), or given
        pivots (row, col).
    n_init : int, default 1
        Number of starts; the one with the lowest objective (Eq. 3) is kept.
    max_iter : int, default 100
        Most iterations; stopping there is reported by a :class:`ConvergenceWarning`.
    tol : float, default 0.0
        Pivots have converged when none moves further than this (Eq. 8), in units of the features.
    spatial_weight : float, default 0.0
        Adds ``(spatial_weight * pixels)²`` to the squared distance: units of the features a pixel.
    mask : array_like of bool, shape (H, W), optional
        True where a pixel takes part; the others get label 0 and influence nothing.
    channel_axis : int or None, default -1
        Axis of the channels of a 3-D image; None for a grey (H, W) image.
    seed : int, default 0
        Seed of the random start.
    num_threads : int, optional
        Number of threads, at least 1. None uses all that are permitted (affinity, cgroup, OMP_NUM_THREADS).

    Returns
    -------
    labels : ndarray of int32, shape (H, W)
        0 where no pivot reached, else 1 to k by ascending luminance of the pivot: 1 is the darkest cluster.

    Raises
    ------
    ValueError
        With the expected and the actual value: shapes, dtypes, NaN or infinity, ranges, fewer distinct
        feature vectors than ``k``, a singular covariance.

    Warns
    -----
    ConvergenceWarning, EmptyClusterWarning

    See Also
    --------
    segment_batch : many images at once.
    PivotGrowingSegmentation : the same as an estimator that keeps pivots, masks and objective.

    References
    ----------
    .. [1] "Advanced Blast Identification in ALL Using Pivot-Growing Segmentation and U-Net PLR", Eqs. 1-8.
    .. [2] D. Arthur, S. Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007.
    .. [3] S. Lattanzi, C. Sohler, "A better k-means++ algorithm via local search", ICML 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import fastpgs
    >>> image = np.full((4, 6, 3), 230, dtype=np.uint8)
    >>> image[1:3, 1:3] = (90, 30, 120)
    >>> fastpgs.segment(image, k=2)
    array([[2, 2, 2, 2, 2, 2],
           [2, 1, 1, 2, 2, 2],
           [2, 1, 1, 2, 2, 2],
           [2, 2, 2, 2, 2, 2]], dtype=int32)
    """
    problem = _problem.prepare(
        image,
        k,
        look=False,
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
    return solve(problem, num_threads, inertia=False).labels


def segment_batch(
    images: Iterable[npt.ArrayLike],
    k: int = 3,
    *,
    mask: npt.ArrayLike | Sequence[npt.ArrayLike | None] | None = None,
    num_threads: int | None = None,
    **options: Any,
) -> list[npt.NDArray[np.int32]]:
    """Segment many images, several at once, each on one thread; the GIL is released meanwhile.

    Parameters
    ----------
    images : iterable of array_like
        Images as :func:`segment` takes them; shapes and dtypes may differ.
    k : int, default 3
        Number of pivots of each.
    mask : array_like of bool, or sequence of one array_like or None an image, optional
        One mask for all images (then of one shape), or one for each.
    num_threads : int, optional
        Images at once; None uses all permitted threads.
    **options
        As for :func:`segment`, the same for all images.

    Returns
    -------
    list of ndarray of int32
        Labels of each image, in order; equal to :func:`segment` of each.

    Raises
    ------
    ValueError
        As :func:`segment`, naming the position of the image.
    TypeError
        For an option that :func:`segment` does not have.
    """
    unknown = set(options) - set(_OPTIONS)
    if unknown:
        raise TypeError(
            f"segment_batch() got unexpected options {sorted(unknown)}; segment() takes {list(_OPTIONS)}"
        )
    threads = _problem.check_num_threads(num_threads)
    pictures = list(images)
    masks = _one_mask_each(mask, len(pictures))
    problems: list[Problem] = []
    groups: dict[tuple[Any, ...], list[int]] = {}
    maps: list[npt.NDArray[np.float64] | None] = []
    for position, (picture, one) in enumerate(zip(pictures, masks, strict=True)):
        try:
            problem = _problem.prepare(picture, k, look=False, mask=one, **options)
            linear = _linear_map(problem)
        except ValueError as error:
            raise ValueError(f"image {position}: {error}") from error
        problems.append(problem)
        maps.append(linear)
        # Images that share a map and feature units share parameters, and so one call of the core.
        key = (problem.unit2, problem.bounds, *([] if linear is None else linear.ravel().tolist()))
        groups.setdefault(key, []).append(position)
    labels: list[npt.NDArray[np.int32]] = [np.empty((0, 0), dtype=np.int32)] * len(problems)
    for positions in groups.values():
        first = positions[0]
        some = [problems[p] for p in positions]
        params = _params(problems[first], maps[first])
        params.want_inertia = False
        out, results = _core.segment_batch([p.image for p in some], [p.mask for p in some], params, threads)
        for position, array, result in zip(positions, out, results, strict=True):
            try:
                _check(result, problems[position], stacklevel=3)
            except ValueError as error:
                raise ValueError(f"image {position}: {error}") from error
            labels[position] = array
    return labels


def _one_mask_each(mask: Any, n: int) -> list[Any]:
    if mask is None:
        return [None] * n
    if isinstance(mask, (list, tuple)) and not np.isscalar(mask[0] if mask else None):
        first = mask[0] if mask else None
        if first is None or np.ndim(first) == 2:
            if len(mask) != n:
                raise ValueError(f"mask must be one mask, or one for each of {n} images, got {len(mask)}")
            return list(mask)
    return [mask] * n


_OPTIONS = tuple(
    name
    for name in inspect.signature(segment).parameters
    if name not in ("image", "k", "mask", "num_threads")
)


def build_info() -> dict[str, Any]:
    """Return how the core was built and what it will use on this machine.

    Returns
    -------
    dict
        ``version``, ``compiler``, ``openmp`` (bool), ``simd`` (the path chosen: ``"baseline"``, ``"avx2"`` or
        ``"avx512"``; the environment variable ``FASTPGS_SIMD`` forces one), ``threads`` (permitted).
    """
    return dict(_core.build_info())
