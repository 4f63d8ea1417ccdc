"""A run on two workers behind network links of their own, one of which is cut; run it by `unshare -rnm`.

Prints the addresses of the workers and how many of them were left in the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

from distributed import Client

from fastpgs import distributed
from fastpgs.inference.parts import RunFolder
from standin import StandIn

SCHEDULER = "10.7.0.1"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def lay_network(workers: int) -> None:
    """A bridge, and a namespace with one link to it for each worker."""
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    ip("link", "set", "lo", "up")
    ip("link", "add", "bridge0", "type", "bridge")
    ip("addr", "add", f"{SCHEDULER}/24", "dev", "bridge0")
    ip("link", "set", "bridge0", "up")
    for i in range(2, 2 + workers):
        ip("netns", "add", f"worker{i}")
        ip("link", "add", f"link{i}", "type", "veth", "peer", "name", "eth0", "netns", f"worker{i}")
        ip("link", "set", f"link{i}", "master", "bridge0", "up")
        ip("-n", f"worker{i}", "addr", "add", f"10.7.0.{i}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            ip("-n", f"worker{i}", "link", "set", device, "up")


def dask(kind: str, *words: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    command = [*prefix, sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, "--no-dashboard"]
    # A cut worker is given up after this time; by default Dask waits five minutes.
    own = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "4s"}
    return subprocess.Popen(command, env={**os.environ, **own}, stderr=subprocess.DEVNULL)


def cut_after_first_part(out: Path) -> None:
    while not RunFolder(out).blocks():
        time.sleep(0.01)
    ip("link", "set", "link2", "down")


def main(folder: str, out: str, scratch: str) -> None:
    lay_network(2)
    processes = [dask("scheduler", "--host", SCHEDULER, "--port", "8786")]
    own = ("--nthreads", "1", "--no-nanny", "--local-directory", scratch)
    for i in (2, 3):
        prefix = ("ip", "netns", "exec", f"worker{i}")
        processes.append(dask("worker", f"tcp://{SCHEDULER}:8786", *own, prefix=prefix))
    try:
        with Client(f"tcp://{SCHEDULER}:8786", timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            print(*sorted(address.split(":")[1] for address in client.scheduler_info()["workers"]))
            threading.Thread(target=cut_after_first_part, args=(Path(out),), daemon=True).start()
            model = partial(StandIn, spread=0.01, delay=0.02)
            distributed.classify(folder, client, model, out=out, report=False)
            print(len(client.scheduler_info()["workers"]))
    finally:
        for process in processes:
            process.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
