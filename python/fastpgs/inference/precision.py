"""Where a network runs and with which numbers, where the user leaves it open.

The rule: the first CUDA device if there is one, else the CPU. Sixteen bits where the device multiplies twice as many of
them at a time. On CUDA devices with tensor cores these are float16 (bfloat16 is as fast there, and eight times as
coarse). On CPUs they are integers where the core runs the network (`fastpgs.inference.native`): closer to float32 than
bfloat16, faster but perhaps for AMX, and no torch to import. torch, which runs the other networks, takes bfloat16 on
CPUs with AMX or AVX512-BF16; without such units it converts to and fro, and is slower for it. float32 elsewhere, and
for a network that cannot be run with sixteen bits or whose maps leave the range of float16. ONNX and torch.export files
run with the numbers they hold.

torch takes seconds to import, so it is asked for a GPU only where there is a driver of one.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path

DTYPES = ("auto", "fp32", "int16", "bf16", "fp16")
GPU_DRIVERS = ("nvcuda.dll", "amdhip64.dll") if sys.platform == "win32" else ("libcuda.so.1",)
AMD_GPU = Path("/dev/kfd")
TENSOR_CORES = (7, 0)  # the compute capability that brought them


def choose_device(device: str) -> str:
    """The device to use.

    Parameters
    ----------
    device : str
        "auto", or a device of torch.

    Raises
    ------
    ValueError
        The device cannot be used here.
    """
    if device == "cpu" or (device == "auto" and not _torch_is_there() and not gpu_driver()):
        return "cpu"
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {device!r} cannot be used: {str(error).splitlines()[0]}") from error
    return device


def choose_dtypes(dtype: str, device: str, *, native: bool = True) -> Iterator[str]:
    """What a network on a device may compute with, by preference.

    Parameters
    ----------
    dtype : str
        "auto", or the one number type that will do.
    device : str
        As `choose_device` returns it.
    native : bool
        Whether the core may be what runs the network.

    Yields
    ------
    str
        "fp32", "int16", "bf16" or "fp16". The next is for networks that cannot be run with the one before.

    Raises
    ------
    ValueError
        An unknown type; fp16 on a CPU, where its range overflows and nothing is gained; integers for torch.
    """
    on_cpu = device.startswith("cpu")
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    if dtype == "fp16" and on_cpu:
        raise ValueError(
            "dtype 'fp16' is for CUDA devices; on a CPU use 'int16', 'bf16' or 'fp32', got device 'cpu'"
        )
    if dtype == "int16" and not (on_cpu and native):
        raise ValueError(
            "dtype 'int16' is for model folders that engine 'native' runs on a CPU; "
            f"got device {device!r}" + ("" if native else " and another engine")
        )
    return iter((dtype,)) if dtype != "auto" else _by_preference(device, native)


def _by_preference(device: str, native: bool) -> Iterator[str]:
    if device.startswith("cuda"):
        import torch

        if torch.cuda.get_device_capability(device) >= TENSOR_CORES:
            yield "fp16"
    elif device.startswith("cpu"):
        if native:
            yield "int16"
        if cpu_bf16_units():
            yield "bf16"
    yield "fp32"


def cpu_bf16_units() -> str:
    """What this CPU multiplies bfloat16 with in torch: "AMX", "AVX512-BF16" or ""."""
    import torch

    for name, probe in (("AMX", "_is_amx_tile_supported"), ("AVX512-BF16", "_is_avx512_bf16_supported")):
        supported = getattr(torch.cpu, probe, None)  # private, so it may go
        if supported is not None and supported():
            return name
    return ""


def gpu_driver() -> bool:
    """Whether this machine has the driver without which torch sees no GPU."""
    for name in GPU_DRIVERS:
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return AMD_GPU.exists()


def _torch_is_there() -> bool:
    return "torch" in sys.modules
