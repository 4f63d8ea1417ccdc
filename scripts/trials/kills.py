"""SIGKILL at random moments; what is left is continued, killed again, and in the end equals one go."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
from safetensors.numpy import load_file

from trials.common import (
    CLASSIFY,
    SCRATCH,
    Trial,
    complaint,
    run,
    same,
    same_model,
    small_training,
    smears,
)


def trial_kill(small: bool) -> Iterator[Trial]:
    """Of a run: the tables in the end are those of one go."""
    trial = Trial("SIGKILL of classify, then --resume")
    inputs = smears(SCRATCH / "kill-in", 70 if small else 200)
    _kill(trial, "kill", [*CLASSIFY, str(inputs), "-q"], 4 if small else 50, "*.parquet", same)
    yield trial


def trial_train(small: bool) -> Iterator[Trial]:
    """Of a training: the weights in the end are those of one go, to the bit."""
    trial = Trial("SIGKILL of train, then --resume")
    _kill(trial, "train", small_training(), 2 if small else 50, "checkpoint.safetensors", same_model)
    yield trial


def _kill(
    trial: Trial, name: str, command: list[str], kills: int, left: str, equal: Callable[[Path, Path], bool]
) -> None:
    """Kill `command` so many times; files like `left` are what a killed run leaves to go on from."""
    whole = SCRATCH / f"{name}-whole"
    start = time.monotonic()
    done = run([*command, "--out", str(whole)])
    length = time.monotonic() - start
    if done.returncode != 0:
        trial.check(False, complaint(done))
        return
    rng = random.Random(name)
    count = begun = ends = 0
    while count < kills:
        out = SCRATCH / f"{name}-{ends}"
        ends += 1
        resumed = [*command, "--out", str(out), "--resume"]
        while True:
            start = time.monotonic()
            code = _run_for(resumed, rng.uniform(0.1, 1.1) * length if count < kills else None)
            if code != -signal.SIGKILL:
                break
            count += 1
            begun += any(out.rglob(left))
            trial.check(_readable(out), f"after kill {count} a file in {out.name} is broken")
        # Others use the machine too; but a run that had little left to do tells little of a whole one.
        length = max(0.9 * length, time.monotonic() - start)
        trial.check(code == 0 and equal(whole, out), f"run {ends}: exit code {code}, or other than in one go")
    trial.note = f"{count} kills, {begun} of them left work to go on from; {ends} runs completed"


def _run_for(command: list[str], seconds: float | None) -> int:
    """Exit code of a process that is killed after a time; without one it must end within ten minutes."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(seconds or 600)
        except subprocess.TimeoutExpired:
            process.kill()
            if seconds is None:
                raise
    return process.returncode


def _readable(out: Path) -> bool:
    """Whether every file that has its final name is whole."""
    try:
        for path in out.rglob("*"):
            if path.suffix == ".parquet":
                pq.read_table(path, partitioning=None)
            elif path.suffix == ".safetensors":
                load_file(path)
            elif path.suffix in (".json", ".jsonl"):
                text = path.read_text(encoding="utf-8")
                for part in text.splitlines() if path.suffix == ".jsonl" else [text]:
                    json.loads(part)
    except Exception as error:  # each library has its own for a file that is cut
        print(f"  {path.name}: {error}", file=sys.stderr)
        return False
    return True
