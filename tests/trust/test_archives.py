"""Model files that mean harm: archives that lead elsewhere, swell or cannot be read, graphs that name other files."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import pytest

pytest.importorskip("torch")
from fastpgs import load_model
from fastpgs.inference.files import ModelError
from fastpgs.inference.model import METADATA_KEY


def archive(path: Path, name: str, data: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        made.writestr(name, data)
    return path


@pytest.mark.parametrize("suffix", [".ts", ".pt2"])
@pytest.mark.parametrize("name", ["../evil.txt", "{outside}/evil.txt", "x/../../evil.txt", "evil.txt"])
def test_nothing_is_unpacked(tmp_path: Path, suffix: str, name: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    path = archive(home / f"model{suffix}", name.format(outside=tmp_path.absolute()), b"evil")
    with pytest.raises(ModelError, match="trust=True"):
        load_model(path, "cpu")
    with pytest.raises(ModelError):
        load_model(path, "cpu", trust=True)
    assert [one.name for one in tmp_path.rglob("*")] == ["home", path.name]


def test_a_configuration_that_swells_is_not_read(tmp_path: Path) -> None:
    """64 MiB in 64 KiB of file: its size is seen before it is read."""
    path = archive(tmp_path / "m.ts", f"m/extra/{METADATA_KEY}", bytes(64 << 20), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(ModelError):
        load_model(path, "cpu", trust=True)


@pytest.mark.parametrize("damage", ["encrypted", "unknown method", "flipped", "not text"])
def test_archives_that_cannot_be_read(tmp_path: Path, damage: str) -> None:
    text = b"\xff\xfe" if damage == "not text" else b'{"config": {}}' * 99
    path = archive(tmp_path / "m.ts", f"m/extra/{METADATA_KEY}", text, zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    central = data.rindex(b"PK\1\2")
    if damage == "encrypted":
        data[6] |= 1
        data[central + 8] |= 1
    elif damage == "unknown method":
        data[8] = data[central + 10] = 77
    elif damage == "flipped":
        start = 30 + len(f"m/extra/{METADATA_KEY}")
        data[start : start + 8] = b"\xff" * 8
        with pytest.raises(zlib.error):
            zlib.decompress(bytes(data[start:]), -15)
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"m\.ts is no readable archive"):
        load_model(path, "cpu", trust=True)


@pytest.mark.parametrize("where", ["secret.bin", "../secret.bin", "/etc/hostname"])
def test_graphs_read_no_other_files(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ONNX file may ask for weights from another file; loading needs no trust, so that must fail."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    (tmp_path / "home").mkdir()
    for folder in (tmp_path, tmp_path / "home"):
        (folder / "secret.bin").write_bytes(bytes(16))
    monkeypatch.chdir(tmp_path / "home")
    weights = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    weights.external_data.add(key="location", value=where)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["x", "w"], ["y"])],
        "g",
        [value("x", 1, [4])],
        [value("y", 1, [4])],
        [weights],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    Path("m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="ONNX Runtime refuses the file"):
        load_model(Path("m.onnx"), "cpu")
