"""fastpgs.segment and its estimator: agreement with the NumPy reference, and what SPEC promises of results."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import fastpgs
from fastpgs import _problem, reference, segmentation, synth
from fuzzing import assert_agree
from strategies import problems

THREADS = (1, 2, 7)
PATHS = ("baseline", "avx2", "avx512")


def smear(height: int = 90, width: int = 101, seed: int = 0) -> np.ndarray[Any, Any]:
    """A noisy three-tone picture with uneven light."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:height, :width]
    image = np.full((height, width, 3), (228.0, 214.0, 222.0))
    for row, col, radius, colour in (
        (30, 40, 22, (205, 150, 165)),
        (33, 42, 13, (96, 40, 130)),
        (70, 80, 12, (80, 30, 120)),
    ):
        image[(rows - row) ** 2 + (cols - col) ** 2 < radius**2] = colour
    image += rng.normal(0, 6, image.shape) + 8.0 * (cols / width)[..., None]
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def fit_both(image: Any, threads: int | None = None, **options: Any) -> tuple[Any, Any]:
    """Fit the reference and the core; errors come back as their texts."""
    results: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for look, fit in (
            (True, reference.fit),
            (False, lambda p: segmentation.solve(p, threads, clusters=True)),
        ):
            try:
                results.append(fit(_problem.prepare(image, look=look, **options)))
            except ValueError as error:
                results.append(str(error))
    return results[0], results[1]


# --- agreement to the bit ------------------------------------------------------------------------------


@given(problems())
@settings(max_examples=300)
def test_core_equals_reference(problem: tuple[Any, dict[str, Any]]) -> None:
    image, options = problem
    before = image.copy()
    expected, actual = fit_both(image, **options)
    assert_agree(expected, actual)
    if not isinstance(expected, str):  # without masks, the core takes its shortest way
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_array_equal(fastpgs.segment(image, **options), expected.labels)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 70001), (70001, 1), (257, 263), (130, 127)])
@pytest.mark.parametrize(
    "options", [{}, {"features": "rgb", "k": 5}, {"spatial_weight": 0.3}, {"features": "gray"}]
)
def test_threads_and_awkward_sizes(threads: int, shape: tuple[int, int], options: dict[str, Any]) -> None:
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    options = {"k": 1} if shape == (1, 1) else {"max_iter": 6, **options}
    assert_agree(*fit_both(image, threads, **options))


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e8, -1e12])
def test_reals_far_from_zero(offset: float) -> None:
    # Boxes of such values are rounded far more coarsely than the values differ.
    rng = np.random.default_rng(11)
    for shape in [(1, 7), (40, 50)]:
        image = offset + rng.normal(0.0, 0.01 * max(1.0, abs(offset) * 1e-12), (*shape, 2))
        assert_agree(*fit_both(image, features="raw", seed=1))


def _few_places(case: str) -> np.ndarray[Any, Any]:
    """Reals that a grid over their range tells apart badly, or not at all."""
    rng = np.random.default_rng(12)
    image = rng.normal(0.0, 1.0, (37, 50, 7 if case == "channels" else 3))
    image[:, :20] += 4.0
    if case == "outlier":
        image[5, 5] = 1e9  # everything else shares a place
    elif case == "tiny":
        image *= 1e-140  # squares of differences are near the least numbers
    elif case == "huge":
        image *= 1e98
    elif case == "ties":
        image = np.rint(image)
    return np.asarray(image)


@pytest.mark.parametrize("case", ["outlier", "tiny", "huge", "ties", "channels"])
@pytest.mark.parametrize("options", [{}, {"threshold": 30.0}, {"update": "mean"}, {"spatial_weight": 0.1}])
def test_reals_that_a_grid_hardly_tells_apart(case: str, options: dict[str, Any]) -> None:
    assert_agree(*fit_both(_few_places(case), features="raw", k=4, seed=1, max_iter=8, **options))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"features": "rgb"},
        {"features": "rgb", "k": 6},
        {"features": "rgb", "metric": "mahalanobis"},
        {"spatial_weight": 0.3},
        {"threshold": 300.0},
    ],
)
def test_threads_on_an_image_that_is_worth_them(options: dict[str, Any]) -> None:
    image = np.tile(smear(), (6, 7, 1))  # enough pixels for several threads, few enough colours for a palette
    noise = np.random.default_rng(1).integers(0, 256, (540, 700, 3), dtype=np.uint8)  # too many colours
    for picture in (image, noise):
        labels = [
            fastpgs.segment(picture, num_threads=threads, max_iter=40, **options) for threads in THREADS
        ]
        for other in labels[1:]:
            np.testing.assert_array_equal(other, labels[0])
    np.testing.assert_array_equal(
        fastpgs.segment(image, num_threads=3, **options), reference.segment(image, **options)
    )


