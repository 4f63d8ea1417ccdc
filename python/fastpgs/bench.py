"""How fast the C++ core is on this machine, beside its NumPy reference, on the same pixels and the same start."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from . import reference, segmentation, synth

__all__ = ["Row", "best_seconds", "environment", "run", "smear_image"]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    case : str
        What was segmented and how.
    size : int
        Side of the square image in pixels.
    core_ms, reference_ms : float
        Least wall time of one call, milliseconds.
    ratio : float
        ``reference_ms / core_ms``.
    ns_per_pixel : float
        Of the core.
    equal : bool
        Whether both gave the same labels.
    """

    case: str
    size: int
    core_ms: float
    reference_ms: float
    ratio: float
    ns_per_pixel: float
    equal: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain values."""
        return asdict(self)


CASES: dict[str, dict[str, Any]] = {
    "rgb, given pivots": {"features": "rgb", "init": "given"},
    "lab, k-medoids++ (default)": {},
    "lab, k = 8": {"k": 8},
    "gray": {"features": "gray"},
    "lab, connected growth": {"threshold": 400.0, "connectivity": 1},
    "rgb, Mahalanobis": {"features": "rgb", "metric": "mahalanobis"},
    "lab + position": {"spatial_weight": 0.1},
}


def smear_image(size: int, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return a synthetic smear of shape (size, size, 3), tiled from one field where it is large."""
    side = min(max(size, 256), 512)  # a smaller field has no room for its cells
    field = synth.smear((side, side), seed=seed).image
    repeats = -(-size // field.shape[0])
    return np.ascontiguousarray(np.tile(field, (repeats, repeats, 1))[:size, :size])


def best_seconds(call: Callable[[], Any], budget: float, most: int = 200) -> float:
    """Return the least time of calls repeated for ``budget`` seconds, after one to warm up."""
    call()
    best, begin, count = float("inf"), time.perf_counter(), 0
    while count < 2 or (time.perf_counter() - begin < budget and count < most):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
        count += 1
    return best


def environment() -> dict[str, Any]:
    """Return machine and versions that the figures belong to."""
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        **segmentation.build_info(),
    }


def run(
    sizes: Sequence[int] = (256, 512),
    cases: Sequence[str] | None = None,
    *,
    budget: float = 0.5,
    num_threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Row]:
    """Time the core and the reference.

    Parameters
    ----------
    sizes : sequence of int
        Sides of square images, pixels.
    cases : sequence of str, optional
        Keys of `CASES`; all by default.
    budget : float
        Seconds spent on repeating each call.
    num_threads : int, optional
        As for `fastpgs.segment`.
    progress : callable, optional
        Told what is measured next.

    Raises
    ------
    ValueError
        For a case that does not exist, or a side below 16 pixels.
    """
    names = list(CASES) if cases is None else list(cases)
    unknown = [name for name in names if name not in CASES]
    if unknown:
        raise ValueError(f"cases must be among {list(CASES)}, got {unknown}")
    small = [size for size in sizes if size < 16]
    if small:
        raise ValueError(f"sizes must be at least 16 pixels, got {small}")
    rows = []
    for size in sizes:
        image = smear_image(size)
        for name in names:
            if progress is not None:
                progress(f"{name}, {size} x {size}")
            options = dict(CASES[name])
            if options.get("init") == "given":
                options["init"] = np.array(
                    [[size // 5, size // 5], [size // 2, size // 2], [size // 2, size // 4]]
                )
            rows.append(_measure(name, image, options, budget, num_threads))
    return rows


def _measure(
    name: str, image: npt.NDArray[np.uint8], options: dict[str, Any], budget: float, num_threads: int | None
) -> Row:
    def core() -> npt.NDArray[np.int32]:
        return segmentation.segment(image, num_threads=num_threads, **options)

    def oracle() -> npt.NDArray[np.int32]:
        return reference.segment(image, **options)

    equal = bool(np.array_equal(core(), oracle()))
    core_s, reference_s = best_seconds(core, budget), best_seconds(oracle, budget, most=5)
    return Row(
        case=name,
        size=image.shape[0],
        core_ms=1e3 * core_s,
        reference_ms=1e3 * reference_s,
        ratio=reference_s / core_s,
        ns_per_pixel=1e9 * core_s / (image.shape[0] * image.shape[1]),
        equal=equal,
    )
