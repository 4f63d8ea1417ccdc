"""Tables, outlines, and the formats of other programs."""

from __future__ import annotations

import csv
import itertools
import json
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fastpgs.inference.formats import file_stem, write_csv
from fastpgs.inference.outlines import Outlines, join, ring_area, trace
from fastpgs.inference.parts import differences
from fastpgs.inference.pipeline import classify
from fastpgs.inference.results import CELLS, IMAGES, FieldResult, cell_table, image_table
from fastpgs.io.atomic import atomic_path, write_atomic
from fastpgs.io.spreadsheet import neutralise
from standin import StandIn, picture


def test_failed_row_keeps_nothing_of_a_judgement() -> None:
    row = FieldResult(0, "a", p_blast=0.3, call="blast", labels=np.ones((2, 2), np.int32)).fail(
        "why", retry=True
    )
    assert (row.status, row.error, row.retry) == ("failed", "why", True)
    assert row.p_blast is row.call is row.labels is row.cells is row.blasts is row.blast_fraction is None
    table = image_table([row])
    assert table.schema.equals(IMAGES)
    assert table.to_pylist()[0]["error"] == "why"
    assert cell_table([row]).schema.equals(CELLS)


def test_every_column_says_what_it_is() -> None:
    for schema in (IMAGES, CELLS):
        assert all(schema.field(i).metadata[b"about"] for i in range(len(schema)))


# --- outlines ---------------------------------------------------------------------------------------------


def disc(shape: tuple[int, int], row: float, col: float, radius: float) -> np.ndarray:
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    return (rows - row) ** 2 + (cols - col) ** 2 <= radius**2


def boxes_of(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ids = np.arange(1, labels.max() + 1)
    at = [np.nonzero(labels == i) for i in ids]
    return ids, np.array([[r.min(), c.min(), r.max() + 1, c.max() + 1] for r, c in at])


def test_outline_of_a_square_is_its_corners() -> None:
    labels = np.zeros((9, 9), np.int32)
    labels[2:6, 3:8] = 1
    ((ring,),) = trace(labels, *boxes_of(labels))
    assert ring.min(axis=0).tolist() == [3, 2]
    assert ring.max(axis=0).tolist() == [8, 6]
    assert ring[0].tolist() == ring[-1].tolist()
    assert ring_area(ring) == 4 * 5 - 4 * 0.125  # the contour cuts each corner pixel


def test_outlines_enclose_their_cells() -> None:
    """Rasterising the outline gives the cell back; parts come largest first; holes are left out."""
    labels = np.where(disc((60, 80), 20, 25, 14), 1, 0).astype(np.int32)
    labels[disc((60, 80), 20, 25, 4)] = 0
    labels[disc((60, 80), 40, 60, 12)] = 2
    labels[50:55, 2:6] = 2  # a second part
    labels[0, 79] = 3  # a single pixel in the corner of the picture
    outlines = trace(labels, *boxes_of(labels))
    assert [len(rings) for rings in outlines] == [1, 2, 1]
    from skimage.draw import polygon2mask

    for i, rings in enumerate(list(outlines)[:2], 1):
        drawn = np.zeros(labels.shape, bool)
        for ring in rings:
            drawn |= polygon2mask(labels.shape, ring[:, ::-1] - 0.5)
        whole = (labels == i) | (disc((60, 80), 20, 25, 4) if i == 1 else False)
        np.testing.assert_array_equal(drawn, whole)
    areas = [ring_area(ring) for ring in outlines[1]]
    assert areas[0] > 400 > 30 > areas[1] > 0


@pytest.mark.parametrize("seed", range(6))
def test_outlines_are_those_of_marching_squares(seed: int) -> None:
    """Diagonal contacts, holes and parts at random: the same rings as scikit-image's, wherever they start."""
    from skimage.measure import find_contours

    def steps(ring: np.ndarray) -> set[tuple[float, ...]]:
        return {(*a, *b) for a, b in zip(ring[:-1].tolist(), ring[1:].tolist(), strict=True)}

    def filled_in(ring: np.ndarray) -> np.ndarray:
        """The points within straight runs again."""
        points = []
        for a, b in itertools.pairwise(ring):
            n = round(float(np.abs(b - a).max()) / (0.5 if np.all(b != a) else 1.0))
            points += [a + (b - a) * i / n for i in range(n)]
        return np.array([*points, ring[-1]])

    labels = (np.random.default_rng(seed).random((17, 23)) < 0.3 + 0.1 * seed).astype(np.int32)
    (found,) = trace(labels, np.array([1]), np.array([[0, 0, *labels.shape]]))
    expected = [
        ring[:, ::-1] - 0.5
        for ring in find_contours(np.pad(labels, 1), 0.5)  # padding moved everything by one
        if ring_area(ring[:, ::-1]) > 0
    ]
    assert {frozenset(steps(filled_in(r))) for r in found} == {frozenset(steps(r)) for r in expected}
    areas = [ring_area(ring) for ring in found]
    assert areas == sorted(areas, reverse=True)


def test_boxes_beyond_the_picture_are_refused() -> None:
    with pytest.raises(ValueError, match=r"within labels of shape \(4, 4\)"):
        trace(np.ones((4, 4), np.int32), np.array([1]), np.array([[0, 0, 5, 4]]))


def test_no_cells_no_outlines() -> None:
    none = trace(np.zeros((4, 4), np.int32), np.zeros(0, int), np.zeros((0, 4), int))
    assert list(none) == list(Outlines.without_rings(0)) == list(join([])) == []


def test_outlines_joined_are_those_of_each_picture() -> None:
    labels = np.where(disc((40, 50), 20, 25, 14), 1, 0).astype(np.int32)
    labels[2:5, 2:6] = labels[36:39, 2:9] = 2
    first, second = trace(labels, *boxes_of(labels)), trace(labels.T.copy(), *boxes_of(labels.T))
    joined = join([first, Outlines.without_rings(2), second])
    assert [len(rings) for rings in joined] == [1, 2, 0, 0, 1, 2]
    expected = [*first, [], [], *second]
    assert all(
        np.array_equal(a, b)
        for one, other in zip(joined, expected, strict=True)
        for a, b in zip(one, other, strict=True)
    )
    with pytest.raises(IndexError, match=r"0\.\.5, got 6"):
        joined[6]


# --- names and CSV ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\r=x", "\n=x"])
def test_formulas_are_neutralised(text: str) -> None:
    assert neutralise(text) == "'" + text


def test_plain_text_is_left_alone() -> None:
    assert neutralise("smear=1.png") == "smear=1.png"
    assert neutralise("") == ""


def test_csv_spreads_lists_and_neutralises(tmp_path: Path) -> None:
    table = pa.table(
        {
            "image": ["=cmd|' /C calc'!A0", 'a "b", c.png'],
            "bbox": pa.array([[1, 2, 3, 4], [5, 6, 7, 8]], pa.list_(pa.int32(), 4)),
            "p_blast": pa.array([0.5, -0.25]),
            "call": pa.array(["blast", None]),
        }
    )
    write_csv(tmp_path / "t.csv", table)
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["image", "bbox_row0", "bbox_col0", "bbox_row1", "bbox_col1", "p_blast", "call"],
        ["'=cmd|' /C calc'!A0", "1", "2", "3", "4", "0.5", "blast"],
        ['a "b", c.png', "5", "6", "7", "8", "-0.25", ""],
    ]


