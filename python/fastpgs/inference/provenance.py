"""What a run was made with: versions, model, machine. No paths, no host names, no file names."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import platform
import re
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from fastpgs import _core

__all__ = [
    "describe_devices",
    "describe_machine",
    "describe_model",
    "list_models",
    "other_versions",
    "versions",
]

_PACKAGES = (
    "numpy",
    "scipy",
    "scikit-image",
    "torch",
    "safetensors",
    "onnxruntime",
    "pyarrow",
    "pillow",
    "tifffile",
    "imagecodecs",
)
# What else may be at fault, or missing, where a command fails.
_OTHERS = (
    "typer",
    "rich",
    "matplotlib",
    "zarr",
    "openslide-python",
    "openslide-bin",
    "scikit-learn",
    "monai",
    "distributed",
    "starlette",
    "uvicorn",
    "napari",
)


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of the packages that touch the results."""
    import fastpgs

    return {
        "fastpgs": fastpgs.__version__,
        "python": platform.python_version(),
        **_installed(_PACKAGES),
    }


def other_versions() -> dict[str, str]:
    """Versions of the packages that no result depends on: what commands, slides, trainings and pages need."""
    return _installed(_OTHERS)


def _installed(names: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in names:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = _version(metadata.distribution(name))
    return found


def _version(package: metadata.Distribution) -> str:
    """The version's line of the metadata, of which `importlib.metadata` reads the whole as an e-mail."""
    text = package.read_text("METADATA") or package.read_text("PKG-INFO") or ""
    found = re.search(r"^Version:[ \t]*(\S+)[ \t]*$", text.partition("\n\n")[0], re.MULTILINE)
    return found[1] if found else package.version


def describe_machine() -> dict[str, Any]:
    """Operating system, architecture and what the C++ core was built with."""
    import fastpgs
    from fastpgs.inference.threads import available_cpus

    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": available_cpus(),
        "core": dict(fastpgs.build_info()),
    }


def describe_model(model: Any) -> dict[str, Any]:
    """Name, hashes and way of running of a model: what its judgements depend on."""
    config = model.config
    values = dataclasses.asdict(config)
    text = json.dumps(values, sort_keys=True, default=str)
    return {
        "name": config.name,
        "network": getattr(config, "network", None),
        "weights_sha256": getattr(config, "hash", None),
        "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "engine": getattr(model, "engine", None),
        "device": str(model.device),
        "dtype": getattr(model, "dtype", None),
    }


def describe_devices() -> dict[str, str]:
    """What a model can run on: engines and devices with their versions."""
    path = _core.conv3_path()
    found = {
        "native": f"{path}, int16 and fp32"
        if path
        else "not on this processor: needs x86-64 with AVX2 and FMA"
    }
    try:
        import torch
    except ModuleNotFoundError:
        return found | {"torch": "not installed: pip install 'fastpgs[classify]'"}
    from fastpgs.inference.precision import cpu_bf16_units

    units = cpu_bf16_units() or "no units for it"
    found["cpu"] = f"torch {torch.__version__}, {torch.get_num_threads()} threads, bf16: {units}"
    for i in range(torch.cuda.device_count()):
        found[f"cuda:{i}"] = torch.cuda.get_device_name(i)
    return found


def list_models() -> dict[str, str]:
    """Models of the package, with the SHA-256 of their weights."""
    try:
        from fastpgs.inference.files import CONFIG, find_model, read_config
    except ModuleNotFoundError as error:
        return {"none": f"{error.name} is not installed"}
    try:
        home = find_model("unet-plr")[0].parent
    except FileNotFoundError as error:
        return {"none": str(error)}
    return {path.parent.name: read_config(path.parent).hash for path in sorted(home.glob(f"*/{CONFIG}"))}
