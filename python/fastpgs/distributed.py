"""``fastpgs.distributed.classify``: one run on the workers of a Dask cluster.

A task is one block of inputs. Workers write its part files straight into the output folder, which every
machine must see under the same path, atomically and with the same content however often the task is run; so
the folder is that of a run on one machine, and either can go on with what the other has begun. The client
holds the folder's lock and makes the tables in the end. Cells are judged where their crops are.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fastpgs.inference import outputs
from fastpgs.inference.parts import RunFolder, differences
from fastpgs.inference.pipeline import (
    Inputs,
    Interrupted,
    Progress,
    _check,
    _items,
    _Job,
    _slide_options,
    judge,
)
from fastpgs.inference.profile import Profile
from fastpgs.inference.provenance import versions
from fastpgs.inference.results import FieldResult, Result
from fastpgs.inference.stream import Item, StreamOptions
from fastpgs.io.images import DEFAULT_MAX_PIXELS

__all__ = ["SchedulerError", "WorkerMismatchError", "classify", "connect"]


class SchedulerError(ConnectionError):
    """The scheduler does not answer, or no longer; the message says what to do."""


class WorkerMismatchError(ValueError):
    """A worker would judge with other versions or another model than the client asks for."""


@dataclass(frozen=True)
class _Order:
    """What a worker needs to know, beside the inputs."""

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
        return repr(asdict(self))


_jobs: dict[str, _Job] = {}
_jobs_lock = threading.Lock()


def _job(order: _Order) -> _Job:
    """The run as this process would do it; the model is loaded once."""
    with _jobs_lock:
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
            options = StreamOptions(order.max_pixels, size, workers=order.workers, threads=1)
            slides = _slide_options(order.tile, order.pixel_size)
            _jobs.clear()  # one model in memory, not one a run
            _jobs[order.key] = _Job(
                Path(order.out), model, options, slides, order.formats, order.report, None, None
            )
        return _jobs[order.key]


def _describe(order: _Order) -> dict[str, Any]:
    """What this process would make rows with."""
    return _job(order).made_with


def _work(order: _Order, made_with: dict[str, Any], items: list[Item]) -> None:
    """Judge one block and save it (on a worker)."""
    job = _job(order)
    changed = differences(made_with, job.made_with)
    if changed:
        raise WorkerMismatchError(_mismatch("a worker", changed))
    folder = RunFolder(job.out)
    _check_folder(folder, made_with)
    if folder.holds(items):  # the task was run before, and its worker died before it could say so
        return
    profile = Profile()
    slides = replace(job.slides, folder=folder.parts / "slides", products=folder.path)
    rows = []
    for one in judge(items, job.model, job.options, slides, profile):
        outputs.write_pictures(folder.path, one, job.formats)
        one.labels = one.nuclei = one.pixels = None
        rows.append(one)
    _check_folder(folder, made_with)  # another run may have taken the folder since
    folder.write(items[0].block, rows)


def _check_folder(folder: RunFolder, made_with: dict[str, Any]) -> None:
    state = folder.state()
    if state is None:
        raise ValueError(
            f"a worker does not see the run in {str(folder.path)!r}; the output folder must be on a disk that"
            " the client and all workers share under one path"
        )
    if json.dumps(state["made_with"], sort_keys=True) != json.dumps(made_with, sort_keys=True):
        raise ValueError(f"another run has begun in {folder.path.name!r}; this task writes nothing")


def _mismatch(who: str, changed: list[str]) -> str:
    text = "; ".join(change.replace(" was ", " is ", 1).replace(", is ", " here, ", 1) for change in changed)
    return f"{who} differs from the client: {text} there. Install the same versions and model on all machines"


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

    for name in ("distributed", "distributed.client", "distributed.comm"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
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
    tile: int = 2048,
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
        Connected to the cluster. Where workers declare the resource ``GPU``, only those get tasks, each of
        which takes ``GPU=1``; run such workers with one thread.
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
        The scheduler is gone, or has no workers. What was done is saved, and ``resume`` goes on.
    fastpgs.inference.parts.ResumeError
        The folder holds an unfinished run, or one made with other options.
    fastpgs.io.lock.LockedError
        Another run is writing to the folder.
    Interrupted
        On Ctrl-C. What was done is saved.
    """
    _check(out, False, formats, resume, restart, None, batch_size, workers, max_pixels)
    target = Path(os.path.abspath(out))  # noqa: PTH100  # not resolved: links may differ between machines
    items = [_absolute(item) for item in _items(inputs, exclude=out)]
    order = _Order(
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
    _slide_options(tile, pixel_size)
    with _scheduler_errors():
        resources = _resources(client)
        made_with = _agreed(client, order, resources)
    return _Spread(client, order, made_with, resources, progress).run(items, resume=resume, restart=restart)


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
        raise _gone(str(error)) from error


def _gone(why: str) -> SchedulerError:
    return SchedulerError(
        f"the Dask scheduler is gone ({' '.join(why.split())[:200]}); what is done is saved: start it and its"
        " workers again, and --resume goes on"
    )


def _resources(client: Any) -> dict[str, float]:
    """What a task takes of its worker."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        raise SchedulerError(
            "the Dask scheduler has no workers; start some with 'dask worker SCHEDULER --nthreads 1',"
            " then run again with --resume"
        )
    return {"GPU": 1} if any(worker["resources"].get("GPU") for worker in workers.values()) else {}


def _agreed(client: Any, order: _Order, resources: dict[str, float]) -> dict[str, Any]:
    """What the rows will be made with: the same on all workers, and the versions and model of the client."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    chosen = [name for name, one in workers.items() if not resources or one["resources"].get("GPU")]
    found: dict[str, dict[str, Any]] = client.run(_describe, order, workers=chosen)
    here = _job(replace(order, device="cpu")).made_with
    first = next(iter(found.values()))
    # The workers' device, and what follows from it, may be another than the client's.
    model = {**here["model"], **{name: first["model"][name] for name in ("engine", "device", "dtype")}}
    wanted = {**here, "versions": versions(), "model": model}
    for name, made_with in found.items():
        changed = differences(wanted, made_with)
        if changed:
            raise WorkerMismatchError(_mismatch(f"the worker at {name}", changed))
    return wanted


class _Spread(_Job):
    """A run whose blocks are judged elsewhere."""

    def __init__(
        self,
        client: Any,
        order: _Order,
        made_with: dict[str, Any],
        resources: dict[str, float],
        progress: Progress | None,
    ) -> None:
        here = _job(replace(order, device="cpu"))
        super().__init__(
            here.out, here.model, here.options, here.slides, here.formats, here.report, None, progress
        )
        self.client, self.order, self.resources, self.made_with = client, order, resources, made_with

    def _spread(self, folder: RunFolder, todo: list[list[Item]], done: int, total: int) -> None:
        from distributed import KilledWorker, as_completed

        run = uuid.uuid4().hex[:8]
        extra = {"resources": self.resources} if self.resources else {}
        futures = {
            self.client.submit(
                _work,
                self.order,
                self.made_with,
                block,
                key=f"fastpgs-{run}-{block[0].block:06d}",
                pure=False,
                **extra,
            ): block
            for block in todo
        }
        try:
            for future in as_completed(list(futures), loop=self.client.loop):
                if future.status in ("cancelled", "lost"):
                    raise _gone("its connection was lost")
                block = futures.pop(future)
                error = future.exception() if future.status == "error" else None
                if isinstance(error, KilledWorker):
                    folder.write(block[0].block, _killed(block))
                elif error is not None:
                    raise error
                future.release()
                done += len(block)
                if self.progress is not None:
                    self.progress(done, total, None)
        except KeyboardInterrupt:
            tables = not (folder.path / outputs.RUN).exists()
            if tables:
                self._finish([folder], complete=False, kept=0)
            raise Interrupted(done, total, tables) from None
        finally:
            if futures and self.client.status == "running":
                self.client.cancel(list(futures), force=True)

    def _fill(self, folder: RunFolder, items: list[Item]) -> Result:
        blocks, todo = self._blocks(folder, items)
        kept = len(items) - sum(map(len, todo))
        if self.progress is not None and kept:
            self.progress(kept, len(items), None)
        with _scheduler_errors():
            self._spread(folder, todo, kept, len(items))
        missing = [block[0].block for block in blocks if not folder.has(block[0].block)]
        if missing:
            raise ValueError(
                f"workers report {len(missing)} blocks as done that are not in {folder.path.name!r}: is it the"
                " same shared folder on all machines? --resume redoes them"
            )
        result = self._finish([folder], complete=True, kept=kept)
        folder.complete(self.made_with)
        return result


def _killed(block: list[Item]) -> list[FieldResult]:
    """Rows of a block on which one worker after the other has died."""
    text = f"the workers that judged it died, one after the other (one of {len(block)} inputs of a task)"
    return [FieldResult(item.index, item.name).fail(text, retry=True) for item in block]
