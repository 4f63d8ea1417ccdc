"""One visible training loop.

Everything random in an epoch follows from (seed, epoch) alone, so a run that was killed and resumed goes
through the same batches as one that was not, and ends, on a CPU, with the same weights to the bit.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fastpgs import metrics
from fastpgs.inference.preprocess import InputSpec, fit_light, normalise
from fastpgs.io.atomic import write_atomic
from fastpgs.nets import build_network
from fastpgs.training.augment import augment
from fastpgs.training.cellset import MARGIN, CellSet
from fastpgs.training.checkpoint import (
    BLENDED,
    Start,
    blend_weights,
    kept_weights,
    load_checkpoint,
    save_blended,
    save_checkpoint,
)
from fastpgs.training.config import TrainConfig
from fastpgs.training.curves import log_tensorboard
from fastpgs.training.draw import draw_cells, validation_cells

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Report = Callable[[dict[str, float]], None]


@dataclass
class Trained:
    """A trained network, its log (one dict an epoch), and the epoch whose weights it has."""

    network: nn.Module
    history: list[dict[str, float]]
    epoch: int


def train_network(
    cells: CellSet,
    labels: Ints,
    train: Ints,
    validation: Ints,
    spec: InputSpec,
    config: TrainConfig,
    *,
    folder: Path | None = None,
    start: Start | None = None,
    resume: bool = False,
    device: str = "cpu",
    select: bool = True,
    report: Report | None = None,
    stop_after: int | None = None,
) -> Trained:
    """Train a network on the cells of some images and watch it on those of others.

    Parameters
    ----------
    cells : CellSet
    labels : int array, shape (number of images,)
        1 for blast, 0 for normal.
    train, validation : int arrays
        Indices of images. `validation` may be empty: then all epochs are run and the last weights kept.
    spec : InputSpec
        With the mean and std of the training images.
    config : TrainConfig
    folder : Path, optional
        Where ``checkpoint.safetensors`` and ``log.jsonl`` go, after every epoch.
    start : Start, optional
        A run whose weights are the first ones, instead of random numbers. Nothing else is taken from it, so the
        caller sees to it that it has not been trained on images held out here.
    resume : bool
        Go on from the checkpoint in `folder`, if there is one.
    device : str
    select : bool
        Keep the weights of the epoch with the best validation, and stop early where the configuration says so.
        False where `validation` is the test fold of a cross-validation: it is then watched and nothing more,
        and the last weights are kept.
    report : callable, optional
        Called with a dict several times an epoch (``step``, ``steps``, ``loss``, ``accuracy``) and at its end.
    stop_after : int, optional
        Return after this many epochs of this call, as if killed there (for tests of resuming).

    Returns
    -------
    Trained
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    network = build_network(
        config.network, in_channels=spec.channels, activation=config.activation, **config.options
    )
    if start is not None:
        network.load_state_dict(kept_weights(start.folder, network))
    network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    pictures = torch.from_numpy(np.ascontiguousarray(cells.inputs(spec).transpose(0, 3, 1, 2)))
    masks = torch.from_numpy(cells.masks).unsqueeze(1)
    cell_labels = labels[cells.sample]
    drawn = len(draw_cells(cells, labels, train, config, epoch=0))
    if drawn < config.batch_size:
        raise ValueError(
            f"batch_size must be at most the training cells of an epoch, got {config.batch_size} and {drawn} cells"
        )

    if folder is not None:
        (folder / BLENDED).unlink(missing_ok=True)  # of another run
    history: list[dict[str, float]] = []
    best_weights: dict[str, Tensor] = {}
    best_epoch = -1
    first = 0
    if resume and folder is not None and (folder / "checkpoint.safetensors").exists():
        history, best_weights, best_epoch = load_checkpoint(folder, network, optimiser, config, spec)
        first = len(history)
        _write_log(folder, history)  # a kill may have come between checkpoint and log

    for epoch in range(first, config.epochs):
        if select and _out_of_patience(history, best_epoch, config.patience):
            break
        if stop_after is not None and epoch - first >= stop_after:
            break
        started = time.perf_counter()
        order = draw_cells(cells, labels, train, config, epoch)
        row = {
            "epoch": epoch,
            **_train_epoch(
                network, optimiser, pictures, masks, cell_labels, order, spec, config, epoch, report
            ),
        }
        if len(validation):
            row |= _validate(network, cells, pictures, labels, validation, spec, config, device)
        row["learning_rate"] = optimiser.param_groups[0]["lr"]
        row["seconds"] = time.perf_counter() - started
        history.append(row)
        last = not select or not len(validation)
        if best_epoch < 0 or last or _rank(row) > _rank(history[best_epoch]):
            best_epoch = epoch
            best_weights = {k: v.detach().clone() for k, v in network.state_dict().items()}
        if folder is not None:
            save_checkpoint(folder, network, optimiser, config, spec, history, best_weights, best_epoch)
            _write_log(folder, history)
            log_tensorboard(folder, row)
        if report:
            report(row)

    if start is not None and start.blend < 1:
        best_weights = blend_weights(start, best_weights, network)
        if folder is not None:
            save_blended(folder, best_weights)
    network.load_state_dict(best_weights)
    return Trained(network.eval(), history, best_epoch)


