"""Pivot-Growing Segmentation as an estimator in scikit-learn's manner, without importing scikit-learn."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core, _linear, _problem
from ._problem import Features, Init, Metric, Problem, Update
from .segmentation import solve

__all__ = ["NotFittedError", "PivotGrowingSegmentation"]


class NotFittedError(ValueError, AttributeError):
    """The estimator has no pivots yet. Where scikit-learn is loaded, its own error of this name is raised."""


class PivotGrowingSegmentation:
    """Pivot-Growing Segmentation as a scikit-learn style estimator.

    Parameters
    ----------
    k_clusters : int, default 3
    max_iterations : int, default 100
    threshold : float, optional
        These three carry the paper's names; they and the rest are as for :func:`fastpgs.segment` (``k``,
        ``max_iter``, ``threshold`` there).
    features, metric, update, connectivity, init, n_init, tol, spatial_weight, channel_axis, seed, num_threads
        As for :func:`fastpgs.segment`.

    Attributes
    ----------
    labels_ : ndarray of int32, shape (H, W)
        One label a pixel: the nearest pivot among those that reached it; 0 where none did.
    clusters_ : ndarray of bool, shape (k, H, W)
        What each pivot reached; may overlap where ``threshold`` or ``connectivity`` let it.
    inertia_ : float
        Objective J of Eq. 3, in squared units of the features.
    pivot_points_ : ndarray of int64, shape (k, 2)
        (row, col) of each pivot, by ascending luminance; with ``update="mean"`` the pixel nearest the mean.
    pivot_features_ : ndarray of float64, shape (k, F)
        Features of each pivot, in documented units; weighted positions are appended as (row, col) pixels.
    n_iter_ : int
        Iterations run.
    converged_ : bool
        Whether the pivots stayed within ``tol``.
    empty_ : ndarray of int64
        Labels of pivots to which no pixel is nearest.

    Examples
    --------
    >>> import numpy as np
    >>> from fastpgs import PivotGrowingSegmentation
    >>> image = np.array([[10, 11, 200], [12, 10, 201]], dtype=np.uint8)
    >>> model = PivotGrowingSegmentation(k_clusters=2, features="gray").fit(image)
    >>> model.labels_
    array([[1, 1, 2],
           [1, 1, 2]], dtype=int32)
    >>> model.pivot_features_.ravel().tolist()
    [11.0, 200.0]

    Notes
    -----
    One image is one call, as in scikit-image: the pixels are what is clustered. So it clones, pickles, works
    in a `Pipeline` and follows `set_output` (a label image becomes a frame of H rows and W columns), while
    scikit-learn's checks that take rows of ``X`` for samples do not apply; ``tests/test_estimator.py`` lists
    them. Nothing of scikit-learn is imported.
    """

    labels_: npt.NDArray[np.int32]
    clusters_: npt.NDArray[np.bool_]
    inertia_: float
    pivot_points_: npt.NDArray[np.int64]
    pivot_features_: npt.NDArray[np.float64]
    n_iter_: int
    converged_: bool
    empty_: npt.NDArray[np.int64]

    def __init__(
        self,
        k_clusters: int = 3,
        max_iterations: int = 100,
        threshold: float | None = None,
        *,
        features: Features = "lab",
        metric: Metric = "sqeuclidean",
        update: Update = "medoid",
        connectivity: int | None = None,
        init: Init = "k-medoids++",
        n_init: int = 1,
        tol: float = 0.0,
        spatial_weight: float = 0.0,
        channel_axis: int | None = -1,
        seed: int = 0,
        num_threads: int | None = None,
    ) -> None:
        self.k_clusters = k_clusters
        self.max_iterations = max_iterations
        self.threshold = threshold
        self.features = features
        self.metric = metric
        self.update = update
        self.connectivity = connectivity
        self.init = init
        self.n_init = n_init
        self.tol = tol
        self.spatial_weight = spatial_weight
        self.channel_axis = channel_axis
        self.seed = seed
        self.num_threads = num_threads

    @classmethod
    def _param_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; ``deep`` is there for scikit-learn and changes nothing."""
        return {name: getattr(self, name) for name in self._param_names()}

    def set_params(self, **params: Any) -> PivotGrowingSegmentation:
        """Set parameters by name.

        Raises
        ------
        ValueError
            For a name that is not a parameter.
        """
        names = self._param_names()
        for name, value in params.items():
            if name not in names:
                raise ValueError(f"parameter must be one of {names}, got {name!r}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        defaults = inspect.signature(type(self).__init__).parameters
        changed = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if not (value is defaults[name].default or np.array_equal(value, defaults[name].default))
        ]
        return f"{type(self).__name__}({', '.join(changed)})"

    def _options(self) -> dict[str, Any]:
        options = self.get_params()
        options["k"] = options.pop("k_clusters")
        options["max_iter"] = options.pop("max_iterations")
        del options["num_threads"]
        return options

    def fit(
        self, X: npt.ArrayLike, y: object = None, *, mask: npt.ArrayLike | None = None
    ) -> PivotGrowingSegmentation:
        """Choose pivots on image ``X`` and grow clusters around them.

        Parameters
        ----------
        X : array_like of shape (H, W) or (H, W, C)
            An image as for :func:`fastpgs.segment`.
        y : ignored
        mask : array_like of bool, shape (H, W), optional

        Returns
        -------
        self
        """
        _refuse_foreign(X)
        fit = solve(
            _problem.prepare(X, look=False, mask=mask, **self._options()), self.num_threads, clusters=True
        )
        core, problem = fit.core, fit.problem
        points = np.asarray(core.pivot_features, dtype=np.float64).reshape(problem.k, core.dims)
        if problem.update == "mean":
            points = _linear.unmap(fit.map, points)
        self.labels_ = fit.labels
        self.clusters_ = core.clusters.view(np.bool_).reshape(problem.k, *problem.shape)
        self.inertia_ = core.inertia / problem.unit2
        self.pivot_points_ = np.array([divmod(p, problem.shape[1]) for p in core.pivots], dtype=np.int64)
        self.pivot_features_ = _problem.in_documented_units(problem, points)
        self.n_iter_ = core.n_iter
        self.converged_ = core.converged
        self.empty_ = np.flatnonzero(core.empty) + 1
        self._map = fit.map
        return self

    def fit_transform(self, X: npt.ArrayLike, y: object = None, *, mask: npt.ArrayLike | None = None) -> Any:
        """Fit to image ``X`` and return ``labels_`` in the container of :meth:`set_output`."""
        return self._contain(self.fit(X, mask=mask).labels_, X)

    def transform(self, X: npt.ArrayLike, *, mask: npt.ArrayLike | None = None) -> Any:
        """:meth:`predict`, in the container of :meth:`set_output`.

        Returns
        -------
        ndarray of int32, shape (H, W), or a frame of H rows and W columns
        """
        return self._contain(self.predict(X, mask=mask), X)

    def set_output(self, *, transform: str | None = None) -> PivotGrowingSegmentation:
        """Choose what :meth:`transform` and :meth:`fit_transform` return.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            ``"default"`` is an ndarray. None changes nothing.

        Raises
        ------
        ValueError
            For another container.
        """
        if transform is not None:
            if transform not in _CONTAINERS:
                raise ValueError(f"transform must be one of {', '.join(_CONTAINERS)}, got {transform!r}")
            self._sklearn_output_config = {"transform": transform}
        return self

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """Names of the columns of a label image, ``"column0"`` on; ``input_features`` changes nothing."""
        if not self.__sklearn_is_fitted__():
            raise _not_fitted(f"this {type(self).__name__} has no pivots yet: call fit() first")
        return _column_names(self.labels_.shape[1])

    def _contain(self, labels: npt.NDArray[np.int32], X: Any) -> Any:
        wanted = getattr(self, "_sklearn_output_config", {}).get("transform")
        if wanted is None and "sklearn" in sys.modules:
            wanted = sys.modules["sklearn"].get_config()["transform_output"]
        names = _column_names(labels.shape[1])
        if wanted == "pandas":
            import pandas

            index = X.index if isinstance(X, pandas.DataFrame) else None
            return pandas.DataFrame(labels, columns=names, index=index, copy=False)
        if wanted == "polars":
            import polars

            return polars.DataFrame(labels, schema=names.tolist(), orient="row")
        return labels

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "pivot_features_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type="clusterer",
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(two_d_array=True, three_d_array=True),
        )

    def fit_predict(
        self, X: npt.ArrayLike, y: object = None, *, mask: npt.ArrayLike | None = None
    ) -> npt.NDArray[np.int32]:
        """Fit to image ``X`` and return ``labels_``."""
        return self.fit(X, mask=mask).labels_

    def predict(self, X: npt.ArrayLike, *, mask: npt.ArrayLike | None = None) -> npt.NDArray[np.int32]:
        """Label another image by the fitted pivots: Eqs. 4 and 6, each pixel to the nearest within T.

        Parameters
        ----------
        X : array_like of shape (H, W) or (H, W, C)
            Of the same kind of features as the fitted image.
        mask : array_like of bool, shape (H, W), optional

        Returns
        -------
        ndarray of int32, shape (H, W)

        Raises
        ------
        NotFittedError
            Before :meth:`fit`. A `ValueError` and an `AttributeError`.
        ValueError
            With ``connectivity``: clusters grow from pivot pixels, which another image does not have.
        """
        if not self.__sklearn_is_fitted__():
            raise _not_fitted(f"this {type(self).__name__} has no pivots yet: call fit() first")
        _refuse_foreign(X)
        if self.connectivity is not None:
            raise ValueError(
                f"predict() needs connectivity=None, got {self.connectivity}: connected clusters grow from "
                "pivot pixels, which another image does not have"
            )
        options = self._options() | {"k": 1, "init": "k-medoids++"}
        problem = _problem.prepare(X, mask=mask, **options)
        return _predict(problem, self.pivot_features_, self._map, self.threshold)


