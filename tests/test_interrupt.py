"""Ctrl-C is heard while the core works."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import fastpgs
from fastpgs import synth

LIMIT = 0.2  # seconds
TRIES = 5  # on a busy machine one answer may be late, not five

SMEAR = synth.smear((512, 512), seed=1).image
FIELD = np.tile(SMEAR, (4, 4, 1))
NOISE = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), dtype=np.uint8)

WORK: dict[str, Callable[[], Any]] = {
    "many starts": lambda: fastpgs.segment(SMEAR, 5, n_init=10_000),
    "large image": lambda: fastpgs.segment(FIELD, 5, n_init=10_000),
    "many colours": lambda: fastpgs.segment(NOISE, 200, features="rgb", n_init=10_000),
    "random start": lambda: fastpgs.segment(FIELD, 20, init="random", n_init=10_000),
    "reals": lambda: fastpgs.segment(NOISE / 255.0, 20, features="raw", n_init=10_000),
    "Mahalanobis": lambda: fastpgs.segment(NOISE / 255.0, 20, metric="mahalanobis", n_init=10_000),
    "means": lambda: fastpgs.segment(FIELD, 20, update="mean", threshold=100.0, n_init=10_000),
    "batch": lambda: fastpgs.segment_batch([SMEAR[:64], SMEAR], 5, n_init=10_000, num_threads=2),
    "cells": lambda: [fastpgs.find_cells(FIELD) for _ in range(1000)],
}


@pytest.fixture(autouse=True)
def _ctrl_c_is_not_ignored() -> Iterator[None]:
    """A shell that runs us in the background has its children ignore Ctrl-C, and Python leaves it at that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def answer_time(work: Callable[[], Any], delay: float) -> float:
    """Seconds from the signal to the exception."""
    sent: list[float] = []

    def send() -> None:
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(delay, send)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        work()
    heard = time.monotonic()
    timer.join()
    return heard - sent[0]


@pytest.mark.skipif(os.name == "nt", reason="signals go to another process there")
@pytest.mark.parametrize("name", WORK)
def test_ctrl_c_is_answered(name: str) -> None:
    times = []
    for i in range(TRIES):
        times.append(answer_time(WORK[name], 0.15 + 0.07 * i))
        if times[-1] < LIMIT:
            break
    assert min(times) < LIMIT, times
    expected = fastpgs.segment(SMEAR[:64, :64], num_threads=1)  # nothing is left behind
    np.testing.assert_array_equal(fastpgs.segment(SMEAR[:64, :64]), expected)


@pytest.mark.skipif(os.name == "nt", reason="signals go to another process there")
def test_handlers_that_do_not_raise_run_and_work_goes_on() -> None:
    heard: list[float] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: heard.append(time.monotonic()))
    try:
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        start = time.monotonic()
        labels = fastpgs.segment(FIELD, 5, n_init=1000)
        end = time.monotonic()
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert start < heard[0] < end, "expected the handler to run while the core worked"
    assert labels.shape == FIELD.shape[:2]


def test_other_threads_work_without_a_listener() -> None:
    """Signals are the main thread's business; a worker's call ends when it is done."""
    expected = fastpgs.segment(SMEAR, 4, n_init=3)
    got: list[Any] = []
    threads = [
        threading.Thread(target=lambda: got.append(fastpgs.segment(SMEAR, 4, n_init=3))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 4
    for labels in got:
        np.testing.assert_array_equal(labels, expected)
