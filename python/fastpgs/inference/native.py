"""The U-Nets of this package run by the C++ core: NumPy arrays in and out, no torch, which takes seconds to import.

3x3 convolutions go by Winograd's minimal filtering: they are nine tenths of the work, torch already multiplies at the
processor's peak, and only fewer products make them faster, or narrower ones: with "int16" numbers are rounded to
sixteen-bit integers where they enter a product, each window's and each filter's by a scale of its own, and summed
exactly. The first convolution stays float32: it costs little, and all others see what it makes. Batch normalisation is
folded into them. Maps are float32 (n, height, width, channels). The networks are those of `fastpgs.nets.unet`, layer by
layer and by its names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastpgs import _core
from fastpgs.inference.calibration import sigmoid

__all__ = ["NUMBERS", "NativeEngine", "available", "build"]

Maps = NDArray[np.float32]
Outputs = dict[str, NDArray[np.float32]]
State = Mapping[str, NDArray[Any]]

NUMBERS = ("fp32", "int16")
EPSILON = np.float32(1e-5)  # of torch's batch normalisation
CROPS = 0  # number of the maps that a network of the core begins with


def available() -> bool:
    """Whether the core has the convolution for this processor (x86-64 with AVX2 and FMA)."""
    return bool(_core.conv3_path())


class NativeEngine:
    """Runs a network, each call on one thread; safe to call from many.

    Parameters
    ----------
    network : UNet or Table2
    """

    name = "native"

    def __init__(self, network: UNet | Table2) -> None:
        self._network = network

    def __call__(self, x: NDArray[Any], *, masks: bool = True, levels: Maps | None = None) -> Outputs:
        """``"logit"`` (n, classes), ``"embedding"`` (n, hidden) and, where asked for, ``"mask"`` (n, 1, H, W).

        Parameters
        ----------
        x : float32, shape (n, S, S, C), or uint8 with ``levels``
            Normalised crops, or crops as they are.
        masks : bool
        levels : float32, shape (256, C), optional
            What each level of each channel is when normalised.

        Raises
        ------
        ValueError
            Crops that the network cannot take.
        """
        network = self._network
        network.check(x.shape)
        if levels is None:
            logit, embedding, mask = network.core.run(x, masks)
        else:
            logit, embedding, mask = network.core.run(x, levels, masks)
        out = {"logit": logit, "embedding": embedding}
        return out if mask is None else {**out, "mask": sigmoid(mask[:, None]).astype(np.float32)}


def build(
    name: str,
    state: State,
    *,
    in_channels: int,
    activation: str | None,
    options: Mapping[str, Any],
    numbers: str = "fp32",
) -> NativeEngine | None:
    """A network from its weights.

    Parameters
    ----------
    name, in_channels, activation, options
        As `fastpgs.nets.build_network` takes them.
    state : mapping of str to ndarray
        The network's state dict.
    numbers : {"fp32", "int16"}
        What products are made of.

    Returns
    -------
    NativeEngine or None
        None where the core cannot run it, or where the weights are not those of such a network: torch can tell why.
    """
    kind = {"unet": UNet, "unet_table2": Table2}.get(name.replace("_plr", ""))
    if kind is None or not available():
        return None
    layers = _Layers(state, activation or ("plr" if "_plr" in name else "relu"), numbers)
    try:
        network = kind(layers, in_channels, **options)
    except (_UnfitError, TypeError, ValueError):
        return None
    return None if layers.left else NativeEngine(network)


class UNet:
    """`fastpgs.nets.UNet`."""

    def __init__(
        self,
        layers: _Layers,
        in_channels: int,
        num_classes: int = 1,
        *,
        norm: str = "none",
        width: int = 32,
        hidden: int = 64,
        dropout: float = 0.0,
    ) -> None:
        w1, w2, w3, w4 = width, 2 * width, 4 * width, 8 * width
        core = self.core = _core.Network(in_channels)

        def conv(name: str, c_in: int, c_out: int, *sources: int) -> int:
            exact = sources == (CROPS,)
            return core.conv(layers.conv(name, c_in, c_out, norm=norm, exact=exact), 1, *sources)

        def up(name: str, c_in: int, c_out: int, source: int) -> int:
            return core.up(layers.up(name, c_in, c_out), source)

        down1 = conv("conv1", in_channels, w1, CROPS)
        down2 = conv("conv2", w1, w2, core.pool(down1))
        down3 = conv("conv3", w2, w3, core.pool(down2))
        bottom = conv("conv4", w3, w4, core.pool(down3))
        up3 = conv("conv5", w4, w3, up("upconv3", w4, w3, bottom), down3)
        up2 = conv("conv6", w3, w2, up("upconv2", w3, w2, up3), down2)
        up1 = conv("conv7", w2, w1, up("upconv1", w2, w1, up2), down1)
        core.head([bottom, up3, up2, up1], *layers.head(w4 + w3 + w2 + w1, hidden, num_classes))
        core.pixelwise(up1, *layers.pixelwise("output", w1))

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse crops whose maps would not meet again."""
        _check(shape, multiple=8, smallest=8)


