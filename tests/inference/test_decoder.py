"""Decoding in a helper process: equal to decoding here, and crashes stay there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

PIL_Image = pytest.importorskip("PIL.Image")
tifffile = pytest.importorskip("tifffile")

from fastpgs.io import decoder  # noqa: E402
from fastpgs.io.images import ImageReadError, decode  # noqa: E402

CRASHING = f"""
{decoder._PREPARE}
import os, signal
from fastpgs.io import helper
real = helper.decode_raw
def decode_raw(data, name, **options):
    if b"crash" in data:
        os.kill(os.getpid(), signal.SIGSEGV)
    if b"killed" in data:
        os.kill(os.getpid(), signal.SIGKILL)
    print("a library that prints")
    return real(data, name, **options)
helper.decode_raw = decode_raw
helper.IDLE_SECONDS = 0.3 if "idle" in sys.argv[1:] else 30
helper.serve()
"""


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture(autouse=True)
def _own_helpers() -> object:
    decoder.close_helpers()
    yield
    decoder.close_helpers()


def png(rng: np.random.Generator, height: int = 40, width: int = 30) -> bytes:
    buffer = BytesIO()
    PIL_Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(buffer, "png")
    return buffer.getvalue()


def deep_tiff(rng: np.random.Generator) -> bytes:
    buffer = BytesIO()
    tifffile.imwrite(buffer, rng.integers(0, 65536, (2, 30, 40), np.uint16))
    return buffer.getvalue()


def test_the_same_picture_and_the_same_errors(rng: np.random.Generator) -> None:
    for data in (png(rng), deep_tiff(rng), png(rng, 1, 1)):
        here, apart = decode(data, "a"), decoder.decode_apart(data, "a")
        assert apart.pixels.dtype == here.pixels.dtype
        assert np.array_equal(apart.pixels, here.pixels)
        assert apart.note == here.note
        assert apart.pixels.flags.writeable
    assert decoder.decode_apart(deep_tiff(rng), "a").note == "first of 2 pages"
    big = png(rng, 100, 100)
    for data, limit in ((b"no picture", 100), (big[:300], 100_000), (big, 9_999), (b"", 100)):
        with pytest.raises(ImageReadError) as here_error:
            decode(data, "a name", max_pixels=limit)
        with pytest.raises(ImageReadError) as apart_error:
            decoder.decode_apart(data, "a name", max_pixels=limit)
        assert str(apart_error.value) == str(here_error.value)
        assert vars(apart_error.value) == vars(here_error.value)
    assert len(decoder._idle) == 1  # one helper did it all


@pytest.mark.skipif(sys.platform == "win32", reason="signals end processes on POSIX only")
def test_a_crash_is_an_error_of_its_picture(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder, "_START", CRASHING)
    assert decoder.decode_apart(png(rng), "a").pixels.shape == (40, 30, 3)
    with pytest.raises(
        ImageReadError, match=r"^b: the decoder crashed on this picture \(SIGSEGV\)$"
    ) as error:
        decoder.decode_apart(b"crash", "b")
    assert (error.value.status, error.value.retry) == ("failed", False)
    with pytest.raises(ImageReadError, match="killed") as error:
        decoder.decode_apart(b"killed", "c")
    assert error.value.retry
    assert decoder.decode_apart(png(rng), "d").pixels.shape == (40, 30, 3)


@pytest.mark.skipif(sys.platform == "win32", reason="signals end processes on POSIX only")
def test_an_idle_helper_that_has_gone_is_replaced(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = png(rng)
    decoder.decode_apart(data, "a")
    (idle,) = decoder._idle
    os.kill(idle.pid, signal.SIGKILL)
    assert np.array_equal(decoder.decode_apart(data, "a").pixels, decode(data, "a").pixels)
    decoder.close_helpers()
    monkeypatch.setattr(decoder, "_START", CRASHING.replace('"idle" in sys.argv[1:]', "True"))
    decoder.decode_apart(data, "a")
    (idle,) = decoder._idle
    deadline = time.monotonic() + 20
    while idle._process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert idle._process.returncode == 0
    assert np.array_equal(decoder.decode_apart(data, "a").pixels, decode(data, "a").pixels)


def test_a_helper_started_early_is_the_one_that_decodes(rng: np.random.Generator) -> None:
    decoder.start_helper()
    (early,) = decoder._idle
    decoder.start_helper()  # there is one already
    assert decoder._idle == [early]
    assert decoder.decode_apart(png(rng), "a").pixels.shape == (40, 30, 3)
    assert decoder._idle == [early]


def test_plain_pictures_need_no_numpy_in_the_helper(rng: np.random.Generator) -> None:
    (plain, deep) = (png(rng), deep_tiff(rng))
    asked = """
import sys
from fastpgs.io import helper
helper._warm_up()
for data in map(bytes.fromhex, sys.argv[1:]):
    answer, pixels = helper._answer(data, 10_000)
    print(answer["shape"], answer["dtype"], len(pixels), "numpy" in sys.modules)
"""
    told = subprocess.run(
        [sys.executable, "-c", asked, plain.hex(), deep.hex()], check=True, capture_output=True, text=True
    )
    assert told.stdout.splitlines() == ["(40, 30, 3) |u1 3600 False", "(30, 40) <u2 2400 True"]


def test_from_many_threads(rng: np.random.Generator) -> None:
    files = [png(rng, 20 + i, 30) for i in range(24)]
    with ThreadPoolExecutor(4) as pool:
        for data, picture in zip(
            files, pool.map(lambda data: decoder.decode_apart(data, "a"), files), strict=True
        ):
            assert np.array_equal(picture.pixels, decode(data, "a").pixels)
    assert 1 <= len(decoder._idle) <= 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_has_helpers_of_its_own(rng: np.random.Generator) -> None:
    data = png(rng)
    decoder.decode_apart(data, "a")
    (idle,) = decoder._idle
    child = os.fork()
    if child == 0:
        ok = not decoder._idle and decoder.decode_apart(data, "a").pixels.shape == (40, 30, 3)
        decoder.close_helpers()
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert decoder._idle == [idle]
    assert decoder.decode_apart(data, "a").pixels.shape == (40, 30, 3)
    assert decoder._idle == [idle]


def test_without_an_interpreter_this_process_decodes(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    data = png(rng)
    assert np.array_equal(decoder.decode_apart(data, "a").pixels, decode(data, "a").pixels)
    assert not decoder._idle


@pytest.mark.skipif(sys.platform == "win32", reason="signals end processes on POSIX only")
def test_a_crashing_picture_is_a_row(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("pyarrow")
    import fastpgs

    monkeypatch.setattr(decoder, "_START", CRASHING)
    (tmp_path / "a.png").write_bytes(png(rng))
    (tmp_path / "b.tif").write_bytes(b"II*\0crash")
    (tmp_path / "c.png").write_bytes(png(rng))
    result = fastpgs.classify(tmp_path)
    rows = result.images.to_pylist()
    assert [row["status"] for row in rows] == ["ok", "failed", "ok"]
    assert rows[1]["error"] == "the decoder crashed on this picture (SIGSEGV)"
