"""What networks say of cells that they have not seen."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fastpgs.inference.conditions import NAMES as MEASURES
from fastpgs.inference.novelty import Novelty
from fastpgs.inference.preprocess import InputSpec
from fastpgs.training import evaluate
from fastpgs.training.cellset import MARGIN, CellSet
from fastpgs.training.evaluate import HeldOut
from fastpgs.training.loop import predict

Ints = NDArray[np.int64]


def hold_out(
    network: nn.Module,
    cells: CellSet,
    members: Ints,
    spec: InputSpec,
    novelty: Novelty | None,
    fold: int,
    labels: Ints,
    device: str,
) -> HeldOut:
    """What a network says of cells that it has not seen, and how their images were taken."""
    sample = cells.sample[members] + cells.view[members] * len(labels)
    images = np.unique(sample)
    if not len(images):
        return HeldOut(sample, np.zeros(0), images, images, np.zeros(0), np.zeros((0, len(MEASURES))))
    logits, embeddings, crops = predict_cells(network, cells, members, spec, device)
    vectors = evaluate.field_vectors(embeddings, crops, cells, members, sample, images, spec)
    return HeldOut(
        sample,
        logits,
        images,
        np.full(len(images), fold),
        np.zeros(len(images)) if novelty is None else novelty.score(vectors),
        evaluate.field_measures(crops, cells, members, sample, images, spec),
    )


def predict_cells(
    network: nn.Module, cells: CellSet, members: Ints, spec: InputSpec, device: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """Logits (n,), embeddings (n, F) and crops (n, S, S, C), without margin, of the cells `members`."""
    crops = cells.take(members).inputs(spec)[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    pictures = torch.from_numpy(np.ascontiguousarray(crops.transpose(0, 3, 1, 2)))
    logits, embeddings = predict(network, pictures, spec, device)
    return logits, embeddings, crops


def join(parts: list[HeldOut]) -> HeldOut:
    """The predictions of several folds as one."""
    return HeldOut(
        *(np.concatenate([getattr(h, name) for h in parts]) for name in HeldOut.__dataclass_fields__)
    )
