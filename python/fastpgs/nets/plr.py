"""Parametric leaky ReLU (PLR), and how it takes the place of other activations.

PLR is f(x) = x for x > 0 and a * x otherwise, with one learned slope ``a`` a channel: `torch.nn.PReLU`
(He et al. 2015, DOI 10.1109/ICCV.2015.123).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

Activation = Literal["relu", "plr"]

INITIAL_SLOPE = 0.25

# Activations without parameters of their own. Sigmoid is left out: it is a gate or an output, not a rectifier.
REPLACEABLE = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Hardswish, nn.Mish)


def make_activation(name: str, channels: int) -> nn.Module:
    """One activation layer for `channels` feature maps.

    Parameters
    ----------
    name : {"relu", "plr"}
    channels : int
        Number of slopes where ``name="plr"``.

    Raises
    ------
    ValueError
        For any other name.
    """
    if name == "plr":
        return nn.PReLU(channels, init=INITIAL_SLOPE)
    if name == "relu":
        return nn.ReLU()
    raise ValueError(f"activation must be 'relu' or 'plr', got {name!r}")


class SharedPLR(nn.Module):
    """PLR for an activation object that one network calls on maps of several channel counts.

    Some networks keep one activation object a block and call it on wide and on squeezed maps alike. Slopes
    are per channel, so there is one `torch.nn.PReLU` for each channel count met.
    """

    def __init__(self, channel_counts: list[int]) -> None:
        super().__init__()
        self.by_width = nn.ModuleList(
            nn.PReLU(count, init=INITIAL_SLOPE) for count in sorted(set(channel_counts))
        )

    def forward(self, x: Tensor) -> Tensor:
        out = x
        matched = False
        for plr in self.by_width:
            if plr.num_parameters == x.shape[1]:
                out = plr(x)
                matched = True
        if not matched:
            raise ValueError(f"no slopes for {x.shape[1]} channels")
        return out


def replace_activations(network: nn.Module, example: Tensor, extra: tuple[type[nn.Module], ...] = ()) -> int:
    """Replace, in place and at any depth, every activation of `network` by PLR.

    The channel count of each activation is not guessed from its neighbours: `example` is run through the
    network once and each activation reports what it was given.

    Parameters
    ----------
    network : torch.nn.Module
    example : Tensor, shape (N, C, H, W)
        An input the network accepts.
    extra : tuple of module types
        Activation types of other libraries to replace too.

    Returns
    -------
    int
        Number of activation modules replaced.
    """
    kinds = REPLACEABLE + extra
    seen: dict[nn.Module, list[int]] = {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.setdefault(module, []).append(inputs[0].shape[1])

    hooks = [m.register_forward_pre_hook(note) for m in network.modules() if isinstance(m, kinds)]
    was_training = network.training
    network.eval()
    with torch.no_grad():
        network(example)
    network.train(was_training)
    for hook in hooks:
        hook.remove()

    made: dict[nn.Module, nn.Module] = {}
    for module, counts in seen.items():
        made[module] = nn.PReLU(counts[0], init=INITIAL_SLOPE) if len(set(counts)) == 1 else SharedPLR(counts)
    _swap(network, lambda m: made.get(m))
    return len(made)


def _swap(parent: nn.Module, replacement: Callable[[nn.Module], nn.Module | None]) -> None:
    for name, child in parent.named_children():
        new = replacement(child)
        if new is None:
            _swap(child, replacement)
        else:
            setattr(parent, name, new)


def count_slopes(network: nn.Module) -> int:
    """Number of learned PLR slopes in `network`."""
    return sum(m.weight.numel() for m in network.modules() if isinstance(m, nn.PReLU))