def _few_suggest_otherwise(case: str) -> tuple[np.ndarray[Any, Any], str]:
    """Reals, and their features, whose extent the thousand pixels that the core reads first do not tell."""
    height, width = 101, 230
    image = np.tile(smear(height, width) / 255.0, (2, 2, 1)) + np.random.default_rng(4).normal(0, 1e-3)
    image = np.clip(image, 0.01, 0.99).astype(np.float32)
    rows, cols = {"block": (40, 41), "beside": (40, 458), "below": (201, 30)}.get(case, (101, 203))
    if case == "grain":  # sums are rounded by another power of two
        image *= np.float32(0.125 / image.max())
        image[rows, cols] = 0.126
    elif case == "far":
        image[rows, cols] = (-1e6, 3.0, 1e3)
        return image, "raw"
    else:
        image[20:, :300] = image[20:, :300] * np.float32(0.1) + np.float32(0.3)
        image[:20] = image[:, 300:] = 0.35
        image[rows, cols] = (0.0, 1.0, 0.9)
    return image, "rgb"


@pytest.mark.parametrize("case", ["block", "beside", "below", "grain", "far"])
@pytest.mark.parametrize("options", [{}, {"spatial_weight": 0.002}, {"threshold": 500.0}, {"update": "mean"}])
def test_reals_that_lie_beyond_what_a_few_suggest(case: str, options: dict[str, Any]) -> None:
    image, features = _few_suggest_otherwise(case)
    for threads in THREADS:
        assert_agree(*fit_both(image, threads, features=features, seed=2, max_iter=6, **options))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1e-7, 1.0000001, 1e30])
@pytest.mark.parametrize("place", [(0, 0, 0), (40, 41, 2), (90, 100, 1), (3, 100, 2), (90, 4, 0)])
def test_values_that_the_core_finds_on_its_way(bad: float, place: tuple[int, int, int]) -> None:
    """In blocks, beside and below them; by the messages of the checks that look first."""
    noise = np.random.default_rng(1).random((91, 101, 3)) / 99
    sound = (smear(91, 101) / 255.0 * 0.9 + 0.05 + noise).astype(np.float32)
    image = sound.copy()
    image[place] = bad
    message = "must be in \\[0, 1\\]" if np.isfinite(bad) else "must be finite, got"
    for options in ({}, {"k": 40}, {"init": np.array([[0, 1], [5, 5], [9, 9]])}):
        with pytest.raises(ValueError, match=message):
            fastpgs.segment(image, features="rgb", num_threads=2, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"image 1: .*{message}"):
        fastpgs.segment_batch([sound, image], features="rgb")
    if np.isfinite(bad):
        assert_agree(*fit_both(image, features="raw", k=3, max_iter=4))
    else:
        with pytest.raises(ValueError, match=message):
            fastpgs.segment(image, features="raw")


