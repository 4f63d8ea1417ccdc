"""Maps and layers for the tests of networks: random ones, and what torch makes of them with float64."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from fastpgs.inference import native

needs_core = pytest.mark.skipif(not native.available(), reason="needs x86-64 with AVX2 and FMA")

# n, height, width, c_in, c_out
CONVOLUTIONS = [
    (2, 3, 3, 1, 1),
    (1, 8, 8, 3, 32),
    (3, 17, 6, 5, 7),
    (2, 4, 4, 40, 33),
    (1, 30, 41, 9, 16),
    (70, 4, 4, 8, 48),
    (1, 9, 9, 256, 64),
    (1, 8, 8, 21, 16),
]
# width, c_in, c_out
UP_CONVOLUTIONS = [(1, 1, 1), (4, 16, 32), (7, 5, 3), (8, 33, 17), (19, 6, 40)]


def maps(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def channels_last(x):
    return np.ascontiguousarray(x.permute(0, 2, 3, 1).numpy())


def tensor(x):
    return torch.from_numpy(x).permute(0, 3, 1, 2)


def convolved(x, weight, bias, slope, padding):
    exact = functional.conv2d(
        tensor(x).double(),
        torch.from_numpy(weight).double(),
        torch.from_numpy(bias).double(),
        padding=padding,
    )
    return channels_last(functional.prelu(exact, torch.from_numpy(slope).double()))


def up_convolved(x, weight, bias):
    exact = functional.conv_transpose2d(
        tensor(x).double(),
        torch.from_numpy(weight).double(),
        torch.from_numpy(bias).double(),
        stride=2,
    )
    return channels_last(exact)