def _train_epoch(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    pictures: Tensor,
    masks: Tensor,
    cell_labels: Ints,
    order: Ints,
    spec: InputSpec,
    config: TrainConfig,
    epoch: int,
    report: Report | None,
) -> dict[str, float]:
    """One pass over the cells in their order, what is left after the last whole batch left out: mean losses."""
    device = next(network.parameters()).device
    torch.manual_seed(_mix(config.seed, epoch, 1))  # dropout
    generator = torch.Generator().manual_seed(_mix(config.seed, epoch, 2))  # augmentation
    weights = _class_weights(cell_labels[order]).to(device)
    steps = len(order) // config.batch_size
    sums = {"loss": 0.0, "class_loss": 0.0, "mask_loss": 0.0, "accuracy": 0.0}
    network.train()
    for step in range(steps):
        chosen = torch.from_numpy(order[step * config.batch_size : (step + 1) * config.batch_size])
        for group in optimiser.param_groups:
            group["lr"] = _learning_rate(config, epoch * steps + step, config.epochs * steps)
        x, mask = augment(
            pictures[chosen].float() / 255, masks[chosen].float() / 255, spec.size, config.augment, generator
        )
        x, mask = normalise(x, spec).to(device), mask.to(device)
        target = torch.from_numpy(cell_labels[chosen.numpy()]).float().to(device)
        # bfloat16 needs no loss scaling; the loss itself is taken in float32.
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            out = network(x)
        losses = _losses(out, target, mask, weights, config)
        optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        optimiser.step()
        for name, value in losses.items():
            sums[name] += float(value.detach())
        if report and (step % 10 == 9 or step == steps - 1):
            shown = {k: v / (step + 1) for k, v in sums.items()}
            report({"epoch": epoch, "step": step + 1, "steps": steps, **shown})
    return {f"train_{k}": v / steps for k, v in sums.items()}


@torch.inference_mode()
def predict(
    network: nn.Module, pictures: Tensor, spec: InputSpec, device: str = "cpu", batch_size: int = 128
) -> tuple[Floats, Floats]:
    """Logits (n,) and embeddings (n, F) of uint8 crops (n, C, S, S); a margin is cut off."""
    network.eval()
    extra = (pictures.shape[-1] - spec.size) // 2
    inner = slice(extra, extra + spec.size)
    logits, embeddings = [], []
    for start in range(0, len(pictures), batch_size):
        x = pictures[start : start + batch_size, :, inner, inner].float() / 255
        out = network(normalise(x, spec).to(device))
        logits.append(out["logit"][:, 0].double().cpu())
        embeddings.append(out["embedding"].double().cpu())
    return torch.cat(logits).numpy(), torch.cat(embeddings).numpy()


