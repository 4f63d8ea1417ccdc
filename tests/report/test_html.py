"""The report: complete, harmless, bounded."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fastpgs.inference.outlines import Outlines
from fastpgs.inference.pipeline import classify
from fastpgs.report import cards, html
from fastpgs.report.colours import CALL_COLOURS, css, p_colour, p_css
from fastpgs.report.overlay import THUMBNAIL_SIDE, thumbnail, to_8bit_rgb
from fastpgs.report.plots import HEIGHT, histogram, svg_paths
from standin import StandIn, picture, save_pictures

HOSTILE = [
    "<script>alert(1)<",
    "\"><img src=x onerror='alert(2)'>",
    "'; alert(3); '",
    "{{ 7 * 7 }}",
    "</script><b>",
]


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.tags if t == tag and all(a.get(k) == v for k, v in wanted.items())]


def report(inputs: Any, out: Path, **options: Any) -> tuple[str, Page]:
    classify(inputs, StandIn(), out=out, **options)
    text = (out / "report.html").read_text(encoding="utf-8")
    return text, Page(text)


def test_page_shows_the_run(tmp_path: Path) -> None:
    names = save_pictures(tmp_path / "in", 7)
    _text, page = report([*names, tmp_path / "in" / "gone.png"], tmp_path / "out")
    assert len(page.all("button", **{"class": "card"})) == 7
    assert sum(tag == "tr" and "data-p" in attrs for tag, attrs in page.tags) == 7
    assert len([attrs for tag, attrs in page.tags if tag == "path" and "data-n" in attrs]) == sum(
        i % 5 for i in range(7)
    )
    words = " ".join(page.text)
    for expected in (
        "Research use only",
        "gone.png",
        "no such file",
        "stand-in",
        "no white cells were found",
    ):
        assert expected in words
    assert re.search(r"7\s*images judged of 8", words)


def test_page_needs_nothing_else(tmp_path: Path) -> None:
    """No address but data: in it, so it asks nothing of a network; the policy forbids it too."""
    text, page = report(save_pictures(tmp_path / "in", 2), tmp_path / "out")
    for tag, attrs in page.tags:
        for name in ("src", "href", "action", "data", "poster"):
            value = attrs.get(name)
            assert value is None or value.startswith(("data:image/jpeg;base64,", "#")), (tag, name, value)
    assert "@import" not in text
    assert "url(" not in text
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_hostile_names_are_only_text(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for i, name in enumerate(HOSTILE):
        safe = name.replace("/", "")
        Image.fromarray(picture(i)).save(folder / f"{safe}.png")
        (folder / f"{safe}-broken.png").write_text("x")
    _text, page = report(folder, tmp_path / "out")
    assert len(page.all("script")) == 1
    assert not page.all("b", onerror="x")
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert not page.all("img")
    shown = "".join(page.text)
    for name in HOSTILE:
        assert f"{name.replace('/', '')}.png" in shown
        assert f"{name.replace('/', '')}-broken.png" in shown


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "MAX_CARDS", 10)
    monkeypatch.setattr(html, "MAX_ROWS", 20)
    monkeypatch.setattr(html, "MAX_FAILURES", 3)
    names = save_pictures(tmp_path / "in", 40) + [str(tmp_path / f"gone-{i}.png") for i in range(5)]
    _text, page = report(names, tmp_path / "out")
    assert len(page.all("button", **{"class": "card"})) == 10
    assert sum(tag == "tr" and "data-p" in attrs for tag, attrs in page.tags) == 20
    words = " ".join(page.text)
    assert "10 of 40 pictures are embedded" in words
    assert "20 of 40 images are listed" in words
    assert "The first 3 are listed" in words


def test_bytes_of_pictures_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget counts pictures and outlines as they are written."""
    names = save_pictures(tmp_path / "in", 12)
    whole, _ = report(names, tmp_path / "a")
    monkeypatch.setattr(cards, "MAX_PICTURE_BYTES", 0)
    bare, page = report(names, tmp_path / "b")
    assert not page.all("image")
    monkeypatch.setattr(cards, "MAX_PICTURE_BYTES", (len(whole) - len(bare)) // 2)
    half, page = report(names, tmp_path / "c")
    assert 3 <= len(page.all("image")) < 12
    assert len(half) - len(bare) <= cards.MAX_PICTURE_BYTES * 1.1


def test_sample_prefers_uncertain_and_covers_the_rest() -> None:
    rows = [
        {"index": i, "p_blast": i / 999, "call": "uncertain" if 400 <= i < 450 else "x"} for i in range(1000)
    ]
    rows[500]["p_blast"] = None
    some = html._sample(rows, 100)
    assert len(some) == 100
    assert sum(row["call"] == "uncertain" for row in some) == 40
    assert [row["index"] for row in some] == sorted(row["index"] for row in some)
    assert some[0]["index"] <= 500
    assert some[-1]["index"] == 999
    assert html._sample(rows[:50], 100) == rows[:50]


def test_common_folder() -> None:
    assert html._common_folder(["/a/b/c/1.png", "/a/b/d/2.png"]) == "/a/b/"
    assert html._common_folder(["1.png", "a/2.png"]) == ""
    assert html._common_folder(["a/1.png"]) == "a/"
    assert html._common_folder([]) == ""


def test_folders_are_compared(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_pictures(tmp_path / "in" / name, 4)
    text, page = report(tmp_path / "in", tmp_path / "out")
    assert "By folder" in " ".join(page.text)
    assert str(tmp_path) not in text


# --- parts of the page ------------------------------------------------------------------------------------


def test_histogram_adds_up() -> None:
    counts = np.array([3, 0, 7, 1])
    plot = histogram("Cells", counts, "cells")
    assert plot.total == 11
    heights = np.array([bar.height for bar in plot.bars])
    np.testing.assert_allclose(heights / heights.max(), counts / 7, atol=0.01)
    assert all(0 <= bar.y <= bar.y + bar.height <= HEIGHT for bar in plot.bars)
    assert plot.bars[2].text == "0.50 to 0.75: 7 cells"
    assert plot.lines[-1][1] == "8"
    assert histogram("x", np.zeros(4, int), "x").total == 0


@pytest.mark.parametrize("n", [*range(1, 130), 999, 1000, 1001, 123456])
def test_axis_ends_above_its_data(n: int) -> None:
    top = int(histogram("x", np.array([n]), "x").lines[-1][1].replace(",", ""))
    assert n <= top <= 2 * n + 2
    assert top % 2 == 0


def outlines(*cells: list[Any]) -> Outlines:
    """Each cell a list of rings, each ring x, y, x, y ..."""
    rings = [np.reshape(ring, (-1, 2)) for cell in cells for ring in cell]
    return Outlines(
        np.concatenate([np.zeros((0, 2)), *rings]).astype(np.float32),
        np.cumsum([0, *map(len, rings)]),
        np.cumsum([0, *map(len, cells)]),
    )


def test_svg_paths_close_and_scale() -> None:
    square = [0, 0, 10, 0, 10, 10, 0, 10, 0, 0]
    small = [0, 0, 0.1, 0, 0.1, 0.1, 0, 0]
    t = np.linspace(0, 6.28, 500)
    many = np.stack([np.cos(t), np.sin(t)], axis=1) * 50
    drawn = outlines([square], [], [small], [square, small, many.ravel()], [])
    scale = np.array([1.0, 1.0, 1.0, 0.5, 1.0])
    paths = svg_paths(drawn, scale)
    assert paths[:3] == ["M0 0l20 0 0 20 -20 0z", "", ""]
    assert paths[3].startswith("M0 0l10 0 0 10 -10 0zM50 0l")
    assert len(paths[3].split()) < 100
    assert paths[4] == ""
    chosen = np.array([False, True, False, True, True])
    assert svg_paths(drawn.some(chosen), scale[chosen]) == [paths[1], paths[3], paths[4]]
    for none in (outlines(), outlines([], [])):
        assert svg_paths(none, np.ones(len(none.cells) - 1)) == [""] * (len(none.cells) - 1)


@pytest.mark.parametrize(
    ("rings", "cells"), [([0, 6], [0, 1]), ([3, 0], [0, 1]), ([0, 5], [0, 2]), ([-1, 5], [0, 1])]
)
def test_outlines_beyond_their_points_are_not_drawn(rings: list[int], cells: list[int]) -> None:
    points = np.zeros((5, 2), np.float32)
    with pytest.raises(ValueError, match="rings that begin within them"):
        svg_paths(Outlines(points, np.array(rings), np.array(cells)), np.ones(1))
    with pytest.raises(ValueError, match="a scale for each of 1 cells"):
        svg_paths(Outlines(points, np.array([0, 5]), np.array([0, 1])), np.ones(2))


def test_colours() -> None:
    assert p_colour(0.0) == CALL_COLOURS["normal"]
    assert p_colour(0.5) == CALL_COLOURS["uncertain"]
    assert p_colour(1.0) == CALL_COLOURS["blast"]
    assert css((0, 114, 178)) == "#0072b2"
    p = np.linspace(0, 1, 501, dtype=np.float32)
    assert p_css(p) == [css(p_colour(float(one))) for one in p]
    assert p_css(p[:0]) == []


@pytest.mark.parametrize("shape", [(40, 30), (700, 300, 3), (300, 2000, 4), (20, 20, 1)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float64])
def test_thumbnails(shape: tuple[int, ...], kind: type) -> None:
    top = 1 if kind is np.float64 else np.iinfo(kind).max
    image = (np.random.default_rng(0).random(shape) * top).astype(kind)
    rgb = to_8bit_rgb(image)
    assert rgb.shape == (*shape[:2], 3)
    assert rgb.max() > 200
    with Image.open(BytesIO(thumbnail(image))) as small:
        assert max(small.size) == min(max(shape[:2]), THUMBNAIL_SIDE)
        assert small.height / small.width == pytest.approx(shape[0] / shape[1], rel=0.05)
        assert not small.getexif()


def contrast(a: str, b: str) -> float:
    """WCAG 2 contrast ratio of two #rrggbb colours."""
    values = []
    for colour in (a, b):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        values.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(values) + 0.05) / (min(values) + 0.05)


def test_text_has_contrast_in_both_themes() -> None:
    style = (Path(html.__file__).parent / "templates" / "style.css").read_text()
    blocks = re.findall(r":root[^{]*\{([^}]*)\}", style)
    light = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", blocks[0]))
    dark = {**light, **dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", blocks[1]))}
    for theme in (light, dark):
        for ink, ground in [
            ("ink", "page"), ("ink", "panel"), ("dim", "panel"), ("dim", "page"), ("ink", "notice"),
            ("accent", "panel"), ("blast-ink", "blast-soft"), ("uncertain-ink", "uncertain-soft"),
            ("normal-ink", "normal-soft"), ("panel", "accent"), ("ink", "bad-soft"),
        ]:  # fmt: skip
            assert contrast(theme[ink], theme[ground]) >= 4.5, (ink, ground)
