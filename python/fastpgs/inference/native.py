"""Networks of this package, rebuilt for speed from their weights.

`fold` works batch normalisation into the convolutions before it. `nativise` runs all but the class head in the
C++ core, the 3x3 convolutions by Winograd's minimal filtering: they are nine tenths of the work, torch already
multiplies at the processor's peak, and only fewer products make them faster.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fastpgs import _core
from fastpgs.nets.unet import Concatenate, ConvPLR, UNet, UNetTable2, centre


def available() -> bool:
    """Whether the core has the convolution for this processor (x86-64 with AVX2 and FMA)."""
    return bool(_core.conv3_path())


class Joined(NamedTuple):
    """Two maps as if joined by channel, (N, C1, H, W) and (N, C2, H, W): a copy saved."""

    first: Tensor
    second: Tensor


class NativeJoin(Concatenate):
    """A `Concatenate` that leaves the joining to the `NativeConv` that follows."""

    def forward(self, up: Tensor, skip: Tensor) -> Joined:  # type: ignore[override]
        height, width = min(up.shape[2], skip.shape[2]), min(up.shape[3], skip.shape[3])
        return Joined(centre(up, height, width), centre(skip, height, width))


class NativeConv(nn.Module):
    """A `ConvPLR` run by the core, on one thread. float32 (N, C, H, W) in and out, channels last."""

    def __init__(self, layer: ConvPLR) -> None:
        super().__init__()
        conv, act = layer.conv, layer.act
        assert conv.bias is not None
        slope = torch.zeros(conv.out_channels)
        if isinstance(act, nn.PReLU):
            slope = act.weight.detach().expand(conv.out_channels)
        self.padding = int(conv.padding[0])
        self.layer = _core.Conv3(_array(conv.weight), _array(conv.bias), _array(slope))

    def forward(self, x: Tensor | Joined) -> Tensor:
        if isinstance(x, Joined):
            return _tensor(self.layer.run(_maps(x.first), self.padding, _maps(x.second)))
        return _tensor(self.layer.run(_maps(x), self.padding))


class NativeUp(nn.Module):
    """A transposed 2x2 convolution of stride 2 run by the core."""

    def __init__(self, layer: nn.ConvTranspose2d) -> None:
        super().__init__()
        bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias
        self.layer = _core.Up2(_array(layer.weight), _array(bias))

    def forward(self, x: Tensor) -> Tensor:
        return _tensor(self.layer.run(_maps(x)))


class NativePool(nn.Module):
    """The largest of each 2x2 pixels."""

    def forward(self, x: Tensor) -> Tensor:
        return _tensor(_core.pool2(_maps(x)))


def _maps(x: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = x.permute(0, 2, 3, 1).contiguous().numpy()
    return array


def _tensor(maps: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(maps).permute(0, 3, 1, 2)


def _array(x: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(x.detach().numpy(), dtype=np.float32)


def fold(network: nn.Module) -> None:
    """Work the batch normalisation of every `ConvPLR` into its convolution, in place."""
    for layer in network.modules():
        if isinstance(layer, ConvPLR) and isinstance(layer.norm, nn.BatchNorm2d):
            layer.conv = fuse_conv_bn_eval(layer.conv, layer.norm)
            layer.norm = nn.Identity()


def nativise(network: nn.Module) -> bool:
    """Run a folded network of this package in the core, in place; False, and no change, where that cannot be."""
    layers = [layer for layer in network.modules() if isinstance(layer, ConvPLR)]
    if not (isinstance(network, UNet | UNetTable2) and available() and all(map(_fits, layers))):
        return False
    for name, child in list(network.named_children()):
        if isinstance(child, ConvPLR):
            setattr(network, name, NativeConv(child))
        elif isinstance(child, nn.ConvTranspose2d):
            setattr(network, name, NativeUp(child))
        elif isinstance(child, nn.MaxPool2d):
            setattr(network, name, NativePool())
        elif isinstance(child, Concatenate):
            setattr(network, name, NativeJoin())
    return True


def _fits(layer: ConvPLR) -> bool:
    return (
        isinstance(layer.norm, nn.Identity)
        and isinstance(layer.act, nn.PReLU | nn.ReLU)
        and layer.conv.padding in ((0, 0), (1, 1))
    )


def to_dtype(network: nn.Module, dtype: torch.dtype) -> bool:
    """Compute the maps of a network of this package with `dtype`, in place; False, and no change, for others.

    The class head stays float32: it costs nothing and decides.
    """
    if not isinstance(network, UNet | UNetTable2):
        return False
    fold(network)
    for name, layer in network.named_modules():
        if not name.startswith("head") and isinstance(
            layer, nn.Conv2d | nn.ConvTranspose2d | nn.PReLU | nn.GroupNorm
        ):
            layer.to(dtype)
    return True
