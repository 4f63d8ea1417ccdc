"""A power cut cannot be tried here; but the order of writes can: content, sync, name, sync."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")
from fastpgs.inference.pipeline import classify
from fastpgs.io.atomic import TEMPORARY, atomic_folder, remove_leftovers, write_atomic
from fastpgs.io.lock import LockedError, lock_file, locked
from standin import StandIn, save_pictures

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc which file a handle is of")


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was synced and renamed, in order."""
    seen: list[tuple[str, str]] = []
    sync, rename = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        seen.append(("sync", str(Path(f"/proc/self/fd/{handle}").readlink())))
        sync(handle)

    def replace(self: Path, target: Any) -> Path:
        seen.append(("rename", str(self)))
        seen.append(("to", str(target)))
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    return seen


def test_a_file_is_synced_before_it_has_its_name(tmp_path: Path, order: list[tuple[str, str]]) -> None:
    write_atomic(tmp_path / "a", "text")
    assert [what for what, _ in order] == ["sync", "rename", "to", "sync"]
    assert order[0][1] == order[1][1] != str(tmp_path / "a")
    assert order[2:] == [("to", str(tmp_path / "a")), ("sync", str(tmp_path))]


def test_a_folder_is_synced_before_it_has_its_name(tmp_path: Path, order: list[tuple[str, str]]) -> None:
    for turn in range(2):  # the second takes the place of the first
        with atomic_folder(tmp_path / "a") as folder:
            (folder / "b").mkdir(parents=True)
            (folder / "b" / "c").write_text(f"{turn}")
        assert (tmp_path / "a" / "b" / "c").read_text() == f"{turn}"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]
    first = order[: order.index(("to", str(tmp_path / "a")))]
    made = first[-1][1]
    assert {path for what, path in first if what == "sync"} == {made, f"{made}/b", f"{made}/b/c"}
    assert order[len(first) + 1] == ("sync", str(tmp_path))
    with pytest.raises(FileNotFoundError), atomic_folder(tmp_path / "a") as folder:
        (folder / "c").write_text("something goes wrong: there is no such folder")
    assert (tmp_path / "a" / "b" / "c").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f".a.12{TEMPORARY}" / "b").mkdir(parents=True)
    (tmp_path / f".c.12{TEMPORARY}").write_text("half")
    (tmp_path / "kept").mkdir()
    remove_leftovers(tmp_path)
    remove_leftovers(tmp_path / "missing")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_all_results_of_a_run_keep_the_order(tmp_path: Path, order: list[tuple[str, str]]) -> None:
    save_pictures(tmp_path / "in", 2)
    out = tmp_path / "out"
    classify([tmp_path / "in"], StandIn(), out=out, formats=["csv", "overlays", "labels", "geojson"])
    named = {path for what, path in order if what == "to"}
    for i, (what, path) in enumerate(order):
        if what == "rename":
            assert order[i - 1] == ("sync", path)
            assert order[i + 2] == ("sync", str(Path(order[i + 1][1]).parent))
    assert {
        str(out / name) for name in ("images.parquet", "cells.parquet", "run.json", "report.html")
    } <= named
    left = {str(path) for path in out.rglob("*") if path.is_file()} - named
    assert all(Path(path).name.startswith(".") for path in left), left  # the lock alone
    assert not any(TEMPORARY in path.name for path in out.rglob("*"))


def test_one_training_a_folder(tmp_path: Path) -> None:
    @locked
    def work(number: int, out: Path) -> int:
        with pytest.raises(LockedError, match="is writing to 'new'"):
            lock_file(tmp_path / "new")
        return number

    assert work(3, out=tmp_path / "new") == 3
    lock_file(tmp_path / "new").close()  # free again
    from fastpgs.training.compare import compare
    from fastpgs.training.crossval import cross_validate
    from fastpgs.training.fit import fit_model

    with lock_file(tmp_path / "new"):
        for long, nothing in ((fit_model, [None] * 3), (compare, [None] * 3), (cross_validate, [None] * 2)):
            with pytest.raises(LockedError):
                long(None, tmp_path / "new", *nothing)
