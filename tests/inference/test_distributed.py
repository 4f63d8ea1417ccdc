"""A run on Dask workers: the rows of one process, whatever dies on the way."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import fastpgs.inference.pipeline as pipeline
from fastpgs.inference.parts import ResumeError, RunFolder
from fastpgs.inference.stream import BLOCK
from fastpgs.io.lock import LockedError, lock_file
from standin import Config, StandIn, save_pictures

pytest.importorskip("distributed")

from distributed import Client

from fastpgs import distributed
from fastpgs.distributed import SchedulerError, WorkerMismatchError

N = 4 * BLOCK + 9


class Cluster:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.port = port or _free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.folder = folder
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"
        )
        self.workers: list[subprocess.Popen[bytes]] = []

    def work(self, n: int, *options: str) -> None:
        for _ in range(n):
            own = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60"]
            self.workers.append(
                self._start("worker", self.address, *own, "--local-directory", str(self.folder), *options)
            )
        with self.client() as client:
            client.wait_for_workers(n, timeout=60)

    def client(self) -> Any:
        return Client(self.address, timeout=60, set_as_default=False)

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(["tests", os.environ.get("PYTHONPATH", "")])
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + command[0], *command[1:]],
            env={**os.environ, "PYTHONPATH": path},
            cwd=Path(__file__).parents[2],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    started = Cluster(tmp_path / "dask")
    try:
        yield started
    finally:
        started.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_pictures(tmp_path / "in", N)
    (tmp_path / "in" / "zz-text.jpg").write_text("words")
    return tmp_path / "in"


def read(out: Path) -> list[Any]:
    return [pq.read_table(out / f"{name}.parquet") for name in ("images", "cells")]


def expected(folder: Path, out: Path, **options: Any) -> list[Any]:
    pipeline.classify(folder, StandIn(**options), out=out, report=False)
    return read(out)


def spread(folder: Path, client: Any, out: Path, *, config: Config | None = None, **options: Any) -> Any:
    delay = options.pop("delay", 0.0)
    model = partial(StandIn, spread=0.01, delay=delay, **({"config": config} if config else {}))
    return distributed.classify(folder, client, model, out=out, report=False, **options)


def saved(out: Path) -> int:
    return len(RunFolder(out).blocks())


@pytest.mark.slow
def test_rows_of_one_process_even_if_a_worker_is_killed(
    cluster: Cluster, folder: Path, tmp_path: Path
) -> None:
    rows = expected(folder, tmp_path / "one", spread=0.01)
    cluster.work(2)
    out = tmp_path / "out"
    with cluster.client() as client:
        result = spread(folder, client, out)
        assert read(out) == rows
        assert not result.ok
        assert result.images.to_pylist()[-1]["status"] == "failed"

        with pytest.raises(ResumeError, match="name was 'stand-in', is 'other'"):
            spread(folder, client, out, config=Config(name="other"), resume=True)
        held = lock_file(out, 0)
        with held, pytest.raises(LockedError):
            spread(folder, client, out, resume=True)
        stamp = (out / ".parts" / "images-000001.parquet").stat().st_mtime_ns
        (out / ".parts" / "images-000002.parquet").unlink()
        assert spread(folder, client, out, resume=True).run["resumed_inputs"] == N + 1 - BLOCK
        assert (out / ".parts" / "images-000001.parquet").stat().st_mtime_ns == stamp
        assert read(out) == rows
        # A folder filled by workers is one that a single process can go on with.
        assert (
            pipeline.classify(folder, StandIn(spread=0.01), out=out, report=False, resume=True).run[
                "resumed_inputs"
            ]
            == N + 1
        )

        killed = tmp_path / "killed"
        threading.Thread(target=_kill_after_first_part, args=(killed, cluster.workers[0])).start()
        spread(folder, client, killed, delay=0.02)
        assert cluster.workers[0].wait(10) == -signal.SIGKILL
        assert read(killed) == rows


def _kill_after_first_part(out: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not saved(out) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()


@pytest.mark.slow
def test_scheduler_gone_says_so_and_resume_goes_on(cluster: Cluster, folder: Path, tmp_path: Path) -> None:
    rows = expected(folder, tmp_path / "one", spread=0.01)
    cluster.work(1)
    out = tmp_path / "out"
    client = cluster.client()
    threading.Thread(target=_kill_after_first_part, args=(out, cluster.scheduler)).start()
    with pytest.raises(SchedulerError, match=r"scheduler is gone .* --resume goes on"):
        spread(folder, client, out, delay=0.02)
    with contextlib.suppress(Exception):
        client.close(timeout=1)
    done = saved(out)
    assert 1 <= done < 5
    kept = pipeline.classify(folder, StandIn(spread=0.01), out=out, report=False, resume=True)
    assert kept.run["resumed_inputs"] >= done * BLOCK - 1
    assert read(out) == rows


@pytest.mark.slow
def test_workers_that_differ_and_those_with_gpus(
    cluster: Cluster, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster.client() as client:
        with pytest.raises(SchedulerError, match="has no workers; start some with 'dask worker"):
            spread(folder, client, tmp_path / "out")
        cluster.work(1)
        cluster.work(1, "--resources", "GPU=1", "--name", "with-gpu")
        client.wait_for_workers(2, timeout=60)
        assert distributed._resources(client) == {"GPU": 1}
        assert spread(folder, client, tmp_path / "out").run["complete"]
        # The worker without a GPU was never asked for the model.
        models = client.run(lambda: len(__import__("fastpgs.distributed").distributed._jobs))
        assert sorted(models.values()) == [0, 1]
        real = distributed.versions
        monkeypatch.setattr(distributed, "versions", lambda: {**real(), "fastpgs": "9.9.9"})
        with pytest.raises(WorkerMismatchError, match=r"versions.fastpgs is '9.9.9' here, '.*' there"):
            spread(folder, client, tmp_path / "other")
        assert not (tmp_path / "other").exists()


def test_no_scheduler_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(SchedulerError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:"),
        distributed.connect(f"tcp://127.0.0.1:{_free_port()}", timeout=0.5),
    ):
        pass


def test_arrays_are_refused(tmp_path: Path) -> None:
    from standin import picture

    with pytest.raises(ValueError, match="expected files that all workers can read, got an array"):
        distributed.classify([picture(0)], None, out=tmp_path / "out")