class Table2:
    """`fastpgs.nets.UNetTable2`."""

    def __init__(
        self,
        layers: _Layers,
        in_channels: int,
        num_classes: int = 1,
        *,
        hidden: int = 64,
        dropout: float = 0.0,
    ) -> None:
        core = self.core = _core.Network(in_channels)

        def conv(name: str, c_in: int, c_out: int, *sources: int) -> int:
            return core.conv(layers.conv(name, c_in, c_out, exact=sources == (CROPS,)), 0, *sources)

        down1 = conv("conv2d", in_channels, 32, CROPS)
        down2 = conv("conv2d_1", 32, 64, core.pool(down1))
        bottom = conv("conv2d_2", 64, 128, core.pool(down2))
        up2 = conv("conv2d_3", 192, 64, core.enlarge(bottom, 2), down2)
        up1 = conv("conv2d_4", 192, 32, core.enlarge(up2, 2), core.enlarge(bottom, 4))
        core.head([bottom, up2, up1], *layers.head(128 + 64 + 32, hidden, num_classes))
        core.pixelwise(up1, *layers.pixelwise("conv2d_5", 32))

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse crops of which nothing would be left."""
        _check(shape, multiple=1, smallest=22)


class _UnfitError(Exception):
    """The weights are not those of the network."""


class _Layers:
    """Makes layers of a state dict; `left` are the weights that none has asked for."""

    def __init__(self, state: State, activation: str, numbers: str) -> None:
        self._state = state
        self._activation = activation
        self._numbers = numbers
        self.left = {name for name in state if not name.endswith(".num_batches_tracked")}

    def _take(self, name: str, *shape: int) -> Maps:
        found = self._state.get(name)
        if found is None or found.shape != shape or found.dtype != np.float32:
            raise _UnfitError(name)
        self.left.discard(name)
        return np.ascontiguousarray(found)

    def _slope(self, name: str, channels: int) -> Maps:
        if self._activation == "relu":
            return np.zeros(channels, np.float32)
        return self._take(f"{name}.act.weight", channels)

    def conv(
        self, name: str, c_in: int, c_out: int, *, norm: str = "none", exact: bool = False
    ) -> _core.Conv3:
        """A `ConvPLR`; an exact one with float32 whatever the others are made of."""
        weight = self._take(f"{name}.conv.weight", c_out, c_in, 3, 3)
        bias = self._take(f"{name}.conv.bias", c_out)
        if norm == "batch":
            gain, shift, mean, variance = (
                self._take(f"{name}.norm.{part}", c_out)
                for part in ("weight", "bias", "running_mean", "running_var")
            )
            inverse = np.float32(1) / np.sqrt(variance + EPSILON)
            weight = weight * (gain * inverse)[:, None, None, None]
            bias = (bias - mean) * inverse * gain + shift
        elif norm != "none":
            raise _UnfitError(norm)
        numbers = "fp32" if exact else self._numbers
        return _core.Conv3(weight, bias, self._slope(name, c_out), numbers)

    def up(self, name: str, c_in: int, c_out: int) -> _core.Up2:
        """A transposed 2x2 convolution of stride 2."""
        weight = self._take(f"{name}.weight", c_in, c_out, 2, 2)
        return _core.Up2(weight, self._take(f"{name}.bias", c_out), self._numbers)

    def pixelwise(self, name: str, c_in: int) -> tuple[Maps, float]:
        """A 1x1 convolution to one map: weights and bias."""
        weight = self._take(f"{name}.weight", 1, c_in, 1, 1)
        return weight.reshape(c_in), float(self._take(f"{name}.bias", 1)[0])

    def head(self, channels: int, hidden: int, classes: int) -> tuple[Maps, Maps, Maps, Maps, Maps]:
        """A `ClassHead` over the means of several maps: weights and bias of its layers, a slope after the first."""
        return (
            np.ascontiguousarray(self._take("head.fc1.weight", hidden, channels).T),
            self._take("head.fc1.bias", hidden),
            self._slope("head", hidden),
            np.ascontiguousarray(self._take("head.fc2.weight", classes, hidden).T),
            self._take("head.fc2.bias", classes),
        )


def _check(shape: tuple[int, ...], *, multiple: int, smallest: int) -> None:
    if len(shape) != 4:
        raise ValueError(f"expected input of shape (n, H, W, C), got {list(shape)}")
    height, width = shape[1:3]
    if height % multiple or width % multiple:
        raise ValueError(f"height and width must be divisible by {multiple}, got {height} x {width}")
    if height < smallest or width < smallest:
        raise ValueError(f"height and width must be at least {smallest}, got {height} x {width}")
