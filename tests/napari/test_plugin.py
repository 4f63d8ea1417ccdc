"""The napari plugin, offscreen; skipped where napari or a Qt is not installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from standin import StandIn, save_pictures

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # napari's own dependencies are not ours to mend
    napari = pytest.importorskip("napari", reason="needs the extra 'napari'")
    pytest.importorskip("qtpy", reason="napari needs a Qt")
    try:
        from qtpy.QtWidgets import QApplication
    except Exception as error:
        pytest.skip(f"napari needs a Qt: {error}", allow_module_level=True)

import fastpgs

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def application() -> Iterator[Any]:
    made = QApplication.instance() or QApplication([])
    yield made
    made.processEvents()


@pytest.fixture
def viewer(application: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A viewer without its window: the canvas wants OpenGL, which the offscreen platform lacks."""
    from napari.components import ViewerModel

    made = ViewerModel()
    monkeypatch.setattr("napari.viewer.current_viewer", lambda: made)
    return made


def test_manifest_names_things_that_exist() -> None:
    from npe2 import PluginManifest

    manifest = PluginManifest.from_file(Path(fastpgs.__file__).parent / "napari" / "napari.yaml")
    manifest.validate_imports()
    assert {one.display_name for one in manifest.contributions.widgets} >= {"Pivot-growing segmentation"}


def test_napari_finds_the_plugin() -> None:
    from npe2 import PluginManager

    manager = PluginManager.instance()
    manager.discover(include_npe1=False)
    assert "fastpgs" in manager


def test_live_segmentation(viewer: Any) -> None:
    from fastpgs.napari.samples import smear
    from fastpgs.napari.widgets import segment_widget, threshold_of

    (image, options, _), _ = smear()
    viewer.add_image(image, **options)
    widget = segment_widget()
    widget.reset_choices()
    widget.k.value = 4
    clusters = viewer.layers["synthetic smear: clusters"]
    np.testing.assert_array_equal(clusters.data, fastpgs.segment(image, 4))
    assert image.shape[:2] == (512, 512)
    np.testing.assert_array_equal(clusters.scale, viewer.layers["synthetic smear"].scale)
    spent = []
    for k in (3, 4, 5, 3, 4, 5):
        start = time.perf_counter()
        widget.k.value = k
        spent.append(time.perf_counter() - start)
    print(
        f"one change on 512 x 512: {1000 * min(spent):.1f} ms at best, {1000 * np.median(spent):.1f} ms typically"
    )
    colours = np.array([clusters.get_color(label) for label in (1, 3, 5)])
    assert colours[:, :3].sum(axis=1).tolist() == sorted(colours[:, :3].sum(axis=1))  # dark to bright
    assert colours[-1, 3] < colours[0, 3]
    clusters.opacity = 0.3
    widget.threshold.value = 20
    assert clusters.opacity == 0.3  # what the user chose stays
    expected = fastpgs.segment(image, 5, threshold=threshold_of(20))
    np.testing.assert_array_equal(viewer.layers["synthetic smear: clusters"].data, expected)
    assert (expected == 0).any()
    widget.grow.value = "through 4 neighbours"
    grown = fastpgs.segment(image, 5, threshold=threshold_of(20), connectivity=1)
    np.testing.assert_array_equal(viewer.layers["synthetic smear: clusters"].data, grown)
    assert [layer.name for layer in viewer.layers].count("synthetic smear: clusters") == 1
    viewer.layers["synthetic smear"].scale = (0.3, 0.3)
    widget.k.value = 3
    assert viewer.layers["synthetic smear: clusters"].scale.tolist() == [0.3, 0.3]


def test_cells_with_features_and_colours(viewer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from fastpgs.napari import widgets
    from standin import picture

    told: list[float | None] = []

    class Judge(StandIn):
        def judge(self, image: Any, *, pixel_size: float | None = None) -> Any:
            told.append(pixel_size)
            cells = self.find_cells(image)
            return SimpleNamespace(cells=cells, scores=self.scores(self.crops(image, cells)))

    monkeypatch.setattr(widgets, "_model", lambda name: Judge())
    layer = viewer.add_image(
        picture(1, dark=40), name="field", scale=(250, 250), translate=(3, 4), units=("nm", "nm")
    )
    widget = widgets.cells_widget()
    widget.reset_choices()
    widget.image.value = layer
    widget()
    cells = viewer.layers["field: cells"]
    assert cells.data.max() == 3
    assert list(cells.features["call"])[1:] == ["blast"] * 3
    assert cells.features["p_blast"][1] == pytest.approx((255 - 40) / 255, abs=1e-6)
    from fastpgs.report.colours import p_colour

    got = np.asarray(cells.get_color(1))[:3] * 255
    np.testing.assert_allclose(got, p_colour((255 - 40) / 255), atol=1)
    assert (viewer.layers["field: nuclei"].data > 0).any()
    for found in (cells, viewer.layers["field: nuclei"]):
        np.testing.assert_array_equal(found.scale, layer.scale)
        np.testing.assert_array_equal(found.translate, layer.translate)
        assert found.units == layer.units
    widget.pixel_size.value = 0.5
    widget()
    layer.units = ("pixel", "pixel")
    widget.pixel_size.value = 0
    widget()
    assert told == [pytest.approx(0.25), 0.5, None]


def test_reader_of_result_folders(viewer: Any, tmp_path: Path) -> None:
    from fastpgs.inference.pipeline import classify
    from fastpgs.napari.reader import get_reader

    names = save_pictures(tmp_path / "images", 3)
    for formats in (["labels"], []):
        out = tmp_path / f"out{len(formats)}"
        classify(names, StandIn(), out=out, formats=formats, report=False)
        read = get_reader(str(out))
        assert read is not None
        layers = read(str(out))
        assert [kind for _, _, kind in layers] == ["image", "labels" if formats else "shapes"] * 3
        viewer.layers.clear()
        for data, options, kind in layers:
            viewer._add_layer_from_data(data, options, kind)
        assert len(viewer.layers) == 6
        n = len(viewer.layers["2.png: cells"].features)
        assert n == (3 if formats else 2)  # two cells, and a row for the background of labels
    assert get_reader(str(tmp_path)) is None
    assert get_reader([str(tmp_path)]) is None


def test_importing_fastpgs_leaves_napari_alone() -> None:

    code = "import sys, fastpgs; assert not {'napari', 'magicgui', 'qtpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs xvfb-run: a window wants a screen")
def test_the_documented_window_is_drawn(tmp_path: Path) -> None:
    from PIL import Image

    script = Path(__file__).parents[2] / "docs" / "gallery" / "show_napari.py"
    environment = {name: value for name, value in os.environ.items() if name != "QT_QPA_PLATFORM"}
    command = ["xvfb-run", "-a", sys.executable, str(script), str(tmp_path / "window.png")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    picture = np.asarray(Image.open(tmp_path / "window.png").convert("RGB"))
    canvas = picture[60:740, 400:1000]
    assert canvas.std() > 20  # the smear, not an empty canvas
