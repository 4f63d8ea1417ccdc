"""Image files of every kind, whole and damaged in many ways, with the names that nobody expects."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

# Names that break tables, pages, shells and terminals.
ODD_NAMES = (
    "<script>alert(1)<!--.png",
    "=HYPERLINK(1).png",
    "new\nline.png",
    "tab\tand 'quotes\".png",
    "caf\xe9 ☃ \u202egnp.png",
    "-rf.png",
    "$(reboot).png",
    "[a-z]*.png",
    " .png",
    "x" * 200 + ".png",
    os.fsdecode(b"latin\xe9\xff.png"),
)


def encodings(rgb: npt.NDArray[np.uint8]) -> dict[str, bytes]:
    """The same picture in every kind of file that is read; the key is kind and ending."""
    picture = Image.fromarray(rgb)
    deep = rgb.astype(np.uint16) * 257
    kinds: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "rgb.png": (picture, {"format": "PNG"}),
        "grey.png": (picture.convert("L"), {"format": "PNG"}),
        "bit.png": (picture.convert("1"), {"format": "PNG"}),
        "palette.png": (picture.quantize(32), {"format": "PNG"}),
        "alpha.png": (picture.convert("RGBA"), {"format": "PNG"}),
        "grey16.png": (Image.fromarray(deep[..., 1]), {"format": "PNG"}),
        "rgb.jpg": (picture, {"format": "JPEG"}),
        "progressive.jpg": (picture, {"format": "JPEG", "progressive": True}),
        "cmyk.jpg": (picture.convert("CMYK"), {"format": "JPEG"}),
        "rgb.bmp": (picture, {"format": "BMP"}),
        "animated.gif": (
            picture.quantize(64),
            {"format": "GIF", "save_all": True, "append_images": [picture.quantize(8)] * 2},
        ),
        "rgb.webp": (picture, {"format": "WEBP"}),
        "animated.webp": (picture, {"format": "WEBP", "save_all": True, "append_images": [picture]}),
        "rgb.jp2": (picture, {"format": "JPEG2000"}),
        "rgb.ppm": (picture, {"format": "PPM"}),
        "raw.tif": (picture, {"format": "TIFF"}),
        "lzw.tif": (picture, {"format": "TIFF", "compression": "tiff_lzw"}),
        "zip.tif": (picture, {"format": "TIFF", "compression": "tiff_adobe_deflate"}),
        "pages.tif": (picture, {"format": "TIFF", "save_all": True, "append_images": [picture] * 2}),
        "grey16.tif": (Image.fromarray(deep[..., 0]), {"format": "TIFF"}),
        "cmyk.tif": (picture.convert("CMYK"), {"format": "TIFF"}),
    }
    made = {}
    for name, (image, options) in kinds.items():
        buffer = BytesIO()
        image.save(buffer, **options)
        made[name] = buffer.getvalue()
    return made


def _flip(data: bytes, rng: random.Random, n: int) -> bytes:
    out = bytearray(data)
    for _ in range(n):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def _fill(data: bytes, rng: random.Random, value: int) -> bytes:
    start = rng.randrange(len(data))
    stop = min(len(data), start + rng.choice((1, 4, 64, len(data) // 2 + 1)))
    return data[:start] + bytes([value]) * (stop - start) + data[stop:]


def _huge(data: bytes, rng: random.Random) -> bytes:
    """Large numbers in the header, where most kinds keep the picture's size."""
    out = bytearray(data)
    start = rng.randrange(min(32, len(out)))
    out[start : start + 4] = rng.choice((b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\0\1\0\0", b"\xff" * 4))
    return bytes(out)


MUTATIONS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "whole": lambda data, rng: data,
    "empty": lambda data, rng: b"",
    "cut early": lambda data, rng: data[: rng.randrange(1, 33)],
    "cut": lambda data, rng: data[: rng.randrange(len(data))],
    "cut late": lambda data, rng: data[: -rng.randrange(1, 17)],
    "one bit": lambda data, rng: _flip(data, rng, 1),
    "bits": lambda data, rng: _flip(data, rng, rng.choice((4, 16, 256))),
    "header bits": lambda data, rng: _flip(data[:64], rng, 3) + data[64:],
    "zeros": lambda data, rng: _fill(data, rng, 0),
    "ones": lambda data, rng: _fill(data, rng, 255),
    "huge": _huge,
    "twice": lambda data, rng: data + data,
    "tail": lambda data, rng: data + rng.randbytes(rng.randrange(1, 999)),
    "hole": lambda data, rng: data[: len(data) // 3] + data[len(data) // 2 :],
    "noise": lambda data, rng: rng.randbytes(rng.randrange(1, 4096)),
}


def write_mutants(
    folder: Path, pictures: list[npt.NDArray[np.uint8]], n: int, seed: int
) -> Iterator[tuple[str, str]]:
    """Write `n` files; yields (path, what it is): the name of a mutation, or of a special file."""
    rng = random.Random(seed)
    folder.mkdir(parents=True)
    coded = [encodings(picture) for picture in pictures]
    names = list(MUTATIONS)
    special = dict(_special(folder))
    yield from special.items()
    for i in range(n - len(special)):
        kind, data = rng.choice(list(rng.choice(coded).items()))
        mutation = names[i % len(names)]
        stem, suffix = kind.split(".")
        if rng.randrange(8) == 0:  # told by content, not by name
            suffix = rng.choice(("png", "jpg", "tif", "bmp", "gif"))
        path = folder / f"{i:05}-{stem}-{mutation.replace(' ', '-')}.{suffix}"
        path.write_bytes(MUTATIONS[mutation](data, rng))
        yield str(path), mutation


def _special(folder: Path) -> Iterator[tuple[str, str]]:
    whole = Image.new("RGB", (40, 40), (230, 220, 228))
    for name in ODD_NAMES:
        whole.save(folder / name, format="PNG")
        yield str(folder / name), "odd name"
    (folder / "loop-a.png").symlink_to("loop-b.png")
    (folder / "loop-b.png").symlink_to("loop-a.png")
    (folder / "dangling.png").symlink_to("nowhere.png")
    (folder / "folder.png").mkdir()
    (folder / "folder.png" / "inside.png").symlink_to(folder / "-rf.png")
    for name in ("loop-a.png", "dangling.png"):
        yield str(folder / name), "bad link"
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.png")
        (folder / "device.png").symlink_to("/dev/zero")
        yield str(folder / "pipe.png"), "pipe"
        yield str(folder / "device.png"), "device"
    hidden = folder / "unreadable.png"
    whole.save(hidden)
    hidden.chmod(0)
    yield str(hidden), "unreadable"
    side = (100_000).to_bytes(4, "little")
    bomb = (
        b"BM" + bytes(8) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little") + side * 2 + b"\1\0\x18\0"
    )
    (folder / "bomb.bmp").write_bytes(bomb + bytes(36))
    yield str(folder / "bomb.bmp"), "bomb"
    bytes_of_bomb = BytesIO()
    Image.new("1", (30_000, 30_000)).save(bytes_of_bomb, format="PNG")
    (folder / "bomb.png").write_bytes(bytes_of_bomb.getvalue())
    yield str(folder / "bomb.png"), "bomb"
    yield str(folder / "missing.png"), "missing"
