"""The ways to run a trained network that need torch, behind one call: crops in, named outputs out."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fastpgs.inference.files import ModelConfig, ModelError
from fastpgs.inference.preprocess import InputSpec, to_tensor
from fastpgs.nets.unet import ConvPLR, UNet, UNetTable2

TORCH = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# TorchScript is deprecated upstream (torch >= 2.9) and is what this package's users run; it is kept as
# default format, and the other engines stand ready.
SCRIPT_WARNINGS = (r".*torch\.jit\..* is (deprecated|not supported).*", r".*`torch\.jit\..*")


@contextmanager
def scripting() -> Iterator[None]:
    """Silence the deprecation notices of torch.jit, and nothing else."""
    with warnings.catch_warnings():
        for message in SCRIPT_WARNINGS:
            warnings.filterwarnings("ignore", message=message, category=DeprecationWarning)
            warnings.filterwarnings("ignore", message=message, category=FutureWarning)
        yield


class Engine(Protocol):
    """Runs a network on normalised crops (n, C, S, S)."""

    name: str

    def __call__(self, x: Tensor) -> dict[str, Tensor]: ...


class ModuleEngine:
    """A network in torch: eager, or a TorchScript program.

    Parameters
    ----------
    module : torch.nn.Module
    name : str
    dtype : torch.dtype
        What the maps are made of.
    autocast : bool
        Leave the choice of what is computed with `dtype` to torch; else `module`, which takes float32, does it.
    """

    def __init__(
        self, module: nn.Module, name: str, dtype: torch.dtype = torch.float32, autocast: bool = False
    ) -> None:
        self.module = module
        self.name = name
        self.dtype = dtype
        self.autocast = autocast

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        out: dict[str, Tensor]
        if self.autocast:
            with torch.autocast(x.device.type, self.dtype):
                out = self.module(x)
        else:
            out = self.module(x)
        return out


class OnnxEngine:
    """ONNX Runtime on the CPU."""

    name = "onnx"

    def __init__(self, data: bytes, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own exception types share no base
            raise ModelError(f"ONNX Runtime refuses the file: {error}") from error
        self.outputs = [o.name for o in self.session.get_outputs()]
        self.input = self.session.get_inputs()[0].name

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        values = self.session.run(self.outputs, {self.input: np.ascontiguousarray(x.cpu().numpy())})
        return {k: torch.from_numpy(v) for k, v in zip(self.outputs, values, strict=True)}


def run(
    engine: Engine, crops: NDArray[np.uint8], spec: InputSpec, device: str, masks: bool
) -> dict[str, NDArray[Any]]:
    """The outputs of an engine for some crops, as arrays."""
    with torch.inference_mode():
        out = engine(to_tensor(crops, spec, device))
        return {k: v.float().cpu().numpy() for k, v in out.items() if masks or k != "mask"}


def fold(network: nn.Module) -> None:
    """Work the batch normalisation of every `ConvPLR` into its convolution, in place."""
    for layer in network.modules():
        if isinstance(layer, ConvPLR) and isinstance(layer.norm, nn.BatchNorm2d):
            layer.conv = fuse_conv_bn_eval(layer.conv, layer.norm)
            layer.norm = nn.Identity()


class Cast(nn.Module):
    """Maps as another type."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        return x.to(self.dtype)


def to_dtype(network: nn.Module, dtype: torch.dtype) -> bool:
    """Compute the maps of a network of this package with `dtype`, in place; False, and no change, for others.

    What decides stays float32 where it costs next to nothing: the first convolution with the crops that it reads
    (a channel that varies little is far from 0 in units of its deviation, and bfloat16 has eight bits there), the
    means over maps, and the class head.
    """
    if not isinstance(network, UNet | UNetTable2):
        return False
    fold(network)
    first, entrance = next((n, m) for n, m in network.named_children() if isinstance(m, ConvPLR))
    for name, layer in network.named_modules():
        if name.split(".")[0] not in ("head", first) and isinstance(
            layer, nn.Conv2d | nn.ConvTranspose2d | nn.PReLU | nn.GroupNorm
        ):
            layer.to(dtype)
    setattr(network, first, nn.Sequential(entrance, Cast(dtype)))
    return True


def build(config: ModelConfig, weights: bytes) -> nn.Module:
    """The network that the configuration names, filled with the weights, on the CPU."""
    from safetensors.torch import load

    from fastpgs.nets import build_network

    try:
        network = build_network(
            config.network,
            in_channels=config.in_channels,
            activation=config.activation,
            **config.options,
        )
        network.load_state_dict(load(weights))
    except Exception as error:  # safetensors raises its own type, torch a RuntimeError of many lines
        first = str(error).strip().splitlines()
        detail = " ".join(line.strip() for line in first[:3])
        raise ModelError(f"the weights do not fit network {config.network!r}: {detail}") from error
    return network.eval()


def eager_engine(config: ModelConfig, weights: bytes, device: str, dtype: str = "fp32") -> ModuleEngine:
    """The network as it was trained; with other numbers than fp32, batch normalisation is folded first."""
    network = build(config, weights)
    cast = dtype != "fp32" and to_dtype(network, TORCH[dtype])
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ModuleEngine(network, "eager", TORCH[dtype], autocast=dtype != "fp32" and not cast)


def compiled_engine(config: ModelConfig, weights: bytes, device: str, dtype: str) -> ModuleEngine:
    """TorchScript made here from the weights: frozen, with batch normalisation folded."""
    engine = eager_engine(config, weights, device, dtype)
    with scripting():
        engine.module = torch.jit.freeze(torch.jit.script(engine.module))
    engine.name = "torchscript"
    return engine


def script_engine(program: bytes | Path, device: str, dtype: str = "fp32") -> ModuleEngine:
    """Load a TorchScript program. It can do what this process can: the caller has settled the trust."""
    source: Any = io.BytesIO(program) if isinstance(program, bytes) else str(program)
    with scripting():
        try:
            module = torch.jit.load(source, map_location=device).eval()  # type: ignore[no-untyped-call]
            if any(True for _ in module.parameters()):
                module = torch.jit.freeze(module)
        except RuntimeError as error:
            raise ModelError(f"not a usable TorchScript program: {str(error).splitlines()[0]}") from error
    return ModuleEngine(module, "torchscript", TORCH[dtype], autocast=dtype != "fp32")


def exported_engine(path: Path, device: str) -> ModuleEngine:
    """Load a `torch.export` program (.pt2). As TorchScript: trust is settled by the caller."""
    try:
        with warnings.catch_warnings():
            # Some versions of torch (2.11) read weights from bytes that they will not write to, and warn of that.
            warnings.filterwarnings("ignore", message="The given buffer is not writable")
            module = torch.export.load(str(path)).module()
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        raise ModelError(f"not a usable torch.export program: {error}") from error
    return ModuleEngine(module.to(device), "pt2")
