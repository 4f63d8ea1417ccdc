"""Whatever the public functions are given: a result that keeps its promise, or one clear refusal; no changed input."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fastpgs

pytest.importorskip("torch")
from fastpgs.inference.classifier import BlastClassifier
from fastpgs.inference.files import ModelError
from fastpgs.io.images import ImageReadError, decode, read_image
from mutants import MUTATIONS, encodings
from standin import StandIn, picture

DTYPES = (
    "bool",
    "u1",
    "i1",
    ">u2",
    "u2",
    "i4",
    "u8",
    "f2",
    "f4",
    ">f8",
    "f8",
    "c8",
    "S3",
    "U2",
    "M8[s]",
    "O",
)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Arrays of every kind, shape and stride, most of them no image."""
    shape = draw(
        st.one_of(
            st.tuples(st.integers(1, 14), st.integers(1, 14)),
            st.tuples(st.integers(1, 14), st.integers(1, 14), st.sampled_from((1, 3, 3, 4, 2, 0))),
            hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
        )
    )
    dtype = np.dtype(draw(st.sampled_from((*DTYPES, "u1", "u1", "u1", "f4", "f8"))))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    if dtype.kind == "f":
        array = rng.random(shape)
        if array.size and draw(st.booleans()):
            array.flat[0] = draw(st.sampled_from((np.nan, np.inf, -1.0, 1e300, 5e-324)))
        with np.errstate(over="ignore"):
            array = array.astype(dtype)
    else:
        array = rng.integers(0, draw(st.sampled_from((2, 5, 128))), shape).astype(dtype)
    layout = draw(st.sampled_from(("c", "c", "fortran", "reversed", "step", "readonly")))
    if layout == "fortran":
        array = np.asfortranarray(array)
    elif layout == "reversed":
        array = array[(slice(None, None, -1),) * array.ndim]
    elif layout == "step" and array.ndim:
        array = np.repeat(array, 2, axis=0)[::2]
    elif layout == "readonly":
        array.setflags(write=False)
    return array


NONSENSE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.floats(width=32),
    st.text(max_size=4),
    st.lists(st.integers(0, 9), max_size=3),
    st.just({}),
    st.just(object),
    arrays(),
)
OPTIONS = {
    "k": st.integers(1, 4),
    "threshold": st.sampled_from((0.0, 5.0, 1e9)),
    "features": st.sampled_from(("lab", "rgb", "gray", "xy", "raw")),
    "metric": st.sampled_from(("sqeuclidean", "mahalanobis")),
    "update": st.sampled_from(("medoid", "mean")),
    "connectivity": st.sampled_from((1, 2)),
    "init": st.just("random"),
    "n_init": st.integers(1, 2),
    "max_iter": st.integers(1, 9),
    "tol": st.just(0.5),
    "spatial_weight": st.just(0.5),
    "mask": arrays(),
    "channel_axis": st.sampled_from((-1, 0, None)),
    "seed": st.integers(0, 9),
    "num_threads": st.integers(1, 3),
}


