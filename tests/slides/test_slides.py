"""Whole slides: read in tiles, searched by measures taken once, every cell counted once."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from PIL import Image

import fastpgs
from fastpgs import synth
from fastpgs.inference.preprocess import InputSpec
from fastpgs.io.inputs import find_inputs
from fastpgs.slides import SlideError, is_slide, open_slide
from fastpgs.slides.plan import Plan, make_plan
from fastpgs.slides.reader import Level, Slide
from fastpgs.slides.scaled import ScaledSlide, slide_pixel_size
from fastpgs.slides.tiles import find_in_tile
from pyramids import halved, pyramid, write_big, write_ome_tiff, write_ome_zarr, write_svs

pytest.importorskip("zarr")

SIDE = 1280
SPEC = InputSpec(size=32, colour="rgb", balance="none")
Pixels = npt.NDArray[np.uint8]


class Held(Slide):
    """A pyramid in memory."""

    def __init__(self, picture: Pixels, levels: int, pixel_size: float | None = 0.25) -> None:
        self.path = "held"
        self.pictures = pyramid(picture, levels)
        self.levels = tuple(Level(p.shape[:2], 2.0**i) for i, p in enumerate(self.pictures))
        self.pixel_size = pixel_size

    def _read(self, level: int, window: tuple[int, int, int, int]) -> Pixels:
        top, left, bottom, right = window
        return self.pictures[level][top:bottom, left:right]

    def close(self) -> None:
        self.pictures = []


@pytest.fixture(scope="module")
def smear() -> synth.Slide:
    return synth.Slide((SIDE, SIDE), seed=7, white_part=0.4)


@pytest.fixture(scope="module")
def picture(smear: synth.Slide) -> Pixels:
    image = smear.read()
    image[-300:, :500] = (250, 247, 244)  # glass
    return image


def found(slide: Slide, tile: int, wanted: float | None = None, **options: Any) -> npt.NDArray[np.float64]:
    """Centroids in raster order, in pixels of level 0."""
    plan, tissue, _ = make_plan(slide, tile=tile, wanted_pixel_size=wanted)
    scaled = ScaledSlide(slide, plan.factor)
    parts = [find_in_tile(scaled, plan, one, SPEC, **options).centroid for one in plan.tiles(tissue)]
    at = (np.concatenate(parts) + 0.5) * plan.factor - 0.5
    return at[np.lexsort(at.T[::-1])]


def apart(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """The largest distance from a point of either to the nearest of the other; lists of one length only."""
    assert len(a) == len(b)
    gaps = np.linalg.norm(a[:, None] - b[None], axis=2)
    return float(max(gaps.min(axis=0).max(), gaps.min(axis=1).max()))


def test_cells_do_not_depend_on_the_tiles(picture: Pixels, smear: synth.Slide) -> None:
    slide = Held(picture, 3)
    whole = found(slide, 4096, skip=False)
    known = smear.cells().centroids
    known = known[~((known[:, 0] > SIDE - 330) & (known[:, 1] < 530))]
    gaps = np.linalg.norm(known[:, None] - whole[None], axis=2)
    assert (gaps.min(axis=1) < 20).mean() > 0.9
    assert abs(len(whole) - len(known)) < 0.15 * len(known)
    for tile in (512, 1024):
        assert apart(found(slide, tile), whole) < 1.0


def test_cells_do_not_depend_on_the_tiles_at_another_pixel_size(picture: Pixels) -> None:
    slide = Held(picture, 3)
    whole = found(slide, 4096, wanted=0.4, skip=False)
    assert len(whole) > 10
    assert apart(found(slide, 300, wanted=0.4), whole) < 1.0


def test_a_slide_without_a_pyramid_gives_the_same_cells() -> None:
    picture = synth.Slide((900, 900), seed=2, white_part=0.05).read()
    assert apart(found(Held(picture, 1), 512), found(Held(picture, 1), 2048, skip=False)) < 1.0


def test_few_cells_among_many_red_ones_are_found() -> None:
    thin = synth.Slide((1600, 1600), seed=5, white_part=0.03)
    known = thin.cells().centroids
    cells = found(Held(thin.read(), 3), 1024, wanted=0.45)
    assert 3 <= len(known) <= 12
    assert apart(cells, known) < 20


def test_glass_is_not_searched(picture: Pixels) -> None:
    glass = np.full((SIDE, SIDE, 3), 246, np.uint8)
    plan, tissue, _ = make_plan(Held(glass, 2))
    assert plan.reference is None
    assert not tissue.mask.any()
    assert list(plan.tiles(tissue)) == []
    _, tissue, _ = make_plan(Held(picture, 2))
    assert not tissue.mask[-3:, :6].any()
    assert tissue.mask[:14].all()


def test_a_plan_survives_json(picture: Pixels) -> None:
    plan, _, _ = make_plan(Held(picture, 2), tile=700, wanted_pixel_size=0.4)
    again = Plan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert again.to_dict() == plan.to_dict()
    assert (again.tile, again.factor, again.pixel_size_from) == (
        700,
        pytest.approx(1.6, rel=2e-3),
        "of the file",
    )


@pytest.mark.parametrize("scale", [1, 4])
@pytest.mark.parametrize("factor", [1.0, 1.5, 1.8, 3.1])
def test_a_window_shows_the_pixels_of_the_whole(picture: Pixels, factor: float, scale: int) -> None:
    slide = ScaledSlide(Held(picture, 3), factor)
    rows, cols = slide.shape
    whole = slide.read((0, 0, rows, cols), scale)
    assert whole.shape == (-(-rows // scale), -(-cols // scale), 3)
    window = (64, 128, 200, min(400, cols))
    np.testing.assert_array_equal(
        slide.read(window, scale), whole[64 // scale : 200 // scale, 128 // scale : -(-window[3] // scale)]
    )


@pytest.mark.parametrize("kind", ["tiff", "zarr2", "zarr3"])
def test_formats_show_the_same_pyramid(tmp_path: Path, picture: Pixels, kind: str) -> None:
    path = tmp_path / ("a.ome.tiff" if kind == "tiff" else "a.ome.zarr")
    if kind == "tiff":
        write_ome_tiff(path, picture)
    else:
        write_ome_zarr(path, picture, zarr_format=int(kind[-1]))
    assert is_slide(path)
    with open_slide(path) as slide:
        assert slide.pixel_size == 0.25
        assert [level.shape for level in slide.levels] == [(SIDE >> i, SIDE >> i) for i in range(3)]
        assert [level.downsample for level in slide.levels] == [1.0, 2.0, 4.0]
        np.testing.assert_array_equal(slide.read(0, (100, 7, 380, 299)), picture[100:380, 7:299])
        np.testing.assert_array_equal(slide.read(1, (0, 0, 640, 640)), halved(picture))
        with pytest.raises(ValueError, match=r"window must be .* within level 2 of \(320, 320\)"):
            slide.read(2, (0, 0, 321, 4))


def test_openslide_reads_a_scanners_pyramid(tmp_path: Path, picture: Pixels) -> None:
    pytest.importorskip("openslide")
    path = write_svs(tmp_path / "a.svs", picture)
    assert is_slide(path)
    with open_slide(path) as slide:
        assert slide_pixel_size(slide) == (0.25, "of the file")
        assert slide.magnification == 40.0
        assert [level.shape for level in slide.levels] == [(SIDE, SIDE), (SIDE // 4, SIDE // 4)]
        assert [level.downsample for level in slide.levels] == [1.0, 4.0]
        near = slide.read(0, (64, 64, 320, 320)).astype(int) - picture[64:320, 64:320]
        assert np.abs(near).mean() < 6
        small = halved(halved(picture))
        assert np.abs(slide.read(1, (0, 0, 320, 320)).astype(int) - small).mean() < 6
        cells = found(slide, 512, wanted=0.45)
    # The same file read as a TIFF shows the same cells; JPEG is not decoded to the same bit by both.
    same = tmp_path / "a.tif"
    same.write_bytes(path.read_bytes())
    assert is_slide(same)
    with open_slide(same) as slide:
        assert slide.pixel_size == 0.25
        assert apart(found(slide, 512, wanted=0.45), cells) < 2.0


def test_magnification_stands_in_for_the_pixel_size(picture: Pixels) -> None:
    slide = Held(picture[:300, :300], 1, pixel_size=None)
    assert slide_pixel_size(slide) == (None, "unknown")
    slide.magnification = 40.0
    assert slide_pixel_size(slide) == (0.25, "from its magnification of 40")
    assert slide_pixel_size(slide, 0.3) == (0.3, "given")
    with pytest.raises(SlideError, match=r"pixels are 4 times as large"):
        ScaledSlide(slide, 0.25)


def test_what_is_no_slide_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty.zarr").mkdir()
    (tmp_path / "bad.tif").write_bytes(b"II*\0 and then nothing")
    grey = tmp_path / "grey.tif"
    import tifffile

    tifffile.imwrite(grey, np.zeros((300, 300), np.uint8), tile=(256, 256))
    for name, reason in [
        ("none.svs", "no such file"),
        ("empty.zarr", "expected an OME-Zarr folder"),
        ("bad.tif", "not a TIFF file"),
        ("grey.tif", "expected a colour slide with 3 or 4 channels, got 1"),
    ]:
        with pytest.raises(SlideError, match=reason):
            open_slide(tmp_path / name)
        assert not is_slide(tmp_path / name) or name == "none.svs"


def test_a_missing_extra_is_named(tmp_path: Path, picture: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_ome_zarr(tmp_path / "a.ome.zarr", picture[:300, :300])
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'fastpgs\[slides\]'"):
        open_slide(path)
    (tmp_path / "a.svs").touch()
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(ModuleNotFoundError, match=r"reading \.svs slides needs .*fastpgs\[slides\]"):
        open_slide(tmp_path / "a.svs")


def test_a_zarr_folder_is_one_input(tmp_path: Path, picture: Pixels) -> None:
    write_ome_zarr(tmp_path / "b.ome.zarr", picture[:300, :300])
    Image.fromarray(picture[:64, :64]).save(tmp_path / "a.png")
    names = [Path(item.name).name for item in find_inputs(tmp_path)]
    assert names == ["a.png", "b.ome.zarr"]
    assert [item.name for item in find_inputs(tmp_path / "b.ome.zarr")] == [str(tmp_path / "b.ome.zarr")]


def test_classify_end_to_end(tmp_path: Path, picture: Pixels) -> None:
    import zarr

    slide = write_ome_tiff(tmp_path / "slide.ome.tiff", picture)
    bad = tmp_path / "bad.svs"
    bad.write_bytes(b"no slide")
    small = tmp_path / "field.png"
    Image.fromarray(picture[:224, :224]).save(small)
    out = tmp_path / "out"
    inputs = [str(small), str(slide), str(bad)]
    result = fastpgs.classify(inputs, out=out, tile=400, formats=["geojson", "labels"])
    rows = result.images.to_pylist()
    assert [row["status"] for row in rows] == ["ok", "ok", "failed"]
    assert "OpenSlide cannot read it" in rows[2]["error"]
    assert (rows[1]["height"], rows[1]["width"]) == (SIDE, SIDE)
    assert rows[1]["note"] == "slide of 0.25 µm a pixel (of the file), seen at 0.45 µm"
    cells = [row for row in result.cells.to_pylist() if row["image"] == str(slide)]
    assert len(cells) == rows[1]["cells"] > 10
    assert [row["cell"] for row in cells] == list(range(1, len(cells) + 1))
    assert all(0 <= row["p_blast"] <= 1 for row in cells)
    for row in cells:
        top, left, bottom, right = row["bbox"]
        assert top <= row["centroid"][0] <= bottom
        assert left <= row["centroid"][1] <= right

    # Another tile size, read from another format: the same cells and judgements.
    other = fastpgs.classify(
        write_ome_zarr(tmp_path / "slide.ome.zarr", picture), out=tmp_path / "other", tile=2048, report=False
    )
    again = other.cells.to_pylist()
    assert len(again) == len(cells)
    np.testing.assert_allclose(
        [row["centroid"] for row in again], [row["centroid"] for row in cells], atol=1.0
    )
    p, q = ([row["p_blast"] for row in table] for table in (again, cells))
    assert np.corrcoef(p, q)[0, 1] > 0.98

    label = next((out / "labels").glob("*.ome.zarr")) / "labels" / "cells"
    finest = zarr.open_array(str(label / "0"), mode="r")
    shape = finest.shape
    values = np.asarray(finest[:])
    assert set(np.unique(values)) == set(range(len(cells) + 1))
    zoom = SIDE / shape[0]
    for row in cells:
        area = np.count_nonzero(values == row["cell"]) * zoom**2
        assert abs(area - row["area"]) < 0.05 * row["area"] + 5
    scale = json.loads((label / ".zattrs").read_text())["multiscales"][0]["datasets"][0]
    assert scale["coordinateTransformations"][0]["scale"] == pytest.approx([0.45, 0.45], rel=2e-3)

    heat = next((out / "heatmaps").iterdir())
    with Image.open(heat) as image:
        assert image.size == (1024, 1024)
    assert "Heat map of" in (out / "report.html").read_text(encoding="utf-8")
    features = json.loads(
        next(path for path in (out / "geojson").iterdir() if "slide" in path.name).read_text()
    )
    assert len(features["features"]) == len(cells)

    # A resumed run reads the saved tiles; one that is damaged by hand is noticed by its absence only.
    parts = sorted((out / ".parts" / "slides").glob("*/tile-*.parquet"))
    assert len(parts) == 4
    stamp = parts[1].stat().st_mtime_ns
    parts[0].unlink()
    for name in ("images-000000.parquet", "cells-000000.parquet"):
        (out / ".parts" / name).unlink()
    resumed = fastpgs.classify(inputs, out=out, tile=400, formats=["geojson", "labels"], resume=True)
    assert resumed.cells.equals(result.cells)
    assert parts[0].exists()
    assert parts[1].stat().st_mtime_ns == stamp
    assert pq.read_table(out / "images.parquet").equals(resumed.images)


@pytest.mark.slow
def test_a_killed_run_goes_on_with_its_tiles(tmp_path: Path, picture: Pixels) -> None:
    slide = write_ome_tiff(tmp_path / "slide.ome.tiff", picture)
    out, other = tmp_path / "out", tmp_path / "other"
    command = [sys.executable, "-m", "fastpgs", "classify", str(slide), "--out", str(out)]
    command += ["--tile", "256", "--workers", "1", "--no-report", "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    parts: list[Path] = []
    try:
        while len(parts) < 2 and process.poll() is None:
            time.sleep(0.002)
            parts = list(out.glob(".parts/slides/*/tile-*.parquet"))
    finally:
        process.kill()
        _, errors = process.communicate()
    parts = list(out.glob(".parts/slides/*/tile-*.parquet"))
    assert 2 <= len(parts) < 9, errors.decode()
    stamps = {part: part.stat().st_mtime_ns for part in parts}
    assert not (out / "cells.parquet").exists()
    resumed = fastpgs.classify(str(slide), out=out, tile=256, workers=1, report=False, resume=True)
    assert {part: part.stat().st_mtime_ns for part in parts} == stamps
    whole = fastpgs.classify(str(slide), out=other, tile=256, workers=1, report=False)
    assert resumed.cells.num_rows > 10
    assert resumed.cells.equals(whole.cells)


def test_workers_change_nothing(tmp_path: Path, picture: Pixels) -> None:
    slide = write_ome_tiff(tmp_path / "slide.ome.tiff", picture)
    one, three = (fastpgs.classify(str(slide), tile=256, workers=n, report=False) for n in (1, 3))
    assert one.cells.num_rows > 10
    assert one.cells.equals(three.cells)


@pytest.mark.slow
def test_cells_of_a_large_slide_do_not_depend_on_the_tiles(tmp_path: Path) -> None:
    smear = synth.Slide((2400, 2400), seed=11, white_part=0.4)
    with open_slide(write_big(tmp_path / "slide.ome.tiff", smear)) as slide:
        whole = found(slide, 4096, wanted=0.45, skip=False)
        known = smear.cells().centroids
        gaps = np.linalg.norm(known[:, None] - whole[None], axis=2)
        assert (gaps.min(axis=1) < 20).mean() > 0.95
        assert (gaps.min(axis=0) < 20).mean() > 0.95
        assert len(known) <= len(whole) < 1.1 * len(known)  # eosinophils in two
        for tile in (512, 1024):
            assert apart(found(slide, tile, wanted=0.45), whole) < 1.0


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tile must be at least 256 pixels, got 100"):
        fastpgs.classify(str(tmp_path), tile=100)
    with pytest.raises(ValueError, match="pixel_size must be a finite number"):
        fastpgs.classify(str(tmp_path), pixel_size=-1.0)
