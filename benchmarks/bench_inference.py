"""How fast a network runs: this package's engines beside torch, ONNX Runtime and OpenVINO.

    python bench_inference.py                  # one thread, CPU time, everything that is installed
    python bench_inference.py --threads 2      # wall time
    python bench_inference.py --device cuda    # a GPU: crops a second by number type and batch
    python bench_inference.py --device cuda --images FOLDER   # and through the pipeline, from decoded images

Every engine runs once a round, so that a machine whose speed swings treats all alike; the least of the rounds counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from bench_pipeline import look_closer

from fastpgs import _core
from fastpgs.inference import engines, native
from fastpgs.inference.classifier import CHUNK_PIXELS, BlastClassifier
from fastpgs.inference.memory import keep_freed_memory
from fastpgs.inference.model import load_model
from fastpgs.inference.pipeline import classify
from fastpgs.inference.precision import cpu_bf16_units
from fastpgs.inference.threads import available_cpus, spread
from fastpgs.io import read_image
from fastpgs.io.inputs import find_inputs
from fastpgs.nets import build_network
from fastpgs.training.export import _write_onnx

GPU_GOAL = 5000  # crops of 256² a second
GPU_BATCH_PIXELS = 1 << 22  # of the crops of a batch

Run = Callable[[torch.Tensor], object]
CASES = [  # network, channels, crops, side
    ("unet_plr", 3, 64, 32),
    ("unet_plr", 3, 64, 48),
    ("unet_plr", 3, 8, 96),
    ("unet_plr", 3, 8, 128),
    ("unet_plr", 3, 8, 256),
    ("unet_plr_table2", 1, 8, 256),
]


def network(name: str, channels: int) -> torch.nn.Module:
    torch.manual_seed(0)
    options = {"norm": "batch"} if name == "unet_plr" else {}
    made = build_network(name, in_channels=channels, **options).eval()
    return made.to(memory_format=torch.channels_last)


def runners(name: str, channels: int, side: int, threads: int, only: str) -> dict[str, Run]:
    """Everything that can run here, by name; the first is what the ratios refer to."""

    def made() -> torch.nn.Module:
        return network(name, channels)

    found: dict[str, Run] = {"eager fp32": made()}
    with engines.scripting():
        found["TorchScript fp32, frozen"] = torch.jit.freeze(torch.jit.script(made()))
    state = {key: value.numpy() for key, value in made().state_dict().items()}
    options = {"norm": "batch"} if name == "unet_plr" else {}
    size = max(1, CHUNK_PIXELS // side**2)  # as `BlastClassifier.scores` deals crops to threads
    for numbers in native.NUMBERS:
        fast = native.build(
            name, state, in_channels=channels, activation=None, options=options, numbers=numbers
        )
        if fast is not None:
            found[f"fastpgs native {numbers}"] = lambda x, fast=fast: spread(
                fast, np.array_split(x.permute(0, 2, 3, 1).numpy(), range(size, len(x), size)), threads
            )
    if cpu_bf16_units() or only == "all":
        half = made()
        engines.to_dtype(half, torch.bfloat16)
        with engines.scripting():
            script = torch.jit.freeze(torch.jit.script(half.to(memory_format=torch.channels_last)))
        found["TorchScript bf16, frozen"] = script
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        try:
            _write_onnx(
                made().to(memory_format=torch.contiguous_format),
                torch.zeros(2, channels, side, side),
                file,
                "",
            )
            found["ONNX Runtime fp32"] = engines.OnnxEngine(file.read_bytes(), threads)
            found |= openvino(file, threads)
        except ModuleNotFoundError as error:
            print(f"without {error.name}")
        except torch.onnx.OnnxExporterError as error:
            print(f"without ONNX: this torch cannot write it: {str(error).splitlines()[0]}")
    return found


def openvino(file: Path, threads: int) -> dict[str, Run]:
    try:
        import openvino as ov
    except ModuleNotFoundError:
        return {}
    core = ov.Core()
    found: dict[str, Run] = {}
    for kind in ("f32", "bf16") if cpu_bf16_units() else ("f32",):
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": kind,
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = core.compile_model(core.read_model(file.read_bytes()), "CPU", settings)
        request = compiled.create_infer_request()
        found[f"OpenVINO {kind}"] = lambda x, request=request: request.infer({0: x.numpy()})
    return found


def measure(found: dict[str, Run], x: torch.Tensor, rounds: int, threads: int) -> dict[str, float]:
    clock = time.process_time if threads == 1 else time.perf_counter
    plain = x.contiguous()
    x = x.contiguous(memory_format=torch.channels_last)
    least = dict.fromkeys(found, float("inf"))
    with torch.inference_mode():
        for turn in range(rounds + 1):
            for name, run in found.items():
                given = plain if name.startswith(("ONNX", "OpenVINO")) else x
                start = clock()
                run(given)
                if turn > 0:  # the first round warms up
                    least[name] = min(least[name], clock() - start)
    return least


def on_cpu(rounds: int, threads: int, only: str, sides: list[int]) -> None:
    torch.set_num_threads(threads)
    clock = "CPU time of one thread" if threads == 1 else f"wall time on {threads} threads"
    units = f"torch {torch.backends.cpu.get_cpu_capability()}, bf16: {cpu_bf16_units() or 'no units for it'}"
    print(f"{units}; native {_core.conv3_path() or 'not possible'}; {clock}\n")
    for name, channels, crops, side in CASES:
        if side not in sides:
            continue
        x = torch.from_numpy(np.random.default_rng(0).random((crops, channels, side, side), dtype=np.float32))
        least = measure(runners(name, channels, side, threads, only), x, rounds, threads)
        print(f"{name}, {crops} x {side}²")
        onnx = least.get("ONNX Runtime fp32", float("nan"))
        for engine, seconds in least.items():
            print(
                f"  {engine:<26}{1e3 * seconds:>9.1f} ms{crops / seconds:>10.0f} crops/s"
                f"{least['eager fp32'] / seconds:>7.2f}x eager{onnx / seconds:>7.2f}x ONNX Runtime",
                flush=True,
            )


def on_gpu(device: str, rounds: int, sides: list[int]) -> None:
    """Goal: at least 5,000 crops of 256² a second."""
    cpu = device.startswith("cpu")
    print(f"{device}: a trial without a GPU" if cpu else torch.cuda.get_device_name(device))
    for side in sides:
        n = 16 if cpu else 4096
        crops = np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)
        for dtype in ("fp32",) if cpu else ("fp32", "bf16", "fp16"):
            for batch in (8,) if cpu else (64, 256, 1024):
                model = load_model("unet-plr", device, dtype=dtype)
                model.batch_size = batch
                rate = n / least_time(
                    lambda model=model, crops=crops: model.scores(crops, masks=False), rounds
                )
                print(
                    f"{side:>4}² {dtype} batch {batch:>5}: {rate:>9.0f} crops/s from host memory", flush=True
                )


def least_time(work: Callable[[], object], rounds: int) -> float:
    """Wall time of the quickest round, after one that warms up."""
    work()
    least = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - start)
    return least


def pipeline_on_gpu(device: str, rounds: int, sides: list[int], folder: str, images: int) -> None:
    """Goal: at least 80 % of the 5,000 crops a second, from decoded images to calls."""
    keep_freed_memory()  # as the command line does
    paths = [one.path for one in find_inputs([folder]) if one.path is not None]
    pictures = [read_image(path) for path in paths[:: max(1, len(paths) // images)][:images]]
    pictures *= -(-images // len(pictures))  # where the folder has fewer
    print(f"\npipeline, {len(pictures)} decoded images of {folder}, {available_cpus()} processors")
    for side in sides:
        model = load_model("unet-plr", device)
        look_closer(model, side)
        model.batch_size = max(32, GPU_BATCH_PIXELS // side**2)
        found = [0]

        def run(model: BlastClassifier = model, found: list[int] = found) -> None:
            found[0] = len(classify(pictures, model).cells)

        seconds = least_time(run, rounds)
        crops = np.zeros((4 * model.batch_size, side, side, 3), np.uint8)
        alone = len(crops) / least_time(
            lambda model=model, crops=crops: model.scores(crops, masks=False), rounds
        )
        rate = found[0] / seconds
        print(
            f"{side:>4}² {model.dtype} batch {model.batch_size:>5}: {rate:>7.0f} crops/s,"
            f" {len(pictures) / seconds:.0f} images/s; the model alone {alone:.0f} crops/s;"
            f" {100 * rate / GPU_GOAL:.0f} % of {GPU_GOAL} crops/s",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--device", default="cpu", help="cpu, cuda, cuda:1; 'cpu-trial' walks the GPU's way on the CPU"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", metavar="FOLDER", help="with a GPU: smear images for the pipeline")
    parser.add_argument("--count", type=int, default=1024, help="so many of them")
    every = sorted({side for *_, side in CASES})
    parser.add_argument("--sides", type=int, nargs="+", default=every, help="crops of these sides only")
    parser.add_argument(
        "--only", default="fast", choices=["fast", "all"], help="all: bf16 without units for it too"
    )
    given = parser.parse_args()
    if given.device == "cpu":
        on_cpu(given.rounds, given.threads, given.only, given.sides)
        return
    device = "cpu" if given.device == "cpu-trial" else given.device
    on_gpu(device, given.rounds, given.sides)
    if given.images:
        pipeline_on_gpu(device, given.rounds, given.sides, given.images, given.count)


if __name__ == "__main__":
    main()
