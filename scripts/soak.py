#!/usr/bin/env python3
"""Long trials of what must never happen: a crash, a lost result, a row too many.

    python scripts/soak.py                        every trial, about an hour
    python scripts/soak.py files kill --small     some of them, quickly
    python scripts/soak.py --write docs/reliability.md

Each trial runs the command line in processes of its own, breaks things, and compares with a run that nothing broke.
The table says how many trials there were, how many were survived, and what was lost. Exit code 1 if anything was.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import os
import platform
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE / "tests"))
SCRATCH = Path(tempfile.mkdtemp(prefix="fastpgs-soak-"))
CLASSIFY = [sys.executable, "-m", "fastpgs", "classify"]


@dataclass
class Trial:
    """A row of the table."""

    name: str
    tried: int = 0
    survived: int = 0
    lost: list[str] = field(default_factory=list)
    note: str = ""
    seconds: float = 0.0

    def check(self, ok: bool, what: str) -> None:
        """Count one trial."""
        self.tried += 1
        self.survived += ok
        if not ok:
            self.lost.append(what)
            print(f"  LOST {self.name}: {what}", file=sys.stderr)


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run to the end, at most ten minutes."""
    return subprocess.run(command, capture_output=True, timeout=600, check=False, **options)


def smears(folder: Path, n: int, side: int = 160, first: int = 0) -> Path:
    """Save `n` synthetic smears, of the seeds from `first` on."""
    from fastpgs import synth

    folder.mkdir(parents=True)
    for i in range(first, first + n):
        image = synth.smear((side, side), seed=i, n_blasts=i % 2, n_normals=(i + 1) % 2).image
        Image.fromarray(image).save(folder / f"{i:04}.png")
    return folder


def tables(out: Path) -> tuple[Any, Any]:
    """The two tables of a run."""
    return pq.read_table(out / "images.parquet"), pq.read_table(out / "cells.parquet")


def same(a: Path, b: Path) -> bool:
    """Whether two runs have equal tables."""
    try:
        return all(x.equals(y) for x, y in zip(tables(a), tables(b), strict=True))
    except (OSError, ValueError):
        return False


def complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    """The last line of what a command said; a traceback is a crash."""
    text = done.stderr.decode(errors="replace")
    return (
        "a traceback: " + text[-300:]
        if "Traceback" in text
        else text.strip().splitlines()[-1]
        if text.strip()
        else ""
    )


# --- the trials -------------------------------------------------------------------------------------------


def trial_files(small: bool) -> Iterator[Trial]:
    """Damaged, odd and hostile files through one run: each is one row, and none harms another."""
    from fastpgs import synth
    from mutants import write_mutants

    n = 200 if small else 2200
    pictures = [synth.smear((96, 96), seed=seed, n_blasts=1, n_normals=0).image for seed in range(6)]
    trial = Trial("damaged files in one run")
    files = dict(write_mutants(SCRATCH / "mutants", pictures, n, seed=1))
    names = list(files)
    random.Random(2).shuffle(names)
    vanishing = [name for name in names if files[name] == "whole"][:20]

    def vanish() -> None:
        for name in vanishing:
            time.sleep(0.1)
            Path(name).unlink(missing_ok=True)

    out = SCRATCH / "files-out"
    thread = threading.Thread(target=vanish)
    thread.start()
    stdin = b"\0".join(os.fsencode(name) for name in names) + b"\0"
    done = run([*CLASSIFY, "-", "--out", str(out), "--csv", "--max-pixels", "10000000", "-q"], input=stdin)
    thread.join()
    trial.check(done.returncode == 1, f"exit code {done.returncode}: {complaint(done)}")
    rows = tables(out)[0].to_pylist() if (out / "images.parquet").exists() else []
    count = Counter(row["image"] for row in rows)
    from fastpgs.io.images import display_name

    statuses: Counter[str] = Counter()
    by_name = {row["image"]: row for row in rows}
    for name in names:
        shown = display_name(name)
        row = by_name.get(shown, {})
        reported = count[shown] == 1 and (row["status"] == "ok") == (row["error"] is None)
        sound = files[name] not in ("whole", "odd name") or name in vanishing or row.get("status") == "ok"
        trial.check(reported and sound, f"{Path(name).name!r} ({files[name]}): {count[shown]} rows, {row}")
        statuses[row.get("status", "none")] += 1
    trial.check(len(rows) == len(names), f"{len(names)} files, {len(rows)} rows")
    page = (out / "report.html").read_text(encoding="utf-8")
    trial.check("<script>alert" not in page, "a file name became a script")
    trial.note = ", ".join(f"{number} {status}" for status, number in sorted(statuses.items()))
    yield trial