def _predict(
    problem: Problem,
    pivots: npt.NDArray[np.float64],
    linear: npt.NDArray[np.float64] | None,
    threshold: float | None,
) -> npt.NDArray[np.int32]:
    params = _core.Params()
    params.features = getattr(_core.Features, problem.features)
    params.positions = problem.spatial_weight > 0.0
    points = _core.features(problem.image, params)
    if points.shape[2] != pivots.shape[1]:
        raise ValueError(
            f"image must have the {pivots.shape[1]} features of the fitted one, got {points.shape[2]}"
        )
    n_colours = points.shape[2] - (2 if params.positions else 0)
    points[:, :, :n_colours] /= problem.feature_unit
    # The map was made for internal units.
    scale = np.ones(points.shape[2])
    scale[:n_colours] = problem.feature_unit
    best = np.full(problem.shape, np.inf)
    labels = np.zeros(problem.shape, dtype=np.int32)
    for j, pivot in enumerate(pivots, start=1):
        difference = (points - pivot) * scale
        if linear is not None:
            difference = difference @ linear.T
        d2 = np.square(difference).sum(axis=2) / problem.unit2
        closer = d2 < best
        if threshold is not None:
            closer &= d2 <= threshold
        best[closer] = d2[closer]
        labels[closer] = j
    if problem.mask is not None:
        labels[~problem.mask] = 0
    return labels


_CONTAINERS = ("default", "pandas", "polars")


def _column_names(width: int) -> npt.NDArray[np.object_]:
    return np.array([f"column{i}" for i in range(width)], dtype=object)


def _refuse_foreign(X: Any) -> None:
    """Refuse what :func:`numpy.asarray` would turn into something that is no image."""
    if hasattr(X, "tocsr"):
        raise TypeError(f"an image must be dense, got the sparse {type(X).__name__}; pass X.toarray()")


def _not_fitted(message: str) -> Exception:
    if "sklearn" in sys.modules:
        from sklearn.exceptions import NotFittedError as Theirs

        theirs: Exception = Theirs(message)
        return theirs
    return NotFittedError(message)
