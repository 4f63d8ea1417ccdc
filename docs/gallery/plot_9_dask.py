"""
Many machines, by Dask
======================

Two processes on this machine stand for the machines of a Dask cluster. They draw synthetic smears into a folder
that both see, then judge them in blocks of 64. Rows, their order and files are those of one process, as the last
line printed says; ``fastpgs classify --scheduler tcp://HOST:8786`` is the same from a shell. Research use only.
"""

import logging
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from dask.distributed import Client, LocalCluster, get_task_stream
from PIL import Image

from fastpgs import classify, distributed, synth


def draw(seed, path):
    """One smear into a file."""
    smear = synth.smear((128, 128), pixel_size=0.45, n_blasts=seed % 3, n_normals=1, seed=seed)
    Image.fromarray(smear.image).save(path)


# New processes read this file as they start, and must then do nothing.
if __name__ == "__main__":
    folder = tempfile.TemporaryDirectory()
    smears, out = Path(folder.name, "smears"), Path(folder.name, "out")
    smears.mkdir()
    paths = [smears / f"{seed:03d}.png" for seed in range(4 * 64)]
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=logging.ERROR
        ) as cluster,
        Client(cluster) as client,
    ):
        client.gather(client.map(draw, range(len(paths)), paths))
        with get_task_stream(client) as stream:
            result = distributed.classify(smears, client, device="cpu", out=out)
    print(f"{result.images.num_rows} fields, {result.cells.num_rows} cells")
    print("as by one process:", result.images.equals(classify(smears, device="cpu").images))

    tasks = [task for task in stream.data if task["key"].startswith("fastpgs_judge")]
    spans = [
        (task["worker"], span) for task in tasks for span in task["startstops"] if span["action"] == "compute"
    ]
    names = sorted({worker for worker, _ in spans})
    begin = min(span["start"] for _, span in spans)
    fig = plt.figure(figsize=(8, 3.6), layout="constrained")
    above, below = fig.subfigures(2, 1, height_ratios=(5, 4))
    ax = above.subplots()
    for worker, span in spans:
        ax.barh(
            names.index(worker),
            span["stop"] - span["start"],
            left=span["start"] - begin,
            height=0.6,
            edgecolor="w",
        )
    ax.set(xlabel="seconds", title="who judged which block of 64, and when")
    ax.set_yticks(range(len(names)), [f"process {i + 1}" for i in range(len(names))])
    fields = result.images.to_pylist()[:8]
    for ax, field in zip(below.subplots(1, 8), fields, strict=True):
        ax.imshow(plt.imread(field["image"]))
        ax.set_title(f"cells: {field['cells']}", fontsize=9)
        ax.set_axis_off()
    below.suptitle("the first eight fields")
    folder.cleanup()
