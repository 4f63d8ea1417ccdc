"""From a caller's arguments to a checked problem, shared by the C++ core and the NumPy reference.

All validation of :func:`fastpgs.segment` lives here: what comes out of :func:`prepare` cannot make
either implementation fail. Nothing here looks at more than one pixel at a time, so both
implementations stay independent where it matters.
"""

from __future__ import annotations

import math
import operator
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from ._reals import (
    check_colours,
    check_magnitude,
    core_looks,
    float_colours,
    value_range,
    without_masked,
)

Features: TypeAlias = Literal["lab", "rgb", "gray", "xy", "raw"]
Metric: TypeAlias = Literal["sqeuclidean", "mahalanobis"]
Update: TypeAlias = Literal["medoid", "mean"]
Init: TypeAlias = Literal["k-medoids++", "random"] | npt.ArrayLike
PixelArray: TypeAlias = (
    npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | npt.NDArray[np.float32] | npt.NDArray[np.float64]
)

MAX_K = 255
MAX_CHANNELS = 62
MAX_WEIGHT = 1e90
#: Integer feature units in one documented unit, squared distances in this many squared.
LAB_SCALE = 64
UINT16_SCALE = 257
_DTYPES = ("uint8", "uint16", "float32", "float64")
_DTYPE_CHARS = frozenset("BHfd")
_FEATURES = get_args(Features)
_METRICS = get_args(Metric)
_UPDATES = get_args(Update)


class Problem(NamedTuple):
    """A checked segmentation problem.

    Attributes
    ----------
    image : ndarray of shape (H, W) or (H, W, C)
        C-contiguous and aligned, channel last, of uint8, uint16, float32 or float64. Float colour images that
        hold 8- or 16-bit levels have been mapped back to them.
    mask : ndarray of bool, shape (H, W), or None
        True where a pixel takes part.
    init_pivots : ndarray of int64, shape (k, 2), or None
        Given pivots, (row, col).
    threshold : float or None
        Squared, in internal feature units.
    tol2 : float
        Squared tolerance of Eq. 8, in internal feature units.
    unit2 : float
        Squared internal feature units in one squared documented unit of distance.
    feature_unit : float
        Internal feature units in one documented unit of a colour feature.
    extents : list of float, or None
        Least values of the channels, then greatest, where they are known.
    bounds : tuple of float, or None
        Least and greatest value that a channel may have, where nobody has looked yet.
    """

    image: PixelArray
    mask: npt.NDArray[np.bool_] | None
    k: int
    features: Features
    metric: Metric
    update: Update
    connectivity: int | None
    init: Literal["k-medoids++", "random", "given"]
    init_pivots: npt.NDArray[np.int64] | None
    n_init: int
    max_iter: int
    threshold: float | None
    tol2: float
    unit2: float
    feature_unit: float
    spatial_weight: float
    seed: int
    extents: list[float] | None
    bounds: tuple[float, float] | None

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def integer(self) -> bool:
        """Whether features are integers, so that every sum over them is exact."""
        return self.features in ("lab", "xy") or self.image.dtype.kind == "u"

    @property
    def exact(self) -> bool:
        """Whether distances and medoids are integers too."""
        return self.integer and not self.linear and self.update == "medoid"

    @property
    def linear(self) -> bool:
        """Whether distances are taken after a linear map of the features."""
        return self.metric == "mahalanobis" or self.spatial_weight > 0.0


def _integer(value: Any, name: str, low: int, high: int | None = None) -> int:
    if type(value) is int and low <= value and (high is None or value <= high):
        return value  # as nearly always
    bounds = f"at least {low}" if high is None else f"in [{low}, {high}]"
    if isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be an integer {bounds}, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer {bounds}, got {value!r}") from None
    if number < low or (high is not None and number > high):
        raise ValueError(f"{name} must be {bounds}, got {number}")
    return number


def _nonnegative(value: Any, name: str) -> float:
    if type(value) is float and 0.0 <= value < math.inf:
        return value  # as nearly always
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number of at least 0, got {value!r}") from None
    except OverflowError:
        raise ValueError(
            f"{name} must be finite and at least 0, got an integer beyond double precision"
        ) from None
    if not 0.0 <= number < math.inf:
        raise ValueError(f"{name} must be finite and at least 0, got {number}")
    return number


def _square(value: float) -> float:
    return value * value  # infinite where ** would raise: a tolerance that everything is within


