"""Damaged, odd and hostile files through one run: each is one row, and none harms another."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from fastpgs import synth
from fastpgs.io.images import display_name
from mutants import write_mutants
from trials.common import CLASSIFY, SCRATCH, Trial, complaint, run, tables


def trial_files(small: bool) -> Iterator[Trial]:
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