def trial_kill(small: bool) -> Iterator[Trial]:
    """SIGKILL at random moments; what is left is continued, killed again, and in the end equals one go."""
    trial = Trial("SIGKILL of classify, then --resume")
    inputs = smears(SCRATCH / "kill-in", 70 if small else 200)
    whole = SCRATCH / "kill-whole"
    start = time.monotonic()
    run([*CLASSIFY, str(inputs), "--out", str(whole), "-q"])
    length = time.monotonic() - start
    rng, kills, chain = random.Random(3), 0, 0
    wanted = 4 if small else 50
    while kills < wanted:
        out = SCRATCH / f"kill-{chain}"
        chain += 1
        while True:
            with subprocess.Popen(
                [*CLASSIFY, str(inputs), "--out", str(out), "--resume", "-q"], stderr=subprocess.PIPE
            ) as process:
                try:
                    process.wait(rng.uniform(0.1, 1.1) * length if kills < wanted else 600)
                except subprocess.TimeoutExpired:
                    process.kill()
            if process.returncode != -signal.SIGKILL:
                trial.check(
                    process.returncode == 0 and same(whole, out), f"chain {chain} differs from one go"
                )
                break
            kills += 1
            trial.check(_readable(out), f"after kill {kills} a file in {out.name} is broken")
    trial.note = f"{kills} kills, {chain} runs completed"
    yield trial


def _readable(out: Path) -> bool:
    """Whether every file that has its final name is whole."""
    try:
        for path in out.rglob("*.parquet"):
            if not path.name.endswith(".fastpgs-tmp"):
                pq.read_table(path, partitioning=None)
    except (OSError, ValueError) as error:
        print(f"  {error}", file=sys.stderr)
        return False
    return True


def trial_train(small: bool) -> Iterator[Trial]:
    """SIGKILL of a training; the model in the end is the same to the bit."""
    trial = Trial("SIGKILL of train, then --resume")
    data = SCRATCH / "train-in"
    for i, kind in enumerate(("blast", "normal")):
        smears(data / kind, 12, 96, first=100 * i)
    options = (
        "--epochs 3 --folds 2 --blocks 4 --batch-size 4 --size 32 --width 4 --views 0 --threads 1 --quiet"
    )
    command = [sys.executable, "-m", "fastpgs", "train", str(data), *options.split()]
    command += ["--blast", "blast", "--normal", "normal"]
    whole = SCRATCH / "train-whole"
    start = time.monotonic()
    done = run([*command, "--out", str(whole)])
    length = time.monotonic() - start
    if done.returncode != 0:
        trial.check(False, complaint(done))
        yield trial
        return
    expected = _digest(whole / "weights.safetensors")
    rng, kills, chain, wanted = random.Random(4), 0, 0, 1 if small else 50
    while kills < wanted:
        out = SCRATCH / f"train-{chain}"
        chain += 1
        while True:
            with subprocess.Popen(
                [*command, "--out", str(out), "--resume"], stderr=subprocess.PIPE
            ) as process:
                try:
                    process.wait(rng.uniform(0.2, 1.1) * length if kills < wanted else 600)
                except subprocess.TimeoutExpired:
                    process.kill()
            if process.returncode != -signal.SIGKILL:
                weights = out / "weights.safetensors"
                equal = weights.exists() and _digest(weights) == expected
                trial.check(process.returncode == 0 and equal, f"chain {chain}: other weights than in one go")
                break
            kills += 1
    trial.note = f"{kills} kills, {chain} trainings completed with equal weights"
    yield trial


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def trial_disk(small: bool) -> Iterator[Trial]:
    """A full disk, a folder that cannot be written, and one in use: one line says so, old results stay."""
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
    from fastpgs.io.lock import lock_file

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


def trial_fuzz(small: bool, minutes: float | None = None) -> Iterator[Trial]:
    """Random problems: the C++ core equals the NumPy reference to the bit, or both refuse alike."""
    import fuzzing

    trial = Trial("random problems against the NumPy reference")
    rng = np.random.default_rng(int(time.time()))
    end = time.monotonic() + 60 * (minutes if minutes is not None else 0.2 if small else 10)
    kinds: Counter[str] = Counter()
    while time.monotonic() < end:
        description = fuzzing.draw(rng)
        try:
            kinds[fuzzing.judge(description).split(":")[0]] += 1
            trial.check(True, "")
        except Exception as error:
            trial.check(False, f"{description}: {type(error).__name__}: {error}")
    refused = kinds.pop("refused", 0)
    trial.note = f"{kinds.total()} segmented, {refused} refused alike"
    yield trial


