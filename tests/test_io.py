"""Reading pictures of every kind, good and bad, and listing inputs."""

from __future__ import annotations

import os
import warnings
from io import BytesIO
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from fastpgs.io import FirstFrameWarning, ImageReadError, find_inputs, read_image, read_list, read_manifest
from fastpgs.io.images import display_name
from fastpgs.io.inputs import natural_key

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY16 = RNG.integers(0, 65536, (20, 30), dtype=np.uint16)


def reason(path: object, **options: int) -> str:
    """Why a file cannot be read."""
    with pytest.raises(ImageReadError) as caught:
        read_image(path, **options)
    assert caught.value.path == os.fspath(path)
    assert os.fspath(path) not in caught.value.reason
    return f"{caught.value.status}: {caught.value.reason}"


# --- what can be read -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "gif", "webp", "jp2", "jpg"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(RGB).save(path, **options)
    pixels = read_image(path)
    assert pixels.shape == RGB.shape
    assert pixels.dtype == np.uint8
    if suffix in ("png", "bmp", "tif", "ppm", "webp", "jp2"):
        np.testing.assert_array_equal(pixels, RGB)


def test_format_is_told_by_content(tmp_path: Path) -> None:
    path = tmp_path / "really-a-png.jpg"
    Image.fromarray(RGB).save(path, format="PNG")
    np.testing.assert_array_equal(read_image(path), RGB)


def test_one_bit(tmp_path: Path) -> None:
    mask = RGB[..., 0] > 128
    Image.fromarray(mask).save(tmp_path / "mask.png")
    tifffile.imwrite(tmp_path / "mask.tif", mask, photometric="minisblack")
    for name in ("mask.png", "mask.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name), mask * np.uint8(255))


def test_sixteen_bit_grey(tmp_path: Path) -> None:
    Image.fromarray(GREY16).save(tmp_path / "grey.png")
    tifffile.imwrite(tmp_path / "grey.tif", GREY16)
    for name in ("grey.png", "grey.tif"):
        pixels = read_image(tmp_path / name)
        assert pixels.dtype == np.uint16
        np.testing.assert_array_equal(pixels, GREY16)


def test_sixteen_bit_colour(tmp_path: Path) -> None:
    deep = RNG.integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(deep))
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb", compression="zlib")
    for name in ("deep.png", "deep.tif"):
        pixels = read_image(tmp_path / name)
        assert pixels.dtype == np.uint16
        np.testing.assert_array_equal(pixels, deep)