def test_every_simd_path_agrees(tmp_path: Path) -> None:
    """In processes of their own, since the path is chosen once a process."""
    image = np.tile(smear(), (3, 3, 1))  # large enough for colours to be counted
    real = np.clip(image / 255.0 + np.random.default_rng(5).normal(0, 1e-3, image.shape), 0, 1).astype(
        np.float32
    )
    np.savez(tmp_path / "images.npz", image, real)
    options = [
        {},
        {"features": "rgb", "k": 6},
        {"spatial_weight": 0.5},
        {"metric": "mahalanobis"},
        {"metric": "mahalanobis", "features": "rgb", "k": 5},
        {"features": "gray"},
        {"features": "rgb"},
        {"features": "rgb", "spatial_weight": 0.5},
        {"features": "raw", "threshold": 0.05},
    ]
    code = (
        "import sys, numpy as np, fastpgs\n"
        "images = np.load(sys.argv[1] + '/images.npz')\n"
        f"options = {options!r}\n"
        "labels = [fastpgs.segment(images[name], **o) for name in images for o in options]\n"
        "np.save(sys.argv[1] + '/' + fastpgs.build_info()['simd'], np.stack(labels))\n"
    )
    expected = np.stack([reference.segment(picture, **o) for picture in (image, real) for o in options])
    seen = set()
    for path in PATHS:
        env = {**os.environ, "FASTPGS_SIMD": path}
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=env)
    for path in PATHS:
        file = tmp_path / f"{path}.npy"
        if file.exists():
            seen.add(path)
            np.testing.assert_array_equal(np.load(file), expected)
    assert "baseline" in seen


def test_real_images(shared_data: Path) -> None:
    image_module = pytest.importorskip("PIL.Image")
    for name in ("wbc/d1/002.bmp", "wbc/d2/004.bmp", "all4/Pro/WBC-Malignant-Pro-001.jpg"):
        image = np.asarray(image_module.open(shared_data / name).convert("RGB"))
        for options in ({}, {"features": "rgb", "k": 4}, {"threshold": 400.0, "connectivity": 1}):
            assert_agree(*fit_both(image, **options))


# --- what the method promises --------------------------------------------------------------------------


