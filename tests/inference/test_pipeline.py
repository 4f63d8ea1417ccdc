"""From inputs to tables: order, batches, failures, and what is written when."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from PIL import Image

import fastpgs
from fastpgs.inference import parts
from fastpgs.inference.items import BLOCK
from fastpgs.inference.parts import ResumeError
from fastpgs.inference.pipeline import Interrupted, classify
from fastpgs.inference.results import CELLS, IMAGES
from fastpgs.io.lock import LockedError, lock_file
from standin import Config, StandIn, picture, save_pictures

N = 2 * BLOCK + 9


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_pictures(tmp_path / "in", N)
    return tmp_path / "in"


def judge(*arguments: Any, **options: Any) -> Any:
    """`classify` without the page, where that is not what is looked at."""
    return classify(*arguments, **{"report": False, **options})


def read(out: Path) -> tuple[Any, Any]:
    return pq.read_table(out / "images.parquet"), pq.read_table(out / "cells.parquet")


def same(a: Path, b: Path) -> bool:
    return all(x.equals(y) for x, y in zip(read(a), read(b), strict=True))


# --- rows -------------------------------------------------------------------------------------------------


def test_public_name() -> None:
    assert fastpgs.classify is classify


def test_rows_are_in_order_and_right() -> None:
    pictures = [picture(i, spots=i, dark=10 * i) for i in range(6)]
    result = classify(pictures, StandIn())
    assert result.ok
    rows = result.images.to_pylist()
    assert [row["image"] for row in rows] == [f"array-{i}" for i in range(6)]
    assert [row["cells"] for row in rows] == list(range(6))
    assert result.images.schema.equals(IMAGES)
    assert result.cells.schema.equals(CELLS)
    cells = result.cells.to_pylist()
    assert [cell["cell"] for cell in cells if cell["image"] == "array-3"] == [1, 2, 3]
    for cell in cells:
        i = int(cell["image"].removeprefix("array-"))
        assert cell["p_blast"] == pytest.approx((255 - 10 * i - cell["cell"] + 1) / 255)
        top, left, bottom, right = cell["bbox"]
        crop = pictures[i][top:bottom, left:right, 1]
        assert cell["area"] == (crop < 128).sum()
        assert cell["nucleus_area"] == (crop < 64).sum()
        assert cell["centroid"] == pytest.approx([(top + bottom - 1) / 2, (left + right - 1) / 2])
    assert rows[3]["blast_fraction"] == 1.0
    assert rows[3]["p_blast"] == pytest.approx(
        np.mean([c["p_blast"] for c in cells if c["image"] == "array-3"])
    )


def test_image_without_cells_is_uncertain() -> None:
    row = classify([picture(0, spots=0)], StandIn()).images.to_pylist()[0]
    assert (row["status"], row["cells"], row["p_blast"], row["blast_fraction"]) == ("ok", 0, None, None)
    assert (row["call"], row["reason"]) == ("uncertain", "no white cells were found")


def test_one_array_and_a_stack_of_arrays() -> None:
    assert len(classify(picture(0), StandIn()).images) == 1
    assert len(classify(picture(0)[..., 1], StandIn()).images) == 1
    assert len(classify(np.stack([picture(0)] * 3), StandIn()).images) == 3


def test_bad_inputs_are_named_and_the_others_unharmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = save_pictures(Path("in"), 8)
    (tmp_path / "text.jpg").write_text("words")
    (tmp_path / "empty.png").touch()
    Image.fromarray(picture(0)).save("whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:-300])
    Image.new("L", (1, 1)).save("dot.png")
    Image.fromarray(np.full((40, 40), 60000, np.uint16)).save("deep.png")
    Image.fromarray(picture(0)).quantize(8).save("palette.png")
    os.mkfifo("pipe.png")
    bad = ["text.jpg", "empty.png", "cut.jpg", "dot.png", "missing.png", "pipe.png", "no/*.png", "deep.png"]
    mixed = [name for pair in zip(bad, names, strict=True) for name in pair] + ["palette.png"]
    result = classify(mixed, StandIn(), out="out")
    rows = {row["image"]: row for row in result.images.to_pylist()}
    assert list(rows) == mixed
    expected = {
        "text.jpg": ("failed", "not a picture in a known format"),
        "empty.png": ("failed", "the file is empty (0 bytes)"),
        "cut.jpg": ("failed", "damaged or cut short"),
        "dot.png": ("refused", "1 x 1 pixels; expected at least 16 x 16"),
        "missing.png": ("failed", "no such file"),
        "pipe.png": ("refused", "expected a regular file, got a named pipe"),
        "no/*.png": ("failed", "no file matches this pattern"),
        "deep.png": ("failed", "finding cells: expected uint8, got uint16"),
    }
    for name, (status, reason) in expected.items():
        assert rows[name]["status"] == status
        assert reason in rows[name]["error"]
        assert rows[name]["cells"] is rows[name]["call"] is None
    assert rows["palette.png"]["status"] == "ok"
    assert result.run["counts"] | {"cells": 0} == {
        "inputs": 17, "ok": 9, "failed": 6, "refused": 2, "cells": 0,
        "called_blast": 7, "called_uncertain": 2, "called_normal": 0,
    }  # fmt: skip
    assert not result.ok
    alone = {row["image"]: row for row in classify(names, StandIn()).images.to_pylist()}
    assert {name: rows[name] for name in names} == alone


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ("cells", "finding cells: expected a sky, got a sea"),
        ("model", "model: RuntimeError: no such crop"),
        ("nan", "model: expected probabilities in [0, 1], got nan to nan"),
    ],
)
def test_a_stage_that_fails_spoils_one_row(broken: str, error: str) -> None:
    pictures = [picture(7 if i == 4 else 0, dark=77 if i == 4 else 30) for i in range(9)]
    rows = classify(pictures, StandIn(broken=broken)).images.to_pylist()
    assert [row["status"] for row in rows] == ["ok"] * 4 + ["failed"] + ["ok"] * 4
    assert rows[4]["error"].startswith(error)


def test_batches_are_full_and_follow_blocks() -> None:
    model = StandIn(batch_size=50)
    assert classify([picture(0, spots=3)] * (BLOCK + 1), model).run["counts"]["cells"] == 3 * BLOCK + 3
    # Batches run side by side, so the last ones may overtake each other.
    assert sorted(model.batches) == sorted([50, 50, 50, 3 * BLOCK - 150, 3])


def test_numbers_depend_on_the_block_alone(folder: Path) -> None:
    """A batch-dependent model gives equal bits whatever the number of workers."""
    runs = [classify(folder, StandIn(spread=0.3, batch_size=7), workers=workers) for workers in (1, 3)]
    assert runs[0].images.equals(runs[1].images)
    assert runs[0].cells.equals(runs[1].cells)


def test_lazy_reads_no_further_than_needed() -> None:
    taken = []

    def pictures() -> Iterator[npt.NDArray[np.uint8]]:
        for i in range(1000):
            taken.append(i)
            yield picture(i)

    results = classify(pictures(), StandIn(batch_size=4), lazy=True, workers=2)
    first = next(results)
    assert (first.index, first.status, len(first.cells)) == (0, "ok", 3)
    assert first.labels.shape == first.nuclei.shape == (48, 64)
    assert first.labels.max() == 3
    for _ in range(20):
        next(results)
    assert len(taken) < 60
    results.close()


def test_pixel_size_scales_what_the_model_sees(folder: Path) -> None:
    """Crops are the training's size; what rows say of cells stays in the picture's own pixels."""

    class Areas(StandIn):
        def scores(self, crops: Any, num_threads: int | None = None, *, masks: bool = True) -> Any:
            found = super().scores(crops, num_threads, masks=masks)
            dark = (crops[:, 4:12, 4:12, 1] < 128).mean(axis=(1, 2)) + (crops[:, 13, 13, 1] < 128)
            return SimpleNamespace(p=dark.astype(np.float32) / 2, embeddings=found.embeddings)

    own, finer, coarser = (classify([folder], Areas(), pixel_size=size).cells for size in (None, 0.25, 1.0))
    for other in (finer, coarser):
        for name in ("area", "centroid", "bbox"):
            assert other[name].equals(own[name])
    # A disc of 5.5 pixels: smaller than the middle, larger than it, reaching to the corner.
    shares = [np.mean(2 * cells["p_blast"].to_numpy()) for cells in (finer, own, coarser)]
    assert shares == pytest.approx([np.pi * (5.5 / 2) ** 2 / 64, 1.0, 2.0], abs=0.06)


def test_options_are_checked(tmp_path: Path) -> None:
    for options, message in [
        ({"formats": ["xls"], "out": tmp_path}, "formats must be a collection of csv, labels"),
        ({"formats": "csv", "out": tmp_path}, "formats must be"),
        ({"resume": True}, "need an output folder"),
        ({"resume": True, "restart": True, "out": tmp_path}, "pass one of them"),
        ({"lazy": True, "out": tmp_path}, "lazy=True writes nothing"),
        ({"shard": (0, 4), "out": tmp_path}, r"1 <= i <= n, got \(0, 4\)"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            classify([], StandIn(), **options)


def test_nothing_to_do(tmp_path: Path) -> None:
    result = classify([], StandIn(), out=tmp_path / "out")
    assert len(result.images) == len(result.cells) == 0
    assert "0" in (tmp_path / "out" / "report.html").read_text()


# --- the folder -------------------------------------------------------------------------------------------


def test_folder_has_what_it_should(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    calls = []
    result = classify(folder, StandIn(), out=out, progress=lambda *call: calls.append(call[:2]))
    assert {path.name for path in out.iterdir()} == {
        ".lock", ".parts", "cells.parquet", "images.parquet", "report.html", "run.json",
    }  # fmt: skip
    images, cells = read(out)
    assert images.equals(result.images)
    assert cells.equals(result.cells)
    assert images.num_rows == N
    assert calls == [(i + 1, N) for i in range(N)]
    run = json.loads((out / "run.json").read_text())
    assert run == result.run
    assert run["complete"]
    assert run["model"]["name"] == "stand-in"
    assert run["versions"]["fastpgs"] == fastpgs.__version__
    assert set(run["profile"]["stages"]) == {"read", "cells", "model", "judge", "write"}
    assert run["profile"]["stages"]["model"]["items"] == cells.num_rows


def test_outputs_keep_the_machine_and_the_names_to_themselves(folder: Path, tmp_path: Path) -> None:
    """Only the tables name the inputs as given; ``run.json`` has no names, the page no folders above."""
    (folder / "0.png").write_text("broken")
    classify(folder, StandIn(), out=tmp_path / "out", formats=["geojson", "labels"])
    assert ".png" not in (tmp_path / "out" / "run.json").read_text()
    for name in ("run.json", "report.html", ".parts/state.json"):
        assert str(tmp_path) not in (tmp_path / "out" / name).read_text()


def test_run_inside_its_input_folder_skips_its_output(tmp_path: Path) -> None:
    save_pictures(tmp_path, 3)
    first = judge(tmp_path, StandIn(), out=tmp_path / "out", formats=["overlays"])
    again = judge(tmp_path, StandIn(), out=tmp_path / "out", formats=["overlays"])
    assert len(list((tmp_path / "out" / "overlays").iterdir())) == 3
    assert first.images.equals(again.images)


def test_lock(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    lock = lock_file(out)
    with pytest.raises(LockedError, match=f"another run \\(process {os.getpid()}\\) is writing to 'out'"):
        judge(folder, StandIn(), out=out)
    lock.close()
    assert judge(folder, StandIn(), out=out).ok


# --- interruption and resume ------------------------------------------------------------------------------

SCRIPT = """
import sys
from standin import StandIn
from fastpgs.inference.pipeline import classify
model = StandIn(spread=0.3, batch_size=7, delay=0.004)
classify(sys.argv[1], model, out=sys.argv[2], resume=True, report=False)
print(len(model.found))
"""


def start(folder: Path, out: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(out)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_resume_after_sigkill_equals_one_go(folder: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    judge(folder, StandIn(spread=0.3, batch_size=7), out=whole)
    with start(folder, killed) as process:
        deadline = time.monotonic() + 60
        while not list(killed.glob(".parts/images-*.parquet")) and time.monotonic() < deadline:
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (killed / "images.parquet").exists()
    with pytest.raises(ResumeError, match=r"unfinished run with [12] saved parts: --resume continues it"):
        judge(folder, StandIn(spread=0.3, batch_size=7), out=killed)
    with start(folder, killed) as process:
        found = int(process.communicate()[0])
    assert process.returncode == 0
    assert found <= N - BLOCK
    assert same(whole, killed)
    assert not [path for path in killed.rglob("*") if path.name.endswith(".fastpgs-tmp")]


def test_ctrl_c_saves_what_is_done(folder: Path, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    classify(folder, StandIn(spread=0.3, batch_size=7), out=whole)

    def stop(done: int, total: int | None, one: Any) -> None:
        if done == BLOCK + 20:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=f"stopped after {BLOCK + 20} of {N}") as caught:
        classify(folder, StandIn(spread=0.3, batch_size=7), out=stopped, progress=stop)
    assert caught.value.tables
    assert read(stopped)[0].num_rows == BLOCK + 20
    assert not json.loads((stopped / "run.json").read_text())["complete"]
    assert "Unfinished run" in (stopped / "report.html").read_text()
    result = classify(folder, StandIn(spread=0.3, batch_size=7), out=stopped, resume=True)
    assert result.run["resumed_inputs"] == BLOCK
    assert same(whole, stopped)


def test_interrupted_rerun_leaves_finished_results_alone(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    judge(folder, StandIn(), out=out)
    before = {name: (out / name).read_bytes() for name in ("images.parquet", "cells.parquet", "run.json")}

    def stop(done: int, total: int | None, one: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        judge(folder, StandIn(config=Config(cut=0.9)), out=out, progress=stop)
    assert not caught.value.tables
    assert before == {name: (out / name).read_bytes() for name in before}


def test_full_disk_leaves_old_results_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    judge(folder, StandIn(), out=out)
    before = (out / "images.parquet").read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(parts.pq, "write_table", full)
        with pytest.raises(
            OSError, match="No space left on device while writing to 'out'; what is done is saved"
        ):
            judge(folder, StandIn(), out=out)
    assert (out / "images.parquet").read_bytes() == before
    assert judge(folder, StandIn(), out=out, resume=True).ok


def test_output_that_is_a_file_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    for out in (tmp_path / "out", tmp_path / "out" / "deeper"):
        with pytest.raises(ValueError, match="expected a folder for the results, got a file"):
            judge(folder, StandIn(), out=out)
    assert (tmp_path / "out").read_text() == "mine"


def test_resume_redoes_what_has_changed(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    judge(folder, StandIn(), out=out)
    idle = StandIn()
    assert judge(folder, idle, out=out, resume=True).run["resumed_inputs"] == N
    assert not idle.found
    os.utime(folder / "1.png")  # touched, not changed
    Image.fromarray(picture(1, spots=5)).save(folder / f"{BLOCK}.png")
    model = StandIn()
    result = judge(folder, model, out=out, resume=True)
    assert len(model.found) == BLOCK
    assert result.images.to_pylist()[BLOCK]["cells"] == 5
    assert result.images.equals(judge(folder, StandIn()).images)


def test_resume_with_fewer_and_more_inputs(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    judge(folder, StandIn(), out=out)
    names = [str(folder / f"{i}.png") for i in range(BLOCK + 3)]
    model = StandIn()
    assert judge(names, model, out=out, resume=True).images.equals(judge(names, StandIn()).images)
    assert len(model.found) == 3
    assert judge(folder, StandIn(), out=out, resume=True).images.num_rows == N


def test_resume_tries_passing_failures_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = save_pictures(tmp_path / "in", 3)
    from fastpgs.inference import stream

    def broken_disk(path: str, **_: Any) -> None:
        raise stream.ImageReadError(path, "cannot be read: Input/output error", retry=True)

    with monkeypatch.context() as patch:
        patch.setattr(stream, "read_file", broken_disk)
        assert judge(names, StandIn(), out=tmp_path / "out").run["counts"]["failed"] == 3
    assert judge(names, StandIn(), out=tmp_path / "out", resume=True).ok


def test_resume_with_other_options_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    judge(folder, StandIn(), out=out)
    with pytest.raises(ResumeError, match=r"options\.max_pixels was 100000000, is 5000"):
        judge(folder, StandIn(), out=out, resume=True, max_pixels=5000)
    with pytest.raises(ResumeError, match=r"model\.config_sha256 was"):
        judge(folder, StandIn(config=Config(cut=0.7)), out=out, resume=True)
    with pytest.raises(ValueError, match="resume needs files"):
        judge([picture(0)], StandIn(), out=out, resume=True)


def test_shards_make_the_whole(folder: Path, tmp_path: Path) -> None:
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    formats = ["csv", "coco", "geojson"]
    judge(folder, StandIn(spread=0.3, batch_size=7), out=whole, formats=formats)
    for i in (3, 1, 2, 4):
        assert not (parted / "images.parquet").exists()
        result = judge(folder, StandIn(spread=0.3, batch_size=7), out=parted, formats=formats, shard=(i, 4))
        assert result.run["options"]["shard"] == f"{i}/4"
    assert same(whole, parted)
    assert json.loads((parted / "run.json").read_text())["shards"] == 4
    for name in ("cells.csv", "images.csv", "coco.json"):
        assert (whole / name).read_bytes() == (parted / name).read_bytes()
    assert len(list((parted / "geojson").iterdir())) == N
