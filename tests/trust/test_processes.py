"""Forks, spawns and threads around the core: no hang, the same labels, nobody's threads taken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT = 150  # seconds; a hang is a failure

PROGRAM = """
import multiprocessing, sys, warnings
import numpy as np
{imports}
from torch.utils.data import DataLoader, Dataset
from fastpgs.synth import smear

image = np.random.default_rng(0).integers(0, 256, (700, 700, 3), dtype=np.uint8)  # enough for four threads

stained = smear((300, 300), n_blasts=1, n_normals=1, seed=3).image

def labels(threads):
    cells = fastpgs.find_cells(stained, num_threads=threads).labels
    assert cells.max() >= 1
    return fastpgs.segment(image, k=3, max_iter=20, num_threads=threads)

class Pictures(Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, i):
        return torch.from_numpy(labels((None, 1, 2, 4)[i]))

def child(threads):
    return labels(threads)

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    before = torch.get_num_threads()
    expected = labels(4)
    torch.ones(300, 300) @ torch.ones(300, 300)
    assert torch.get_num_threads() == before, (before, torch.get_num_threads())
    for method in sys.argv[1:]:
        loader = DataLoader(Pictures(), batch_size=2, num_workers=2, multiprocessing_context=method)
        found = [one.numpy() for batch in loader for one in batch]
        assert len(found) == 4 and all((one == expected).all() for one in found), method
        if method == "fork":  # the others start afresh, as the loader's workers just did
            with multiprocessing.get_context(method).Pool(2) as pool:
                assert all((one == expected).all() for one in pool.map(child, [1, 4, None])), method
        assert (labels(4) == expected).all()
    torch.ones(300, 300) @ torch.ones(300, 300)
    assert torch.get_num_threads() == before
    print("done")
"""


ORDERS = {
    "torch first": "import torch\nimport fastpgs",
    "fastpgs first": "import fastpgs\nfastpgs.segment(np.zeros((9, 9), np.uint8), 1, num_threads=2)\nimport torch",
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    ("order", "methods"), [("torch first", ["fork", "forkserver", "spawn"]), ("fastpgs first", ["fork"])]
)
def test_workers_of_a_data_loader_and_of_a_pool(order: str, methods: list[str], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "program.py").write_text(PROGRAM.format(imports=ORDERS[order]))
    done = subprocess.run(
        [sys.executable, "program.py", *methods],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-2000:]


COUNT = """
import os, sys, threading, time
import numpy as np, fastpgs
from fastpgs import _core
image = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
before = len(os.listdir("/proc/self/task"))
most = before
over = threading.Event()
def watch():
    global most
    while not over.is_set():
        most = max(most, len(os.listdir("/proc/self/task")) - 1)
        time.sleep(0.001)
watcher = threading.Thread(target=watch)
watcher.start()
fastpgs.segment(image, 4, max_iter=5, **eval(sys.argv[1]))
over.set()
watcher.join()
print(_core.permitted_threads(), most - before)
"""


def may_unshare() -> bool:
    """Whether a process may have mounts of its own here."""
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/sys/fs/cgroup"]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not may_unshare(), reason="needs mounts of its own")
@pytest.mark.parametrize(("quota", "most"), [("100000 100000", 1), ("max 100000", None)])
def test_the_quota_of_a_control_group_is_kept(quota: str, most: int | None) -> None:
    """In a container with a processor's worth of time, as many threads as it is worth."""
    program = f"{sys.executable} -W ignore -c '{COUNT}' '{{}}'"
    mounted = f"mount -t tmpfs none /sys/fs/cgroup && echo {quota} > /sys/fs/cgroup/cpu.max && exec {program}"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", mounted],
        env=environment | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT,
    )
    allowed, more = map(int, done.stdout.split())
    assert allowed == (most or len(os.sched_getaffinity(0)))
    assert more <= allowed - 1


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
@pytest.mark.parametrize(
    ("limit", "options", "permitted", "extra"),
    [
        ({"OMP_NUM_THREADS": "1"}, {}, 1, 0),
        ({}, {"num_threads": 1}, None, 0),
        ({"OMP_NUM_THREADS": "1"}, {"num_threads": 3}, 1, 2),  # asked for in so many words
        ({"affinity": "1"}, {}, 1, 0),
    ],
)
def test_limits_on_threads_are_kept(
    limit: dict[str, str], options: dict[str, int], permitted: int | None, extra: int
) -> None:
    limit = dict(limit)
    first = next(iter(os.sched_getaffinity(0)))
    pin = (lambda: os.sched_setaffinity(0, {first})) if limit.pop("affinity", None) else None
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment |= {"OPENBLAS_NUM_THREADS": "1", **limit}
    done = subprocess.run(
        [sys.executable, "-c", COUNT, repr(options)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT,
        preexec_fn=pin,
    )
    allowed, more = map(int, done.stdout.split())
    assert permitted is None or allowed == permitted
    assert more <= extra
