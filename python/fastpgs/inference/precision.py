"""Where a network runs and with which numbers, where the user leaves it open.

The rule: the first CUDA device if there is one, else the CPU. bfloat16 where the device multiplies it in
hardware: CUDA devices that say so, CPUs with AMX or AVX512-BF16. float32 elsewhere: a CPU without such units
converts to and fro, and is slower for it. ONNX and torch.export files run with the numbers they hold.
"""

from __future__ import annotations

import torch

DTYPES = ("auto", "fp32", "bf16", "fp16")
TORCH = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


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
        return "bf16" if fast_bf16(device) else "fp32"
    return dtype


def fast_bf16(device: str) -> bool:
    """Whether a device multiplies bfloat16 in hardware."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.startswith("cpu") and bool(cpu_bf16_units())


def cpu_bf16_units() -> str:
    """What this CPU multiplies bfloat16 with: "AMX", "AVX512-BF16" or ""."""
    for name, probe in (("AMX", "_is_amx_tile_supported"), ("AVX512-BF16", "_is_avx512_bf16_supported")):
        supported = getattr(torch.cpu, probe, None)  # private, so it may go
        if supported is not None and supported():
            return name
    return ""
