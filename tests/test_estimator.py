"""The manners of scikit-learn and scikit-image, and arrays of other libraries."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import fastpgs
from fastpgs import PivotGrowingSegmentation


def smear(dtype: npt.DTypeLike = np.uint8) -> npt.NDArray[Any]:
    image = np.full((24, 36, 3), (235, 225, 230), dtype=np.uint8)
    image[3:15, 5:20] = (210, 150, 160)
    image[6:12, 9:15] = (90, 30, 120)
    image[17:23, 25:34] = (95, 35, 118)
    return image.astype(dtype)


REFUSED = "refused with a ValueError that names the expected and the actual value, in other words"
NOT_SAMPLES = "X is one image whose rows are no samples: another image may have another width"
EXPECTED = {
    "check_n_features_in": NOT_SAMPLES,
    "check_n_features_in_after_fitting": NOT_SAMPLES,
    "check_transformer_general": f"{NOT_SAMPLES}, so transform accepts it",
    "check_estimators_dtypes": "pixels are uint8, uint16, float32 or float64; others are never cast silently",
    "check_dtype_object": "as check_estimators_dtypes",
    "check_complex_data": REFUSED,
    "check_estimators_empty_data_messages": REFUSED,
    "check_fit2d_predict1d": REFUSED,
}
"""scikit-learn's checks that make no sense for an image, and why; every other one passes."""


