#!/usr/bin/env python3
"""Long trials of what must never happen: a crash, a lost result, a row too many.

    python scripts/soak.py                        every trial, about three quarters of an hour
    python scripts/soak.py files kill --small     some of them, quickly
    python scripts/soak.py --write docs/reliability.md

Each trial runs the command line in processes of its own, breaks things, and compares with a run that nothing broke.
The table says how many trials there were, how many were survived, and what was lost. Exit code 1 if anything was.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shutil
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE / "scripts"), str(HERE / "tests")]
from trials import TRIALS  # noqa: E402
from trials.common import SCRATCH, Trial  # noqa: E402


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
