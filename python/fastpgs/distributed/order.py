"""What a worker needs to know, beside the inputs, and the run that it makes of that."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fastpgs.inference.job import Job
from fastpgs.inference.options import StreamOptions, slide_options

__all__ = ["Order", "describe", "job_of"]


@dataclass(frozen=True)
class Order:
    """The arguments of `fastpgs.distributed.classify`, small enough to go with every task."""

    out: str
    model: str | Callable[[], Any]
    device: str
    engine: str
    dtype: str
    trust: bool
    formats: frozenset[str]
    report: bool
    batch_size: int | None
    workers: int
    max_pixels: int
    tile: int
    pixel_size: float | None

    @property
    def key(self) -> str:
        """Tells orders apart."""
        return repr(asdict(self))


_jobs: dict[str, Job] = {}
_lock = threading.Lock()


def job_of(order: Order) -> Job:
    """The run as this process would do it; the model is loaded once."""
    with _lock:
        if order.key not in _jobs:
            if callable(order.model):
                model = order.model()
            else:
                from fastpgs.inference.model import load_model

                model = load_model(
                    order.model, order.device, engine=order.engine, dtype=order.dtype, trust=order.trust
                )
            size = order.batch_size or model.batch_size
            model.batch_size = size
            options = StreamOptions(
                order.max_pixels, size, workers=order.workers, threads=1, zoom=model.zoom(order.pixel_size)
            )
            slides = slide_options(order.tile, order.pixel_size)
            _jobs.clear()  # one model in memory, not one a run
            _jobs[order.key] = Job(
                Path(order.out), model, options, slides, order.formats, order.report, None, None
            )
        return _jobs[order.key]


def describe(order: Order) -> dict[str, Any]:
    """What this process would make rows with."""
    return job_of(order).made_with
