"""Damaged, odd and hostile files: each is one row, and none harms another. ``scripts/soak.py`` runs thousands."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from fastpgs.inference.pipeline import classify
from fastpgs.io.images import display_name
from mutants import MUTATIONS, encodings, write_mutants
from standin import StandIn, picture


class Levels(StandIn):
    """Takes grey and 16-bit pictures too, as the shipped models do."""

    def find_cells(self, image: Any, num_threads: int | None = None) -> Any:
        return super().find_cells(_rgb8(image))

    def crops(self, image: Any, cells: Any, zoom: float = 1.0, look: Any = None) -> Any:
        return super().crops(_rgb8(image), cells, zoom, look)


def _rgb8(image: Any) -> Any:
    levels = (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image
    return np.repeat(levels[..., None], 3, axis=2) if levels.ndim == 2 else levels


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], list[dict[str, Any]], Path]:
    """What each file is, the rows, and the output folder of one run over all of them."""
    home = tmp_path_factory.mktemp("mutants")
    pictures = [picture(i, spots=1 + i) for i in range(3)]
    files = dict(write_mutants(home / "in", pictures, 360, seed=5))
    classify(
        list(files), Levels(), out=home / "out", formats=["csv", "overlays", "geojson"], max_pixels=10**6
    )
    return files, pq.read_table(home / "out" / "images.parquet").to_pylist(), home / "out"


def test_every_file_is_one_row(rows: tuple[dict[str, str], list[dict[str, Any]], Path]) -> None:
    files, found, _ = rows
    assert [row["image"] for row in found] == [display_name(name) for name in files]
    assert set(Counter(row["image"] for row in found).values()) == {1}
    for row in found:
        assert row["status"] in ("ok", "failed", "refused")
        assert (row["error"] is None) == (row["status"] == "ok") == (row["call"] is not None)
        assert row["error"] is None or (0 < len(row["error"]) < 400 and "Traceback" not in row["error"])


def test_what_is_whole_is_judged_and_what_is_none_is_not(
    rows: tuple[dict[str, str], list[dict[str, Any]], Path],
) -> None:
    files, found, _ = rows
    status = dict(zip(files.values(), [set() for _ in files], strict=True))
    for kind, row in zip(files.values(), found, strict=True):
        status[kind].add(row["status"])
    assert status["whole"] == status["odd name"] == {"ok"}
    assert status["empty"] == status["bad link"] == status["missing"] == {"failed"}
    assert status["noise"] <= {"failed", "refused"}
    assert status["pipe"] == status["device"] == status["bomb"] == {"refused"}
    assert {"failed"} <= status["cut"]
    assert set(MUTATIONS) <= set(status)


def test_hostile_names_stay_text(rows: tuple[dict[str, str], list[dict[str, Any]], Path]) -> None:
    _, _, out = rows
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    cells = (out / "images.csv").read_text(encoding="utf-8-sig")
    assert not any(line.startswith(("=", "+", "@")) for line in cells.splitlines())
    written = {path.resolve() for path in out.rglob("*")}
    assert all(out.resolve() in path.parents for path in written)  # nothing landed elsewhere


def test_every_kind_is_read_alike() -> None:
    from fastpgs.io.images import decode

    rgb = picture(0)
    for name, data in encodings(rgb).items():
        pixels = decode(data, name, max_pixels=10**6).pixels
        assert pixels.shape[:2] == rgb.shape[:2], name
        grey = pixels if pixels.ndim == 2 else pixels[..., 1]
        grey = grey >> 8 if grey.dtype == np.uint16 else grey
        assert abs(float(grey.mean()) - float(rgb[..., 1].mean())) < 12, name
