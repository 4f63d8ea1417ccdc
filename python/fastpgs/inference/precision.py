"""Where a network runs and with which numbers, where the user leaves it open.

The rule: the first CUDA device if there is one, else the CPU. Sixteen bits where the device multiplies them in
hardware: float16 on CUDA devices with tensor cores (bfloat16 is as fast there, and eight times as coarse), bfloat16 on
CPUs with AMX or AVX512-BF16. float32 elsewhere: a CPU without such units converts to and fro, and is slower for it.
A network whose maps leave the range of float16 is run with float32 instead. ONNX and torch.export files run with the
numbers they hold.

torch knows all that, and takes seconds to import. Where there is no driver of a GPU, and no unit for bfloat16 in
what Linux says of the processor, it need not be asked.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

DTYPES = ("auto", "fp32", "bf16", "fp16")
GPU_DRIVERS = ("nvcuda.dll", "amdhip64.dll") if sys.platform == "win32" else ("libcuda.so.1",)
AMD_GPU = Path("/dev/kfd")
CPU_INFO = Path("/proc/cpuinfo")
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


def choose_dtype(dtype: str, device: str) -> str:
    """ "fp32", "bf16" or "fp16" for a device.

    Raises
    ------
    ValueError
        An unknown type, or fp16 on a CPU, where its range overflows and nothing is gained.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    if dtype == "fp16" and device.startswith("cpu"):
        raise ValueError("dtype 'fp16' is for CUDA devices; on a CPU use 'bf16' or 'fp32', got device 'cpu'")
    if dtype == "auto":
        return _fast_half(device)
    return dtype


def _fast_half(device: str) -> str:
    """The sixteen bits that a device multiplies in hardware; "fp32" where there are none."""
    if device.startswith("cuda"):
        import torch

        return "fp16" if torch.cuda.get_device_capability(device) >= TENSOR_CORES else "fp32"
    return "bf16" if device.startswith("cpu") and cpu_bf16_units() else "fp32"


def cpu_bf16_units() -> str:
    """What this CPU multiplies bfloat16 with: "AMX", "AVX512-BF16" or ""."""
    if not _torch_is_there() and not may_have_bf16():
        return ""
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


def may_have_bf16() -> bool:
    """False where Linux says that this processor has no such unit; True where that cannot be told."""
    try:
        flags = CPU_INFO.read_text(encoding="ascii", errors="replace")
    except OSError:
        return True
    return "amx_tile" in flags or "avx512_bf16" in flags


def _torch_is_there() -> bool:
    return "torch" in sys.modules
