"""Peak memory above the input and the labels, each case in a process of its own.

python benchmarks/memory.py
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "rgb": ("uint8", {"features": "rgb"}),
    "lab (default)": ("uint8", {}),
    "grey": ("grey", {"features": "gray"}),
    "connected growth": ("uint8", {"features": "rgb", "threshold": 900.0, "connectivity": 1}),
    "mahalanobis": ("uint8", {"features": "rgb", "metric": "mahalanobis"}),
    "spatial weight": ("uint8", {"features": "rgb", "spatial_weight": 0.1}),
    "uint16": ("uint16", {"features": "rgb"}),
    "float32": ("float32", {"features": "rgb"}),
}


def peak() -> int:
    """Return the most bytes that this process has had in memory; reset by `forget`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmHWM in /proc/self/status")


def forget() -> int:
    """Reset the peak to what is in memory now, and return that."""
    # What making the picture took and gave back would be there for its labels.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


def bytes_a_pixel(case: str, size: int) -> float:
    """Return bytes a pixel above input and labels while one image is segmented."""
    from cases import picture, real, wide

    import fastpgs

    kind, options = CASES[case]
    fastpgs.segment(picture(256), **options)  # tables and libraries are there
    image = picture(size)
    if kind == "grey":
        image = np.ascontiguousarray(image[..., 1])
    elif kind != "uint8":
        image = wide(image) if kind == "uint16" else real(image)
    before = forget()
    labels = fastpgs.segment(image, num_threads=1, **options)
    return (peak() - before - labels.nbytes) / labels.size


def main() -> None:
    """Print bytes a pixel of each case and size."""
    if len(sys.argv) == 3:
        print(json.dumps(bytes_a_pixel(sys.argv[1], int(sys.argv[2]))))
        return
    print("| bytes a pixel above input and labels | 1024² | 4096² |\n|---|---|---|")
    for case in CASES:
        cells = []
        for size in (1024, 4096):
            command = [sys.executable, __file__, case, str(size)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            cells.append(f"{json.loads(done.stdout):.2f}")
        print(f"| {case} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
