"""Write a model folder: weights, program, statistics of the training fields, configuration, card."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fastpgs.inference.engines import scripting
from fastpgs.inference.files import CONFIG, NOVELTY, SCRIPT, WEIGHTS, ModelConfig
from fastpgs.inference.novelty import Novelty
from fastpgs.io.atomic import write_atomic
from fastpgs.training.card import write_card

TOLERANCE = 1e-5


def save_model(
    folder: Path,
    config: ModelConfig,
    network: nn.Module,
    novelty: Novelty | None,
    report: dict[str, Any] | None,
) -> ModelConfig:
    """Write all files, the configuration with their hashes last.

    Parameters
    ----------
    folder : Path
    config : ModelConfig
        Without hashes.
    network : torch.nn.Module
    novelty : Novelty, optional
    report : dict, optional
        Figures for the card; without them no card is written.

    Returns
    -------
    ModelConfig
        With hashes.

    Raises
    ------
    RuntimeError
        The scripted network does not agree with the eager one.
    """
    from safetensors.numpy import save as save_arrays
    from safetensors.torch import save as save_tensors

    folder.mkdir(parents=True, exist_ok=True)
    network = network.cpu().eval()
    tensors = {k: v.detach().contiguous() for k, v in network.state_dict().items()}
    files = {WEIGHTS: save_tensors(tensors), SCRIPT: script_bytes(network, config)}
    if novelty is not None:
        files[NOVELTY] = save_arrays(
            {
                "mean": novelty.mean.astype(np.float64),
                "whiten": np.ascontiguousarray(novelty.whiten, np.float64),
            }
        )
    config = replace(config, files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()})
    for name, data in files.items():
        write_atomic(folder / name, data)
    write_atomic(folder / CONFIG, config.to_json())
    if report is not None:
        write_atomic(folder / "README.md", write_card(config, report))
    return config


def script_bytes(network: nn.Module, config: ModelConfig) -> bytes:
    """The network as a TorchScript archive, after it was seen to agree with the network itself."""
    side = config.input.size
    x = torch.randn(3, config.in_channels, side, side, generator=torch.Generator().manual_seed(0))
    with scripting(), torch.no_grad():
        scripted = torch.jit.script(network)
        expected = network(x)
        for candidate in (scripted, torch.jit.freeze(scripted)):
            actual = candidate(x)
            for key, value in expected.items():
                error = float((actual[key] - value).abs().max())
                if error > TOLERANCE:
                    raise RuntimeError(f"scripted {key} differs from eager by {error}, more than {TOLERANCE}")
        buffer = io.BytesIO()
        torch.jit.save(scripted, buffer)
    return buffer.getvalue()
