"""A full disk, a folder that cannot be written, and one in use: one line says so, old results stay."""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastpgs.io.lock import lock_file
from trials.common import (
    CLASSIFY,
    SCRATCH,
    Trial,
    complaint,
    run,
    same_model,
    small_training,
    smears,
    tables,
)


def trial_disk(small: bool) -> Iterator[Trial]:
    inputs = smears(SCRATCH / "disk-in", 20)
    full = Trial("full disk: old results stay, and --restart works once there is room")
    limits: list[tuple[str, Callable[[Path], Any]]] = [
        (f"{size} KiB", lambda out, size=size: _limited(inputs, out, size << 10))
        for size in (0, 4, 12, 30, 80)
    ]
    for name, breaking in limits:
        _break(full, f"file size limit {name}", inputs, breaking)
    with _small_disk(300) as disk:
        if disk is None:
            full.note = "by file size limits; mounting a small disk is not permitted here"
        else:
            full.note = "by file size limits and on a disk of 300 KiB"
            _fill_disk(full, inputs, disk)
            _fill_disk_of_training(full)
    yield full

    closed = Trial("output folder read-only or in use")
    with _small_disk(2000) as disk:
        if disk is not None:
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            done = run([*CLASSIFY, str(inputs), "--out", str(disk / "out"), "-q"])
            closed.check(done.returncode == 1 and "Read-only" in complaint(done), complaint(done))
    blocked = SCRATCH / "a-file"
    blocked.write_text("no folder")
    done = run([*CLASSIFY, str(inputs), "--out", str(blocked), "-q"])
    closed.check(done.returncode == 2 and "expected a folder" in complaint(done), complaint(done))
    out = SCRATCH / "locked"
    out.mkdir()
    lock = lock_file(out)
    done = run([*CLASSIFY, str(inputs), "--out", str(out), "-q"])
    closed.check(done.returncode == 2 and "is writing to 'locked'" in complaint(done), complaint(done))
    lock.close()
    closed.check(
        run([*CLASSIFY, str(inputs), "--out", str(out), "-q"]).returncode == 0, "after the lock was freed"
    )
    yield closed


def _limited(inputs: Path, out: Path, size: int) -> subprocess.CompletedProcess[bytes]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return run([*CLASSIFY, str(inputs), "--out", str(out), "--restart", "--overlays", "-q"], preexec_fn=limit)


def _break(trial: Trial, what: str, inputs: Path, breaking: Callable[[Path], Any]) -> None:
    out = SCRATCH / f"disk-{trial.tried}"
    run([*CLASSIFY, str(inputs), "--out", str(out), "-q"])
    names = ("images.parquet", "cells.parquet", "run.json", "report.html")
    before = {name: (out / name).read_bytes() for name in names}
    done = breaking(out)
    kept = all((out / name).exists() for name in names) and tables(out)[0].num_rows == 20
    unchanged = done.returncode == 0 or before["images.parquet"] == (out / "images.parquet").read_bytes()
    trial.check(kept and unchanged and "traceback" not in complaint(done), f"{what}: {complaint(done)}")
    again = run([*CLASSIFY, str(inputs), "--out", str(out), "--restart", "-q"])
    trial.check(
        again.returncode == 0 and tables(out)[0].num_rows == 20, f"{what}, afterwards: {complaint(again)}"
    )


def _fill_disk(trial: Trial, inputs: Path, disk: Path) -> None:
    done = run([*CLASSIFY, str(inputs), "--out", str(disk / "out"), "--overlays", "--labels", "-q"])
    said = "No space left" in complaint(done) and "--resume goes on" in complaint(done)
    trial.check(done.returncode == 1 and said, f"small disk: exit {done.returncode}, {complaint(done)}")
    subprocess.run(["mount", "-o", "remount,size=40m", str(disk)], check=True)
    done = run(
        [*CLASSIFY, str(inputs), "--out", str(disk / "out"), "--overlays", "--labels", "--resume", "-q"]
    )
    trial.check(done.returncode == 0, f"small disk, after room was made: {complaint(done)}")


def _fill_disk_of_training(trial: Trial) -> None:
    command, whole = small_training(), SCRATCH / "disk-train"
    trial.check(run([*command, "--out", str(whole)]).returncode == 0, "a training with room")
    with _small_disk(700) as disk:  # room for one checkpoint
        out = str(disk / "out") if disk else ""
        done = run([*command, "--out", out])
        said = "No space left" in complaint(done) and "--resume goes on" in complaint(done)
        trial.check(done.returncode == 1 and said, f"training: exit {done.returncode}, {complaint(done)}")
        subprocess.run(["mount", "-o", "remount,size=40m", str(disk)], check=True)
        done = run([*command, "--out", out, "--resume"])
        equal = done.returncode == 0 and same_model(whole, Path(out))
        trial.check(equal, f"training, after room was made: {complaint(done)}")


@contextmanager
def _small_disk(kib: int) -> Iterator[Path | None]:
    """A file system of its own in memory, or None where mounting is not permitted."""
    path = Path(tempfile.mkdtemp(dir=SCRATCH))
    options = f"size={kib}k"
    mounted = (
        shutil.which("mount")
        and run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]).returncode == 0
    )
    try:
        yield path if mounted else None
    finally:
        if mounted:
            run(["umount", str(path)])
