"""Figures under change, from rows whose figures are known."""

from pathlib import Path

import numpy as np
import pytest

from fastpgs.training.datasets import Dataset, Sample
from fastpgs.training.robustness import choose_images, summarise


def row(image, p, call, cells=3, novel=False):
    return {"image": image, "label": int(image >= 4), "p": p, "call": call, "cells": cells, "novel": novel}


@pytest.fixture
def data():
    """Four normal fields, then four blasts, two a group."""
    kinds = ["normal"] * 4 + ["blast"] * 4
    samples = tuple(
        Sample(Path(f"{n}.png"), int(n >= 4), f"{kind}/{n // 2}", kind) for n, kind in enumerate(kinds)
    )
    return Dataset(Path(), "folder", samples)


def test_what_a_change_costs(data):
    right = [row(n, 0.9, "blast") if n >= 4 else row(n, 0.1, "normal") for n in range(8)]
    worse = list(right)
    worse[0] = row(0, 0.8, "blast", novel=True)
    worse[5] = row(5, 0.6, "uncertain")  # on the right side of 0.5, but not called
    worse[6] = row(6, float("nan"), "uncertain", cells=0)
    table = summarise({"none": right, "worse": worse}, data, share=0.3, repeats=2000)
    none, changed = table["none"], table["worse"]
    assert (none["balanced_accuracy"], none["calls"], none["lost"], none["lost_high"]) == (1, 1, 0, 0)
    assert changed["balanced_accuracy"] == pytest.approx(0.75)
    assert changed["lost"] == pytest.approx(0.25)
    assert changed["lost_low"] <= 0.25 <= changed["lost_high"]
    # One of the two groups of each class has an error: a draw has none, one of two, or all.
    assert (changed["low"], changed["high"]) == (pytest.approx(0.5), pytest.approx(1.0))
    assert changed["calls"] == pytest.approx((0.75 + 0.5) / 2)
    assert (changed["without_cells"], changed["novel"], changed["images"]) == (1, 0.125, 8)


def test_as_many_of_each_class_as_there_are():
    labels = np.array([0, 1, 1, 1, 0, 1, 1])
    chosen = choose_images(np.arange(1, 7), labels, 2, np.random.default_rng(0))
    assert sorted(labels[chosen]) == [0, 1, 1]
    assert 0 not in chosen
    assert len(set(chosen.tolist())) == 3