def trial_threads(small: bool) -> Iterator[Trial]:
    """Sixteen Python threads at once, each with threads of its own: every result equals that of one thread."""
    import fastpgs
    from fastpgs import synth

    trial = Trial("16 Python threads at once")
    warnings.simplefilter("ignore")  # few iterations: what they reach must be the same
    images = [synth.smear((420, 420), seed=i, n_blasts=1, n_normals=1).image for i in range(4)]
    kinds: list[dict[str, Any]] = [
        {"max_iter": 10},
        {"features": "raw", "spatial_weight": 0.5, "max_iter": 5},
        {"threshold": 300.0, "connectivity": 1, "max_iter": 5},
    ]
    jobs = [(image, kind) for image in images for kind in kinds]
    expected = [fastpgs.segment(image, num_threads=1, **kind) for image, kind in jobs]
    cells = [fastpgs.find_cells(image, num_threads=1).labels for image in images]

    def work(i: int) -> bool:
        at = i % len(jobs)
        labels = fastpgs.segment(jobs[at][0], num_threads=(None, 1, 2, 5)[i % 4], **jobs[at][1])
        if i % 16:
            return np.array_equal(labels, expected[at])
        found = fastpgs.find_cells(images[i // 16 % len(images)]).labels
        return np.array_equal(labels, expected[at]) and np.array_equal(found, cells[i // 16 % len(images)])

    with ThreadPoolExecutor(16) as pool:
        for i, equal in enumerate(pool.map(work, range(160 if small else 3200))):
            trial.check(equal, f"call {i} differs from one thread")
    trial.note = "segment and find_cells against one thread"
    yield trial


def trial_loaders(small: bool) -> Iterator[Trial]:
    """DataLoader workers of every start method and pools after a fork, both import orders: no hang, same labels."""
    from trust.test_processes import ORDERS, PROGRAM

    trial = Trial("DataLoader workers and pools")
    for i in range(1 if small else 10):
        for order, imports in ORDERS.items():
            program = SCRATCH / "loaders.py"
            program.write_text(PROGRAM.format(imports=imports))
            for method in ("fork", "forkserver", "spawn"):
                try:
                    done = run([sys.executable, str(program), method])
                    trial.check(done.stdout == b"done\n", f"{order}, {method}, round {i}: {complaint(done)}")
                except subprocess.TimeoutExpired:
                    trial.check(False, f"{order}, {method}, round {i}: a hang")
    trial.note = "fork, forkserver, spawn; torch and fastpgs imported in both orders"
    yield trial


TRIALS: dict[str, Callable[..., Iterator[Trial]]] = {
    "files": trial_files,
    "kill": trial_kill,
    "train": trial_train,
    "disk": trial_disk,
    "threads": trial_threads,
    "loaders": trial_loaders,
    "fuzz": trial_fuzz,
}


# --- the table --------------------------------------------------------------------------------------------


def table(trials: list[Trial]) -> str:
    """Markdown."""
    lines = ["| trial | tried | survived | lost | time | |", "|---|---:|---:|---:|---:|---|"]
    return "\n".join(lines + [row(one) for one in trials])


def row(one: Trial) -> str:
    """One line of it."""
    lost = one.tried - one.survived
    return f"| {one.name} | {one.tried} | {one.survived} | {lost} | {one.seconds:.0f} s | {one.note} |"


def processor() -> str:
    """Model of the processor; nothing else of the machine."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help=f"{', '.join(TRIALS)}; default: all")
    parser.add_argument("--small", action="store_true", help="a minute or two instead of half an hour")
    parser.add_argument("--minutes", type=float, help="of the random problems")
    parser.add_argument("--write", type=Path, help="put the table into this page, between its markers")
    options = parser.parse_args()
    done: list[Trial] = []
    try:
        for name in options.trials or TRIALS:
            print(f"{name} ...", file=sys.stderr)
            start = time.monotonic()
            extra = {"minutes": options.minutes} if name == "fuzz" else {}
            for trial in TRIALS[name](options.small, **extra):
                trial.seconds = time.monotonic() - start
                start = time.monotonic()
                done.append(trial)
                print(row(trial), file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    machine = f"{os.cpu_count()} cores of {processor()}, {memory} GiB of memory, Linux"
    made = f"{datetime.date.today()}, {machine}, Python {platform.python_version()}"
    text = f"{made}\n\n{table(done)}"
    print(text)
    if options.write:
        page = options.write.read_text(encoding="utf-8")
        head, rest = page.split("<!-- soak -->\n")
        tail = rest.split("<!-- /soak -->")[1]
        options.write.write_text(f"{head}<!-- soak -->\n{text}\n<!-- /soak -->{tail}", encoding="utf-8")
    return int(any(trial.lost for trial in done))


if __name__ == "__main__":
    sys.exit(main())