@given(st.text(min_size=1))
def test_file_stems_are_safe(name: str) -> None:
    stem = file_stem(name)
    assert stem.isascii()
    assert not set(stem) & set("/\\:*?\"<>|'& \0\n")
    assert not stem.startswith(".")
    assert len(stem) < 100


def test_file_stems_differ() -> None:
    assert file_stem("a/x.png") != file_stem("b/x.png")
    assert file_stem("a/x.png").startswith("x.png-")


# --- other formats ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formats")
    names = []
    for i in range(3):
        names.append(folder / f"{i}.png")
        Image.fromarray(picture(i, spots=2 * i, dark=40 + 35 * i)).save(names[-1])
    names.append(folder / "missing.png")
    formats = ["csv", "labels", "overlays", "geojson", "coco"]
    classify(names, StandIn(), out=folder / "out", formats=formats)
    return folder / "out"


def test_label_tiff(out: Path) -> None:
    cells = pq.read_table(out / "cells.parquet").to_pylist()
    image = cells[-1]["image"]
    labels, nuclei = tifffile.imread(out / "labels" / f"{file_stem(image)}.tif")
    assert labels.dtype == np.uint16
    for cell in (cell for cell in cells if cell["image"] == image):
        assert (labels == cell["cell"]).sum() == cell["area"]
        assert (nuclei == cell["cell"]).sum() == cell["nucleus_area"]
    assert len(list((out / "labels").iterdir())) == 3


def test_overlay_is_drawn_in_colour(out: Path) -> None:
    """Certain blasts get vermilion outlines, others yellow ones."""
    cells = pq.read_table(out / "cells.parquet").to_pylist()
    for cell in cells:
        with Image.open(out / "overlays" / f"{file_stem(cell['image'])}.png") as file:
            picture_ = np.asarray(file).astype(int)
        zoom = picture_.shape[0] // 48
        assert picture_.shape == (48 * zoom, 64 * zoom, 3)
        top, left, bottom, right = (side * zoom for side in cell["bbox"])
        part = picture_[top:bottom, left:right]
        red = ((part[..., 0] > 150) & (part[..., 1] < 150) & (part[..., 2] < 90)).sum()
        assert (red > 40) == (cell["p_blast"] > 0.8), (cell["p_blast"], red)


