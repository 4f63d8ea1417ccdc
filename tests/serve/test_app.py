"""The application: what it answers, what it refuses."""

from __future__ import annotations

import io
import json
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from standin import StandIn, picture

pytest.importorskip("starlette")
pytest.importorskip("httpx")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its own future
    from starlette.testclient import TestClient

import fastpgs
from fastpgs.serve.app import Limits, make_app

OWN = {"x-fastpgs": "1"}


class WithMasks(StandIn):
    def scores(self, crops: Any) -> Any:
        found = super().scores(crops)
        masks = (crops[..., 1] < 128).astype(np.float32)
        return SimpleNamespace(p=found.p, embeddings=found.embeddings, masks=masks)


def client(**limits: int) -> TestClient:
    return TestClient(make_app(WithMasks(), limits=Limits(**limits)), base_url="http://127.0.0.1:8765")


def png(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def opened(page: TestClient, name: str = "a.png") -> str:
    answer = page.post("/api/pictures", content=png(picture(1)), headers=OWN | {"x-filename": name})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def test_the_page_says_what_it_is_and_asks_nobody_else() -> None:
    page = client()
    answer = page.get("/")
    assert answer.status_code == 200
    assert "Research use only" in answer.text
    assert "http://" not in answer.text.replace("http://www.w3.org", "")
    assert "https://" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    for name in ("style.css", "serve.css", "serve.js", "icon.svg"):
        assert page.get(f"/page/{name}").status_code == 200


def test_a_picture_is_judged_and_downloaded() -> None:
    page = client()
    key = opened(page, "smear%20one.png")
    shown = page.get(f"/api/pictures/{key}/picture")
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(shown.content))), picture(1))
    assert page.get(f"/api/pictures/{key}/download/csv").status_code == 409  # not judged yet
    found = page.get(f"/api/pictures/{key}/cells").json()
    assert len(found["cells"]) == 3
    first = found["cells"][0]
    assert first["p"] == pytest.approx((255 - 40) / 255, abs=1e-3)
    assert first["call"] == "blast"
    assert first["path"].startswith("M")
    table = page.get(f"/api/pictures/{key}/download/csv")
    assert table.text.splitlines()[0].startswith("image,cell,bbox_row0")
    assert len(table.text.splitlines()) == 4
    assert "smear_one.png" in table.headers["content-disposition"]
    features = json.loads(page.get(f"/api/pictures/{key}/download/geojson").content)["features"]
    assert [f["properties"]["objectType"] for f in features] == ["cell"] * 3
    tifffile = pytest.importorskip("tifffile")
    labels = tifffile.imread(io.BytesIO(page.get(f"/api/pictures/{key}/download/labels").content))
    assert labels.shape == (2, 48, 64)
    assert labels.max() == 3


def test_the_size_of_pixels_changes_what_the_network_sees() -> None:
    page = client()
    key = opened(page)

    def crop(size: str) -> bytes:
        assert page.get(f"/api/pictures/{key}/cells", params={"pixel_size": size}).status_code == 200
        return page.get(f"/api/pictures/{key}/cells/1/crop.png").content

    assert crop("") == crop("0.5") != crop("0.25")  # the stand-in was trained at 0.5
    assert crop("") == crop("0.5")
    for bad, why in (("0", "0.01 to 100"), ("nan", "0.01 to 100"), ("wide", "could not convert")):
        refused = page.get(f"/api/pictures/{key}/cells", params={"pixel_size": bad})
        assert refused.status_code == 422
        assert why in refused.json()["error"]


def test_segmentation_is_that_of_the_core() -> None:
    page = client()
    key = opened(page)
    answer = page.get(
        f"/api/pictures/{key}/segment.png", params={"k": 2, "threshold": 400, "connectivity": 1}
    )
    labels = np.asarray(Image.open(io.BytesIO(answer.content)))  # a palette: pixels are labels
    expected = fastpgs.segment(picture(1), k=2, threshold=400, connectivity=1)
    np.testing.assert_array_equal(labels, expected)
    facts = json.loads(answer.headers["x-segmentation"])
    assert facts["shares"] == [round(float((expected == i).mean()), 4) for i in range(3)]
    for bad in ({"k": 0}, {"k": 33}, {"k": "x"}, {"threshold": -1}, {"connectivity": 3}):
        refused = page.get(f"/api/pictures/{key}/segment.png", params=bad)
        assert refused.status_code == 422
        assert refused.json()["error"]


def test_why_is_the_crop_and_its_mask_map() -> None:
    page = client()
    key = opened(page)
    page.get(f"/api/pictures/{key}/cells")
    crop = Image.open(io.BytesIO(page.get(f"/api/pictures/{key}/cells/1/crop.png").content))
    mask = np.asarray(Image.open(io.BytesIO(page.get(f"/api/pictures/{key}/cells/1/mask.png").content)))
    assert crop.size == (80, 80)
    # The stand-in's mask is the dark disc: light on it, dark around it, in blue and green alike.
    assert mask[40, 40, 1] > mask[2, 2, 1]
    for bad in ("cells/0/crop.png", "cells/4/crop.png", "cells/1/other.png", "download/pickle"):
        assert page.get(f"/api/pictures/{key}/{bad}").status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765"])
def test_foreign_host_names_are_refused(host: str) -> None:
    assert client().get("/", headers={"host": host}).status_code == 400


@pytest.mark.parametrize("headers", [{}, OWN | {"origin": "http://evil.example"}, OWN | {"origin": "null"}])
def test_other_sites_cannot_upload(headers: dict[str, str]) -> None:
    page = client()
    assert page.post("/api/pictures", content=png(picture(1)), headers=headers).status_code == 403
    assert page.post("/api/sample", headers=headers).status_code == 403
    own = OWN | {"origin": "http://127.0.0.1:8765"}
    assert page.post("/api/pictures", content=png(picture(1)), headers=own).status_code == 200


@pytest.mark.parametrize(
    "name", ["../app.py", "..%2fapp.py", "%2e%2e/%2e%2e/app.py", "serve.js/../../app.py"]
)
def test_names_never_reach_the_disk(name: str) -> None:
    assert client().get(f"/page/{name}").status_code == 404


def test_limits() -> None:
    page = client(upload_bytes=2000, max_pixels=48 * 64)
    big = bytes(2001)
    assert page.post("/api/pictures", content=big, headers=OWN).status_code == 413
    chunks = (bytes(1000) for _ in range(4))  # no length told
    assert page.post("/api/pictures", content=chunks, headers=OWN).status_code == 413
    wide = png(np.zeros((48, 65), np.uint8))
    refused = page.post("/api/pictures", content=wide, headers=OWN | {"x-filename": "wide.png"})
    assert refused.status_code == 422
    assert "wide.png" in refused.json()["error"]
    nothing = page.post("/api/pictures", content=b"no picture", headers=OWN)
    assert nothing.status_code == 422


def test_old_pictures_are_forgotten() -> None:
    page = client(pictures=2)
    keys = [opened(page) for _ in range(3)]
    status = [page.get(f"/api/pictures/{key}/picture").status_code for key in keys]
    assert status == [404, 200, 200]
    assert len(set(keys)) == 3