def _choice(value: Any, name: str, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def check_seed(seed: int) -> int:
    """Return the seed for the core, below 2**64."""
    return _integer(seed, "seed", 0) % 2**64


def check_num_threads(num_threads: int | None) -> int:
    """Return the number of threads for the core: 0 stands for all that are permitted."""
    return 0 if num_threads is None else _integer(num_threads, "num_threads", 1, 4096)


def _channel_last(image: npt.ArrayLike, channel_axis: int | None) -> npt.NDArray[Any]:
    try:
        array = np.asarray(image)
    except (RuntimeError, TypeError) as error:  # a torch tensor on a device, with gradients, of bfloat16 ...
        raise ValueError(f"image cannot be seen as a NumPy array: {error}") from error
    if isinstance(image, np.ma.MaskedArray):
        raise ValueError("image is a masked array; pass its data, and ~image.mask as mask=")
    if array.dtype.char not in _DTYPE_CHARS:
        raise ValueError(f"image must be of {', '.join(_DTYPES)}, got {array.dtype.name}")
    if array.ndim not in (2, 3):
        raise ValueError(f"image must have shape (H, W) or (H, W, C), got {array.shape}")
    if array.ndim == 3:
        if channel_axis is None:
            raise ValueError(
                f"channel_axis=None means a grey image of shape (H, W), got {array.shape}; "
                "name the axis that holds the channels"
            )
        axis = operator.index(channel_axis)
        if not -3 <= axis < 3:
            raise ValueError(
                f"channel_axis must be in [-3, 2] for an image of shape {array.shape}, got {axis}"
            )
        if axis not in (-1, 2):
            array = np.moveaxis(array, axis, -1)
        if array.shape[2] == 1:
            array = array[:, :, 0]
    if 0 in array.shape:
        raise ValueError(f"image must not be empty, got shape {array.shape}")
    if not array.dtype.isnative:
        array = array.astype(np.dtype(array.dtype.name))
    return array


def _check_mask(mask: npt.ArrayLike | None, shape: tuple[int, int]) -> npt.NDArray[np.bool_] | None:
    if mask is None:
        return None
    array = np.asarray(mask)
    if array.shape != shape:
        raise ValueError(f"mask must have the image's shape {shape}, got {array.shape}")
    if array.dtype != np.bool_:
        raise ValueError(f"mask must be of bool, got {array.dtype.name}; compare it with a value first")
    if not array.any():
        raise ValueError("mask must select at least one pixel, got none")
    return np.ascontiguousarray(array)


def _given_pivots(
    init: npt.ArrayLike, k: int, shape: tuple[int, int], mask: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.int64]:
    array = np.asarray(init)
    if array.shape != (k, 2):
        raise ValueError(
            f"init must be 'k-medoids++', 'random' or pivots of shape ({k}, 2), got {array.shape}"
        )
    if array.dtype.kind not in "iu":
        raise ValueError(f"init pivots must be integers (row, col), got {array.dtype.name}")
    points = [(row, col) for row, col in array.tolist()]
    height, width = shape
    for row, col in points:
        if not (0 <= row < height and 0 <= col < width):
            raise ValueError(f"init pivots must lie in an image of {shape}, got {[row, col]}")
    if len(set(points)) < k:
        raise ValueError(f"init pivots must be {k} different pixels, got {array.tolist()}")
    if mask is not None:
        for row, col in points:
            if not mask[row, col]:
                raise ValueError(f"init pivots must lie inside the mask, got {[row, col]}")
    return np.array(points, dtype=np.int64)


def _check_channels(image: PixelArray, features: Features) -> None:
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels > MAX_CHANNELS:
        raise ValueError(f"image must have at most {MAX_CHANNELS} channels, got {channels}")
    if features == "rgb" and channels != 3:
        raise ValueError(f"features='rgb' needs 3 channels, got {channels}; use 'gray', 'lab' or 'raw'")
    if features in ("lab", "gray") and channels not in (1, 3):
        raise ValueError(
            f"features={features!r} needs 1 or 3 channels, got {channels}; "
            "drop an alpha channel, or use features='raw'"
        )


def _unit(image: PixelArray, features: Features, metric: Metric) -> float:
    """Internal feature units in one documented unit."""
    if metric == "mahalanobis":
        return 1.0
    if features == "lab":
        return float(LAB_SCALE)
    if features in ("rgb", "gray") and image.dtype.char == "H":
        return float(UINT16_SCALE)
    return 1.0


def _check_exact(problem: Problem) -> None:
    """Refuse what would overflow the exact 64-bit sums, or 32-bit labels of pixels."""
    height, width = problem.shape
    if height * width >= 2**31:
        raise ValueError(
            f"image must have fewer than 2**31 pixels, got {height} x {width}; "
            "segment it in tiles with shared pivots"
        )
    if not problem.integer:
        return
    if problem.features == "xy":
        top = max(height, width)
    elif problem.features == "lab":
        top = 7000
    else:
        top = 255 if problem.image.dtype.char == "B" else 65535
    if problem.spatial_weight > 0.0:
        top = max(top, height, width)
    channels = 1 if problem.image.ndim == 2 else problem.image.shape[2]
    need = 4 * (channels + 2) * height * width * top * top
    if need >= 2**62:
        raise ValueError(
            f"image of shape {problem.image.shape} and {problem.image.dtype.name} is too large for exact 64-bit sums "
            f"of features={problem.features!r}; segment it in tiles with shared pivots"
        )


def check_values(problem: Problem) -> None:
    """Look at all values where :func:`prepare` left that to the core; refuse what it would have refused."""
    if problem.bounds is None:
        return
    low, high, _ = value_range(problem.image, None)
    if problem.features == "raw":
        check_magnitude(low, high)
    else:
        check_colours(low, high, problem.features)


def prepare(
    image: npt.ArrayLike,
    k: int = 3,
    *,
    look: bool = True,
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
) -> Problem:
    """Check the arguments of :func:`fastpgs.segment` and bring them into internal units.

    Parameters
    ----------
    image, k
        As all others but `look`: see :func:`fastpgs.segment`.
    look : bool, default True
        Look at all values of a float image. False leaves it to the core where that does it on its way; who asks
        for that then calls :func:`check_values` if the core found values beyond their bounds.

    Raises
    ------
    ValueError
        With the expected and the actual value, for anything that cannot be segmented.
    """
    _choice(features, "features", _FEATURES)
    _choice(metric, "metric", _METRICS)
    _choice(update, "update", _UPDATES)
    k = _integer(k, "k", 1, MAX_K)
    if connectivity is not None:
        connectivity = _integer(connectivity, "connectivity", 1, 2)
    spatial_weight = _nonnegative(spatial_weight, "spatial_weight")
    if spatial_weight > MAX_WEIGHT:
        raise ValueError(f"spatial_weight must be at most {MAX_WEIGHT:g}, got {spatial_weight:g}")
    if features == "xy" and spatial_weight > 0.0:
        raise ValueError(
            f"features='xy' already is the position: spatial_weight must be 0, got {spatial_weight}"
        )

    array = _channel_last(image, channel_axis)
    shape = (array.shape[0], array.shape[1])
    used = _check_mask(mask, shape)
    _check_channels(array, features)
    extents = bounds = None
    if not look and used is None and array.dtype.kind == "f" and metric == "sqeuclidean":
        bounds = core_looks(array, features)
    if bounds is not None:
        pass
    elif array.dtype.kind == "f" and features != "xy":
        if features != "raw":
            array, extents = float_colours(array, features, used)
        else:
            low, high, extents = value_range(array, used)
            check_magnitude(low, high)
            array = without_masked(array, used)
    elif array.dtype.kind == "f":
        value_range(array, used)  # Eq. 1 looks at positions alone; labels are still ordered by luminance

    how: Literal["k-medoids++", "random", "given"]
    pivots = None
    if isinstance(init, str):
        how = _choice(init, "init", ("k-medoids++", "random"))  # type: ignore[assignment]
    else:
        how = "given"
        pivots = _given_pivots(init, k, shape, used)

    if not (array.flags.c_contiguous and array.flags.aligned):  # the core reads whole elements
        array = np.require(array, requirements=("C", "A"))
    unit = _unit(array, features, metric)
    problem = Problem(
        image=array,
        mask=used,
        k=k,
        features=features,
        metric=metric,
        update=update,
        connectivity=connectivity,
        init=how,
        init_pivots=pivots,
        n_init=_integer(n_init, "n_init", 1, 10_000),
        max_iter=_integer(max_iter, "max_iter", 1, 1_000_000),
        threshold=None if threshold is None else _nonnegative(threshold, "threshold") * unit * unit,
        tol2=_square(_nonnegative(tol, "tol") * unit),
        unit2=unit * unit,
        feature_unit=_unit(array, features, "sqeuclidean"),
        spatial_weight=spatial_weight * unit,
        seed=check_seed(seed),
        extents=extents,
        bounds=bounds,
    )
    _check_exact(problem)
    return problem


def in_documented_units(problem: Problem, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Feature vectors (k, F) from internal units; appended positions stay in pixels."""
    out = features.copy()
    n_colours = out.shape[1] - (2 if problem.spatial_weight > 0.0 else 0)
    out[:, :n_colours] /= problem.feature_unit
    return out


def too_few_distinct(k: int, distinct: int) -> ValueError:
    """Return the error for an image with fewer distinct feature vectors than pivots."""
    return ValueError(
        f"k must be at most the number of distinct feature vectors, got k = {k} and {distinct} distinct; lower k"
    )
