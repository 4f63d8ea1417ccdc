"""Networks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from fastpgs.nets.baselines import EfficientNetB3, cnn, vgg16
from fastpgs.nets.unet import UNet, UNetTable2

# name -> (constructor, activation where none is asked for, has a mask map)
NETWORKS: dict[str, tuple[Callable[..., nn.Module], str, bool]] = {
    "unet_plr": (UNet, "plr", True),
    "unet_plr_table2": (UNetTable2, "plr", True),
    "unet": (UNet, "relu", True),
    "unet_table2": (UNetTable2, "relu", True),
    "cnn": (cnn, "relu", False),
    "vgg16": (vgg16, "relu", False),
    "efficientnet_b3": (EfficientNetB3, "relu", False),
}


def network_names() -> list[str]:
    """Names that `build_network` takes."""
    return list(NETWORKS)


def build_network(
    name: str,
    *,
    in_channels: int = 1,
    num_classes: int = 1,
    activation: str | None = None,
    **options: Any,
) -> nn.Module:
    """Make an untrained network.

    Parameters
    ----------
    name : str
        One of `network_names`.
    in_channels : int
        1 for grey, 3 for RGB.
    num_classes : int
        1: one logit, blast against normal.
    activation : {"relu", "plr"}, optional
        None: PLR for names that end in it, ReLU for the others.
    **options
        Passed to the constructor: ``norm``, ``width``, ``hidden``, ``dropout`` of the U-Nets.

    Returns
    -------
    torch.nn.Module
        ``network(x)`` is a dict with ``"logit"`` (N, num_classes) and, for U-Nets, ``"mask"`` (N, 1, H, W).

    Raises
    ------
    ValueError
        Unknown name, channels or classes below 1, unknown activation or option.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; expected one of {', '.join(NETWORKS)}")
    if in_channels < 1 or num_classes < 1:
        raise ValueError(f"in_channels and num_classes must be >= 1, got {in_channels} and {num_classes}")
    make, default, _ = NETWORKS[name]
    chosen = activation or default
    if name.startswith("unet_plr") and chosen != "plr":
        raise ValueError(f"{name} has PLR by name; for activation={activation!r} take the network without it")
    try:
        return make(in_channels, num_classes, activation=chosen, **options)
    except TypeError as error:
        raise ValueError(f"{name} does not take these options: {sorted(options)} ({error})") from error


def has_mask(name: str) -> bool:
    """Whether the network of this name returns a mask map."""
    return NETWORKS[name][2]
