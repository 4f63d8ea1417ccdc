"""``load_model``: a classifier from a folder or a file, with nothing run that is not trusted."""

from __future__ import annotations

import functools
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastpgs.inference import native, preprocess
from fastpgs.inference.calibration import logit
from fastpgs.inference.classifier import BlastClassifier
from fastpgs.inference.files import (
    NOVELTY,
    SCRIPT,
    WEIGHTS,
    ModelConfig,
    ModelError,
    checked_bytes,
    find_model,
    read_config,
)
from fastpgs.inference.novelty import Novelty
from fastpgs.inference.precision import choose_device, choose_dtypes

if TYPE_CHECKING:
    from fastpgs.inference.classifier import Engine

__all__ = ["METADATA_KEY", "load_model"]

ENGINES = ("auto", "native", "torchscript", "eager", "onnx", "pt2")
METADATA_KEY = "fastpgs"  # under which exported files carry their configuration


def load_model(
    name_or_path: str | Path = "unet-plr",
    device: str = "auto",
    *,
    engine: str = "auto",
    dtype: str = "auto",
    trust: bool = False,
) -> BlastClassifier:
    """Load a model of the package, a model folder, or an exported file.

    Parameters
    ----------
    name_or_path : str or Path
        ``"unet-plr"`` is the package's own. A folder made by ``fastpgs train``, or a file made by
        ``fastpgs export`` (``.onnx``, ``.pt2``, ``.ts``).
    device : str
        ``"auto"`` is CUDA where there is a device, else the CPU. ONNX runs on the CPU.
    engine : {"auto", "native", "torchscript", "eager", "onnx", "pt2"}
        Of a folder, "auto" on a CPU is "native" (the C++ core) where processor, network and dtype allow it, and
        else TorchScript; on a GPU it is "eager". TorchScript is the folder's program where that is trusted and
        fp32 is asked for, else it is made from the weights.
    dtype : {"auto", "fp32", "int16", "bf16", "fp16"}
        What the network computes with. "auto" is fp16 on a GPU with tensor cores; on a CPU int16 where the
        engine is native, and else bf16 with AMX or AVX512-BF16; else fp32, as it is where fp16 overflows. fp16 is
        for GPUs, int16 for engine "native".
    trust : bool
        TorchScript and torch.export files are programs, which run with all rights of this process. Those of
        the package are checked by hash; pass True only for one whose origin you know. Weights in
        safetensors and ONNX files are data and need no trust.

    Returns
    -------
    BlastClassifier

    Raises
    ------
    FileNotFoundError
        No such model.
    fastpgs.inference.files.ModelError
        Damaged, exchanged or unfit files; a program without trust. A `ValueError`.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    path, own = find_model(name_or_path)
    where = choose_device(device)
    if path.is_file():
        return _load_file(path, where, engine, dtype, trust)
    config = read_config(path)
    has_weights = WEIGHTS in config.files
    numbers = choose_dtypes(dtype, where, native=has_weights and engine in ("auto", "native"))
    if engine in ("onnx", "pt2"):
        raise ModelError(
            f"a model folder runs as native, torchscript or eager; for {engine} export it to a file first"
        )
    if not has_weights and engine in ("native", "eager"):
        raise ModelError(f"model {config.name!r} has no {WEIGHTS}, which engine {engine!r} needs")
    if not has_weights and not (own or trust):
        raise ModelError(_trust_message(f"{SCRIPT} of model {config.name!r}", "TorchScript"))

    read = functools.cache(
        lambda name: checked_bytes(path, name, config)
    )  # what one kind of numbers and the next need
    novelty = _read_novelty(read(NOVELTY), config) if NOVELTY in config.files else None

    def make(kind: str) -> BlastClassifier:
        wanted = engine == "torchscript" and kind == "fp32" and SCRIPT in config.files
        run: Engine
        if not has_weights or (wanted and (own or trust)):
            from fastpgs.inference import engines

            run = engines.script_engine(read(SCRIPT), where, kind)
        else:
            run = _from_weights(config, read(WEIGHTS), where, engine, kind)
        return _ready(config, run, where, novelty, kind)

    return _with(numbers, make)


def _with(numbers: Iterator[str], make: Callable[[str], BlastClassifier]) -> BlastClassifier:
    """A classifier that computes with the first ``numbers`` that do."""
    for kind in numbers:
        try:
            return make(kind)
        except UnfitNumbersError as error:
            last = error
    raise last


class UnfitNumbersError(ModelError):
    """A network cannot be run with some numbers; perhaps with others."""


def _from_weights(config: ModelConfig, weights: bytes, device: str, engine: str, dtype: str) -> Engine:
    on_cpu = device.startswith("cpu")
    if engine in ("native", "auto") and on_cpu and dtype in native.NUMBERS:
        run = _native(config, weights, dtype)
        if run is not None:
            return run
    from fastpgs.inference import engines

    if engine == "native" or dtype not in engines.TORCH:
        engines.build(config, weights)  # which can tell if the weights do not fit
        raise UnfitNumbersError(
            f"engine 'native' needs {' or '.join(native.NUMBERS)} on an x86-64 CPU with AVX2 and a network of 3x3"
            f" convolutions with PLR; got {dtype} on {device}, network {config.network!r}"
        )
    if engine == "torchscript" or (engine == "auto" and on_cpu):
        return engines.compiled_engine(config, weights, device, dtype)
    return engines.eager_engine(config, weights, device, dtype)


def _native(config: ModelConfig, weights: bytes, numbers: str) -> native.NativeEngine | None:
    """The network in the core; None where the core cannot run it, or where something is wrong with the weights."""
    from safetensors.numpy import load

    try:
        state = load(weights)
    except Exception:  # torch reads more kinds of numbers, and says what is wrong with the rest
        return None
    return native.build(
        config.network,
        state,
        in_channels=config.in_channels,
        activation=config.activation,
        options=config.options,
        numbers=numbers,
    )


def _load_file(path: Path, device: str, engine: str, dtype: str, trust: bool) -> BlastClassifier:
    kinds = {".onnx": "onnx", ".pt2": "pt2", ".ts": "torchscript", ".pt": "torchscript"}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise ModelError(f"expected a model folder or a file ending in {', '.join(kinds)}, got {path.name!r}")
    if engine not in ("auto", kind):
        raise ModelError(f"{path.name} holds a model for engine {kind!r}, not {engine!r}")
    if kind != "torchscript" and dtype not in ("auto", "fp32"):
        raise ModelError(f"{path.name} computes with the numbers it holds, fp32; got dtype {dtype!r}")
    numbers = choose_dtypes(dtype, device, native=False)
    from fastpgs.inference import engines

    if kind == "onnx":
        onnx = engines.OnnxEngine(path.read_bytes())
        stored = onnx.session.get_modelmeta().custom_metadata_map
        return _ready(*_from_metadata(stored.get(METADATA_KEY), onnx, "cpu"))
    if not trust:
        raise ModelError(
            _trust_message(path.name, "TorchScript" if kind == "torchscript" else "torch.export")
        )
    text = _embedded(path)
    if kind == "pt2":
        return _ready(*_from_metadata(text, engines.exported_engine(path, device), device))

    def make(number: str) -> BlastClassifier:
        return _ready(*_from_metadata(text, engines.script_engine(path, device, number), device), number)

    return _with(numbers, make)


def _embedded(path: Path) -> str | None:
    """The configuration inside a TorchScript or torch.export archive, read without running anything."""
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.endswith(f"/extra/{METADATA_KEY}") and entry.file_size < 1 << 24:
                    return archive.read(entry).decode()
    except (zipfile.BadZipFile, zlib.error, UnicodeDecodeError, OSError, EOFError, RuntimeError) as error:
        raise ModelError(f"{path.name} is no readable archive: {error}") from error  # Runtime: encrypted
    return None


def _from_metadata(
    text: str | None, run: Engine, device: str
) -> tuple[ModelConfig, Engine, str, Novelty | None]:
    if not text:
        raise ModelError("the file was not made by 'fastpgs export': it carries no configuration")
    try:
        stored = json.loads(text)
        config = ModelConfig.from_json(stored["config"])
        values = stored["novelty"]
        novelty = None
        if values is not None and config.novelty_threshold is not None:
            novelty = Novelty(np.array(values["mean"]), np.array(values["whiten"]), config.novelty_threshold)
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ModelError(f"unusable configuration in the file: {error}") from error
    return config, run, device, novelty


def _read_novelty(data: bytes, config: ModelConfig) -> Novelty:
    from safetensors.numpy import load

    try:
        tensors = load(data)
        limit = float("inf") if config.novelty_threshold is None else config.novelty_threshold
        return Novelty(tensors["mean"].astype(np.float64), tensors["whiten"].astype(np.float64), limit)
    except Exception as error:
        raise ModelError(f"unusable {NOVELTY}: {error}") from error


def _ready(
    config: ModelConfig, run: Engine, device: str, novelty: Novelty | None, dtype: str = "fp32"
) -> BlastClassifier:
    """Try the network on a few crops: a model that cannot run fails here, not amid a night's work.

    They are blank, black and as full of contrast as can be, so that numbers too large for fp16 show. It also warms
    up: TorchScript makes its plans in the first two calls.
    """
    classifier = BlastClassifier(config, run, device, novelty, dtype=dtype)
    side = config.input.size
    shape = (side, side, 3) if config.input.channels == 3 else (side, side)
    noise = np.random.default_rng(0).integers(0, 2, shape, dtype=np.uint8) * np.uint8(255)
    crops = np.stack([np.full(shape, preprocess.WHITE, np.uint8), np.zeros(shape, np.uint8), noise])
    try:
        for _ in range(2):
            scores = classifier.scores(crops, masks=False)
    except (RuntimeError, KeyError, IndexError, ValueError) as error:
        lines = str(error).strip().splitlines() or [""]
        raise ModelError(f"the network does not run as its configuration says: {lines[-1]}") from error
    # Of the blank crop the logit, too: infinite ones become probabilities.
    if not all(np.isfinite(values).all() for values in (scores.p, scores.embeddings, logit(scores.p[:1]))):
        raise UnfitNumbersError(f"the network returns values that are not finite with {dtype}")
    return classifier


def _trust_message(what: str, kind: str) -> str:
    return (
        f"{what} is a {kind} program: loading it runs code with all rights of this process. "
        "Pass trust=True (--trust-model) if you know where it comes from."
    )
