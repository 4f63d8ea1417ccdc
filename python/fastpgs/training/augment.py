"""Augmentation of crops as tensors: one call a batch, the mask moves with its picture.

Rotation, flips, zoom and shift are one resampling (`affine_grid` and `grid_sample`), so that they blur once.
Stain jitter acts on optical density, where Beer-Lambert makes dye amounts additive: each channel is scaled,
and channels leak into one another a little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


@dataclass(frozen=True)
class Augment:
    """How far each kind of change may go; 0 switches it off."""

    rotate: float = 180.0  # degrees to either side
    flip: float = 0.5  # probability of a mirror image
    zoom: float = 0.2  # log-range: the factor is within exp(+-zoom)
    shift: float = 2.0  # pixels to either side, each axis
    stain: float = 0.15  # standard deviation of the log gain of each channel's optical density
    mix: float = 0.05  # standard deviation of leaks between channels, in optical density
    brightness: float = 0.25  # log-range of a gain on all intensities
    blur: float = 0.3  # probability of a Gaussian blur ...
    blur_sigma: float = 1.2  # ... of at most this many pixels
    noise: float = 0.02  # largest standard deviation of added noise, in units of full scale
    light: float = 0.0  # standard deviation of the log gain of each channel's intensities


NO_AUGMENT = Augment(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def augment(
    crops: Tensor, masks: Tensor, size: int, options: Augment, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Change a batch at random and cut its centre to `size`.

    Parameters
    ----------
    crops : Tensor, shape (N, C, S, S), in [0, 1]
        Cut with a margin (S > size) where corners are to hold real neighbourhood after a rotation.
    masks : Tensor, shape (N, 1, S, S), in [0, 1]
    size : int
        Side of the result, at most S.
    options : Augment
    generator : torch.Generator
        Every random number comes from it, so a restored generator repeats the batch.

    Returns
    -------
    crops : Tensor, shape (N, C, size, size), in [0, 1]
    masks : Tensor, shape (N, 1, size, size), in [0, 1]
    """
    n = crops.shape[0]
    if size > crops.shape[-1]:
        raise ValueError(f"size must be at most {crops.shape[-1]}, the side of the crops, got {size}")

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=generator) * (high - low) + low

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    theta = _geometry(n, crops.shape[-1], size, options, uniform)
    # One resampling for both; pixels from beyond the crop are reflections of the ones inside.
    both = F.grid_sample(
        torch.cat([crops, masks], dim=1),
        F.affine_grid(theta, [n, 1, size, size], align_corners=False).to(crops),
        mode="bilinear",
        padding_mode="reflection",
        align_corners=False,
    )
    crops, masks = both[:, :-1], both[:, -1:]

    if options.stain > 0 or options.mix > 0:
        channels = crops.shape[1]
        gain = torch.diag_embed(torch.exp(options.stain * normal(n, channels)))
        leak = options.mix * normal(n, channels, channels) if channels > 1 else 0.0
        density = -torch.log(crops.clamp(min=1 / 255))
        crops = torch.exp(-torch.einsum("nij,njhw->nihw", gain + leak, density).clamp(min=0))
    if options.brightness > 0:
        crops = crops * torch.exp(uniform(-options.brightness, options.brightness)).view(n, 1, 1, 1)
    if options.light > 0:
        # A lamp of another colour, as far as white balance leaves it: clipped backgrounds hide its blue or red.
        crops = crops * torch.exp(options.light * normal(n, crops.shape[1])).view(n, -1, 1, 1)
    if options.blur > 0:
        sigma = uniform(0.3, max(0.3, options.blur_sigma))
        crops = _blur(crops, torch.where(uniform(0, 1) < options.blur, sigma, 0.0))
    if options.noise > 0:
        crops = crops + uniform(0, options.noise).view(n, 1, 1, 1) * normal(*crops.shape)
    return crops.clamp(0, 1), masks


def _geometry(n: int, side: int, size: int, options: Augment, uniform) -> Tensor:  # type: ignore[no-untyped-def]
    angle = uniform(-options.rotate, options.rotate) * (math.pi / 180)
    # The grid spans the crop; size / side of it is the centre at native scale.
    scale = (size / side) * torch.exp(uniform(-options.zoom, options.zoom))
    mirror = torch.where(uniform(0, 1) < options.flip, -1.0, 1.0)
    shift = torch.stack([uniform(-options.shift, options.shift) for _ in range(2)], dim=1) * (2 / side)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = torch.stack([cos * mirror, -sin, sin * mirror, cos], dim=1).view(n, 2, 2)
    return torch.cat([rows, shift.unsqueeze(2)], dim=2)


def _blur(crops: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur with one sigma a crop (0: unchanged), as two grouped one-dimensional convolutions."""
    n, channels, height, width = crops.shape
    x = torch.arange(-3, 4, dtype=crops.dtype)
    kernel = torch.exp(-(x**2) / (2 * sigma.clamp(min=1e-3).unsqueeze(1) ** 2))
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).to(crops).repeat_interleave(channels, dim=0)
    flat = crops.reshape(1, n * channels, height, width)
    flat = F.conv2d(F.pad(flat, (3, 3, 0, 0), "replicate"), kernel.view(-1, 1, 1, 7), groups=n * channels)
    flat = F.conv2d(F.pad(flat, (0, 0, 3, 3), "replicate"), kernel.view(-1, 1, 7, 1), groups=n * channels)
    return flat.view(n, channels, height, width)
