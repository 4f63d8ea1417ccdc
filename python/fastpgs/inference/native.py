"""The U-Nets of this package run by the C++ core: NumPy arrays in and out, no torch, which takes seconds to import.

3x3 convolutions go by Winograd's minimal filtering: they are nine tenths of the work, torch already multiplies at the
processor's peak, and only fewer products make them faster. Batch normalisation is folded into them. Maps are float32
(n, height, width, channels). The networks are those of `fastpgs.nets.unet`, layer by layer and by its names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastpgs import _core
from fastpgs.inference.calibration import sigmoid

__all__ = ["NativeEngine", "available", "build"]

Maps = NDArray[np.float32]
Outputs = dict[str, NDArray[np.float32]]
State = Mapping[str, NDArray[Any]]
Conv = Callable[..., Maps]

EPSILON = np.float32(1e-5)  # of torch's batch normalisation


def available() -> bool:
    """Whether the core has the convolution for this processor (x86-64 with AVX2 and FMA)."""
    return bool(_core.conv3_path())


class NativeEngine:
    """Runs a network, each call on one thread; safe to call from many."""

    name = "native"

    def __init__(self, network: UNet | Table2) -> None:
        self._network = network

    def __call__(self, x: Maps, *, masks: bool = True) -> Outputs:
        """``"logit"`` (n, classes), ``"embedding"`` (n, hidden) and, where asked for, ``"mask"`` (n, 1, H, W).

        Parameters
        ----------
        x : float32, shape (n, S, S, C)
            Normalised crops.
        masks : bool

        Raises
        ------
        ValueError
            Crops that the network cannot take.
        """
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # what comes of it is not finite, and refused as such
            return self._network(x, masks)


def build(
    name: str, state: State, *, in_channels: int, activation: str | None, options: Mapping[str, Any]
) -> NativeEngine | None:
    """A network from its weights.

    Parameters
    ----------
    name, in_channels, activation, options
        As `fastpgs.nets.build_network` takes them.
    state : mapping of str to ndarray
        The network's state dict.

    Returns
    -------
    NativeEngine or None
        None where the core cannot run it, or where the weights are not those of such a network: torch can tell why.
    """
    kind = {"unet": UNet, "unet_table2": Table2}.get(name.replace("_plr", ""))
    if kind is None or not available():
        return None
    layers = _Layers(state, activation or ("plr" if "_plr" in name else "relu"))
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

        def conv(name: str, c_in: int, c_out: int) -> Conv:
            return layers.conv(name, c_in, c_out, padding=1, norm=norm)

        self.in_channels = in_channels
        self.conv1, self.conv2 = conv("conv1", in_channels, w1), conv("conv2", w1, w2)
        self.conv3, self.conv4 = conv("conv3", w2, w3), conv("conv4", w3, w4)
        self.upconv3, self.conv5 = layers.up("upconv3", w4, w3), conv("conv5", w4, w3)
        self.upconv2, self.conv6 = layers.up("upconv2", w3, w2), conv("conv6", w3, w2)
        self.upconv1, self.conv7 = layers.up("upconv1", w2, w1), conv("conv7", w2, w1)
        self.output = layers.pixelwise("output", w1)
        self.head = layers.head(w4 + w3 + w2 + w1, hidden, num_classes)

    def __call__(self, x: Maps, masks: bool) -> Outputs:
        _check(x, self.in_channels, multiple=8, smallest=8)
        down1 = self.conv1(x)
        down2 = self.conv2(_core.pool2(down1))
        down3 = self.conv3(_core.pool2(down2))
        bottom = self.conv4(_core.pool2(down3))
        up3 = self.conv5(self.upconv3(bottom), down3)
        up2 = self.conv6(self.upconv2(up3), down2)
        up1 = self.conv7(self.upconv1(up2), down1)
        out = self.head(bottom, up3, up2, up1)
        return out | {"mask": self.output(up1)} if masks else out


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
        self.in_channels = in_channels
        self.conv, self.conv_1 = layers.conv("conv2d", in_channels, 32), layers.conv("conv2d_1", 32, 64)
        self.conv_2, self.conv_3 = layers.conv("conv2d_2", 64, 128), layers.conv("conv2d_3", 192, 64)
        self.conv_4, self.conv_5 = layers.conv("conv2d_4", 192, 32), layers.pixelwise("conv2d_5", 32)
        self.head = layers.head(128 + 64 + 32, hidden, num_classes)

    def __call__(self, x: Maps, masks: bool) -> Outputs:
        _check(x, self.in_channels, multiple=1, smallest=22)
        down1 = self.conv(x)
        down2 = self.conv_1(_core.pool2(down1))
        bottom = self.conv_2(_core.pool2(down2))
        up2 = self.conv_3(_enlarged(bottom, 2), down2)
        up1 = self.conv_4(_enlarged(up2, 2), _enlarged(bottom, 4))
        out = self.head(bottom, up2, up1)
        return out | {"mask": self.conv_5(up1)} if masks else out


class _UnfitError(Exception):
    """The weights are not those of the network."""


class _Layers:
    """Makes layers of a state dict; `left` are the weights that none has asked for."""

    def __init__(self, state: State, activation: str) -> None:
        self._state = state
        self._activation = activation
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

    def conv(self, name: str, c_in: int, c_out: int, *, padding: int = 0, norm: str = "none") -> Conv:
        """A `ConvPLR`, of one source of maps or of two as if they were joined."""
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
        layer = _core.Conv3(weight, bias, self._slope(name, c_out))

        def run(x: Maps, skip: Maps | None = None) -> Maps:
            if skip is None:
                return layer.run(x, padding)
            height, width = (min(x.shape[axis], skip.shape[axis]) for axis in (1, 2))
            return layer.run(_centre(x, height, width), padding, _centre(skip, height, width))

        return run

    def up(self, name: str, c_in: int, c_out: int) -> Conv:
        """A transposed 2x2 convolution of stride 2."""
        weight = self._take(f"{name}.weight", c_in, c_out, 2, 2)
        return _core.Up2(weight, self._take(f"{name}.bias", c_out)).run

    def pixelwise(self, name: str, c_in: int) -> Conv:
        """A 1x1 convolution to one map and a sigmoid: (n, 1, H, W)."""
        weight = self._take(f"{name}.weight", 1, c_in, 1, 1).reshape(c_in, 1)
        bias = self._take(f"{name}.bias", 1)

        def run(x: Maps) -> Maps:
            values = _core.dense(x.reshape(-1, c_in), weight, bias)
            return sigmoid(values).astype(np.float32).reshape(len(x), 1, *x.shape[1:3])

        return run

    def head(self, channels: int, hidden: int, classes: int) -> Callable[..., Outputs]:
        """A `ClassHead` over the means of several maps."""
        first = np.ascontiguousarray(self._take("head.fc1.weight", hidden, channels).T)
        first_bias, slope = self._take("head.fc1.bias", hidden), self._slope("head", hidden)
        second = np.ascontiguousarray(self._take("head.fc2.weight", classes, hidden).T)
        second_bias = self._take("head.fc2.bias", classes)

        def run(*maps: Maps) -> Outputs:
            # Rows first: sums of few numbers each are rounded less, and added at speed.
            means = [x.sum(axis=2).sum(axis=1) / np.float32(x.shape[1] * x.shape[2]) for x in maps]
            hidden_values = _core.dense(np.concatenate(means, axis=1), first, first_bias)
            embedding = np.where(hidden_values > 0, hidden_values, slope * hidden_values)
            return {"logit": _core.dense(embedding, second, second_bias), "embedding": embedding}

        return run


def _check(x: Maps, channels: int, *, multiple: int, smallest: int) -> None:
    if x.ndim != 4 or x.shape[3] != channels:
        raise ValueError(f"expected input of shape (n, H, W, {channels}), got {list(x.shape)}")
    height, width = x.shape[1:3]
    if height % multiple or width % multiple:
        raise ValueError(f"height and width must be divisible by {multiple}, got {height} x {width}")
    if height < smallest or width < smallest:
        raise ValueError(f"height and width must be at least {smallest}, got {height} x {width}")


def _enlarged(x: Maps, times: int) -> Maps:
    return x.repeat(times, axis=1).repeat(times, axis=2)


def _centre(x: Maps, height: int, width: int) -> Maps:
    """The middle `height` x `width` pixels."""
    top, left = (x.shape[1] - height) // 2, (x.shape[2] - width) // 2
    return np.ascontiguousarray(x[:, top : top + height, left : left + width])