def test_estimator_checks() -> None:
    pytest.importorskip("sklearn", minversion="1.6")
    from sklearn.utils.estimator_checks import check_estimator

    # A grey image of any numbers is what scikit-learn's tables look like.
    model = PivotGrowingSegmentation(k_clusters=2, features="raw", channel_axis=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of checks that were expected to fail, and of no BaseEstimator
        results = check_estimator(model, expected_failed_checks=EXPECTED, on_skip=None)
    assert {r["check_name"] for r in results if r["status"] == "xfail"} == set(EXPECTED)
    assert sum(r["status"] == "passed" for r in results) >= 30


def test_parameters_need_no_sklearn() -> None:
    code = (
        "import sys, fastpgs, pickle\n"
        "import numpy as np\n"
        "m = fastpgs.PivotGrowingSegmentation(2).set_params(features='gray').set_output(transform='default')\n"
        "assert m.get_params()['features'] == 'gray'\n"
        "image = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)\n"
        "try: m.transform(image)\n"
        "except (ValueError) as error: assert isinstance(error, AttributeError), error\n"
        "else: raise SystemExit('not refused')\n"
        "a = m.fit_transform(image); b = pickle.loads(pickle.dumps(m)).transform(image)\n"
        "assert (a == b).all() and type(a) is np.ndarray\n"
        "assert not {'sklearn', 'pandas', 'polars'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_clone_and_pipeline() -> None:
    sklearn_base = pytest.importorskip("sklearn.base")
    from sklearn.exceptions import NotFittedError
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    model = PivotGrowingSegmentation(3, threshold=900.0, seed=4)
    twin = sklearn_base.clone(model.fit(smear()))
    assert twin.get_params() == model.get_params()
    assert not hasattr(twin, "labels_")
    with pytest.raises(NotFittedError, match="fit"):
        twin.predict(smear())
    steps = make_pipeline(FunctionTransformer(lambda image: image[..., ::-1]), model)
    labels = steps.fit_transform(smear())
    np.testing.assert_array_equal(labels, fastpgs.segment(smear()[..., ::-1], threshold=900.0, seed=4))
    np.testing.assert_array_equal(steps.transform(smear()), labels)
    mask = np.zeros((24, 36), bool)
    mask[:16] = True
    steps.fit(smear(), pivotgrowingsegmentation__mask=mask)
    assert not steps[-1].labels_[16:].any()


def test_set_output() -> None:
    pandas = pytest.importorskip("pandas")
    sklearn = pytest.importorskip("sklearn")
    image = smear()[..., 1]
    model = PivotGrowingSegmentation(3, channel_axis=None)
    labels = model.fit_transform(image)
    assert type(labels) is np.ndarray
    frame = sklearn.base.clone(model).set_output(transform="pandas").fit_transform(image)
    assert list(frame.columns[:2]) == ["column0", "column1"]
    assert list(frame.columns) == list(model.get_feature_names_out())
    np.testing.assert_array_equal(frame.to_numpy(), labels)
    given = pandas.DataFrame(image, index=[f"row{i}" for i in range(24)])
    assert list(model.set_output(transform="pandas").transform(given).index[:1]) == ["row0"]
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(PivotGrowingSegmentation(3).fit_transform(image), pandas.DataFrame)
    with pytest.raises(ValueError, match="'xarray'"):
        model.set_output(transform="xarray")


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_keeps_what_was_fitted(protocol: int) -> None:
    model = PivotGrowingSegmentation(3, metric="mahalanobis", spatial_weight=0.1).fit(smear())
    again = pickle.loads(pickle.dumps(model, protocol))
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.clusters_, model.clusters_)
    np.testing.assert_array_equal(again.predict(smear()), model.predict(smear()))


# --- scikit-image ------------------------------------------------------------------------------------------


def test_labels_go_into_skimage_as_those_of_slic() -> None:
    pytest.importorskip("skimage")
    from skimage.measure import regionprops
    from skimage.segmentation import mark_boundaries, slic

    image = smear()
    labels = fastpgs.segment(image, k=3)
    theirs = slic(image, n_segments=3)
    assert (labels.ndim, labels.shape, labels.dtype.kind) == (theirs.ndim, theirs.shape, theirs.dtype.kind)
    regions = regionprops(labels, intensity_image=image)
    assert [region.label for region in regions] == [1, 2, 3]
    assert sum(region.area for region in regions) == labels.size
    assert regions[0].area == 6 * 6 + 6 * 9
    marked = mark_boundaries(image, labels)
    assert marked.shape == image.shape
    assert (marked != image / 255.0).any()


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_channel_axis_and_mask_as_in_slic(axis: int) -> None:
    pytest.importorskip("skimage")
    from skimage.segmentation import slic

    mask = np.zeros((24, 36), bool)
    mask[:, :22] = True
    image = smear()
    moved = np.moveaxis(image, -1, axis)
    ours = fastpgs.segment(moved, k=3, mask=mask, channel_axis=axis)
    np.testing.assert_array_equal(ours, fastpgs.segment(image, k=3, mask=mask))
    theirs = slic(moved, n_segments=3, mask=mask, channel_axis=axis)
    np.testing.assert_array_equal(ours == 0, theirs == 0)  # exactly what is masked out


# --- arrays of other libraries -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["torch", "dask", "xarray", "protocol"])
def test_arrays_of_other_libraries(kind: str) -> None:
    image = smear()
    before = image.copy()
    if kind == "torch":
        torch = pytest.importorskip("torch")
        given: Any = torch.from_numpy(image)
        assert np.shares_memory(np.asarray(given), image)  # seen through the protocol, not copied
        chw = torch.from_numpy(image).permute(2, 0, 1)
        np.testing.assert_array_equal(fastpgs.segment(chw, channel_axis=0), fastpgs.segment(image))
    elif kind == "dask":
        given = pytest.importorskip("dask.array").from_array(image, chunks=(10, 10, 3))
    elif kind == "xarray":
        given = pytest.importorskip("xarray").DataArray(image, dims=("y", "x", "c"))
    else:

        class Held:
            def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
                return image

        given = Held()
    mask = np.ones((24, 36), bool)
    mask[:3] = False
    expected = fastpgs.segment(image, k=3, mask=mask)
    assert type(fastpgs.segment(given, k=3, mask=mask)) is np.ndarray
    np.testing.assert_array_equal(fastpgs.segment(given, k=3, mask=mask), expected)
    np.testing.assert_array_equal(PivotGrowingSegmentation(3).fit(given, mask=mask).labels_, expected)
    np.testing.assert_array_equal(image, before)


def test_a_tensor_that_needs_gradients_is_refused_in_words() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.zeros((8, 8, 3), requires_grad=True)
    with pytest.raises(ValueError, match="detach"):
        fastpgs.segment(tensor)


def test_sparse_images_are_refused() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match="sparse"):
        PivotGrowingSegmentation(2).fit(sparse.eye(8, format="csr"))
