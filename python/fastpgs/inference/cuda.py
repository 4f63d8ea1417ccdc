"""Crops through a network on a CUDA device without waiting for the host.

Bytes travel from pinned memory, normalisation and network are one CUDA graph for a fixed batch, and two such
slots take turns: while one computes, the other's crops go up and its results come down.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastpgs.inference.engines import ModuleEngine
from fastpgs.inference.preprocess import InputSpec

Outputs = dict[str, NDArray[Any]]
Shape = tuple[int, ...]

SLOTS = 2
MOST_SHAPES = 2  # batch shapes whose graphs are kept


class GraphRunner:
    """Runs a network in torch by CUDA graphs; safe to call from many threads, one at a time works.

    Parameters
    ----------
    engine : ModuleEngine
        On `device`.
    spec : InputSpec
        Normalisation.
    device : str
    """

    def __init__(self, engine: ModuleEngine, spec: InputSpec, device: str) -> None:
        self._engine = engine
        self._device = device
        mean, std = torch.tensor(spec.mean), torch.tensor(spec.std)
        # Made before any capture: a copy from the host cannot be part of a graph.
        self._scale = (1 / (255 * std)).view(1, -1, 1, 1).to(device)
        self._shift = (-mean / std).view(1, -1, 1, 1).to(device)
        self._slots: dict[tuple[Shape, bool], list[_Slot]] = {}
        self._lock = threading.Lock()

    def __call__(self, crops: NDArray[np.uint8], batch_size: int, masks: bool) -> list[Outputs]:
        """The network's outputs for crops (n, S, S, C), a batch each."""
        results: list[Outputs] = []
        with self._lock, torch.cuda.device(self._device), torch.no_grad():
            slots = self._ready((batch_size, *crops.shape[1:]), masks)
            for turn, start in enumerate(range(0, len(crops), batch_size)):
                slot = slots[turn % SLOTS]
                if turn >= SLOTS:
                    results.append(slot.collect())
                slot.submit(crops[start : start + batch_size])
            turns = -(-len(crops) // batch_size)
            results += [slots[turn % SLOTS].collect() for turn in range(max(0, turns - SLOTS), turns)]
        return results

    def _ready(self, shape: Shape, masks: bool) -> list[_Slot]:
        key = (shape, masks)
        if key not in self._slots:
            while len(self._slots) >= MOST_SHAPES:
                self._slots.pop(next(iter(self._slots)))

            def run(x: Tensor) -> dict[str, Tensor]:
                normal = x.permute(0, 3, 1, 2).float() * self._scale + self._shift
                out = self._engine(normal.contiguous(memory_format=torch.channels_last))
                return {k: v.float() for k, v in out.items() if masks or k != "mask"}

            self._slots[key] = [_Slot(run, shape, self._device) for _ in range(SLOTS)]
        return self._slots[key]


class _Slot:
    """One batch on its way: pinned memory on both ends, a stream, and the graph between."""

    def __init__(self, run: Callable[[Tensor], dict[str, Tensor]], shape: Shape, device: str) -> None:
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.host = torch.zeros(shape, dtype=torch.uint8).pin_memory()
        self.given = torch.zeros(shape, dtype=torch.uint8, device=device)
        torch.cuda.synchronize(device)
        with torch.cuda.stream(self.stream), torch.backends.cudnn.flags(enabled=True, benchmark=True):
            for _ in range(3):  # algorithms are tried and memory is taken before the capture
                run(self.given)
        self.stream.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local"):
            self.out = run(self.given)
        self.back = {k: torch.empty(v.shape, dtype=v.dtype).pin_memory() for k, v in self.out.items()}
        self.done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self.n = 0

    def submit(self, crops: NDArray[np.uint8]) -> None:
        """Send crops up, at most a batch; returns at once. What is left of an earlier batch is not read."""
        self.n = len(crops)
        self.host.numpy()[: self.n] = crops
        with torch.cuda.stream(self.stream):
            self.given.copy_(self.host, non_blocking=True)
            self.graph.replay()
            for name, value in self.out.items():
                self.back[name].copy_(value, non_blocking=True)
            self.done.record(self.stream)

    def collect(self) -> Outputs:
        """Wait for the outputs."""
        self.done.synchronize()
        return {name: value[: self.n].numpy().copy() for name, value in self.back.items()}
