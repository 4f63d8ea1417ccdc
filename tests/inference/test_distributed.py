"""A run on Dask workers: the rows of one process, whatever dies on the way."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

import fastpgs.inference.pipeline as pipeline
from fastpgs.inference.items import BLOCK
from fastpgs.inference.parts import ResumeError, RunFolder
from fastpgs.io.lock import LockedError, lock_file
from pyramids import write_ome_tiff
from standin import Config, StandIn, save_pictures, work_seen

pytest.importorskip("distributed")

from distributed import Client

from fastpgs import distributed
from fastpgs.distributed import SchedulerError, WorkerMismatchError
from fastpgs.distributed import client as client_module
from fastpgs.distributed import spread as spread_module

N = 4 * BLOCK + 9


class Cluster:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, folder: Path, allowed_failures: int = 3) -> None:
        self.allowed_failures = str(allowed_failures)
        self.port = _free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.folder = folder
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard"
        )
        self.workers: list[subprocess.Popen[bytes]] = []

    def work(self, n: int, *options: str, nanny: bool = False) -> None:
        own = ["--nthreads", "1", "--no-dashboard", "--death-timeout", "60"]
        own += ["--nanny" if nanny else "--no-nanny"]
        for _ in range(n):
            self.workers.append(
                self._start("worker", self.address, *own, "--local-directory", str(self.folder), *options)
            )
        with self.client() as client:
            client.wait_for_workers(n, timeout=60)

    def client(self) -> Any:
        return Client(self.address, timeout=60, set_as_default=False)

    def close(self) -> None:
        for process in self.workers:
            process.terminate()  # nannies take their workers with them
        for process in self.workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(["tests", os.environ.get("PYTHONPATH", "")])
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_" + command[0], *command[1:]],
            env={
                **os.environ,
                "PYTHONPATH": path,
                "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": self.allowed_failures,
            },
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
    own = {name: options.pop(name) for name in ("delay", "broken") if name in options}
    model = partial(StandIn, spread=0.01, **own, **({"config": config} if config else {}))
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
def test_workers_in_two_network_namespaces_one_of_which_is_cut_off(folder: Path, tmp_path: Path) -> None:
    for need in (["unshare", "-rnm", "true"], ["ip", "-V"]):
        if shutil.which(need[0]) is None or subprocess.run(need, capture_output=True).returncode:
            pytest.skip(f"needs {need[0]} and the right to make network namespaces")
    rows = expected(folder, tmp_path / "one", spread=0.01)
    done = subprocess.run(
        [
            "unshare",
            "-rnm",
            "--fork",
            "--kill-child",
            sys.executable,
            "tests/inference/namespaces.py",
            folder,
            tmp_path / "out",
            tmp_path,
        ],
        env={**os.environ, "PYTHONPATH": "tests"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.splitlines() == ["//10.7.0.2 //10.7.0.3", "1"], done.stderr
    assert read(tmp_path / "out") == rows


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
    rows = expected(folder, tmp_path / "one", spread=0.01)
    with cluster.client() as client:
        with pytest.raises(SchedulerError, match="has no workers; start some with 'dask worker"):
            spread(folder, client, tmp_path / "out")
        cluster.work(1, "--name", "no-gpu")
        cluster.work(1, "--resources", "GPU=1", "--name", "with-gpu")
        client.wait_for_workers(2, timeout=60)
        spread(folder, client, tmp_path / "out")
        (none_found, none_judged), (found, judged) = sorted(client.run(work_seen).values())
        assert (none_found, none_judged, found) == (0, 0, N)
        assert judged > 4

        cluster.work(1, "--resources", "CPU=1", "--name", "with-cpu")
        client.wait_for_workers(3, timeout=60)
        spread(folder, client, tmp_path / "both")
        names = {address: one["name"] for address, one in client.scheduler_info()["workers"].items()}
        seen = {names[address]: work for address, work in client.run(work_seen).items()}
        # Cells of the CPU's worker were judged by the GPU's, in the same batches.
        assert seen == {"no-gpu": (0, 0), "with-gpu": (0, judged), "with-cpu": (N, 0)}
        for out in ("out", "both"):
            assert read(tmp_path / out) == rows

        real = client_module.versions
        monkeypatch.setattr(client_module, "versions", lambda: {**real(), "fastpgs": "9.9.9"})
        with pytest.raises(WorkerMismatchError, match=r"versions.fastpgs is '9.9.9' here, '.*' there"):
            spread(folder, client, tmp_path / "other")
        assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_an_input_that_kills_its_worker_is_one_failed_row(tmp_path: Path) -> None:
    save_pictures(tmp_path / "in", 12)
    rows = expected(tmp_path / "in", tmp_path / "one", spread=0.01)[0].to_pylist()
    with closing(Cluster(tmp_path / "dask", allowed_failures=0)) as cluster, cluster.client() as client:
        cluster.work(1, nanny=True)
        result = spread(tmp_path / "in", client, tmp_path / "out", broken="death")
    images = result.images.to_pylist()
    assert [row["image"] for row in images if row["status"] != "ok"] == [images[7]["image"]]
    assert images[7]["error"] == "the workers that judged it died, one after the other"
    assert [row["image"] for row in images] == [row["image"] for row in rows]
    assert [row["cells"] for row in images if row["cells"] is not None] == [
        row["cells"] for i, row in enumerate(rows) if i != 7
    ]
    # Another day, with more memory.
    again = pipeline.classify(
        tmp_path / "in", StandIn(spread=0.01), out=tmp_path / "out", report=False, resume=True
    )
    assert again.images.to_pylist() == rows


@pytest.mark.slow
def test_no_worker_is_left(
    cluster: Cluster, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spread_module, "PATIENCE", 2.0)
    cluster.work(1)
    out = tmp_path / "out"
    with cluster.client() as client:
        threading.Thread(target=_kill_after_first_part, args=(out, cluster.workers[0])).start()
        with pytest.raises(SchedulerError, match=r"has had no workers for 2 s; .* --resume goes on"):
            spread(folder, client, out, delay=0.02)
    assert 1 <= saved(out) < 5
    assert not (out / "images.parquet").exists()


@pytest.mark.slow
def test_tiles_of_a_slide_are_judged_by_many_workers(cluster: Cluster, tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    from fastpgs import synth

    (tmp_path / "in").mkdir()
    write_ome_tiff(tmp_path / "in" / "a.ome.tiff", synth.Slide((1280, 1280), seed=7, white_part=0.4).read())
    Image.fromarray(synth.smear(seed=3).image).save(tmp_path / "in" / "b.png")
    (tmp_path / "in" / "c.ome.tiff").write_bytes((tmp_path / "in" / "a.ome.tiff").read_bytes()[:5000])
    pipeline.classify(tmp_path / "in", out=tmp_path / "one", tile=256, report=False, formats=["labels"])
    cluster.work(2)
    with cluster.client() as client:
        distributed.classify(
            tmp_path / "in", client, out=tmp_path / "out", tile=256, report=False, formats=["labels"]
        )
        kinds = client.run_on_scheduler(lambda dask_scheduler: set(dask_scheduler.task_prefixes))
    assert kinds >= {"fastpgs_plan_slide", "fastpgs_judge_tiles", "fastpgs_judge_block"}
    tables = read(tmp_path / "out")
    assert tables == read(tmp_path / "one")
    assert tables[0].column("status").to_pylist() == ["ok", "ok", "failed"]
    assert len(tables[1]) > 20


def test_no_scheduler_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(SchedulerError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:"),
        distributed.connect(f"tcp://127.0.0.1:{_free_port()}", timeout=0.5),
    ):
        pass


@pytest.mark.parametrize("address", ["nonsense", "http://127.0.0.1:80", "tcp://127.0.0.1", ""])
def test_no_address_is_one_line(address: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    command = [sys.executable, "-m", "fastpgs", "classify", "a.png", "--out", "out", "--scheduler", address]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1), done.stderr
    assert "no Dask scheduler answers at" in done.stderr


def test_arrays_are_refused(tmp_path: Path) -> None:
    from standin import picture

    with pytest.raises(ValueError, match="expected files that all workers can read, got an array"):
        distributed.classify([picture(0)], None, out=tmp_path / "out")
