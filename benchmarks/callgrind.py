"""Instruction counts of the core beside committed ones: a guard against getting slower that noise can't touch.

cmake --preset release && cmake --build --preset release
python benchmarks/callgrind.py            # compares; exit status 1 where a case needs over 3 % more
python benchmarks/callgrind.py --update   # writes callgrind.json anew

Needs valgrind. The AVX2 path is counted, which valgrind can run. Counts belong to a compiler: that of
callgrind.json is named there, and another one's are told apart from a regression by counting both versions.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COUNTS = Path(__file__).with_name("callgrind.json")
CASES = (
    "rgb",
    "lab",
    "k8",
    "gray",
    "threshold",
    "connected",
    "mapped",
    "spatial",
    "uint16",
    "float32",
)
SIZE = 256
TOLERANCE = 0.03


def count(drive: Path, case: str, repeats: int) -> int:
    """Return the instructions that the driver executes for ``repeats`` segmentations."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "callgrind.out"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        env = {**os.environ, "FASTPGS_SIMD": "avx2", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*command, str(drive), case, str(SIZE), str(repeats)], env=env, capture_output=True, text=True
        )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise RuntimeError(f"valgrind failed on case {case}:\n{done.stdout}{done.stderr}")
    return int(found.group(1))


def per_pixel(drive: Path, case: str) -> float:
    """Return instructions a pixel of one segmentation; making the picture and tables cancels out."""
    return (count(drive, case, 3) - count(drive, case, 1)) / 2 / (SIZE * SIZE)


def main() -> int:
    """Count, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--drive", type=Path, default=ROOT / "build" / "release" / "cpp" / "fastpgs_drive")
    args = parser.parse_args()
    if shutil.which("valgrind") is None or not args.drive.exists():
        print(f"needs valgrind and {args.drive}: see this file's first lines", file=sys.stderr)
        return 2
    committed = json.loads(COUNTS.read_text()) if COUNTS.exists() else {"instructions_a_pixel": {}}
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    now: dict[str, float] = {}
    worse = []
    for case in CASES:
        now[case] = round(per_pixel(args.drive, case), 2)
        before = committed["instructions_a_pixel"].get(case)
        change = "" if before is None else f"  was {before:8.2f}  {100 * (now[case] / before - 1):+6.1f} %"
        print(f"{case:10s} {now[case]:8.2f} instructions a pixel{change}", flush=True)
        if before is not None and now[case] > before * (1 + TOLERANCE):
            worse.append(case)
    if args.update:
        record = {"compiler": compiler, "size": SIZE, "instructions_a_pixel": now}
        COUNTS.write_text(json.dumps(record, indent=1) + "\n")
        return 0
    if committed.get("compiler") != compiler:
        print(f"counted with {compiler}; committed counts are of {committed.get('compiler')}")
    if worse:
        print(f"more than {100 * TOLERANCE:.0f} % above the committed counts: {', '.join(worse)}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