def test_palette(tmp_path: Path) -> None:
    image = Image.fromarray(RGB).quantize(16)
    image.save(tmp_path / "palette.png")
    image.save(tmp_path / "palette.tif")
    for name in ("palette.png", "palette.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_transparency_lies_on_white(tmp_path: Path, suffix: str) -> None:
    alpha = np.zeros((20, 30, 1), np.uint8)
    alpha[:, 15:] = 255
    Image.fromarray(np.concatenate([RGB, alpha], axis=2)).save(tmp_path / f"a.{suffix}")
    pixels = read_image(tmp_path / f"a.{suffix}")
    assert (pixels[:, :15] == 255).all()
    np.testing.assert_array_equal(pixels[:, 15:], RGB[:, 15:])


def test_cmyk(tmp_path: Path) -> None:
    image = Image.new("CMYK", (30, 20), (0, 255, 255, 0))
    for suffix in ("jpg", "tif"):
        image.save(tmp_path / f"cmyk.{suffix}")
        pixels = read_image(tmp_path / f"cmyk.{suffix}")
        assert pixels.shape == (20, 30, 3)
        assert pixels[..., 0].min() > 230
        assert pixels[..., 1:].max() < 60


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_orientation(tmp_path: Path, orientation: int, suffix: str) -> None:
    """Every orientation shows the picture as Pillow's own transposition does."""
    from PIL import ImageOps

    flat = Image.fromarray(
        np.kron(np.arange(20, dtype=np.uint8).reshape(4, 5) * 10, np.ones((8, 8), np.uint8))
    )
    path = tmp_path / f"o.{suffix}"
    exif = Image.Exif()
    exif[274] = orientation
    flat.save(path, exif=exif) if suffix != "tif" else flat.save(path, tiffinfo={274: orientation})
    flat.save(tmp_path / "reference.png", exif=exif)
    with Image.open(tmp_path / "reference.png") as image:
        expected = ImageOps.exif_transpose(image)
    pixels = read_image(path)
    assert pixels.shape == (expected.height, expected.width)
    np.testing.assert_allclose(pixels, np.asarray(expected), atol=8)  # JPEG loses a little


def test_white_is_zero_tiff(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "w.tif", RGB[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "w.tif"), 255 - RGB[..., 0])


def test_planar_and_ome_tiff(tmp_path: Path) -> None:
    planes = np.moveaxis(RGB, -1, 0)
    tifffile.imwrite(tmp_path / "planar.tif", planes, photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "c.ome.tif", planes, photometric="minisblack", metadata={"axes": "CYX"})
    tifffile.imwrite(tmp_path / "s.ome.tif", RGB, photometric="rgb", metadata={"axes": "YXS"}, tile=(16, 16))
    for name in ("planar.tif", "c.ome.tif", "s.ome.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name), RGB)


def test_first_frame_is_read_and_said(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.roll(RGB, i, axis=0)) for i in range(3)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    tifffile.imwrite(tmp_path / "a.tif", np.stack([np.asarray(f) for f in frames]), photometric="rgb")
    for name in ("a.png", "a.tif"):
        with pytest.warns(FirstFrameWarning, match="first of 3"):
            np.testing.assert_array_equal(read_image(tmp_path / name), RGB)


def test_read_does_not_warn_of_one_frame(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.gif")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_image(tmp_path / "a.gif")


# --- what cannot ------------------------------------------------------------------------------------------


def test_missing_empty_and_text(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("this is no picture")
    assert reason(tmp_path / "missing.png") == "failed: no such file"
    assert reason(tmp_path / "empty.png") == "failed: the file is empty (0 bytes)"
    assert reason(tmp_path / "text.jpg").startswith("failed: not a picture in a known format (PNG, JPEG")


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "gif", "webp", "tif", "zip.tif"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a.{suffix}"
    if suffix.endswith("tif"):
        kind = "zlib" if suffix == "zip.tif" else None
        big = np.tile(RGB, (5, 5, 1))
        tifffile.imwrite(path, big, photometric="rgb", compression=kind, rowsperstrip=16)
    else:
        Image.fromarray(RGB).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert reason(path).startswith("failed: ")


def test_bit_flips_never_escape(tmp_path: Path) -> None:
    """Whatever is wrong with the bytes, there are pixels or an ImageReadError."""
    buffers = []
    for kind in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"):
        buffer = BytesIO()
        Image.fromarray(RGB).save(buffer, format=kind)
        buffers.append(buffer.getvalue())
    path = tmp_path / "flipped"
    outcomes = set()
    for i in range(240):
        data = bytearray(buffers[i % len(buffers)])
        for at in RNG.integers(0, len(data), 6):
            data[at] ^= 1 << int(RNG.integers(8))
        path.write_bytes(bytes(data))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                assert read_image(path, max_pixels=10**6).ndim in (2, 3)
                outcomes.add("read")
            except ImageReadError as error:
                outcomes.add(error.status)
    assert {"read", "failed"} <= outcomes


def test_pixel_limit(tmp_path: Path) -> None:
    for suffix in ("png", "tif"):
        path = tmp_path / f"big.{suffix}"
        Image.new("L", (400, 300)).save(path)
        assert reason(path, max_pixels=119_999).startswith("refused: 400 x 300 = 120,000 pixels, more than")
        assert read_image(path, max_pixels=120_000).shape == (300, 400)


def test_limit_above_that_of_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.new("L", (400, 300)).save(tmp_path / "big.png")
    assert read_image(tmp_path / "big.png").shape == (300, 400)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_huge_header_is_refused_unread(tmp_path: Path) -> None:
    """A file of 66 bytes that claims 10^10 pixels."""
    header = b"BM" + (66).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    info = (40).to_bytes(4, "little") + (100_000).to_bytes(4, "little") * 2 + b"\1\0\x18\0" + bytes(24)
    (tmp_path / "bomb.bmp").write_bytes(header + info + bytes(12))
    assert "100000 x 100000 = 10,000,000,000 pixels" in reason(tmp_path / "bomb.bmp")


def test_float_pixels_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "f.tif", np.zeros((8, 8), np.float32))
    assert reason(tmp_path / "f.tif") == "refused: expected 8- or 16-bit unsigned pixels, got float32"
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((5, 8, 8), np.uint8), metadata={"axes": "CYX"}, ome=True)
    assert "expected 1, 3 or 4 channels" in reason(tmp_path / "c.tif")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_special_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert reason(tmp_path / "pipe.png") == "refused: expected a regular file, got a named pipe"
    assert reason(tmp_path) == "refused: expected a regular file, got a folder"
    assert reason("/dev/zero") == "refused: expected a regular file, got a device"


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert "cannot be read: Too many levels of symbolic links" in reason(tmp_path / "a.png")


# --- finding inputs ---------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("f/img10.png", "f/img2.PNG", "f/sub/a.jpg", "f/notes.txt", "f/.hidden.png", "f/.h/x.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def test_folder_is_searched_in_natural_order(folder: Path) -> None:
    assert [item.name for item in find_inputs("f")] == ["f/img2.PNG", "f/img10.png", "f/sub/a.jpg"]


def test_names_stay_as_given_and_twice_is_once(folder: Path) -> None:
    items = find_inputs(["./f/img10.png", "f", folder / "f/notes.txt"])
    names = ["./f/img10.png", "f/img2.PNG", "f/sub/a.jpg", str(folder / "f/notes.txt")]
    assert [item.name for item in items] == names


def test_patterns(folder: Path) -> None:
    assert [item.name for item in find_inputs("f/*.png")] == ["f/img10.png"]
    assert [item.name for item in find_inputs("f/**/*.jpg")] == ["f/sub/a.jpg"]
    (folder / "f/[1].png").write_bytes(b"x")
    assert [item.path for item in find_inputs("f/[1].png")] == ["f/[1].png"]


def test_nothing_there_is_a_row(folder: Path) -> None:
    (folder / "none").mkdir()
    items = find_inputs(["nowhere.png", "none", "*.xyz", "a\0b", "nowhere.png"])
    assert [(item.name, item.error) for item in items] == [
        ("nowhere.png", None),
        ("none", "no image file in this folder"),
        ("*.xyz", "no file matches this pattern"),
        ("a\0b", "not a possible file name: embedded null byte"),
    ]


def test_output_folder_is_left_out(folder: Path) -> None:
    assert [item.name for item in find_inputs("f", exclude="f/sub")] == ["f/img2.PNG", "f/img10.png"]


def results(folder: Path) -> None:
    for part in ("overlays/x.png", "heatmaps/x.png", "shards/1-of-2/labels/x.tif"):
        (folder / part).parent.mkdir(parents=True)
        (folder / part).write_bytes(b"x")
    for name in ("run.json", "images.parquet"):
        (folder / name).write_bytes(b"x")


def test_results_inside_a_folder_are_left_out(folder: Path) -> None:
    results(folder / "f/old")
    assert len(find_inputs("f")) == 3


@pytest.mark.parametrize("exclude", [None, "f"])
def test_a_folder_that_was_used_for_results_keeps_its_images(folder: Path, exclude: str | None) -> None:
    """`fastpgs classify f --out f` judges what lies in it, the first time and the next."""
    before = find_inputs("f", exclude=exclude)
    assert len(before) == 3
    results(folder / "f")
    assert find_inputs("f", exclude=exclude) == before


def test_circle_of_folders_ends(folder: Path) -> None:
    (folder / "f/sub/loop").symlink_to(folder / "f")
    assert len(find_inputs("f")) == 3


def test_lists_and_manifests(folder: Path) -> None:
    assert read_list("a.png\n\nb c.png\n") == ["a.png", "b c.png"]
    assert read_list("a\nb.png\0c.png\0") == ["a\nb.png", "c.png"]
    manifest = folder / "m.csv"
    manifest.write_text("patient,image\n1,f/img10.png\n2,/abs.png\n")
    assert read_manifest(manifest) == [str(folder / "f/img10.png"), "/abs.png"]
    manifest.write_text("file\nx\n")
    with pytest.raises(ValueError, match=r"expected a column 'image', got \['file'\]"):
        read_manifest(manifest)
    (folder / "m.txt").write_text("f/img2.PNG\n")
    assert read_manifest(folder / "m.txt") == [str(folder / "f/img2.PNG")]


def test_odd_names_become_text(tmp_path: Path) -> None:
    assert display_name(os.fsdecode(b"caf\xe9.png")) == "caf\\xe9.png"
    assert display_name("a\nb☃.png") == "a\nb☃.png"
    assert display_name("\ud800.png") == "\\ud800.png"
    assert sorted(["a10", "a9", "a", "10", "9"], key=natural_key) == ["9", "10", "a", "a9", "a10"]
