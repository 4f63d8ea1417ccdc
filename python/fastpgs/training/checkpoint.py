"""Checkpoints without pickle: tensors in safetensors, the rest as JSON in its header.

The file is replaced in one step after it is on the disk, so a kill at any moment leaves the old or the new one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from fastpgs.inference.preprocess import InputSpec
from fastpgs.io.atomic import write_atomic

if TYPE_CHECKING:
    from fastpgs.training.config import TrainConfig

NAME = "checkpoint.safetensors"
BLENDED = "blended.safetensors"


@dataclass(frozen=True)
class Start:
    """Where a training goes on from.

    Attributes
    ----------
    folder : Path
        Of a finished run of the same network.
    blend : float
        Share of the newly trained weights in those that are kept, above 0 and at most 1; the rest are those of
        `folder`. A mean of the weights before and after a short training on harder images keeps the figures of
        the former on easy ones and much of what the latter gained (Wortsman et al. 2022, "Robust fine-tuning of
        zero-shot models", doi:10.1109/CVPR52688.2022.00780).
    """

    folder: Path
    blend: float = 1.0


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    config: TrainConfig,
    spec: InputSpec,
    history: list[dict[str, float]],
    best_weights: dict[str, Tensor],
    best_epoch: int,
) -> None:
    """Write weights, optimiser state, best weights so far and the log.

    Raises
    ------
    OSError
        Such as a full disk; the checkpoint before, if any, is still there.
    """
    from safetensors.torch import save

    tensors = {f"network.{k}": v for k, v in network.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in best_weights.items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{k}": v for k, v in state.items()}
    header = {
        "config": json.dumps(config.to_dict(), sort_keys=True),
        "input": json.dumps(spec.to_dict(), sort_keys=True),
        "history": json.dumps(history),
        "best_epoch": str(best_epoch),
    }
    folder.mkdir(parents=True, exist_ok=True)
    data = save({k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()}, header)
    try:
        write_atomic(folder / NAME, data)
    except OSError as error:
        kept = "the checkpoint was not written; --resume goes on from the one before it"
        raise OSError(error.errno, f"{error.strerror}: {kept}") from error


def load_checkpoint(
    folder: Path, network: nn.Module, optimiser: torch.optim.Optimizer, config: TrainConfig, spec: InputSpec
) -> tuple[list[dict[str, float]], dict[str, Tensor], int]:
    """Put `network` and `optimiser` back as they were; returns log, best weights and best epoch.

    Raises
    ------
    ValueError
        The checkpoint is of a run with other options; the differences are named.
    """
    from safetensors import safe_open

    with safe_open(folder / NAME, "pt") as file:
        header = file.metadata()
        _same_options(type(config).from_dict(json.loads(header["config"])).to_dict(), config.to_dict())
        # By way of the class, so that an option younger than the checkpoint has its default there.
        _same_options(InputSpec.from_dict(json.loads(header["input"])).to_dict(), spec.to_dict())
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    network.load_state_dict(_under(tensors, "network."))
    state: dict[int, dict[str, Any]] = {}
    for key, value in _under(tensors, "optimiser.").items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
    return json.loads(header["history"]), _under(tensors, "best."), int(header["best_epoch"])


def kept_weights(folder: Path, network: nn.Module) -> dict[str, Tensor]:
    """The weights that a finished run kept, if they are those of such a network.

    Raises
    ------
    FileNotFoundError
        No checkpoint in `folder`.
    ValueError
        It is of another network.
    """

    if not (folder / NAME).exists():
        raise FileNotFoundError(f"no {NAME} in {folder}, expected the folder of a run that has been trained")
    weights = _kept(folder)
    wanted = {k: list(v.shape) for k, v in network.state_dict().items()}
    given = {k: list(v.shape) for k, v in weights.items()}
    if wanted != given:
        differ = sorted(k for k in set(wanted) | set(given) if wanted.get(k) != given.get(k))
        raise ValueError(
            f"expected weights of the same network, got others in {folder}: {differ[0]} has shape "
            f"{given.get(differ[0])}, not {wanted.get(differ[0])}"
        )
    return weights


def blend_weights(start: Start, trained: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Weights between those of `start` and the `trained` ones; counters are the trained ones'."""
    before = kept_weights(start.folder, network)
    return {
        # In double precision, so that a share of 1/2 is the same from both sides.
        name: (start.blend * new.double() + (1.0 - start.blend) * before[name].to(new.device).double()).to(
            new.dtype
        )
        if new.is_floating_point()
        else new
        for name, new in trained.items()
    }


def save_blended(folder: Path, weights: dict[str, Tensor]) -> None:
    """Note beside the checkpoint, which a resumed run goes on from, what was kept in its stead."""
    from safetensors.torch import save

    write_atomic(folder / BLENDED, save({k: v.detach().cpu().contiguous() for k, v in weights.items()}))


def _kept(folder: Path) -> dict[str, Tensor]:
    from safetensors import safe_open
    from safetensors.torch import load_file

    if (folder / BLENDED).exists():
        return load_file(folder / BLENDED)
    with safe_open(folder / NAME, "pt") as file:
        return {k.removeprefix("best."): file.get_tensor(k) for k in file.keys() if k.startswith("best.")}  # noqa: SIM118


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _same_options(stored: dict[str, Any], now: dict[str, Any]) -> None:
    now = json.loads(json.dumps(now))
    differ = {
        k: (stored.get(k), now.get(k)) for k in sorted(set(stored) | set(now)) if stored.get(k) != now.get(k)
    }
    # More or fewer torch threads may change the last bits, never what is learned.
    differ.pop("threads", None)
    if differ:
        text = "; ".join(f"{k}: checkpoint {a!r}, now {b!r}" for k, (a, b) in differ.items())
        raise ValueError(f"cannot resume with other options: {text}")