def fit_normalisation(cells: CellSet, train: Ints, spec: InputSpec, sample: int = 2000) -> InputSpec:
    """`spec` with the mean and standard deviation of the training images' crops, each channel, and their light."""
    if spec.balance == "typical":
        whole = np.isin(cells.sample, train) & (cells.view == 0)
        fields = np.unique(cells.sample[whole], return_index=True)[1]
        spec = replace(spec, light=fit_light(cells.level[whole][fields]))
    members = np.flatnonzero(np.isin(cells.sample, train))
    members = members[:: max(1, len(members) // sample)]
    values = cells.take(members).inputs(spec)[:, MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float64) / 255
    mean, std = values.mean(axis=(0, 1, 2)), values.std(axis=(0, 1, 2))
    return replace(
        spec,
        mean=tuple(round(float(v), 5) for v in mean),
        std=tuple(round(max(float(v), 0.01), 5) for v in std),
    )


def pool_by_image(values: Floats, sample: Ints, images: Ints) -> Floats:
    """Mean of the cells' values for each image; nan where it has none."""
    total = np.bincount(sample, values, minlength=int(images.max()) + 1 if len(images) else 0)
    number = np.bincount(sample, minlength=len(total))
    with np.errstate(invalid="ignore"):
        return (total / number)[images]


def _write_log(folder: Path, history: list[dict[str, float]]) -> None:
    write_atomic(folder / "log.jsonl", "".join(json.dumps(row) + "\n" for row in history))


def _losses(
    out: dict[str, Tensor], target: Tensor, mask: Tensor, weights: Tensor, config: TrainConfig
) -> dict[str, Tensor]:
    logit = out["logit"][:, 0].float()
    soft = target * (1 - 2 * config.smoothing) + config.smoothing
    weight = torch.where(target > 0.5, weights[1], weights[0])
    class_loss = F.binary_cross_entropy_with_logits(logit, soft, weight=weight)
    mask_loss = torch.zeros((), device=logit.device)
    if config.mask_weight > 0 and "mask" in out:
        # Table 2's network returns a smaller map: the centre of the crop.
        height, width = out["mask"].shape[2:]
        top, left = (mask.shape[2] - height) // 2, (mask.shape[3] - width) // 2
        wanted = mask[:, :, top : top + height, left : left + width]
        mask_loss = F.binary_cross_entropy(out["mask"].float(), wanted.clamp(0, 1))
    accuracy = ((logit > 0) == (target > 0.5)).float().mean()
    return {
        "loss": class_loss + config.mask_weight * mask_loss,
        "class_loss": class_loss,
        "mask_loss": mask_loss,
        "accuracy": accuracy,
    }


def _validate(
    network: nn.Module,
    cells: CellSet,
    pictures: Tensor,
    labels: Ints,
    validation: Ints,
    spec: InputSpec,
    config: TrainConfig,
    device: str,
) -> dict[str, float]:
    members = validation_cells(cells, validation)
    logits, _ = predict(network, pictures[members], spec, device)
    truth = labels[cells.sample[members]]
    weights = _class_weights(truth).numpy()[truth]
    loss = np.logaddexp(0, np.where(truth == 1, -logits, logits))
    p = 1 / (1 + np.exp(-logits))
    images = np.unique(cells.sample[members])
    pooled = pool_by_image(p, cells.sample[members], images)
    table = metrics.count(labels[images], pooled >= 0.5)
    return {
        "validation_loss": float(np.average(loss, weights=weights)),
        "validation_accuracy": float(np.mean((p >= 0.5) == truth)),
        "validation_image_accuracy": metrics.accuracy(table),
        "validation_balanced_accuracy": metrics.balanced_accuracy(table),
        "validation_roc_auc": metrics.roc_auc(labels[images], pooled),
    }


def _rank(row: dict[str, float]) -> tuple[float, float]:
    return (round(row["validation_balanced_accuracy"], 6), -row["validation_loss"])


def _out_of_patience(history: list[dict[str, float]], best_epoch: int, patience: int) -> bool:
    return patience > 0 and len(history) - 1 - best_epoch >= patience


def _class_weights(labels: Ints) -> Tensor:
    counts = np.bincount(labels, minlength=2)
    return torch.from_numpy(len(labels) / (2 * np.maximum(counts, 1))).float()


def _learning_rate(config: TrainConfig, step: int, total: int) -> float:
    rise = min(1.0, (step + 1) / max(1, config.warmup))
    return config.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / total))


def _mix(seed: int, epoch: int, purpose: int) -> int:
    return int(np.random.SeedSequence([seed, epoch, purpose]).generate_state(1)[0])
