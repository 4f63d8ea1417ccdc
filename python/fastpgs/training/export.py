"""A model as one file for other runtimes, with everything needed to use it inside.

The network is written out with any number of crops of any side divisible by 8; configuration and novelty
statistics travel as metadata. The file is kept only if it says the same as the model itself.
"""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fastpgs.inference import engines
from fastpgs.inference.files import WEIGHTS, ModelError, checked_bytes, find_model, read_config
from fastpgs.inference.model import METADATA_KEY, load_model
from fastpgs.inference.preprocess import WHITE
from fastpgs.io.atomic import atomic_path

FORMATS = {"torchscript": ".ts", "onnx": ".onnx", "pt2": ".pt2"}
TOLERANCE = 1e-4  # largest difference of a probability


def export_model(
    model: str | Path, out: Path, to: str, *, images: list[NDArray[Any]] | None = None
) -> tuple[Path, float]:
    """Write a model folder as one file.

    Parameters
    ----------
    model : str or Path
        A model of the package or a model folder.
    out : Path
        File to write; its ending is made to fit the format.
    to : {"torchscript", "onnx", "pt2"}
    images : list of ndarray, optional
        Images on whose cells the file must agree with the model; synthetic smears where there are none.

    Returns
    -------
    path : Path
    difference : float
        Largest difference of p_blast between the file and the model, over the crops tried.

    Raises
    ------
    fastpgs.inference.files.ModelError
        The model cannot be read, or the file does not agree with it; then no file is left.
    """
    if to not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {to!r}")
    folder, _ = find_model(model)
    if folder.is_file():
        raise ModelError(f"expected a model folder, got the file {folder.name!r}")
    config = read_config(folder)
    network = engines.eager_engine(config, checked_bytes(folder, WEIGHTS, config), "cpu").module
    reference = load_model(folder, "cpu", engine="eager", dtype="fp32")
    novelty = reference._novelty
    metadata = json.dumps(
        {
            "config": config.to_json(),
            "novelty": None
            if novelty is None
            else {"mean": novelty.mean.tolist(), "whiten": novelty.whiten.tolist()},
        }
    )
    out = out.with_suffix(FORMATS[to])
    side, channels = config.input.size, config.in_channels
    example = torch.zeros(2, channels, side, side)
    out.parent.mkdir(parents=True, exist_ok=True)
    crops = _crops(reference, images)
    with atomic_path(out) as temporary:
        # The loader tells the format by the ending.
        named = temporary.with_name(temporary.name + FORMATS[to])
        try:
            WRITERS[to](network, example, named, metadata)
            candidate = load_model(named, "cpu", dtype="fp32", trust=True)
            difference = max(
                float(np.abs(candidate.predict_proba(c) - reference.predict_proba(c)).max()) for c in crops
            )
            if not difference <= TOLERANCE:
                raise ModelError(
                    f"the {to} file differs from the model by {difference:.2g} in p_blast, more than {TOLERANCE}"
                )
            named.replace(temporary)
        finally:
            named.unlink(missing_ok=True)
    return out, difference


def _crops(model: Any, images: list[NDArray[Any]] | None) -> list[NDArray[np.uint8]]:
    """Crops of real or synthetic cells, and a few of another number and size."""
    if images is None:
        from fastpgs.synth import smear

        images = [smear((320, 320), seed=seed, pixel_size=0.3).image for seed in range(2)]
    crops = [model.crops(image, model.find_cells(image)) for image in images]
    crops = [c for c in crops if len(c)]
    side, channels = model.config.input.size, model.config.in_channels
    rng = np.random.default_rng(0)
    for n, s in ((1, side), (3, side + 8)):
        shape = (n, s, s, 3) if channels == 3 else (n, s, s)
        crops.append(rng.integers(0, WHITE, shape, dtype=np.uint8))
    return crops


def _write_torchscript(network: nn.Module, example: torch.Tensor, path: Path, metadata: str) -> None:
    with engines.scripting():
        torch.jit.save(torch.jit.script(network), str(path), _extra_files={METADATA_KEY: metadata})


def _write_onnx(network: nn.Module, example: torch.Tensor, path: Path, metadata: str) -> None:
    import onnx

    with _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["crops"],
            output_names=sorted_outputs(network, example),
            dynamic_shapes=_dynamic(),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    proto.metadata_props.add(key=METADATA_KEY, value=metadata)
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString())


def _write_pt2(network: nn.Module, example: torch.Tensor, path: Path, metadata: str) -> None:
    with _quiet():
        program = torch.export.export(network, (example,), dynamic_shapes=_dynamic())
        torch.export.save(program, str(path), extra_files={METADATA_KEY: metadata})


def sorted_outputs(network: nn.Module, example: torch.Tensor) -> list[str]:
    """Names of the outputs in the order in which the network returns them."""
    with torch.no_grad():
        return list(network(example))


def _dynamic() -> tuple[dict[int, Any]]:
    batch = torch.export.Dim("batch", min=1, max=1 << 20)
    height = 8 * torch.export.Dim("height", min=1, max=1 << 12)
    width = 8 * torch.export.Dim("width", min=1, max=1 << 12)
    return ({0: batch, 2: height, 3: width},)


class _quiet:
    """Silence what the exporters say of their own insides."""

    def __enter__(self) -> None:
        self.catch = warnings.catch_warnings()
        self.catch.__enter__()
        warnings.simplefilter("ignore")
        self.level = logging.getLogger("torch.onnx").level
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("torch.onnx").setLevel(self.level)
        self.catch.__exit__(None, None, None)


WRITERS = {"torchscript": _write_torchscript, "onnx": _write_onnx, "pt2": _write_pt2}