@pytest.mark.parametrize("features", ["lab", "rgb", "gray"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_float_image_of_levels_gives_the_same_labels(features: Any, dtype: Any) -> None:
    image = smear().astype(dtype)
    top = 1
    if dtype == np.uint16:
        image, top = image * np.uint16(251), 65535
    top = np.iinfo(dtype).max
    for real in (np.float32, np.float64):
        for floating in (image / real(top), image * (real(1) / real(top))):
            labels = fastpgs.segment(floating.astype(real), features=features, threshold=900.0)
            np.testing.assert_array_equal(labels, fastpgs.segment(image, features=features, threshold=900.0))


def test_units_do_not_depend_on_dtype() -> None:
    image = smear()
    wide = image.astype(np.uint16) * np.uint16(257)
    for features in ("rgb", "lab"):
        narrow_model = fastpgs.PivotGrowingSegmentation(features=features, threshold=300.0).fit(image)
        wide_model = fastpgs.PivotGrowingSegmentation(features=features, threshold=300.0).fit(wide)
        np.testing.assert_array_equal(narrow_model.labels_, wide_model.labels_)
        np.testing.assert_allclose(narrow_model.pivot_features_, wide_model.pivot_features_)
        assert narrow_model.inertia_ == pytest.approx(wide_model.inertia_)


def test_labels_ascend_with_luminance() -> None:
    image = smear()
    for seed in range(8):
        model = fastpgs.PivotGrowingSegmentation(4, seed=seed, init="random").fit(image)
        light = [float(image[tuple(p)] @ (0.2125, 0.7154, 0.0721)) for p in model.pivot_points_]
        assert light == sorted(light)


def test_pivots_are_medoids() -> None:
    """Eq. 5 by brute force: no member has a smaller sum of squared distances to its cluster."""
    image = smear(30, 31)
    model = fastpgs.PivotGrowingSegmentation(3, features="rgb").fit(image)
    assert model.converged_
    points = image.reshape(-1, 3).astype(np.int64)
    labels = model.labels_.ravel()
    for label, (row, col) in enumerate(model.pivot_points_, start=1):
        members = np.flatnonzero(labels == label)
        cost = ((points[members, None] - points[None, members]) ** 2).sum(axis=(1, 2))
        assert members[np.argmin(cost)] == row * image.shape[1] + col


def test_objective_never_increases() -> None:
    image = smear()
    for features in ("lab", "rgb"):
        trace = []
        for max_iter in range(1, 12):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", fastpgs.ConvergenceWarning)
                model = fastpgs.PivotGrowingSegmentation(
                    4, max_iter, features=features, init="random", seed=3
                ).fit(image)
            trace.append(model.inertia_)
        assert all(a >= b for a, b in itertools.pairwise(trace)), trace


def test_default_start_is_near_the_best() -> None:
    """Over seeds the objective is, on average, within 1 % of the best of fifty starts."""
    image = synth.smear((384, 384), seed=3).image[::6, ::6].copy()
    for k in (3, 5, 8):
        best = fastpgs.PivotGrowingSegmentation(k, n_init=50).fit(image).inertia_
        found = [fastpgs.PivotGrowingSegmentation(k, seed=seed).fit(image).inertia_ for seed in range(12)]
        assert np.mean(found) <= 1.01 * best


@pytest.mark.parametrize("colours", [4, 5])
def test_default_start_with_hardly_more_colours_than_pivots(colours: int) -> None:
    """A swap must not make two pivots alike, nor lose a colour that only one pixel has."""
    image = np.zeros((70, 80, 3), np.uint8)
    image[:, 40:] = 200
    for i in range(2, colours):
        image[10 * i, 5 * i] = (40 * i, 20, 90)
    for seed in range(5):
        labels = fastpgs.segment(image, 4, seed=seed)
        assert set(np.unique(labels)) == {1, 2, 3, 4}
        np.testing.assert_array_equal(labels, reference.segment(image, 4, seed=seed))


def test_more_starts_are_never_worse() -> None:
    image = smear()
    one = fastpgs.PivotGrowingSegmentation(5, init="random", seed=1).fit(image).inertia_
    many = fastpgs.PivotGrowingSegmentation(5, init="random", seed=1, n_init=10).fit(image).inertia_
    assert many <= one


def test_connected_growth_stays_with_the_pivot() -> None:
    image = np.full((9, 20), 200, dtype=np.uint8)
    image[3:6, 2:5] = 20
    image[3:6, 10:14] = 20  # larger and apart; the pivot is the earliest of equal pixels, in the left one
    labels = fastpgs.segment(image, k=2, features="gray", connectivity=1)
    left, right = labels[4, 3], labels[4, 11]
    assert left == 1
    assert right == 1  # with no limit every pivot reaches everything that neighbours join
    limited = fastpgs.segment(image, k=2, features="gray", connectivity=1, threshold=100.0)
    assert limited[4, 3] == 1
    assert limited[4, 11] == 0


def test_diagonal_neighbours_need_connectivity_2() -> None:
    image = np.full((4, 4), 200, dtype=np.uint8)
    image[0, 0] = image[1, 1] = 10
    options = {"k": 2, "features": "gray", "threshold": 50.0}
    assert fastpgs.segment(image, connectivity=1, **options)[1, 1] == 0
    assert fastpgs.segment(image, connectivity=2, **options)[1, 1] == 1


def test_masked_pixels_influence_nothing() -> None:
    image = smear()
    mask = np.zeros(image.shape[:2], dtype=bool)
    mask[10:60, 20:90] = True
    other = image.copy()
    other[~mask] = 7
    labels = fastpgs.segment(image, mask=mask)
    assert (labels[~mask] == 0).all()
    assert (labels[mask] > 0).all()
    np.testing.assert_array_equal(labels, fastpgs.segment(other, mask=mask))


def test_nan_outside_the_mask_is_nobodys_business() -> None:
    image = smear() / 255.0
    mask = np.ones(image.shape[:2], dtype=bool)
    mask[:5] = False
    expected = fastpgs.segment(image, mask=mask)
    image[:5] = np.nan
    np.testing.assert_array_equal(fastpgs.segment(image, mask=mask), expected)


def test_empty_cluster_is_reported() -> None:
    image = np.array([[10, 10, 90, 200]], dtype=np.uint8)
    with pytest.warns(fastpgs.EmptyClusterWarning, match=r"labels \[2\]"):
        fastpgs.segment(image, k=3, features="gray", init=[[0, 0], [0, 1], [0, 3]])


def test_not_converging_is_reported() -> None:
    with pytest.warns(fastpgs.ConvergenceWarning, match="max_iter=1"):
        fastpgs.segment(smear(), k=5, max_iter=1, init="random")


def test_mean_update_within_threshold_is_the_pseudo_code() -> None:
    image = np.array([[10, 12, 14, 30, 200, 202]], dtype=np.uint8)
    model = fastpgs.PivotGrowingSegmentation(
        2, threshold=20.0, features="gray", update="mean", init=[[0, 1], [0, 4]]
    ).fit(image)
    # 10, 12 and 14 are within sqrt(20) of 12; 30 is not.
    np.testing.assert_allclose(model.pivot_features_.ravel(), [12.0, 201.0])
    assert model.labels_.tolist() == [[1, 1, 1, 0, 2, 2]]


# --- estimator, batch, threads -------------------------------------------------------------------------


def test_estimator_protocol() -> None:
    model = fastpgs.PivotGrowingSegmentation(4, 50, 900.0, features="rgb")
    assert model.get_params()["k_clusters"] == 4
    assert (
        repr(model)
        == "PivotGrowingSegmentation(k_clusters=4, max_iterations=50, threshold=900.0, features='rgb')"
    )
    with pytest.raises(ValueError, match="'k'"):
        model.set_params(k=3)
    with pytest.raises(AttributeError, match="fit"):
        model.predict(smear())
    image = smear()
    labels = model.fit_predict(image)
    np.testing.assert_array_equal(model.predict(image), labels)
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(restored.predict(image), labels)
    np.testing.assert_array_equal(model.labels_, fastpgs.segment(image, 4, threshold=900.0, features="rgb"))


@pytest.mark.parametrize("options", [{"metric": "mahalanobis"}, {"spatial_weight": 0.4}, {"update": "mean"}])
def test_predict_repeats_the_fit(options: dict[str, Any]) -> None:
    image = smear()
    model = fastpgs.PivotGrowingSegmentation(3, **options).fit(image)
    assert (model.predict(image) == model.labels_).mean() > 0.999


def test_batch_equals_single() -> None:
    images = [smear(seed=0), smear(40, 50, seed=1).astype(np.uint16) * np.uint16(257), smear(seed=2) / 255.0]
    for options in ({}, {"metric": "mahalanobis", "k": 4}, {"spatial_weight": 0.2}):
        for threads in THREADS:
            for got, image in zip(
                fastpgs.segment_batch(images, num_threads=threads, **options), images, strict=True
            ):
                np.testing.assert_array_equal(got, fastpgs.segment(image, **options))
    assert fastpgs.segment_batch([]) == []
    with pytest.raises(ValueError, match="image 1: image must be finite"):
        fastpgs.segment_batch([images[2], images[2] * np.nan])
    with pytest.raises(TypeError, match="colour"):
        fastpgs.segment_batch(images, colour="lab")


def test_batch_masks() -> None:
    images = [smear(seed=0), smear(seed=1)]
    mask = np.ones(images[0].shape[:2], dtype=bool)
    mask[:20] = False
    for got, one in zip(fastpgs.segment_batch(images, mask=[None, mask]), (None, mask), strict=True):
        np.testing.assert_array_equal(got, fastpgs.segment(images[0 if one is None else 1], mask=one))
    both = fastpgs.segment_batch(images, mask=mask)
    np.testing.assert_array_equal(both[1], fastpgs.segment(images[1], mask=mask))
    with pytest.raises(ValueError, match="2 images, got 1"):
        fastpgs.segment_batch(images, mask=[mask])


def test_python_threads_share_nothing() -> None:
    images = [smear(seed=s) for s in range(16)]
    expected = [fastpgs.segment(image, num_threads=1) for image in images]
    got: list[Any] = [None] * 16

    def work(i: int) -> None:
        got[i] = fastpgs.segment(images[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(expected, got, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_after_threads_does_not_hang() -> None:
    code = (
        "import multiprocessing, numpy as np, fastpgs\n"
        "image = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)\n"
        "expected = fastpgs.segment(image, num_threads=4)\n"
        "def child(_):\n"
        "    return bool((fastpgs.segment(image, num_threads=4) == expected).all())\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    assert all(pool.map(child, range(6)))\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)