def test_geojson_is_what_qupath_reads(out: Path) -> None:
    cells = pq.read_table(out / "cells.parquet").to_pylist()
    image = cells[-1]["image"]
    collection = json.loads((out / "geojson" / f"{file_stem(image)}.geojson").read_text())
    assert collection["type"] == "FeatureCollection"
    mine = [cell for cell in cells if cell["image"] == image]
    assert len(collection["features"]) == len(mine) == 4
    for feature, cell in zip(collection["features"], mine, strict=True):
        properties = feature["properties"]
        assert (feature["type"], properties["objectType"]) == ("Feature", "cell")
        assert properties["classification"]["name"] == cell["call"].capitalize()
        assert properties["measurements"]["p_blast"] == pytest.approx(cell["p_blast"], abs=1e-6)
        assert feature["geometry"]["type"] == "Polygon"
        (ring,) = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        top, left, bottom, right = cell["bbox"]
        assert np.min(ring, axis=0).tolist() == [left, top]
        assert np.max(ring, axis=0).tolist() == [right, bottom]
    blasts = json.loads((out / "geojson" / f"{file_stem(cells[0]['image'])}.geojson").read_text())
    assert ("nucleusGeometry" in blasts["features"][0]) == (cells[0]["nucleus_area"] > 0)


def test_geojson_keeps_to_qupaths_fields(out: Path) -> None:
    """The fields of QuPath's GeoJSON reader (PathObject as a Feature), their types, and nothing else."""
    seen = set()
    for path in sorted((out / "geojson").glob("*.geojson")):
        collection = json.loads(
            path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON")
        )
        assert set(collection) == {"type", "features"}
        for feature in collection["features"]:
            assert set(feature) - {"nucleusGeometry"} == {"type", "id", "geometry", "properties"}
            assert str(uuid.UUID(feature["id"])) == feature["id"]
            seen.add(feature["id"])
            properties = feature["properties"]
            assert set(properties) == {"objectType", "name", "classification", "measurements"}
            assert properties["objectType"] == "cell"  # the only type that has a nucleus
            colour = properties["classification"]["color"]
            assert len(colour) == 3
            assert all(isinstance(level, int) and 0 <= level <= 255 for level in colour)
            assert all(isinstance(value, (int, float)) for value in properties["measurements"].values())
            for geometry in (feature["geometry"], feature.get("nucleusGeometry", feature["geometry"])):
                rings = geometry["coordinates"]
                polygons = [rings] if geometry["type"] == "Polygon" else rings
                for ring in (ring for polygon in polygons for ring in polygon):
                    assert len(ring) >= 4
                    assert ring[0] == ring[-1]
                    assert all(len(point) == 2 for point in ring)
    assert len(seen) == pq.read_table(out / "cells.parquet").num_rows  # an id each


def test_coco(out: Path) -> None:
    coco = json.loads((out / "coco.json").read_text())
    images = pq.read_table(out / "images.parquet").to_pylist()
    cells = pq.read_table(out / "cells.parquet").to_pylist()
    assert [image["file_name"] for image in coco["images"]] == [row["image"] for row in images[:3]]
    assert [category["name"] for category in coco["categories"]] == ["blast", "uncertain", "normal"]
    names = {image["id"]: image["file_name"] for image in coco["images"]}
    calls = {category["id"]: category["name"] for category in coco["categories"]}
    assert len(coco["annotations"]) == len(cells)
    for annotation, cell in zip(coco["annotations"], cells, strict=True):
        assert names[annotation["image_id"]] == cell["image"]
        assert calls[annotation["category_id"]] == cell["call"]
        top, left, bottom, right = cell["bbox"]
        assert annotation["bbox"] == [left, top, right - left, bottom - top]
        assert annotation["area"] == cell["area"]
        ring = np.reshape(annotation["segmentation"][0], (-1, 2))
        assert ring_area(ring) == pytest.approx(cell["area"], rel=0.1)


# --- small parts ------------------------------------------------------------------------------------------


def test_differences_are_spelled_out() -> None:
    old = {"a": 1, "b": {"c": 2, "d": [1]}, "e": 0}
    assert differences(old, {"a": 1, "b": {"c": 3, "d": [1]}, "f": "x"}) == [
        "b.c was 2, is 3",
        "e was 0, is None",
        "f was None, is 'x'",
    ]
    assert differences(old, dict(old)) == []


def test_atomic_files_are_whole_or_old(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    write_atomic(path, "old")

    def spoil() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        spoil()
    assert path.read_text() == "old"
    write_atomic(path, b"new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
