"""The page in a headless Chromium: a picture dropped, cells outlined, sliders moved, keys and contrast."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from standin import picture

pytest.importorskip("starlette", reason="needs the extra 'serve'")
pytest.importorskip("httpx")
uvicorn = pytest.importorskip("uvicorn", reason="needs the extra 'serve'")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
expect = sync_api.expect
expect.set_options(timeout=30_000)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    from test_app import WithMasks

    from fastpgs.serve.app import make_app

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(make_app(WithMasks()), log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    server.should_exit = True
    thread.join(10)
    listening.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    made = browser.new_page(viewport={"width": 1300, "height": 900})
    trouble: list[str] = []
    made.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: trouble.append(str(error)))
    made.goto(address)
    yield made
    made.close()
    # A refused upload is said on the page; the browser logs it too.
    assert not [text for text in trouble if "status of 422" not in text]


DROP = """async (name) => {
  const bytes = await (await fetch(document.querySelector('#picture image').href.baseVal)).arrayBuffer();
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, {type: 'image/png'}));
  document.querySelector('#drop').dispatchEvent(
    new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: carried}));
}"""


def opened(page: Any, tmp_path: Path) -> None:
    path = tmp_path / "smear.png"
    Image.fromarray(picture(1)).save(path)
    page.set_input_files("#file", path)
    page.wait_for_selector("#cells tbody tr")


def test_a_picture_is_judged_and_dropped_again(page: Any, tmp_path: Path) -> None:
    assert page.get_by_role("note").inner_text().startswith("Research use only")
    opened(page, tmp_path)
    assert page.inner_text("#n-cells") == "3"
    assert page.locator("#picture .cell").count() == 3
    assert page.inner_text("#n-blast") == "3"
    page.evaluate(DROP, "dropped.png")
    expect(page.locator("#name")).to_have_text("dropped.png")
    expect(page.locator("#cells tbody tr")).to_have_count(3)
    with page.expect_download() as got:
        page.click("#get-csv")
    assert got.value.suggested_filename.startswith("dropped.png-")


def test_sliders_segment_live(page: Any, tmp_path: Path) -> None:
    opened(page, tmp_path)
    page.wait_for_selector("#clusters li")
    before = page.get_attribute("#clusters-image", "href")
    page.focus("#k")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#clusters li")).to_have_count(2)
    assert page.get_attribute("#clusters-image", "href") != before
    assert page.is_checked("#show-clusters")
    page.focus("#threshold")
    page.keyboard.press("Home")  # the smallest: pixels stay out
    expect(page.locator("#threshold-out")).to_have_text("4 CIELAB²")
    expect(page.locator("#clusters li").last).to_contain_text("reached by no pivot")


def test_the_size_of_pixels_is_taken(page: Any, tmp_path: Path) -> None:
    opened(page, tmp_path)
    page.click("#cells tbody tr button")
    before = page.get_attribute("#crop", "src")
    page.fill("#pixel-size", "0.25")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("judged in")
    expect(page.locator("#why")).to_be_hidden()
    expect(page.locator("#cells tbody tr")).to_have_count(3)
    expect(page.locator("#picture .cell")).to_have_count(3)
    page.click("#cells tbody tr button")
    assert page.get_attribute("#crop", "src") != before
    expect(page.locator("#crop")).to_have_js_property("naturalWidth", 80)
    page.fill("#pixel-size", "0")
    page.keyboard.press("Enter")
    expect(page.locator("#error")).to_be_visible()


def test_a_sample_says_the_size_of_its_pixels_and_leaves_that_of_others(page: Any, tmp_path: Path) -> None:
    opened(page, tmp_path)
    page.fill("#pixel-size", "0.5")
    page.keyboard.press("Enter")
    page.click("#another")
    page.click("#sample")
    expect(page.locator("#name")).to_contain_text("synthetic smear")
    expect(page.locator("#pixel-size")).to_have_value("0.16")
    opened(page, tmp_path)
    expect(page.locator("#name")).to_have_text("smear.png")
    expect(page.locator("#pixel-size")).to_have_value("0.5")


def test_keys_alone_reach_every_cell(page: Any, tmp_path: Path) -> None:
    opened(page, tmp_path)
    reached = None
    for _ in range(40):
        page.keyboard.press("Tab")
        reached = page.evaluate("document.activeElement.getAttribute('aria-label') || ''")
        if reached.startswith("cell 1:"):
            break
    assert reached is not None
    assert reached.startswith("cell 1:")
    seen = []
    for _ in range(3):
        seen.append(page.inner_text("#why-facts")[:6])
        page.keyboard.press("ArrowRight")
    assert seen == ["Cell 1", "Cell 2", "Cell 3"]
    expect(page.locator("#mask")).to_have_js_property("naturalWidth", 80)
    assert page.locator("#cells tr.lit th").inner_text() == "1"  # round and round


def test_what_is_wrong_is_said(page: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    page.set_input_files("#file", tmp_path / "notes.png")
    page.wait_for_selector("#error:not([hidden])")
    assert "notes.png" in page.inner_text("#error")


# Contrast of WCAG 2: text against the first opaque background behind it.
CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const poor = [];
  for (const one of document.querySelectorAll('body *')) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || one.closest('svg, .skip, .visually-hidden') || !one.offsetParent) continue;
    let behind = one, ground;
    do { ground = parse(getComputedStyle(behind).backgroundColor); behind = behind.parentElement; }
    while (behind && ground.length === 4 && ground[3] === 0);
    if (ground.length === 4 && ground[3] === 0) ground = parse(getComputedStyle(document.body).backgroundColor);
    const [a, b] = [light(parse(getComputedStyle(one).color)), light(ground)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${one.tagName} ${one.textContent.trim().slice(0, 30)} ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(browser: Any, address: str, tmp_path: Path, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(address)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert page.evaluate(CONTRAST) == []
    opened(page, tmp_path)
    page.click("#picture .cell >> nth=0")
    assert page.evaluate(CONTRAST) == []
    page.close()