def some(names: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """A few of these options, one of which may be nonsense."""
    sound = st.fixed_dictionaries({}, optional=names)
    odd = st.sampled_from(sorted(names)).flatmap(lambda name: st.fixed_dictionaries({name: NONSENSE}))
    return st.one_of(st.just({}), sound, odd, st.builds(lambda a, b: a | b, sound, odd))


def told(error: Exception) -> None:
    """A refusal says something."""
    assert len(str(error)) > 8, repr(error)


def outcome(call: Any, *given_: Any, **options: Any) -> Any:
    """What comes of it: the result, or None for a refusal in words. The arguments must not change."""
    held = [one for one in (*given_, *options.values()) if isinstance(one, np.ndarray)]
    before = [(one.tobytes() if one.dtype != object else one.tolist(), one.flags.writeable) for one in held]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = call(*given_, **options)
    except (ValueError, TypeError) as error:
        result = told(error)
    after = [(one.tobytes() if one.dtype != object else one.tolist(), one.flags.writeable) for one in held]
    assert after == before, "an argument was changed"
    return result


def sides(image: Any, axis: Any = -1) -> tuple[int, ...]:
    """Height and width."""
    shape = np.shape(image)
    return shape if len(shape) == 2 else tuple(np.delete(shape, axis))


@settings(max_examples=150)
@given(image=st.one_of(arrays(), arrays(), NONSENSE), options=some(OPTIONS))
def test_segment(image: Any, options: dict[str, Any]) -> None:
    labels = outcome(fastpgs.segment, image, **options)
    if labels is not None:
        assert labels.dtype == np.int32
        assert labels.shape == sides(image, options.get("channel_axis", -1))
        assert 0 <= labels.min() <= labels.max() <= options.get("k", 3)


@settings(max_examples=60)
@given(
    images=st.one_of(st.lists(st.one_of(arrays(), NONSENSE), max_size=3), arrays(), NONSENSE),
    options=some(OPTIONS),
)
def test_segment_batch(images: Any, options: dict[str, Any]) -> None:
    found = outcome(fastpgs.segment_batch, images, **options)
    if found is not None:
        assert len(found) == len(images)
        assert all(labels.dtype == np.int32 for labels in found)


ESTIMATOR = {{"k": "k_clusters", "max_iter": "max_iterations"}.get(k, k): v for k, v in OPTIONS.items()}
del ESTIMATOR["mask"], ESTIMATOR["channel_axis"]


@settings(max_examples=80)
@given(image=st.one_of(arrays(), arrays(), NONSENSE), options=some(ESTIMATOR))
def test_estimator(image: Any, options: dict[str, Any]) -> None:
    labels = outcome(lambda image: fastpgs.PivotGrowingSegmentation(**options).fit_predict(image), image)
    assert labels is None or (labels.dtype == np.int32 and labels.shape == sides(image))


@settings(max_examples=60)
@given(image=arrays(), other=st.one_of(arrays(), NONSENSE))
def test_predict(image: Any, other: Any) -> None:
    model = fastpgs.PivotGrowingSegmentation()
    assert outcome(model.predict, other) is None  # not fitted yet
    if outcome(model.fit, image) is not None:
        labels = outcome(model.predict, other)
        assert labels is None or labels.dtype == np.int32


@settings(max_examples=80)
@given(
    image=st.one_of(arrays(), arrays(), NONSENSE),
    options=some(
        {
            "k": st.integers(2, 9),
            "neck": st.just(0.5),
            "pixel_size": st.just(0.3),
            "mask": arrays(),
            "seed": st.integers(0, 9),
            "num_threads": st.integers(1, 3),
        }
    ),
)
def test_find_cells(image: Any, options: dict[str, Any]) -> None:
    cells = outcome(fastpgs.find_cells, image, **options)
    if cells is not None:
        assert cells.labels.dtype == cells.nuclei.dtype == np.int32
        assert cells.labels.shape == cells.nuclei.shape == np.shape(image)[:2]
        assert set(np.unique(cells.labels)) - {0} == set(range(1, len(cells) + 1))


CELLS = fastpgs.find_cells(picture(0))


@settings(max_examples=80)
@given(
    image=st.one_of(arrays(), st.just(picture(0)), NONSENSE),
    cells=st.one_of(st.just(CELLS), st.just(CELLS), NONSENSE),
    size=st.one_of(st.integers(-1, 90), NONSENSE),
)
def test_crop_cells(image: Any, cells: Any, size: Any) -> None:
    crops = outcome(fastpgs.crop_cells, image, cells, size)
    if crops is not None:
        assert crops.shape == (len(cells), size, size, *np.shape(image)[2:])
        assert crops.dtype == image.dtype


@settings(max_examples=40)
@given(images=st.lists(arrays(), min_size=1, max_size=4))
def test_classify(images: list[Any]) -> None:
    """Of a list of arrays each is one row, whatever it is."""
    result = outcome(fastpgs.classify, images, StandIn())
    assert result is not None
    rows = result.images.to_pylist()
    assert len(rows) == len(images)
    for row in rows:
        assert (row["error"] is None) == (row["status"] == "ok") == (row["call"] is not None)


@settings(max_examples=20)
@given(inputs=NONSENSE)
def test_classify_what_is_no_input(inputs: Any) -> None:
    try:
        result = outcome(fastpgs.classify, inputs, StandIn())
    except FileNotFoundError as error:
        told(error)
        return
    assert result is None or all(
        row["status"] in ("ok", "failed", "refused") for row in result.images.to_pylist()
    )


@pytest.fixture(scope="module")
def model() -> BlastClassifier:
    return fastpgs.load_model(device="cpu")


@settings(max_examples=60)
@given(value=st.one_of(arrays(), NONSENSE))
def test_methods_of_a_model(model: BlastClassifier, value: Any) -> None:
    p = outcome(model.predict_proba, value)
    assert p is None or (p.dtype == np.float32 and p.shape == (len(value),))
    assert p is None or not p.size or 0 <= p.min() <= p.max() <= 1
    calls = outcome(model.call, value)
    assert calls is None or set(np.unique(calls)) <= {"blast", "normal", "uncertain"}
    pooled = outcome(model.pool, value)
    assert pooled is None or np.isnan(pooled) or 0 <= pooled <= 1
    cells = outcome(model.find_cells, value)
    if cells is not None:
        assert outcome(model.crops, value, cells) is not None


@settings(max_examples=40)
@given(
    name=NONSENSE,
    content=st.binary(max_size=200),
    suffix=st.sampled_from((".ts", ".pt2", ".onnx", ".pt", "")),
)
def test_load_model(tmp_path_factory: pytest.TempPathFactory, name: Any, content: bytes, suffix: str) -> None:
    path = tmp_path_factory.mktemp("models") / f"m{suffix}"
    path.write_bytes(content)
    for where in (path, path if isinstance(name, str) else name):
        with pytest.raises((ModelError, ValueError, TypeError, FileNotFoundError)) as caught:
            fastpgs.load_model(where, "cpu", trust=True)
        assert len(str(caught.value)) > 8


CODED = encodings(picture(0))


@settings(max_examples=120, derandomize=True)  # decoders are others' code: the same files each time
@given(
    kind=st.sampled_from(sorted(CODED)),
    mutation=st.sampled_from(sorted(MUTATIONS)),
    rng=st.randoms(use_true_random=False),
)
def test_decode(kind: str, mutation: str, rng: Any) -> None:
    data = MUTATIONS[mutation](CODED[kind], rng)
    try:
        pixels = decode(data, kind, max_pixels=10**6).pixels
    except ImageReadError as error:
        told(error)
        return
    assert pixels.dtype in (np.uint8, np.uint16)
    assert pixels.ndim == 2 or pixels.shape[2] == 3
    assert 0 < pixels.shape[0] * pixels.shape[1] <= 10**6


def test_samples_of_a_pixel_are_no_bomb() -> None:
    """The limit of pixels says nothing of what each holds."""
    import tifffile

    data = bytearray(CODED["lzw.tif"])
    with tifffile.TiffFile(BytesIO(bytes(data))) as tiff:
        at = tiff.pages[0].tags["SamplesPerPixel"].valueoffset
    data[at : at + 2] = b"\xff\xff"
    with pytest.raises(ImageReadError, match="samples a pixel, got 65535"):
        decode(bytes(data), "lzw.tif")


@settings(max_examples=20)
@given(path=NONSENSE)
def test_read_image(path: Any) -> None:
    with pytest.raises((ImageReadError, ValueError, TypeError)):
        read_image(path)


def test_every_public_name_is_tried() -> None:
    """What is added to the package's names needs a test here."""
    here = Path(__file__).read_text(encoding="utf-8")
    told = {
        "Cells",
        "Result",
        "ConvergenceWarning",
        "EmptyClusterWarning",
        "__version__",
        "build_info",
        "reference",
    }
    untried = {name for name in fastpgs.__all__ if name not in told and f"fastpgs.{name}" not in here}
    assert untried == {"BlastClassifier"}, untried  # by its methods
