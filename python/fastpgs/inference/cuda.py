"""Crops through a network on a CUDA device without waiting for the host.

Bytes travel from pinned memory, normalisation and network are one CUDA graph for a fixed batch, and two such
slots take turns: while one computes, the other's crops go up and its results come down. Threads share the slots,
so that a thread that gathers its next batch does not keep the device idle.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
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
    """Runs a network in torch by CUDA graphs; safe to call from many threads.

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
        self._slots: dict[tuple[Shape, bool], SimpleQueue[_Slot]] = {}
        self._lock = threading.Lock()

    def __call__(self, crops: NDArray[np.uint8], batch_size: int, masks: bool) -> list[Outputs]:
        """The network's outputs for crops (n, S, S, C), a batch each.

        Raises
        ------
        MemoryError
            The device has no room for batches of that size.
        """
        results: list[Outputs] = []
        with torch.cuda.device(self._device):
            free = self._ready((batch_size, *crops.shape[1:]), masks)
            busy: deque[_Slot] = deque()

            def collect() -> None:
                results.append(busy[0].collect())
                free.put(busy.popleft())

            try:
                for start in range(0, len(crops), batch_size):
                    # Nobody waits for a slot of another thread while holding one that it could give back.
                    while (slot := _one_of(free, wait=not busy)) is None:
                        collect()
                    busy.append(slot)
                    slot.submit(crops[start : start + batch_size])
                while busy:
                    collect()
            finally:
                for slot in busy:
                    free.put(slot)
        return results

    def _ready(self, shape: Shape, masks: bool) -> SimpleQueue[_Slot]:
        """The slots for batches of a shape, made where there are none yet."""
        key = (shape, masks)
        with self._lock:
            if key not in self._slots:
                while len(self._slots) >= MOST_SHAPES:
                    self._slots.pop(next(iter(self._slots)))
                free: SimpleQueue[_Slot] = SimpleQueue()
                try:
                    for _ in range(SLOTS):
                        free.put(_Slot(lambda x: self._run(x, masks), shape, self._device))
                except torch.cuda.OutOfMemoryError:
                    raise MemoryError(
                        f"{self._device} has no room for batches of {shape[0]} crops of {shape[1]} x {shape[2]}"
                        " pixels: use a smaller batch size"
                    ) from None
                self._slots[key] = free
            return self._slots[key]

    def _run(self, x: Tensor, masks: bool) -> dict[str, Tensor]:
        normal = x.permute(0, 3, 1, 2).float() * self._scale + self._shift
        out = self._engine(normal.contiguous(memory_format=torch.channels_last))
        return {k: v.float() for k, v in out.items() if masks or k != "mask"}


def _one_of(free: SimpleQueue[_Slot], *, wait: bool) -> _Slot | None:
    try:
        return free.get(block=wait)
    except Empty:
        return None


class _Slot:
    """One batch on its way: pinned memory on both ends, a stream, and the graph between."""

    def __init__(self, run: Callable[[Tensor], dict[str, Tensor]], shape: Shape, device: str) -> None:
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.given = torch.zeros(shape, dtype=torch.uint8, device=device)
        torch.cuda.synchronize(device)
        self.graph = torch.cuda.CUDAGraph()
        with torch.no_grad():
            with torch.cuda.stream(self.stream), torch.backends.cudnn.flags(enabled=True, benchmark=True):
                for _ in range(3):  # algorithms are tried and memory is taken before the capture
                    run(self.given)
            self.stream.synchronize()
            with torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local"):
                self.out = run(self.given)
        self.host = torch.zeros(shape, dtype=torch.uint8).pin_memory()
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
