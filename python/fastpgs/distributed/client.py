"""``fastpgs.distributed.classify``: the client's side of a run on many machines."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastpgs.distributed import tasks
from fastpgs.distributed.errors import SchedulerError, gone, mismatch
from fastpgs.distributed.order import Order, describe, job_of
from fastpgs.distributed.spread import Roles, Spread, workers_of
from fastpgs.inference.items import Inputs, Item, number_inputs
from fastpgs.inference.job import Job, Progress
from fastpgs.inference.options import TILE, check_options, slide_options
from fastpgs.inference.parts import differences
from fastpgs.inference.provenance import versions
from fastpgs.inference.results import Result
from fastpgs.io.images import DEFAULT_MAX_PIXELS

__all__ = ["classify", "connect"]


@contextmanager
def connect(address: str, timeout: float = 10.0) -> Iterator[Any]:
    """A `distributed.Client` of the scheduler at `address`, closed in the end.

    Raises
    ------
    SchedulerError
        Nobody answers there.
    """
    import logging

    from distributed import Client
    from distributed.comm import resolve_address

    for name in ("distributed", "distributed.client", "distributed.comm"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        resolve_address(address)  # a client of no address at all would complain when Python ends
        client = Client(address, timeout=timeout, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SchedulerError(
            f"no Dask scheduler answers at {address} ({' '.join(str(error).split())[:200]}); start one with"
            " 'dask scheduler', or check the address, then run again with --resume"
        ) from error
    try:
        yield client
    finally:
        client.close(timeout=2)


def classify(
    inputs: Inputs,
    client: Any,
    model: str | os.PathLike[str] | Callable[[], Any] = "unet-plr",
    device: str = "auto",
    *,
    out: str | os.PathLike[str],
    formats: Collection[str] = (),
    report: bool = True,
    resume: bool = False,
    restart: bool = False,
    engine: str = "auto",
    dtype: str = "auto",
    trust: bool = False,
    batch_size: int | None = None,
    workers: int = 1,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    tile: int = TILE,
    pixel_size: float | None = None,
    progress: Progress | None = None,
) -> Result:
    """Judge files on the workers of a Dask cluster; the rows are those of `fastpgs.classify`.

    A research tool, not a medical device.

    Parameters
    ----------
    inputs : path-like, or iterable of them
        As in `fastpgs.classify`, but no arrays. All workers must see the files under the same paths.
    client : distributed.Client
        Connected to the cluster. Where workers declare the resource ``GPU``, only those judge, a task each
        ``GPU=1``; run them with one thread. They find the cells, too, unless others declare the resource
        ``CPU``: then those do, a task each ``CPU=1``, and crops go over the network.
    model : str, Path or callable
        As in `fastpgs.load_model`; the workers load it themselves. Or a function without arguments that returns
        a model, called once in each worker process.
    out : path-like
        As in `fastpgs.classify`; on a disk that the client and all workers share under one path.
    workers : int
        Threads a task that find cells.
    device, formats, report, resume, restart, engine, dtype, trust, batch_size, max_pixels, tile, pixel_size
        As in `fastpgs.classify`.
    progress : callable, optional
        Called with (inputs done, inputs in all, None) as blocks are done.

    Returns
    -------
    Result

    Raises
    ------
    ValueError
        An option out of range, or arrays among the inputs.
    WorkerMismatchError
        Workers have other versions of the packages, or another model.
    SchedulerError
        The scheduler is gone, or its workers are. What was done is saved, and ``resume`` goes on.
    fastpgs.inference.parts.ResumeError
        The folder holds an unfinished run, or one made with other options.
    fastpgs.io.lock.LockedError
        Another run is writing to the folder.
    Interrupted
        On Ctrl-C. What was done is saved.
    """
    check_options(out, False, formats, resume, restart, None, batch_size, workers, max_pixels)
    target = Path(os.path.abspath(out))  # noqa: PTH100  # not resolved: links may differ between machines
    items = [_absolute(item) for item in number_inputs(inputs, exclude=out)]
    order = Order(
        out=str(target),
        model=model if callable(model) else _model_name(model),
        device=device,
        engine=engine,
        dtype=dtype,
        trust=trust,
        formats=frozenset(formats),
        report=report,
        batch_size=batch_size,
        workers=workers,
        max_pixels=max_pixels,
        tile=tile,
        pixel_size=pixel_size,
    )
    slide_options(tile, pixel_size)
    with _scheduler_errors():
        known = _workers(client)
        roles = Roles.of(known)
        made_with = _agreed(client, order, known, roles)
    here = job_of(replace(order, device="cpu"))
    job = Job(here.out, here.model, here.options, here.slides, order.formats, report, None, progress)
    job.made_with = made_with
    spread = Spread(client, order, made_with, roles)

    def crew(*given: Any) -> None:
        with _scheduler_errors():
            spread(*given)

    return job.run(items, resume=resume, restart=restart, crew=crew)


def _absolute(item: Item) -> Item:
    if item.pixels is not None:
        raise ValueError("expected files that all workers can read, got an array")
    return item if item.path is None else replace(item, path=os.path.abspath(item.path))  # noqa: PTH100


def _model_name(model: str | os.PathLike[str]) -> str:
    """Names stay, paths become absolute."""
    text = os.fspath(model)
    return os.path.abspath(text) if os.path.exists(text) else text  # noqa: PTH100, PTH110


@contextmanager
def _scheduler_errors() -> Iterator[None]:
    try:
        yield
    except (SchedulerError, FileNotFoundError, PermissionError):
        raise
    except (TimeoutError, OSError) as error:
        if getattr(error, "errno", None) is not None:
            raise
        raise gone(str(error)) from error


def _workers(client: Any) -> dict[str, dict[str, Any]]:
    workers = workers_of(client)
    if not workers:
        raise SchedulerError(
            "the Dask scheduler has no workers; start some with 'dask worker SCHEDULER --nthreads 1',"
            " then run again with --resume"
        )
    return workers


def _agreed(client: Any, order: Order, workers: dict[str, dict[str, Any]], roles: Roles) -> dict[str, Any]:
    """What the rows will be made with: the same on all workers, and the versions and model of the client."""
    chosen = [name for name, one in workers.items() if roles.works(one)]
    found: dict[str, dict[str, Any]] = client.run(describe, order, workers=chosen)
    here = job_of(replace(order, device="cpu")).made_with
    # The workers' device, and what follows from it, may be another than the client's.
    judging = next(found[name]["model"] for name in chosen if roles.judges(workers[name]))
    model = {**here["model"], **{name: judging[name] for name in tasks.DEVICE}}
    wanted = {**here, "versions": versions(), "model": model}
    for name, made_with in found.items():
        if roles.judges(workers[name]):
            changed = differences(wanted, made_with)
        else:
            changed = differences(tasks.without_device(wanted), tasks.without_device(made_with))
        if changed:
            raise mismatch(f"the worker at {name}", changed)
    return wanted
