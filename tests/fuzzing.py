"""Awkward segmentation problems from small descriptions, and the oracle that judges the C++ core on them.

A description is a flat dictionary of numbers and texts: `draw` makes a random one, `build` turns it into an
image with options, `judge` compares core and reference. ``tests/trust/corpus.json`` keeps those that were awkward.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

import fastpgs
from fastpgs import _problem, reference, segmentation

Description = dict[str, Any]

_DTYPES = ("uint8", "uint16", "float32", "float64", ">f4", ">u2", "int16", "bool", "float16")
_FILLS = (
    "levels",
    "noise",
    "ramp",
    "stripes",
    "blobs",
    "constant",
    "near",
    "tiny",
    "huge",
    "signed",
    "nan",
    "inf",
)
_LAYOUTS = ("c", "fortran", "reversed", "step", "first", "broadcast", "readonly", "offset")


def draw(rng: np.random.Generator) -> Description:
    """A random description; most are valid, some must be refused."""

    def one(*choices: Any) -> Any:
        return choices[rng.integers(len(choices))]

    side = int(one(1, 2, 5, 8, 16, 31, 33, 64, 65, 100, 130))
    features = one("lab", "lab", "rgb", "rgb", "gray", "xy", "raw", "raw")
    channels = int(one(1, 2, 3, 4, 5, 9, 17) if features == "raw" else one(0, 1, 3, 3, 3, 3))
    real = bool(rng.integers(3) == 0)
    drawn = {
        "height": int(one(1, 2, side, side, side, 7 * side if side < 40 else side)),
        "width": int(one(1, side, side, side, 5 * side if side < 40 else side)),
        "channels": channels,
        "dtype": one(*_DTYPES[2:4]) if real else one("uint8", "uint8", "uint8", "uint16", *_DTYPES),
        "fill": one("levels", "levels", "noise", "noise", "blobs", "ramp", *_FILLS),
        "colours": int(one(1, 2, 3, 5, 17, 256)),
        "layout": one("c", "c", "c", *_LAYOUTS),
        "seed": int(rng.integers(2**31)),
        "k": int(
            one(1, 2, 3, 3, 4, 5, 8, 9, 16, 17, 31, 33, 64, 65, 255, 256 if rng.integers(9) == 0 else 3)
        ),
        "features": features,
        "metric": one("sqeuclidean", "sqeuclidean", "sqeuclidean", "mahalanobis"),
        "update": one("medoid", "medoid", "medoid", "mean"),
        "threshold": one(None, None, 0.0, 5e-324, 1e-3, 1.0, 100.0, 2000.0, 1e9, 1.7e308),
        "connectivity": one(None, None, None, 1, 2),
        "init": one("k-medoids++", "k-medoids++", "random", "given", "given twice"),
        "n_init": int(one(1, 1, 1, 2, 5)),
        "max_iter": int(one(1, 2, 3, 100, 100)),
        "tol": float(one(0.0, 0.0, 0.0, 0.5, 3.0, 1e300)),
        "spatial_weight": float(one(0.0, 0.0, 0.0, 1e-6, 0.25, 7.0, 1e6, 1e90, 1e200)),
        "start": int(rng.integers(2**63)) * 2 + int(rng.integers(2)),
        "mask": one(None, None, None, "some", "few", "none", "one", "rows"),
        "threads": one(None, 1, 2, 3, 7),
    }
    if rng.integers(8) > 0:  # what is refused at once tells little
        drawn["channels"] = 3 if features == "rgb" else channels
        drawn["spatial_weight"] = 0.0 if features == "xy" else drawn["spatial_weight"]
        drawn["dtype"] = drawn["dtype"] if drawn["dtype"] in _DTYPES[:4] else "uint8"
        drawn["mask"] = None if drawn["mask"] in ("none", "one") else drawn["mask"]
        drawn["mask"] = None if drawn["height"] * drawn["width"] < 100 else drawn["mask"]
        drawn["k"] = min(drawn["k"], drawn["height"] * drawn["width"])
        drawn["spatial_weight"] = min(drawn["spatial_weight"], 1e90)
        if drawn["fill"] in ("nan", "inf") or (features != "raw" and drawn["fill"] in ("signed", "huge")):
            drawn["fill"] = "noise"
    if rng.integers(60) == 0:  # enough pixels for several threads
        drawn |= {"height": 521, "width": 601, "n_init": 1, "max_iter": 3}
    if drawn["k"] * drawn["height"] * drawn["width"] > 1 << 20:
        drawn["k"] = 5  # the reference would take a minute
    return drawn


def build(d: Description) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    """The image and the options of `fastpgs.segment` that a description stands for."""
    rng = np.random.default_rng(d["seed"])
    shape = (d["height"], d["width"], *([d["channels"]] if d["channels"] else []))
    image = _layout(_pixels(d, shape, rng), d["layout"])
    names = [
        "k",
        "features",
        "metric",
        "update",
        "threshold",
        "connectivity",
        "n_init",
        "max_iter",
        "tol",
        "spatial_weight",
    ]
    options = {name: d[name] for name in names} | {"seed": d["start"], "init": d["init"]}
    if d["layout"] == "first" and image.ndim == 3:
        options["channel_axis"] = 0
    if d["init"].startswith("given"):
        size = d["height"] * d["width"]
        at = rng.permutation(size)[: d["k"]] if size < 1 << 20 else rng.integers(0, size, d["k"])
        if d["init"] == "given twice" and len(at) > 1:
            at[-1] = at[0]
        options["init"] = np.stack(np.divmod(at, d["width"]), axis=1)
    if d["mask"] is not None:
        mask = {
            "some": lambda: rng.random(shape[:2]) < 0.7,
            "few": lambda: rng.random(shape[:2]) < 0.05,
            "none": lambda: np.zeros(shape[:2], bool),
            "one": lambda: np.arange(shape[0] * shape[1]).reshape(shape[:2]) == shape[1] // 2,
            "rows": lambda: np.broadcast_to(np.arange(shape[0])[:, None] % 3 > 0, shape[:2]),
        }[d["mask"]]()
        options["mask"] = mask
    return image, options


def _pixels(d: Description, shape: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[Any]:
    dtype, fill, colours = np.dtype(d["dtype"]), d["fill"], d["colours"]
    levels = rng.integers(0, colours, shape)
    unit: npt.NDArray[np.float64]
    if fill == "constant":
        unit = np.full(shape, 0.5)
    elif fill == "ramp":
        unit = np.broadcast_to(np.linspace(0.0, 1.0, shape[1]).reshape(1, -1, *[1] * (len(shape) - 2)), shape)
    elif fill == "stripes":
        rows = np.arange(shape[0]) % 2.0
        unit = np.broadcast_to(rows.reshape(-1, *[1] * (len(shape) - 1)), shape)
    elif fill == "blobs":
        small = rng.integers(0, colours, (shape[0] // 8 + 1, shape[1] // 8 + 1, *shape[2:]))
        unit = np.repeat(np.repeat(small, 8, 0), 8, 1)[: shape[0], : shape[1]] / max(1, colours - 1)
    elif fill == "noise":
        unit = rng.random(shape)
    else:
        unit = levels / max(1, colours - 1)
    if dtype.kind == "f":
        scale = {"tiny": 1e-40, "huge": 1e30, "signed": -7.0}.get(fill, 1.0)
        real = unit * scale
        if fill == "near":
            real = 1.0 - unit * 1e-15
        if fill in ("nan", "inf"):
            real = real.copy()
            real.flat[int(rng.integers(real.size))] = np.nan if fill == "nan" else -np.inf
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return real.astype(dtype)
    if dtype.kind == "b":
        return unit > 0.5
    return np.rint(unit * np.iinfo(dtype).max).astype(dtype)


def _layout(image: npt.NDArray[Any], layout: str) -> npt.NDArray[Any]:
    if layout == "fortran":
        return np.asfortranarray(image)
    if layout == "reversed":
        return np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1]
    if layout == "step":
        return np.repeat(image, 2, axis=1)[:, ::2]
    if layout == "first" and image.ndim == 3:
        return np.moveaxis(image, -1, 0)
    if layout == "broadcast":
        return np.broadcast_to(image[:1], image.shape)
    if layout == "readonly":
        image.setflags(write=False)
    if layout == "offset":  # not aligned to the size of an element
        raw = np.empty(image.nbytes + 1, np.uint8)
        moved = raw[1:].view(image.dtype).reshape(image.shape)
        moved[...] = image
        return moved
    return image


def judge(d: Description) -> str:
    """Run core and reference; returns what kind of problem it was, and raises where they differ.

    Either both segment alike to the bit, or both refuse with the same text. The input must not change.
    """
    image, options = build(d)
    before = image.copy()
    expected, actual = _outcome(image, options, None), _outcome(image, options, d["threads"] or 0)
    np.testing.assert_array_equal(image, before, err_msg="the input was changed")
    assert_agree(expected, actual)
    if isinstance(expected, str):
        return f"refused: {expected.split(',')[0][:60]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        short = fastpgs.segment(
            image, num_threads=d["threads"], **options
        )  # no masks wanted: the shortest way
    np.testing.assert_array_equal(short, expected.labels)
    empty = "empty" if expected.empty.size else ""
    return " ".join(
        filter(
            None,
            (
                d["features"],
                str(actual.problem.image.dtype),
                empty,
                "" if actual.core.converged else "moving",
            ),
        )
    )


def assert_agree(expected: Any, actual: Any) -> None:
    """The reference's result and the core's are equal to the bit, or both are the text of one error."""
    if isinstance(expected, str) or isinstance(actual, str):
        assert expected == actual, f"reference: {expected!r}, core: {actual!r}"
        return
    core, problem = actual.core, actual.problem
    np.testing.assert_array_equal(actual.labels, expected.labels)
    np.testing.assert_array_equal(
        core.clusters.astype(bool).reshape(expected.clusters.shape), expected.clusters
    )
    assert [divmod(p, problem.shape[1]) for p in core.pivots] == [tuple(p) for p in expected.pivot_points]
    assert core.inertia / problem.unit2 == expected.inertia
    assert (core.n_iter, core.converged) == (expected.n_iter, expected.converged)
    assert (np.flatnonzero(core.empty) + 1).tolist() == expected.empty.tolist()


def _outcome(image: npt.NDArray[Any], options: dict[str, Any], threads: int | None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            problem = _problem.prepare(image, **options)
            if threads is None:
                return reference.fit(problem)
            return segmentation.solve(problem, threads or None, clusters=True)
        except ValueError as error:
            return str(error)
